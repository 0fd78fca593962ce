/* conn.c: opens, keeps and closes connections, one list a lane. */
#include "core/worker/conn.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/worker/host.h"
#include "core/worker/load.h"

#include <stdio.h>
#include <string.h>

struct conn {
	char *name;	     /* owned */
	struct json *config; /* owned copy: outlives the job */
	struct slu_run run;
	const slu_connection *table;
	void *st;    /* the plugin's */
	bool in_use; /* attached to the attempt */
	char *role;  /* owned: "connection shop" */
	struct conn *next;
};

static _Thread_local struct conn *conns;

static void conn_close(struct conn *c)
{
	void (*close_slot)(void *) = TABLE_SLOT(c->table, close);

	if (close_slot != NULL)
		close_slot(c->st);
	run_done(&c->run);
	json_free(c->config);
	mem_free(c->role);
	mem_free(c->name);
	mem_free(c);
}

static void attach(struct attempt *at, struct conn *c)
{
	if (c->in_use)
		return;
	c->in_use = true;
	c->run.at = at;
	attempt_attach(at, TABLE_SLOT(c->table, cancel), c->st, false);
}

static struct conn *find(struct attempt *at, const char *name, const struct json *config)
{
	struct conn **link, *c;

	for (link = &conns; (c = *link) != NULL; link = &c->next) {
		if (strcmp(c->name, name) != 0)
			continue;
		if (json_equal(c->config, config))
			return c;
		/* The configuration has changed since: the old connection goes. */
		*link = c->next;
		c->run.at = at;
		conn_close(c);
		return NULL;
	}
	return NULL;
}

static struct conn *conn_new(
    struct attempt *at, const char *name, const struct json *config, const slu_kind *kind)
{
	struct conn *c = MEM_NEW(struct conn);
	size_t n = strlen(name) + sizeof("connection ");

	c->name = mem_strdup(name);
	c->config = json_dup(config);
	c->table = kind->connection;
	c->role = mem_alloc(n);
	snprintf(c->role, n, "connection %s", name);
	run_init(&c->run, at, c->role, c->config, table_options(kind, "connection"));
	return c;
}

static struct conn *conn_open(
    struct attempt *at, const char *name, const struct json *config, const slu_kind *kind)
{
	struct conn *c = conn_new(at, name, config, kind);
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc = SLU_E_INTERNAL;

	if (TABLE_SLOT(c->table, open) != NULL)
		rc = c->table->open(&host_table, &c->run, &c->st, &e);
	if (rc != SLU_OK) {
		attempt_fail_slot(at, rc, &e, c->role, "open");
		c->table = NULL;
		conn_close(c);
		return NULL;
	}
	c->next = conns;
	conns = c;
	return c;
}

static bool kind_of(struct attempt *at, const char *name, const struct json *config, slu_kind *ret)
{
	const char *plugin = json_get_str(config, "plugin", NULL);
	const struct plugin *p;
	struct err err;
	int rc;

	if (plugin == NULL) {
		attempt_failf(at, SLU_E_CONFIG, "HOST.CONNECTION",
		    "connection \"%s\" is not defined: add it under connections: in sluice.yaml",
		    name);
		return false;
	}
	rc = plugin_find(at->job->plugin_dirs, plugin, &p, &err);
	if (rc == 0) {
		attempt_note_plugin(at, plugin, p->sha);
		/* A plugin without this role gives an account's options only: the roles read them
		 * from the step. */
		if (plugin_kind(p, json_get_str(config, "type", NULL), "connection", ret, NULL) !=
		    0)
			memset(ret, 0, sizeof(*ret));
		return true;
	}
	attempt_fail_err(at, &err);
	return false;
}

static struct conn *use(struct attempt *at, const char *name, bool *ret_ok)
{
	const struct json *config = json_get(at->job->connections, name);
	struct conn *c = find(at, name, config);
	slu_kind kind;

	*ret_ok = true;
	if (c == NULL) {
		*ret_ok = kind_of(at, name, config, &kind);
		if (!*ret_ok || kind.connection == NULL)
			return NULL;
		c = conn_open(at, name, config, &kind);
		*ret_ok = c != NULL;
	}
	if (c != NULL)
		attach(at, c);
	return c;
}

bool conn_use(struct attempt *at, const char *name, void **ret_st)
{
	struct conn *c;
	bool ok;

	*ret_st = NULL;
	if (name == NULL)
		return true;
	c = use(at, name, &ok);
	if (c != NULL)
		*ret_st = c->st;
	return ok;
}

bool conn_warehouse(
    struct attempt *at, const char *name, const slu_warehouse **ret_wh, void **ret_st)
{
	struct conn *c;
	bool ok;

	c = use(at, name, &ok);
	if (c == NULL && !ok)
		return false;
	*ret_wh = c != NULL ? TABLE_SLOT(c->table, warehouse) : NULL;
	*ret_st = c != NULL ? c->st : NULL;
	if (*ret_wh != NULL)
		return true;
	attempt_failf(
	    at, SLU_E_CONFIG, "HOST.SESSION", "connection \"%s\" has no SQL session", name);
	return false;
}

static bool can_stay(struct conn *c, bool keep)
{
	slu_err e = {.size = sizeof(e)};

	return keep && TABLE_SLOT(c->table, reset) != NULL && c->table->reset(c->st, &e) == SLU_OK;
}

void conn_release(struct attempt *at, bool keep)
{
	struct conn **link = &conns, *c;

	while ((c = *link) != NULL) {
		if (c->in_use)
			attempt_detach(at, c->st);
		if ((!c->in_use && keep) || (c->in_use && can_stay(c, keep))) {
			c->in_use = false;
			c->run.at = NULL;
			link = &c->next;
			continue;
		}
		*link = c->next;
		c->run.at = at;
		conn_close(c);
	}
}

/* A close may still log or ask for options, so it is given an attempt of its own. */
void conn_end_lane(void *arg)
{
	struct json *root;
	struct attempt *at;
	struct job *job;
	struct conn *c;

	(void)arg;
	if (conns == NULL)
		return;
	root = json_new_object();
	json_put(root, "step_plan", json_new_object());
	if (job_new(root, &job, NULL) != 0)
		return;
	at = attempt_new(job, -1);
	while ((c = conns) != NULL) {
		conns = c->next;
		c->run.at = at;
		conn_close(c);
	}
	attempt_free(at);
	job_free(job);
}

slu_rc host_session(
    slu_run *run, const char *connection, const slu_warehouse **wh, void **session, slu_err *err)
{
	struct attempt *at = run->at;

	if (connection != NULL && conn_warehouse(at, connection, wh, session))
		return SLU_OK;
	if (err == NULL)
		return SLU_E_CONFIG;
	pthread_mutex_lock(&at->lock);
	*err = at->failure;
	pthread_mutex_unlock(&at->lock);
	err->rc = err->rc != SLU_OK ? err->rc : SLU_E_CONFIG;
	return err->rc;
}
