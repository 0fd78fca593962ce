/* conform_open.c: every role opened with no options, and with each option of a wrong type. The
 * compiler lets neither through; a plugin still must not crash on them, and says what is wrong. */
#include "core/worker/conform.h"

#include "core/base/mem.h"
#include "core/worker/attempt.h"

#include <stdio.h>
#include <string.h>

#define OPEN_LIMIT_MS 10000

struct opening {
	const slu_kind *kind;
	const char *role;
	const struct json *options; /* what is given */
};

struct opened {
	slu_rc rc;
	void *st;
	void (*close)(void *st);
};

#define CLOSE_OF(table) o->close = TABLE_SLOT(table, close)

static void open_with(const struct opening *x, slu_run *run, struct opened *o, slu_err *e)
{
	static const slu_work work = {.size = sizeof(work),
	    .table = "t",
	    .dataset = "c/t",
	    .fence_key = "f",
	    .ledger_key = "l"};
	const slu_kind *k = x->kind;

	o->rc = SLU_E_UNSUPPORTED;
	if (strcmp(x->role, "connection") == 0) {
		CLOSE_OF(k->connection);
		o->rc = k->connection->open(&host_table, run, &o->st, e);
	} else if (strcmp(x->role, "extract") == 0) {
		CLOSE_OF(k->extract);
		o->rc = k->extract->open(&host_table, run, NULL, &o->st, e);
	} else if (strcmp(x->role, "transform") == 0) {
		CLOSE_OF(k->transform);
		o->rc = k->transform->open(&host_table, run, &o->st, e);
	} else if (strcmp(x->role, "load") == 0) {
		CLOSE_OF(k->load);
		o->rc = k->load->open(&host_table, run, NULL, &work, &o->st, e);
	} else if (strcmp(x->role, "task") == 0) {
		CLOSE_OF(k->task);
		o->rc = k->task->open(&host_table, run, NULL, &o->st, e);
	}
}

/* "opened", "failed" or "silent" */
static void open_child(void *arg, struct str *out)
{
	const struct opening *x = arg;
	struct json *root = json_new_object(), *node = json_new_object();
	slu_err e = {.size = sizeof(e), .row = -1};
	struct opened o = {0};
	struct attempt *at;
	struct slu_run run;
	struct job *job;

	json_put(root, "step_plan", json_new_object());
	json_put(node, "options", json_dup(x->options));
	if (job_new(root, &job, NULL) != 0)
		return;
	at = attempt_new(job, -1);
	run_init(&run, at, x->role, node, table_options(x->kind, x->role));
	open_with(x, &run, &o, &e);
	if (o.rc == SLU_OK && o.close != NULL)
		o.close(o.st);
	str_add(out, o.rc == SLU_OK ? "opened"
		     : memchr(e.message, '\0', sizeof(e.message)) != NULL && e.message[0] != '\0'
			 ? "failed"
			 : "silent");
}

static bool stands(struct conform *c, struct opening *x, const char **ret_what)
{
	struct str out;
	int ended;
	bool ok;

	str_init(&out, 64);
	ended = conform_child(c, open_child, x, OPEN_LIMIT_MS, &out);
	ok = ended == 0 && out.len > 0 && strcmp(str_peek(&out), "silent") != 0;
	*ret_what = ended != 0 ? "it dies or hangs" : "it fails without a message";
	str_done(&out);
	return ok;
}

static void open_empty(struct conform *c, const slu_kind *k, const char *role)
{
	struct json *none = json_new_object();
	struct opening x = {k, role, none};
	const char *what;
	bool ok = stands(c, &x, &what);

	conform_say(c, ok, "%s.%s: opened without any option%s%s", k->type, role, ok ? "" : ": ",
	    ok ? "" : what);
	json_free(none);
}

/* No type takes an object that holds a list, but map and object; they get a number. */
static struct json *wrong_value(const slu_opt *o)
{
	struct json *v;

	if (o->type == SLU_T_MAP || o->type == SLU_T_OBJECT)
		return json_new_num(-1.5);
	v = json_new_object();
	json_put(v, "x", json_new_array());
	return v;
}

static void open_wrong(struct conform *c, const slu_kind *k, const char *role)
{
	slu_opts t = table_options(k, role);
	const char *what = "", *bad = NULL;
	uint32_t i;

	for (i = 0; bad == NULL && i < t.n; i++) {
		slu_opt o = table_opt(&t, i);
		struct json *options = json_new_object();
		struct opening x = {k, role, options};

		json_put(options, o.name != NULL ? o.name : "", wrong_value(&o));
		if (!stands(c, &x, &what))
			bad = o.name;
		json_free(options);
	}
	conform_say(c, bad == NULL,
	    "%s.%s: each of %u options with a value of a wrong type%s%s%s%s", k->type, role, t.n,
	    bad != NULL ? ": " : "", bad != NULL ? bad : "", bad != NULL ? ": " : "",
	    bad != NULL ? what : "");
}

static void open_role(struct conform *c, const slu_kind *k, const char *role)
{
	open_empty(c, k, role);
	open_wrong(c, k, role);
}

static void open_kind(struct conform *c, const slu_kind *k)
{
	/* Roles behind a connection are never opened without one: they come with the scenario. */
	bool free_standing = k->connection == NULL;

	if (TABLE_SLOT(k->connection, open) != NULL)
		open_role(c, k, "connection");
	if (free_standing && TABLE_SLOT(k->extract, open) != NULL)
		open_role(c, k, "extract");
	if (TABLE_SLOT(k->transform, open) != NULL)
		open_role(c, k, "transform");
	if (free_standing && TABLE_SLOT(k->load, open) != NULL)
		open_role(c, k, "load");
	if (free_standing && TABLE_SLOT(k->task, open) != NULL)
		open_role(c, k, "task");
}

void conform_opens(struct conform *c)
{
	uint32_t i;

	for (i = 0; i < c->plugin->table->n_kinds; i++) {
		slu_kind k = table_kind(c->plugin->table, i);

		if (k.type != NULL)
			open_kind(c, &k);
	}
}
