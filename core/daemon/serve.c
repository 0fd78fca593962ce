/* serve.c: what the HTTP server asks of the daemon (struct http_env). Owner: daemon, loop thread.
 */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/release.h"
#include "core/http/http.h"
#include "core/http/metrics.h"
#include "core/sched/table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CATALOG_MAX (8u << 20)
#define BROKEN_MAX 100
#define ANSWER_MAX (16u << 20)

static const struct view *serve_view_begin(void *arg)
{
	struct daemon *d = arg;

	return store_read_begin(d->read);
}

static void serve_view_end(void *arg)
{
	struct daemon *d = arg;

	store_read_end(d->read);
}

static void serve_sched_env(void *arg, struct sched_env *ret)
{
	struct daemon *d = arg;

	ret->conf = d->conf;
	pool_link_env(d->pools, ret);
}

static int serve_secret(void *arg, const struct json *ref, struct str *out, struct err *err)
{
	struct daemon *d = arg;

	return secret_read(d->secrets, ref, out, err);
}

static bool serve_ready(void *arg, struct str *why)
{
	return daemon_is_ready(arg, why);
}

struct plan_answer {
	struct daemon *d;
	bool apply;
	http_answer answer;
	void *arg;
	struct json *conf; /* owned: what became of sluice.yaml */
	char actor[ACTOR_MAX];
};

/* The DAG files' answer, and in it what became of sluice.yaml; what is wrong there is an error like
 * any other. */
static void plan_join(struct plan_answer *a, const char *json, struct str *out)
{
	struct json *j = NULL, *errors = json_new_array();

	if (json_parse(json, strlen(json), ANSWER_MAX, &j, NULL) != 0)
		j = json_new_object();
	if (json_is(json_get(a->conf, "error"), JSON_OBJECT))
		json_push(errors, json_dup(json_get(a->conf, "error")));
	for (const struct json *e = json_first(json_get(j, "errors")); e; e = json_next(e))
		json_push(errors, json_dup(e));
	json_put(j, "errors", errors);
	json_remove(a->conf, "error");
	json_put(j, "configuration", a->conf);
	json_print(j, out);
	json_free(j);
}

static void on_plan_done(void *arg, int rc, const struct err *err, const char *json)
{
	struct plan_answer *a = arg;
	struct str text;

	str_init(&text, ANSWER_MAX);
	plan_join(a, json, &text);
	a->answer(a->arg, rc, err, str_peek(&text));
	str_done(&text);
	mem_free(a);
}

static void on_plan_conf(void *arg, const struct json *result, struct conf *planned)
{
	struct plan_answer *a = arg;

	a->conf = json_dup(result);
	if (a->apply) {
		watch_conf(a->d->watching);
		compile_apply(a->d->compile, a->actor, on_plan_done, a);
	} else {
		compile_plan(a->d->compile, planned, on_plan_done, a);
	}
}

static int serve_plan(
    void *arg, const char *actor, http_answer answer, void *answer_arg, struct err *err)
{
	struct daemon *d = arg;
	struct plan_answer *a;

	if (d->stopping)
		return err_set(err, ERR_CLOSED, "the daemon is stopping");
	a = MEM_NEW(struct plan_answer);
	*a = (struct plan_answer){d, actor != NULL, answer, answer_arg, NULL, {0}};
	str_copy(a->actor, sizeof(a->actor), actor != NULL ? actor : "");
	reload_ask(d->reload, actor != NULL, on_plan_conf, a);
	return 0;
}

static int serve_backup(void *arg, http_file_answer answer, void *answer_arg, struct err *err)
{
	struct daemon *d = arg;

	if (d->stopping)
		return err_set(err, ERR_CLOSED, "the daemon is stopping");
	return backup_start(d->backup, answer, answer_arg, err);
}

static int serve_stop(void *arg, enum http_stop how, int64_t drain_ms, struct err *err)
{
	struct daemon *d = arg;

	(void)err;
	log_info("asked to stop by HTTP");
	daemon_stop(d,
	    how == HTTP_STOP_LEAVE   ? STOP_LEAVE
	    : how == HTTP_STOP_DRAIN ? STOP_DRAIN
				     : STOP_CANCEL,
	    drain_ms > 0 ? drain_ms : -1);
	return 0;
}

/* The catalog that the compiling worker wrote. */
static void serve_plugins(void *arg, struct jw *out)
{
	struct daemon *d = arg;
	char *path = io_path_join(d->conf->state_dir, "plugins.json");
	struct json *j = NULL;
	struct str text;

	str_init(&text, CATALOG_MAX);
	if (io_read_file(path, CATALOG_MAX, &text, NULL) == 0 &&
	    json_parse(str_peek(&text), text.len, CATALOG_MAX, &j, NULL) == 0) {
		for (const struct json *p = json_first(json_get(j, "plugins")); p; p = json_next(p))
			jw_json(out, p);
	}
	json_free(j);
	str_done(&text);
	mem_free(path);
}

/* The instances of the pool: how many take work, how many finish what they have. */
static void serve_doctor_pools(struct daemon *d, struct jw *out)
{
	struct sched_env env = {0};
	int64_t retired = 0, up = 0;

	pool_link_env(d->pools, &env);
	for (size_t i = 0; i < sizeof(env.pool) / sizeof(env.pool[0]); i++) {
		if (env.pool[i].id && env.pool[i].retired)
			retired++;
		else if (env.pool[i].id && env.pool[i].up)
			up++;
	}
	jw_ki64(out, "pools_up", up);
	jw_ki64(out, "pools_retired", retired);
}

/* A file that vanished since is nothing to mend. */
static bool file_is_there(const struct daemon *d, const char *path)
{
	char *full = io_path_join(d->conf->dags_dir ? d->conf->dags_dir : ".", path);
	bool there = access(full, F_OK) == 0;

	mem_free(full);
	return there;
}

/* Files that did not compile when they were looked at last. */
static void serve_doctor_dags(struct daemon *d, struct jw *out)
{
	const struct view *v = store_read_begin(d->own_read);
	struct view_walk walk;
	struct file_rec rec;
	struct slice report;
	char path[256];
	int n = 0;

	jw_key(out, "broken_files");
	jw_array(out);
	if (v) {
		view_walk_init(&walk, v, TABLE_FILE, NULL, 0, false);
		while (n < BROKEN_MAX && view_walk_next(&walk, NULL) == 0) {
			if (walk.key_n >= sizeof(path))
				continue;
			memcpy(path, walk.key, walk.key_n);
			path[walk.key_n] = '\0';
			if (file_get(v, path, &rec, &report) == 0 && !rec.ok &&
			    file_is_there(d, path)) {
				jw_str(out, path);
				n++;
			}
		}
	}
	jw_end_array(out);
	store_read_end(d->own_read);
}

static bool store_is_held(struct daemon *d)
{
	const struct view *v = store_read_begin(d->own_read);
	bool held = v && sched_held(v);

	store_read_end(d->own_read);
	return held;
}

static wall_us oldest_run(struct daemon *d)
{
	const struct view *v = store_read_begin(d->own_read);
	struct slice key, value;
	struct run_rec r;
	wall_us at = TIME_NONE;

	if (v && v->next(v->ctx, TABLE_RUN, (struct slice){NULL, 0}, false, &key, &value) == 0 &&
	    run_decode(value, &r, NULL) == 0)
		at = r.queued_at;
	store_read_end(d->own_read);
	return at;
}

static void disk_facts(struct daemon *d, struct jw *out)
{
	struct store_disk disk;

	if (store_disk(d->store, &disk) != 0)
		return;
	jw_kstr(out, "store_disk_kind", disk.kind);
	jw_kbool(out, "store_disk_lasting", disk.lasting);
	jw_ki64(out, "store_reserve_bytes", (int64_t)disk.reserve_bytes);
}

static void serve_doctor(void *arg, struct jw *out)
{
	struct daemon *d = arg;
	static const char *const levels[] = {
	    [QUOTA_OK] = "ok", [QUOTA_ALARM] = "alarm", [QUOTA_REFUSE] = "refuse"};
	struct retention_stats rs;
	struct writer_stats st;

	writer_stats(d->writer, &st);
	retention_stats(d->retention, &rs);
	jw_ki64(out, "store_live_bytes", (int64_t)st.live_bytes);
	jw_ki64(out, "store_limit_bytes", (int64_t)d->conf->store_max_bytes);
	jw_kstr(out, "store_quota", levels[st.quota]);
	disk_facts(d, out);
	jw_ki64(out, "store_readers", rs.readers);
	jw_ki64(out, "store_reader_lag", (int64_t)rs.reader_lag);
	jw_ki64(out, "logs_bytes", (int64_t)rs.logs_bytes);
	jw_ktime(out, "oldest_run_at", oldest_run(d));
	jw_kbool(out, "held", store_is_held(d));
	jw_ki64(out, "pid", getpid());
	jw_kstr(out, "state_dir", d->conf->state_dir);
	jw_kbool(out, "two_users", d->conf->run_user != NULL);
	jw_kbool(out, "pool_up", pool_link_is_up(d->pools));
	jw_kbool(out, "disk_low", st.disk_low);
	jw_ki64(out, "store_bytes", (int64_t)st.store_bytes);
	jw_ki64(out, "commits", (int64_t)st.commits);
	jw_ki64(out, "commit_us_mean", st.commits ? st.commit_us_total / (int64_t)st.commits : 0);
	jw_ki64(out, "commit_us_max", st.commit_us_max);
	jw_ki64(out, "slow_turns", (int64_t)d->loop.slow_turns);
	jw_kstr(out, "configuration", d->conf->file);
	jw_kstr(out, "configuration_error", reload_error(d->reload));
	jw_kstr(out, "needs_restart", reload_held(d->reload));
	jw_kbool(out, "watching", watch_is_on(d->watching));
	jw_kbool(out, "watch_refused", d->conf->watch && !watch_is_on(d->watching));
	jw_kstr(out, "version", release_name());
	serve_doctor_pools(d, out);
	serve_doctor_dags(d, out);
}

static const char *serve_conf_error(void *arg)
{
	struct daemon *d = arg;

	return reload_error(d->reload);
}

static void counter(struct metrics *m, const char *name, const char *help, double value)
{
	metrics_counter(m, name, help);
	metrics_value(m, NULL, NULL, value);
}

static void gauge(struct metrics *m, const char *name, const char *help, double value)
{
	metrics_gauge(m, name, help);
	metrics_value(m, NULL, NULL, value);
}

static void serve_metrics(void *arg, struct metrics *m)
{
	struct daemon *d = arg;
	struct retention_stats rs;
	struct writer_stats st;
	uint64_t taken, refused;

	writer_stats(d->writer, &st);
	retention_stats(d->retention, &rs);
	counter(m, "sluice_store_operations", "Operations taken by the writer.", (double)st.ops);
	counter(m, "sluice_store_commits", "Commits of the store.", (double)st.commits);
	counter(m, "sluice_store_commit_seconds", "Time spent in commits.",
	    (double)st.commit_us_total / 1e6);
	gauge(m, "sluice_store_commit_max_seconds", "The longest commit.",
	    (double)st.commit_us_max / 1e6);
	gauge(m, "sluice_store_waiting_operations", "Operations that wait for the writer.",
	    (double)st.waiting);
	gauge(m, "sluice_store_bytes", "Bytes of the store in use.", (double)st.store_bytes);
	gauge(m, "sluice_store_limit_bytes", "Soft limit of the store.",
	    (double)d->conf->store_max_bytes);
	gauge(m, "sluice_store_disk_low", "1 while new work is refused for want of disk space.",
	    st.disk_low);
	gauge(m, "sluice_store_live_bytes", "Bytes of the store that hold something.",
	    (double)st.live_bytes);
	gauge(m, "sluice_store_alarm",
	    "1 from 70 percent of limits.store, 2 from 85: new work is refused.", st.quota);
	gauge(m, "sluice_store_readers", "Snapshots of the store that are open.", rs.readers);
	gauge(m, "sluice_store_reader_lag", "Transactions that the oldest snapshot is behind.",
	    (double)rs.reader_lag);
	counter(m, "sluice_retention_records", "Records dropped by retention.", (double)rs.dropped);
	gauge(m, "sluice_logs_bytes", "Bytes of log and reject files at the last look.",
	    (double)rs.logs_bytes);
	counter(m, "sluice_logs_dropped_bytes", "Bytes of log and reject files dropped.",
	    (double)rs.logs_dropped_bytes);
	counter(m, "sluice_dispatches", "Attempts handed out.", (double)st.dispatches);
	gauge(m, "sluice_pool_up", "1 while a pool has answered and takes work.",
	    pool_link_is_up(d->pools));
	counter(m, "sluice_files_compiled", "DAG files that were compiled.",
	    (double)compile_count(d->compile));
	reload_counts(d->reload, &taken, &refused);
	counter(m, "sluice_reloads", "Configurations read again and in force.", (double)taken);
	counter(
	    m, "sluice_reloads_refused", "Configurations read again and refused.", (double)refused);
	gauge(m, "sluice_configuration_refused",
	    "1 while sluice.yaml as it was read last is not in force.",
	    reload_error(d->reload) != NULL);
	counter(m, "sluice_loop_turns", "Turns of the event loop.", (double)d->loop.turns);
	counter(m, "sluice_loop_slow_turns", "Turns that took more than 20 ms.",
	    (double)d->loop.slow_turns);
	gauge(m, "sluice_loop_slowest_seconds", "The longest turn.",
	    (double)d->loop.slowest_us / 1e6);
	gauge(m, "sluice_uptime_seconds", "Time since the daemon started.",
	    (double)(clock_mono() - d->started_at) / 1e6);
}

static int listen_all(struct daemon *d, struct err *err)
{
	bool has_unix = false, has_tcp = false;
	uint16_t port = 0;
	int rc = sd_listen(d->sd, d->http, &has_unix, &has_tcp, err);

	/* A socket that the service manager holds takes the place of the one of that kind. */
	if (rc == 0 && d->conf->unix_path && !has_unix)
		rc = http_listen_unix(d->http, d->conf->unix_path, err);
	if (rc == 0 && d->conf->listen && !has_tcp)
		rc = http_listen_tcp(d->http, d->conf->listen, &port, err);
	if (rc == 0 && d->conf->listen && !has_tcp && str_ends(d->conf->listen, ":0")) {
		printf("listening on port %u\n", port);
		fflush(stdout);
	}
	return rc;
}

int serve_open(struct daemon *d, struct err *err)
{
	struct http_env env = {.base = d->loop.base,
	    .conf = d->conf,
	    .arg = d,
	    .wall = clock_wall,
	    .mono = clock_mono,
	    .view_begin = serve_view_begin,
	    .view_end = serve_view_end,
	    .submit = daemon_submit,
	    .sched_env = serve_sched_env,
	    .secret = serve_secret,
	    .ready = serve_ready,
	    .plan = serve_plan,
	    .stop = serve_stop,
	    .backup = serve_backup,
	    .plugins = serve_plugins,
	    .conf_error = serve_conf_error,
	    .doctor = serve_doctor,
	    .metrics = serve_metrics};
	int rc = http_new(&env, NULL, &d->http, err);

	return rc == 0 ? listen_all(d, err) : rc;
}
