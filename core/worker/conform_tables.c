/* conform_tables.c: a plugin's tables have to make sense before anybody runs it. */
#include "core/worker/conform.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8

struct where {
	struct conform *c;
	const char *kind, *role;
	int n;	       /* options looked at */
	char bad[512]; /* what is wrong first */
};

static void note(struct where *w, const char *option, const char *what)
{
	if (w->bad[0] == '\0')
		snprintf(w->bad, sizeof(w->bad), "option \"%s\" %s", option, what);
}

static bool in_list(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (list != NULL && *list != '\0') {
		size_t k = strcspn(list, "|, ");

		if (k == n && strncmp(list, word, n) == 0)
			return true;
		list += k;
		list += strspn(list, "|, ");
	}
	return false;
}

/* Does the text read as the type? Texts of all kinds do. */
static bool reads_as(uint16_t type, const char *text)
{
	uint64_t bytes;
	int64_t i;
	char *end;

	switch (type) {
	case SLU_T_BOOL:
		return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
	case SLU_T_INT:
		return str_to_i64(text, &i) == 0;
	case SLU_T_FLOAT:
		(void)strtod(text, &end);
		return end != text && *end == '\0';
	case SLU_T_BYTES:
		return str_to_bytes(text, &bytes) == 0;
	case SLU_T_DURATION:
		return str_to_duration_ms(text, &i) == 0;
	default:
		return true;
	}
}

static void check_texts(struct where *w, const slu_opt *o)
{
	const char *const bounds[] = {o->def, o->min, o->max};
	size_t i;

	for (i = 0; i < 3; i++)
		if (bounds[i] != NULL && bounds[i][0] != '\0' && !reads_as(o->type, bounds[i]))
			note(w, o->name, "has a default or bound that does not read as its type");
	if (o->type == SLU_T_ENUM && (o->choices == NULL || o->choices[0] == '\0'))
		note(w, o->name, "is an enum without choices");
	if (o->type == SLU_T_ENUM && o->def != NULL && o->def[0] != '\0' &&
	    !in_list(o->choices, o->def))
		note(w, o->name, "has a default that is none of its choices");
	if (o->type == SLU_T_SECRET && o->def != NULL && o->def[0] != '\0')
		note(w, o->name, "is a secret with a default");
	if ((o->flags & SLU_F_REQUIRED) && o->def != NULL && o->def[0] != '\0')
		note(w, o->name, "is required and has a default");
	if (o->doc == NULL || o->doc[0] == '\0' || !str_ends(o->doc, "."))
		note(w, o->name, "has no sentence for `doc`");
}

static bool is_table_of(const slu_opts *table, const char *list, const char *self)
{
	char name[128];
	slu_opt found;

	while (list != NULL && *list != '\0') {
		size_t n = strcspn(list, "|, ");

		if (n >= sizeof(name))
			return false;
		memcpy(name, list, n);
		name[n] = '\0';
		if (n > 0 && (strcmp(name, self) == 0 || !table_opt_find(table, name, &found)))
			return false;
		list += n;
		list += strspn(list, "|, ");
	}
	return true;
}

static void check_table(struct where *w, const slu_opts *t, unsigned depth, bool named);

static void check_option(struct where *w, const slu_opts *t, uint32_t i, unsigned depth, bool named)
{
	slu_opt o = table_opt(t, i), first;

	w->n++;
	if (named && (o.name == NULL || !str_is_ident(o.name))) {
		note(w, o.name != NULL ? o.name : "(none)", "has no name of the form a_b_c");
		return;
	}
	o.name = o.name != NULL ? o.name : "(element)";
	if (table_type_name(o.type) == NULL)
		note(w, o.name, "has an unknown type");
	if (named && table_opt_find(t, o.name, &first) && memcmp(&first, &o, sizeof(o)) != 0)
		note(w, o.name, "is there twice");
	check_texts(w, &o);
	if (named && (!is_table_of(t, o.needs, o.name) || !is_table_of(t, o.excludes, o.name)))
		note(w, o.name, "names an option in needs or excludes that is not there");
	if (o.sub.n > 0 && depth < DEPTH_MAX)
		check_table(w, &o.sub, depth + 1, o.type == SLU_T_OBJECT);
}

static void check_table(struct where *w, const slu_opts *t, unsigned depth, bool named)
{
	uint32_t i;

	if (t->n > 0 && (t->v == NULL || t->stride < offsetof(slu_opt, sub)))
		note(w, "(table)", "has a stride that is too small");
	for (i = 0; w->bad[0] == '\0' && i < t->n; i++)
		check_option(w, t, i, depth, named);
}

static void check_role(struct conform *c, const slu_kind *k, const char *role)
{
	struct where w = {.c = c, .kind = k->type, .role = role};
	slu_opts t = table_options(k, role);

	check_table(&w, &t, 0, true);
	conform_say(c, w.bad[0] == '\0', "%s.%s: %d options are well formed%s%s", k->type, role,
	    w.n, w.bad[0] ? ": " : "", w.bad);
}

static void check_slots(struct conform *c, const slu_kind *k)
{
	bool ok = true;

	if (k->extract != NULL)
		ok = ok && TABLE_SLOT(k->extract, open) && TABLE_SLOT(k->extract, stream) &&
		     TABLE_SLOT(k->extract, close);
	if (k->transform != NULL)
		ok = ok && TABLE_SLOT(k->transform, open) && TABLE_SLOT(k->transform, wrap) &&
		     TABLE_SLOT(k->transform, close);
	if (k->load != NULL)
		ok = ok && TABLE_SLOT(k->load, open) && TABLE_SLOT(k->load, write) &&
		     TABLE_SLOT(k->load, publish) && TABLE_SLOT(k->load, close);
	if (k->task != NULL)
		ok = ok && TABLE_SLOT(k->task, open) && TABLE_SLOT(k->task, close) &&
		     (TABLE_SLOT(k->task, run) ||
			 (TABLE_SLOT(k->task, submit) && TABLE_SLOT(k->task, poll)));
	if (k->connection != NULL)
		ok = ok && TABLE_SLOT(k->connection, open) && TABLE_SLOT(k->connection, close);
	conform_say(c, ok, "%s: every role has the slots that it cannot do without", k->type);
}

static void check_kind(struct conform *c, const slu_kind *k)
{
	bool named =
	    k->type != NULL && str_is_ident(k->type) && k->doc != NULL && str_ends(k->doc, ".");

	conform_say(
	    c, named, "kind \"%s\" has a name and a sentence", k->type != NULL ? k->type : "");
	if (k->type == NULL)
		return;
	check_slots(c, k);
	if (k->connection != NULL)
		check_role(c, k, "connection");
	if (k->extract != NULL)
		check_role(c, k, "extract");
	if (k->transform != NULL)
		check_role(c, k, "transform");
	if (k->load != NULL)
		check_role(c, k, "load");
	if (k->task != NULL)
		check_role(c, k, "task");
}

static void foreign_host(void *arg, struct str *out)
{
	struct conform *c = arg;
	slu_plugin_entry entry = c->plugin->entry;
	slu_err e = {.size = sizeof(e)};

	str_add(out,
	    entry(SLU_ABI_MAJOR + 1, 0, &e) == NULL && e.message[0] != '\0' ? "refused" : "taken");
}

void conform_tables(struct conform *c)
{
	struct str out;
	uint32_t i;
	bool ok;

	str_init(&out, 64);
	ok = conform_child(c, foreign_host, c, 5000, &out) == 0 &&
	     strcmp(str_peek(&out), "refused") == 0;
	str_done(&out);
	conform_say(c, ok, "a host of another major version is refused with a message");
	for (i = 0; i < c->plugin->table->n_kinds; i++) {
		slu_kind k = table_kind(c->plugin->table, i);

		check_kind(c, &k);
	}
}
