/* reload.c: see reload.h. One request at a time is compiled by the pool's system lane. Owner:
 * struct daemon, loop thread. */
#define LOG_AT "daemon"
#include "core/daemon/reload.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/daemon/daemon.h"
#include "core/http/http.h"
#include "core/pool/frame.h"

#include <string.h>

#define TRIES 3
#define CONF_TEXT_MAX (4u << 20)
#define SYSTEM_NOTE                                                                                \
	"{\"slug\":\"configuration\",\"lane\":\"system\",\"key\":\"system\",\"log\":\"\","         \
	"\"deadline_ms\":30000,\"grace_ms\":1000,\"fresh\":false,\"keep\":false,\"needs\":0,"      \
	"\"masks\":[]}"

struct request {
	bool take;
	reload_done done;
	void *arg;
	struct request *next;
};

struct reload {
	struct daemon *d; /* borrowed */
	struct request *head;
	struct event *kick; /* owned: begins the next request, never inside the call that made it */
	bool busy;	    /* the pool compiles */
	unsigned tries;
	uint64_t taken, refused;
	struct str error, held;
};

static void on_reload_kick(evutil_socket_t fd, short what, void *arg);

struct reload *reload_new(struct daemon *d)
{
	struct reload *r = MEM_NEW(struct reload);

	r->d = d;
	r->kick = event_new(d->loop.base, -1, 0, on_reload_kick, r);
	str_init(&r->error, 8192);
	str_init(&r->held, 1024);
	return r;
}

void reload_free(struct reload *r)
{
	if (!r)
		return;
	for (struct request *q = r->head, *next; q; q = next) {
		next = q->next;
		mem_free(q);
	}
	event_free(r->kick);
	str_done(&r->error);
	str_done(&r->held);
	mem_free(r);
}

const char *reload_error(const struct reload *r)
{
	return r->error.len ? str_peek(&r->error) : NULL;
}

const char *reload_held(const struct reload *r)
{
	return str_peek(&r->held);
}

void reload_counts(const struct reload *r, uint64_t *ret_taken, uint64_t *ret_refused)
{
	*ret_taken = r->taken;
	*ret_refused = r->refused;
}

/* ---- what only a restart changes ---- */

static void hold(struct str *held, struct json *object, const char *key, const char *shown,
    const char *was, const char *is)
{
	if (str_eq(was, is))
		return;
	str_addf(held, "%s%s", held->len ? ", " : "", shown);
	json_put(object, key, was ? json_new_str(was) : json_new_null());
}

/* The new configuration with the old values of what cannot change; *ret NULL where that is nothing.
 */
static int with_old(const struct conf *was, const struct conf *is, struct str *held,
    struct conf **ret, struct err *err)
{
	struct json *root = json_dup(is->root), *http = json_get(root, "http")
							    ? json_dup(json_get(root, "http"))
							    : json_new_object();
	struct str text;
	int rc = 0;

	hold(held, root, "state", "state", was->state_dir, is->state_dir);
	hold(held, root, "deployment", "deployment", was->deployment, is->deployment);
	hold(held, root, "run_user", "run_user", was->run_user, is->run_user);
	hold(held, http, "unix", "http.unix", was->unix_path, is->unix_path);
	hold(held, http, "listen", "http.listen", was->listen, is->listen);
	json_put(root, "http", http);
	*ret = NULL;
	if (held->len) {
		str_init(&text, CONF_TEXT_MAX);
		json_print(root, &text);
		rc = text.failed ? err_set(err, ERR_LIMIT, "the configuration is too large")
				 : conf_parse(str_peek(&text), text.len, ret, err);
		str_done(&text);
	}
	json_free(root);
	return rc;
}

static int put_in_force(struct daemon *d, struct conf *conf, struct err *err)
{
	int rc = d->http ? http_conf(d->http, conf, err) : 0;

	if (rc != 0)
		return rc;
	rc = writer_set_conf(d->writer, conf);
	if (rc == 0) {
		d->conf = conf; /* the old one is freed when the writer has let go of it */
		retention_again(d->retention);
		job_builder_conf(d->jobs, conf);
		if (d->outbox)
			outbox_poke(d->outbox);
		return 0;
	}
	if (d->http && http_conf(d->http, d->conf, NULL) != 0)
		log_error("hooks keep the refused configuration until the next reload");
	return err_set(err, rc, "the store does not take it: %s", err_text(rc));
}

/* Takes conf: into force, or into *ret_planned, or frees it. *ret_changed: it differs from what is
 * in force. */
static int conf_take(struct reload *r, struct conf *conf, bool *ret_changed,
    struct conf **ret_planned, struct err *err)
{
	struct conf *merged = NULL;
	int rc;

	str_reset(&r->held);
	rc = with_old(r->d->conf, conf, &r->held, &merged, err);
	if (merged) {
		conf_free(conf);
		conf = merged;
	}
	*ret_changed = rc == 0 && !str_eq(conf->sha, r->d->conf->sha);
	if (rc == 0 && *ret_changed && !r->head->take) {
		*ret_planned = conf;
		return 0;
	}
	if (rc == 0 && *ret_changed)
		rc = put_in_force(r->d, conf, err);
	if (rc == 0 && *ret_changed)
		return 0;
	conf_free(conf);
	return rc;
}

/* ---- results ---- */

/* An error as `plan` and `apply` list those of DAG files. */
static struct json *error_object(const struct json *report, const char *file, const struct err *err)
{
	const struct json *first = json_first(json_get(report, "errors"));
	const char *name = strrchr(file, '/');
	struct json *e = first ? json_dup(first) : json_new_object();

	if (!first) {
		json_put(e, "line", json_new_i64(1));
		json_put(e, "column", json_new_i64(1));
		json_put(e, "key", json_new_str(""));
		json_put(e, "code", json_new_str("configuration"));
		json_put(e, "message", json_new_str(err->text));
		json_put(e, "hint", json_new_str(""));
	}
	json_put(e, "path", json_new_str(name ? name + 1 : file));
	return e;
}

static struct json *result_object(
    const struct reload *r, int rc, bool changed, const struct json *report, const struct err *err)
{
	struct json *j = json_new_object(), *held = json_new_array();
	const char *at = str_peek(&r->held), *end;
	char *key;

	while (*at) {
		end = strchrnul(at, ',');
		key = mem_strndup(at, (size_t)(end - at));
		json_push(held, json_new_str(key));
		mem_free(key);
		at = *end ? end + 2 : end;
	}
	json_put(j, "file", json_new_str(r->d->conf->file));
	json_put(j, "result", json_new_str(rc != 0 ? "refused" : changed ? "changed" : "same"));
	json_put(j, "needs_restart", held);
	json_put(
	    j, "error", rc != 0 ? error_object(report, r->d->conf->file, err) : json_new_null());
	return j;
}

static void note(
    struct reload *r, const struct request *q, int rc, bool changed, const struct err *err)
{
	str_reset(&r->error);
	if (rc != 0) {
		str_add(&r->error, err->text);
		if (q->take)
			log_error("the old configuration stays: %s", err->text);
	} else if (q->take) {
		log_info("configuration reloaded%s", changed ? "" : ": nothing in it has changed");
	}
	if (q->take && r->held.len)
		log_warn("only a restart changes: %s", str_peek(&r->held));
	if (q->take && rc != 0)
		r->refused++;
	else if (q->take)
		r->taken++;
}

static void finish(struct reload *r, int rc, bool changed, struct conf *planned,
    const struct json *report, const struct err *err)
{
	struct request *q = r->head;
	struct json *result;

	note(r, q, rc, changed, err);
	result = result_object(r, rc, changed, report, err);
	r->head = q->next;
	r->tries = 0;
	if (q->done)
		q->done(q->arg, result, planned);
	else
		conf_free(planned);
	json_free(result);
	mem_free(q);
	if (r->head)
		event_active(r->kick, EV_TIMEOUT, 1);
}

static void on_conf_compiled(void *arg, int rc, const char *text, size_t n)
{
	struct reload *r = arg;
	struct conf *conf = NULL, *planned = NULL;
	struct json *report = NULL;
	struct err err = {0};
	bool changed = false;

	loop_enter(&r->d->loop, "reload");
	r->busy = false;
	if (rc == ERR_CLOSED && ++r->tries < TRIES)
		return; /* the pool went away: asked again when it is back */
	if (rc != 0)
		rc = err_set(&err, rc, "the compiler died");
	if (rc == 0)
		rc = json_parse(text, n, FRAME_PAYLOAD_MAX, &report, &err);
	if (rc == 0 && !json_get(report, "state"))
		rc = conf_report_error(report, r->d->conf->file, &err);
	if (rc == 0)
		rc = conf_parse(text, n, &conf, &err);
	if (rc == 0)
		rc = conf_take(r, conf, &changed, &planned, &err);
	finish(r, rc, changed, planned, report, &err);
	json_free(report);
}

/* ---- asking ---- */

static void next_request(struct reload *r)
{
	struct str job;
	struct jw w;

	if (r->busy || !r->head)
		return;
	str_init(&job, 65536);
	jw_init(&w, &job);
	jw_object(&w);
	jw_ki64(&w, "v", 1);
	jw_kstr(&w, "kind", "compile_config");
	jw_kstr(&w, "file", r->d->conf->file);
	jw_end_object(&w);
	r->busy = pool_link_system(r->d->pools, SYSTEM_NOTE, str_peek(&job), job.len,
		      on_conf_compiled, r) == 0; /* else reload_pool_changed asks again */
	str_done(&job);
}

static void on_reload_kick(evutil_socket_t fd, short what, void *arg)
{
	struct reload *r = arg;

	(void)fd, (void)what;
	loop_enter(&r->d->loop, "reload");
	next_request(r);
}

void reload_ask(struct reload *r, bool take, reload_done done, void *arg)
{
	struct request *q = MEM_NEW(struct request), **at = &r->head;

	*q = (struct request){.take = take, .done = done, .arg = arg};
	while (*at)
		at = &(*at)->next;
	*at = q;
	event_active(r->kick, EV_TIMEOUT, 1);
}

void reload_pool_changed(struct reload *r)
{
	next_request(r);
}
