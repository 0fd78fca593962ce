/* describe.c: tables -> JSON. */
#include "core/worker/describe.h"

#include "core/worker/load.h"

#include <string.h>

#define SUB_MAX_DEPTH 8

static void write_split(struct jw *w, const char *key, const char *text)
{
	const char *sep = "|, ";

	if (text == NULL || text[0] == '\0')
		return;
	jw_key(w, key);
	jw_array(w);
	while (*text != '\0') {
		size_t n = strcspn(text, sep);

		if (n > 0)
			jw_strn(w, text, n);
		text += n;
		text += strspn(text, sep);
	}
	jw_end_array(w);
}

static void write_text(struct jw *w, const char *key, const char *text)
{
	if (text != NULL && text[0] != '\0')
		jw_kstr(w, key, text);
}

static void write_flag(struct jw *w, const char *key, bool on)
{
	if (on)
		jw_kbool(w, key, true);
}

static void write_options(struct jw *w, const char *key, const slu_opts *o, unsigned depth);

static void write_option(struct jw *w, const slu_opt *o, unsigned depth)
{
	const char *type = table_type_name(o->type);

	jw_object(w);
	jw_kstr(w, "name", o->name != NULL ? o->name : "");
	jw_kstr(w, "type", type != NULL ? type : "string");
	write_text(w, "doc", o->doc);
	write_text(w, "default", o->def);
	write_split(w, "choices", o->choices);
	write_text(w, "min", o->min);
	write_text(w, "max", o->max);
	write_flag(w, "required", o->flags & SLU_F_REQUIRED);
	write_flag(w, "templated", o->flags & SLU_F_TEMPLATED);
	write_flag(w, "deprecated", o->flags & SLU_F_DEPRECATED);
	write_flag(w, "identity", o->flags & SLU_F_IDENTITY);
	write_flag(w, "short", o->flags & SLU_F_SHORT);
	write_split(w, "needs", o->needs);
	write_split(w, "excludes", o->excludes);
	if (o->sub.n > 0 && o->sub.v != NULL && depth < SUB_MAX_DEPTH)
		write_options(w, "sub", &o->sub, depth + 1);
	jw_end_object(w);
}

static void write_options(struct jw *w, const char *key, const slu_opts *o, unsigned depth)
{
	uint32_t i;

	jw_key(w, key);
	jw_array(w);
	for (i = 0; o->v != NULL && i < o->n; i++) {
		slu_opt opt = table_opt(o, i);

		write_option(w, &opt, depth);
	}
	jw_end_array(w);
}

static void begin_role(struct jw *w, const slu_kind *k, const char *role, uint32_t caps)
{
	slu_opts options = table_options(k, role);

	jw_key(w, role);
	jw_object(w);
	jw_ki64(w, "caps", caps);
	write_options(w, "options", &options, 0);
}

static void write_connection(struct jw *w, const slu_kind *k)
{
	const slu_warehouse *wh = TABLE_SLOT(k->connection, warehouse);

	begin_role(w, k, "connection", TABLE_SLOT(k->connection, caps));
	if (wh != NULL) {
		jw_kbool(w, "warehouse", true);
		write_text(w, "dialect", TABLE_SLOT(wh, dialect));
	}
	jw_end_object(w);
}

static void write_load(struct jw *w, const slu_kind *k)
{
	uint32_t mode;

	begin_role(w, k, "load", TABLE_SLOT(k->load, caps));
	jw_key(w, "promise");
	jw_object(w);
	for (mode = 0; TABLE_HAS(k->load, promise) && mode < SLU_M_MAX; mode++)
		if (k->load->promise[mode] != SLU_P_NONE && table_mode_name(mode) != NULL)
			jw_kstr(
			    w, table_mode_name(mode), table_promise_name(k->load->promise[mode]));
	jw_end_object(w);
	jw_end_object(w);
}

static void write_task(struct jw *w, const slu_kind *k)
{
	begin_role(w, k, "task", TABLE_SLOT(k->task, caps));
	write_flag(w, "submit", TABLE_SLOT(k->task, submit) != NULL);
	jw_end_object(w);
}

#define WRITE_PLAIN(role)                                                                          \
	do {                                                                                       \
		if (k->role != NULL) {                                                             \
			begin_role(w, k, #role, TABLE_SLOT(k->role, caps));                        \
			jw_end_object(w);                                                          \
		}                                                                                  \
	} while (0)

static void write_kind(struct jw *w, const slu_kind *k)
{
	jw_object(w);
	jw_kstr(w, "type", k->type != NULL ? k->type : "");
	write_text(w, "doc", k->doc);
	jw_ki64(w, "needs", k->needs);
	jw_key(w, "roles");
	jw_object(w);
	if (k->connection != NULL)
		write_connection(w, k);
	WRITE_PLAIN(extract);
	WRITE_PLAIN(transform);
	if (k->load != NULL)
		write_load(w, k);
	WRITE_PLAIN(model);
	if (k->task != NULL)
		write_task(w, k);
	WRITE_PLAIN(source);
	jw_end_object(w);
	jw_end_object(w);
}

int describe_file(const char *path, struct str *out, struct err *err)
{
	const struct plugin *p;
	struct jw w;
	uint32_t i;
	int rc = plugin_open(path, &p, err);

	if (rc != 0)
		return rc;
	jw_init(&w, out);
	jw_object(&w);
	jw_kstr(&w, "name", p->table->name);
	jw_kstr(&w, "version", TABLE_SLOT(p->table, version) ? p->table->version : "");
	jw_kstr(&w, "file", p->path);
	jw_kstr(&w, "sha256", p->sha);
	write_text(&w, "license", p->table->license);
	write_text(&w, "home", p->table->home);
	jw_key(&w, "kinds");
	jw_array(&w);
	for (i = 0; i < p->table->n_kinds; i++) {
		slu_kind k = table_kind(p->table, i);

		write_kind(&w, &k);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	return out->failed ? err_set(err, ERR_LIMIT, "plugin: the tables of %s are too large", path)
			   : 0;
}
