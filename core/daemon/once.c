/* once.c: `sluiced --once FILE`: one DAG file, run by the daemon's own code on a state folder that
 * lives as long as the run, with a pool bound to it. Owner: struct once. */
#define LOG_AT "daemon"
#include "core/daemon/daemon.h"

#include "core/base/clock.h"
#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/sched/show.h"
#include "core/sched/table.h"

#include <errno.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_TAIL_BYTES 4000
#define GOODBYE_MS 5000 /* for the pool to end */
#define SHOW_MAX (64u << 20)

enum once_output { ONCE_TEXT, ONCE_JSON, ONCE_NDJSON };

struct once {
	struct daemon *d;
	const struct once_options *o;
	enum once_output output;
	uint64_t run;
	int code;
	bool ended;
	VEC(struct effect) news; /* effects of the run that are still to be told */
};

static char *deployment_name(void)
{
	struct passwd *p = getpwuid(getuid());
	struct str name;

	str_init(&name, 64);
	str_addf(&name, "local-%.40s", p ? p->pw_name : "user");
	return str_take(&name);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

static void once_end(struct once *x, int code)
{
	if (x->ended)
		return;
	x->ended = true;
	x->code = code;
	daemon_stop(x->d, STOP_CANCEL, GOODBYE_MS);
}

/* ---- what is told ---- */

static void print_object(struct once *x, bool step, const struct step_ref *ref, bool with_steps)
{
	const struct view *v = store_read_begin(x->d->own_read);
	struct str text;
	struct jw w;
	int rc;

	str_init(&text, SHOW_MAX);
	jw_init(&w, &text);
	rc = step ? show_step(v, ref, &w) : show_run(v, x->run, with_steps, &w);
	store_read_end(x->d->own_read);
	if (rc == 0)
		puts(str_peek(&text));
	fflush(stdout);
	str_done(&text);
}

/* The end of the attempt's log, so that the cause is on the screen: as text, or as an object
 * {"log":{"name","item","attempt","text"}}. */
static void log_path(struct once *x, const struct run_rec *run, const struct step_rec *s,
    const char *name, struct str *out)
{
	char id[HASH_ID_TEXT], item[16] = "";

	hash_to_base32(run->id, id);
	if (s->item)
		snprintf(item, sizeof(item), ".%u", s->item);
	str_addf(out, "%s/logs/%s/%s/%s%s.%u.log", x->d->conf->state_dir, run->dag, id, name, item,
	    s->attempt);
}

static void print_log_object(const struct step_rec *s, const char *name, const char *tail)
{
	struct str text;
	struct jw w;

	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	jw_object(&w);
	jw_key(&w, "log");
	jw_object(&w);
	jw_kstr(&w, "name", name);
	if (s->item)
		jw_kstr(&w, "item", s->item_key);
	jw_ki64(&w, "attempt", s->attempt);
	jw_kstr(&w, "text", tail);
	jw_end_object(&w);
	jw_end_object(&w);
	puts(str_peek(&text));
	fflush(stdout);
	str_done(&text);
}

static void print_log(
    struct once *x, const struct run_rec *run, const struct step_rec *s, const char *name)
{
	struct str path, text;
	const char *tail;

	str_init(&path, 8192);
	str_init(&text, 16u << 20);
	log_path(x, run, s, name, &path);
	if (io_read_file(str_peek(&path), 8u << 20, &text, NULL) == 0 && text.len) {
		tail = text.len > LOG_TAIL_BYTES ? text.s + text.len - LOG_TAIL_BYTES : text.s;
		if (x->output == ONCE_NDJSON)
			print_log_object(s, name, tail);
		else
			fprintf(stderr, "--- log of %s%s%s%s, attempt %u\n%s%s---\n", name,
			    s->item ? "[" : "", s->item_key, s->item ? "]" : "", s->attempt, tail,
			    str_ends(tail, "\n") ? "" : "\n");
	}
	str_done(&path);
	str_done(&text);
}

static void print_line(const struct step_rec *s, const char *name)
{
	char now[CLOCK_TEXT_MAX];

	printf("%s  %s%s%s%s  %s", clock_format(clock_wall(), now), name, s->item ? "[" : "",
	    s->item_key, s->item ? "]" : "", step_state_name(s->state));
	if (s->state == STEP_SUCCEEDED && s->rows_out > 0)
		printf("  %lld rows", (long long)s->rows_out);
	if (s->attempt > 1)
		printf("  attempt %u", s->attempt);
	if (s->message[0] && s->state != STEP_RUNNING)
		printf("  %s: %s", class_name(s->class_), s->message);
	printf("\n");
	fflush(stdout);
}

/* The records of a step of the run; name NULL where they are not there. */
static const char *step_named(
    const struct view *v, const struct step_ref *ref, struct run_rec *run, struct step_rec *s)
{
	const struct plan *plan;

	if (!v || run_get(v, ref->run, run) != 0 || step_get(v, ref, s) != 0 ||
	    v->plan(v->ctx, run->plan, &plan, NULL) != 0 || s->step >= plan->n_steps)
		return NULL;
	return plan->steps[s->step].name;
}

static void tell_step(struct once *x, const struct effect *e)
{
	struct run_rec run;
	struct step_rec s;
	const char *name = step_named(store_read_begin(x->d->own_read), &e->step, &run, &s);

	/* What a step passed through within one commit is not told. */
	if (name && e->state == s.state && s.state != STEP_WAITING && s.state != STEP_READY) {
		if (x->output == ONCE_TEXT)
			print_line(&s, name);
		/* nowhere else: the store and its logs go with the run */
		if (s.state == STEP_FAILED || s.state == STEP_RETRYING ||
		    (s.state == STEP_SUCCEEDED && s.item == 0))
			print_log(x, &run, &s, name);
	}
	store_read_end(x->d->own_read);
}

static void tell_run(struct once *x)
{
	char now[CLOCK_TEXT_MAX];
	const struct view *v = store_read_begin(x->d->own_read);
	struct run_rec run;
	int rc = v ? run_get(v, x->run, &run) : ERR_IO;

	store_read_end(x->d->own_read);
	if (rc != 0 || !run_state_ended(run.state)) {
		if (x->output == ONCE_NDJSON)
			print_object(x, false, NULL, true);
		return;
	}
	if (x->output == ONCE_TEXT)
		printf("%s  run of %s  %s%s%s\n", clock_format(clock_wall(), now), run.dag,
		    run_state_name(run.state), run.message[0] ? "  " : "", run.message);
	else
		print_object(x, false, NULL, true);
	fflush(stdout);
	once_end(x, run.state == RUN_SUCCEEDED ? EXIT_CODE_OK : EXIT_CODE_FAILED);
}

static void tell(struct once *x, const struct effect *e)
{
	if (e->kind == EFFECT_RUN && e->id == x->run)
		tell_run(x);
	if (e->kind != EFFECT_STEP || e->step.run != x->run)
		return;
	if (x->output == ONCE_NDJSON)
		print_object(x, true, &e->step, false);
	if (x->output != ONCE_JSON)
		tell_step(x, e);
}

/* {"name","item","progress":{…}} */
static void on_once_progress(void *arg, const struct step_ref *step, const char *json, size_t n)
{
	struct once *x = arg;
	struct json *progress = NULL;
	struct run_rec run;
	struct step_rec s;
	struct str text;
	const char *name;
	struct jw w;

	if (x->output != ONCE_NDJSON || step->run != x->run ||
	    json_parse(json, n, 64u << 10, &progress, NULL) != 0)
		return;
	name = step_named(store_read_begin(x->d->own_read), step, &run, &s);
	str_init(&text, 1u << 20);
	jw_init(&w, &text);
	jw_object(&w);
	jw_kstr(&w, "name", name ? name : "");
	if (name && s.item)
		jw_kstr(&w, "item", s.item_key);
	jw_key(&w, "progress");
	jw_json(&w, progress);
	jw_end_object(&w);
	if (name)
		puts(str_peek(&text));
	fflush(stdout);
	store_read_end(x->d->own_read);
	str_done(&text);
	json_free(progress);
}

/* Steps are told before the end of their run, whatever the order of the effects. */
static void on_once_effects(void *arg, const struct effect *v, size_t n)
{
	struct once *x = arg;

	if (x->run == 0) { /* the run's first effects come before the answer that names it */
		for (size_t i = 0; i < n; i++)
			VEC_ADD(&x->news, v[i]);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].kind == EFFECT_STEP)
			tell(x, &v[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].kind == EFFECT_RUN)
			tell(x, &v[i]);
	}
}

/* ---- compile, start ---- */

static void on_once_started(void *arg, const struct op_result *r)
{
	struct once *x = arg;

	if (r->rc != 0 || r->n_runs == 0) {
		fprintf(stderr, "sluiced: the run did not start: %s\n",
		    r->err.text[0] ? r->err.text : verdict_name(r->verdict));
		once_end(x, r->rc ? exit_code_of(r->rc) : EXIT_CODE_REFUSED);
		return;
	}
	x->run = r->runs[0];
	on_once_effects(x, x->news.v, x->news.n);
}

static struct json *params_of(const struct once_options *o)
{
	struct json *all = json_new_object(), *value;
	const char *equals;
	char *name;

	for (size_t i = 0; i < o->n_params; i++) {
		equals = strchr(o->params[i], '=');
		name = mem_strndup(o->params[i], (size_t)(equals - o->params[i]));
		if (json_parse(equals + 1, strlen(equals + 1), 1 << 20, &value, NULL) != 0)
			value = json_new_str(equals + 1);
		json_put(all, name, value);
		mem_free(name);
	}
	return all;
}

struct start_arena {
	struct json *params;
	char *dag;
};

static void start_arena_free(void *arg)
{
	struct start_arena *a = arg;

	json_free(a->params);
	mem_free(a->dag);
	mem_free(a);
}

static void start_run(struct once *x, const char *dag)
{
	struct writer_op *op = writer_op_new(OP_START);
	struct start_arena *a = MEM_NEW(struct start_arena);
	wall_us at = TIME_NONE;

	if (x->o->at && clock_parse(x->o->at, &at) != 0) {
		fprintf(stderr,
		    "sluiced: --at %s is no time: write 2026-11-21 or 2026-11-21T02:30:00Z\n",
		    x->o->at);
		mem_free(a);
		writer_op_free(op);
		once_end(x, EXIT_CODE_USAGE);
		return;
	}
	a->params = params_of(x->o);
	a->dag = mem_strdup(dag);
	op->arena = a;
	op->free_arena = start_arena_free;
	op->op.u.start.dag = a->dag;
	op->op.u.start.trigger = x->o->trigger;
	op->op.u.start.key = x->o->key;
	op->op.u.start.at = at;
	op->op.u.start.params = a->params;
	op->op.u.start.actor = "once";
	op->op.u.start.only = x->o->only;
	op->op.u.start.n_only = x->o->n_only;
	op->done = on_once_started;
	op->arg = x;
	if (daemon_submit(x->d, op) == 0)
		return;
	writer_op_free(op);
	once_end(x, EXIT_CODE_INTERNAL);
}

static void print_errors(const struct json *errors, const char *file)
{
	const char *hint;

	for (const struct json *e = json_first(errors); e; e = json_next(e)) {
		hint = json_get_str(e, "hint", "");
		fprintf(stderr, "%s:%lld:%lld: error: %s%s%s\n", file,
		    (long long)json_get_i64(e, "line", 1), (long long)json_get_i64(e, "column", 1),
		    json_get_str(e, "message", ""), hint[0] ? "; " : "", hint);
	}
}

static void on_once_compiled(void *arg, int rc, const struct err *err, const char *text)
{
	struct once *x = arg;
	struct json *j = NULL;
	const char *dag;

	if (rc != 0) {
		fprintf(stderr, "sluiced: %s\n", err->text);
		once_end(x, exit_code_of(rc));
		return;
	}
	rc = json_parse(text, strlen(text), SHOW_MAX, &j, NULL);
	dag = json_str(json_first(json_get(j, "add")), NULL);
	if (rc == 0 && dag) {
		start_run(x, dag);
	} else {
		print_errors(json_get(j, "errors"), x->o->file);
		once_end(x, EXIT_CODE_USAGE);
	}
	json_free(j);
}

/* ---- set-up ---- */

static int once_conf(
    const struct once_options *o, const char *state, struct conf **ret, struct err *err)
{
	char *deployment = deployment_name();
	struct conf *base = NULL;
	int rc;

	if (o->config) {
		rc = conf_load(o->config, &base, err);
		if (rc == 0)
			rc = conf_for_once(base, state, deployment, ret, err);
	} else {
		rc = conf_default(state, deployment, ret, err);
	}
	conf_free(base);
	mem_free(deployment);
	return rc;
}

static int once_run(struct once *x, const char *state, struct err *err)
{
	char *file = realpath(x->o->file, NULL);
	int rc;

	if (!file)
		return err_errno(err, ERR_NOT_FOUND, errno, "cannot read %s", x->o->file);
	rc = once_conf(x->o, state, &x->d->conf, err);
	if (rc == 0 && chdir(state) != 0)
		rc = err_errno(err, ERR_IO, errno, "cannot go to %s", state);
	if (rc == 0)
		rc = daemon_open(x->d, true, err);
	if (rc == 0) {
		x->d->watch = on_once_effects;
		x->d->watch_progress = on_once_progress;
		x->d->watch_arg = x;
		job_builder_preview(x->d->jobs, x->o->preview_rows);
		compile_file(x->d->compile, file, on_once_compiled, x);
		loop_run(&x->d->loop, NULL, NULL);
	}
	free(file);
	return rc;
}

int once_main(struct daemon *d, const struct once_options *o)
{
	char state[] = "/tmp/sluice-once-XXXXXX";
	struct once x = {.d = d, .o = o, .code = EXIT_CODE_FAILED};
	struct err err = {0};
	int rc = 0;

	if (o->output && str_eq(o->output, "json"))
		x.output = ONCE_JSON;
	if (o->output && str_eq(o->output, "ndjson"))
		x.output = ONCE_NDJSON;
	if (!mkdtemp(state))
		rc = err_errno(&err, ERR_IO, errno, "cannot make a folder in /tmp");
	if (rc == 0)
		rc = once_run(&x, state, &err);
	if (rc != 0) {
		fprintf(stderr, "sluiced: %s\n", err.text);
		x.code = exit_code_of(rc);
	}
	daemon_close(d);
	VEC_DONE(&x.news);
	if (chdir("/") != 0 || nftw(state, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
		log_warn("cannot remove %s", state);
	return x.code;
}
