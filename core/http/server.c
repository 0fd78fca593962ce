/* server.c: the server's own life: http_new to http_free, configuration, draining. */
#include "core/http/server.h"

#include "core/base/mem.h"
#include "core/http/auth.h"
#include "core/http/hook.h"
#include "core/http/stream.h"

#include <pwd.h>
#include <string.h>
#include <sys/resource.h>

static uint32_t or_default(uint32_t v, uint32_t def)
{
	return v != 0 ? v : def;
}

static void set_limits(struct http *h, const struct http_limits *l)
{
	static const struct http_limits none;
	struct rlimit files;

	if (l == NULL)
		l = &none;
	h->lim = *l;
	h->lim.max_conns = or_default(l->max_conns, 20000);
	h->lim.head_ms = or_default(l->head_ms, 10000);
	h->lim.body_ms = or_default(l->body_ms, 30000);
	h->lim.idle_ms = or_default(l->idle_ms, 75000);
	h->lim.write_ms = or_default(l->write_ms, 30000);
	h->lim.heartbeat_ms = or_default(l->heartbeat_ms, 15000);
	h->lim.ring = or_default(l->ring, 4096);
	h->lim.body_bytes = or_default(l->body_bytes, 1u << 20);
	/* Files, workers and the store must still be able to open theirs. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY &&
	    files.rlim_cur > 256 && h->lim.max_conns > files.rlim_cur - 128)
		h->lim.max_conns = (uint32_t)files.rlim_cur - 128;
}

static int find_run_user(struct http *h, const struct conf *conf, struct err *err)
{
	char buf[4096];
	struct passwd pw, *found = NULL;

	h->has_run_uid = false;
	if (conf == NULL || conf->run_user == NULL)
		return 0;
	if (getpwnam_r(conf->run_user, &pw, buf, sizeof(buf), &found) != 0 || found == NULL)
		return err_set(
		    err, ERR_CONFIG, "run_user: no user is called \"%s\"", conf->run_user);
	h->run_uid = pw.pw_uid;
	h->has_run_uid = true;
	return 0;
}

int http_conf(struct http *h, const struct conf *conf, struct err *err)
{
	struct hooks *hooks;
	int rc = hooks_new(h, conf, h->hooks, &hooks, err);

	if (rc == 0 && (rc = find_run_user(h, conf, err)) != 0)
		hooks_free(hooks);
	if (rc != 0)
		return rc;
	hooks_free(h->hooks);
	h->hooks = hooks;
	h->env.conf = conf;
	auth_set_hosts(h, conf);
	return 0;
}

int http_new(const struct http_env *env, const struct http_limits *limits, struct http **ret,
    struct err *err)
{
	struct http *h = MEM_NEW(struct http);

	h->env = *env;
	set_limits(h, limits);
	TAILQ_INIT(&h->listeners);
	TAILQ_INIT(&h->dead);
	for (unsigned i = 0; i < LIST_N; i++)
		TAILQ_INIT(&h->lists[i]);
	h->date_s = -1;
	str_init(&h->body, HTTP_OUT_MAX);
	h->read_buf = mem_alloc(HTTP_READ_MAX);
	event_assign(&h->accept_retry, env->base, -1, 0, on_accept_retry, h);
	event_assign(&h->timer, env->base, -1, 0, on_timer, h);
	event_assign(&h->reap, env->base, -1, 0, on_reap, h);
	h->stream = stream_new(h, h->lim.ring);
	int rc = http_conf(h, env->conf, err);
	if (rc != 0) {
		http_free(h);
		return rc;
	}
	*ret = h;
	return 0;
}

static void close_listeners(struct http *h)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(&h->listeners)) != NULL) {
		TAILQ_REMOVE(&h->listeners, l, link);
		listen_free(l);
	}
}

void http_free(struct http *h)
{
	struct conn *c;

	if (h == NULL)
		return;
	h->draining = true;
	close_listeners(h);
	for (unsigned i = LIST_IDLE; i < LIST_N; i++) {
		while ((c = TAILQ_FIRST(&h->lists[i])) != NULL)
			conn_close(c);
	}
	on_reap(-1, 0, h);
	event_del(&h->reap);
	event_del(&h->timer);
	event_del(&h->accept_retry);
	stream_free(h->stream);
	hooks_free(h->hooks);
	auth_free_hosts(h);
	listen_free_ips(h);
	str_done(&h->body);
	mem_free(h->read_buf);
	mem_free(h);
}

void http_effects(struct http *h, const struct effect *v, size_t n)
{
	stream_effects(h->stream, v, n);
}

void http_progress(struct http *h, const struct step_ref *step, const char *json, size_t n)
{
	stream_progress(h->stream, step, json, n);
}

bool http_drain(struct http *h)
{
	struct conn *c, *next;

	h->draining = true;
	close_listeners(h);
	stream_drain(h->stream);
	for (c = TAILQ_FIRST(&h->lists[LIST_IDLE]); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		conn_close(c);
	}
	for (c = TAILQ_FIRST(&h->lists[LIST_STREAM]); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		conn_close(c);
	}
	return TAILQ_EMPTY(&h->lists[LIST_BUSY]) && TAILQ_EMPTY(&h->lists[LIST_WRITE]);
}
