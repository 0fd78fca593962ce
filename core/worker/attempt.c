/* attempt.c: the state of one attempt: cancel, failure, log, progress. */
#include "core/worker/attempt.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/pool/frame.h"
#include "core/worker/reject.h"
#include "core/worker/workorder.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

const struct hooks *hooks;

#define LOG_LINE_MAX (64u << 10)

static void fill_public(struct attempt *at)
{
	const struct job *j = at->job;
	struct slu_attempt *p = &at->pub;

	p->size = sizeof(*p);
	p->attempt = j->attempt;
	p->deployment = j->deployment;
	p->dag = j->dag;
	p->run = j->run;
	p->step = j->step;
	p->item = j->item != NULL ? j->item : "";
	p->key = j->key;
	p->logical_us = j->logical_us;
	p->window_from_us = j->window_from_us;
	p->window_to_us = j->window_to_us;
	p->deadline_us =
	    j->deadline_ms < 0 ? SLU_TIME_NONE : clock_wall() + j->deadline_ms * US_PER_MS;
	p->full_refresh = j->full_refresh;
	p->preview_rows = j->preview_rows;
	p->dry_run = j->dry_run;
	p->revision = j->revision;
	p->generation = j->generation;
	p->token = j->token;
	p->ledger_key = j->ledger_key;
	p->base_dir = j->base_dir;
	p->trigger = j->trigger;
	p->batch_bytes = BATCH_BYTES;
	p->zone = j->zone;
}

struct attempt *attempt_new(struct job *job, int kick_fd)
{
	struct attempt *at = MEM_NEW(struct attempt);

	at->job = job;
	at->kick_fd = kick_fd;
	at->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&at->lock, NULL);
	pthread_mutex_init(&at->live_lock, NULL);
	at->failure.size = sizeof(at->failure);
	at->outputs = json_new_object();
	at->datasets = json_new_array();
	at->positions = json_new_object();
	str_init(&at->plugin_sha, 4096);
	fill_public(at);
	return at;
}

void attempt_free(struct attempt *at)
{
	if (at == NULL)
		return;
	rejects_free(at->rejects);
	work_parts_free(at);
	mark_done(&at->mark);
	mem_free(at->handle);
	mem_free(at->remote_key);
	json_free(at->outputs);
	json_free(at->datasets);
	json_free(at->positions);
	str_done(&at->plugin_sha);
	VEC_DONE(&at->live);
	io_close(&at->cancel_fd);
	pthread_mutex_destroy(&at->lock);
	pthread_mutex_destroy(&at->live_lock);
	mem_free(at);
}

/* ---- cancel ---- */

static void signal_fd(int fd)
{
	uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0) {
		/* full: it is readable already */
	}
}

static void call_cancels(struct attempt *at, bool reads_only)
{
	size_t i;

	pthread_mutex_lock(&at->live_lock);
	for (i = at->live.n; i-- > 0;)
		if (at->live.v[i].cancel != NULL && (at->live.v[i].reads || !reads_only))
			at->live.v[i].cancel(at->live.v[i].st);
	pthread_mutex_unlock(&at->live_lock);
}

void attempt_cancel(struct attempt *at)
{
	if (atomic_exchange(&at->cancelled, true))
		return;
	signal_fd(at->cancel_fd);
	call_cancels(at, false);
}

void attempt_stop_reading(struct attempt *at)
{
	if (atomic_exchange(&at->stopped, true))
		return;
	call_cancels(at, true);
}

bool attempt_cancelled(const struct attempt *at)
{
	return atomic_load(&at->cancelled);
}

void attempt_attach(struct attempt *at, void (*cancel)(void *), void *st, bool reads)
{
	bool late;

	pthread_mutex_lock(&at->live_lock);
	VEC_ADD(&at->live, ((struct live){cancel, st, reads}));
	/* An instance that opens after the cancel must hear of it too. */
	late = atomic_load(&at->cancelled) || (reads && atomic_load(&at->stopped));
	if (late && cancel != NULL)
		cancel(st);
	pthread_mutex_unlock(&at->live_lock);
}

void attempt_detach(struct attempt *at, void *st)
{
	size_t i;

	pthread_mutex_lock(&at->live_lock);
	for (i = 0; i < at->live.n; i++)
		if (at->live.v[i].st == st)
			break;
	if (i < at->live.n) {
		at->live.n--;
		memmove(
		    &at->live.v[i], &at->live.v[i + 1], (at->live.n - i) * sizeof(at->live.v[0]));
	}
	pthread_mutex_unlock(&at->live_lock);
}

/* ---- failure ---- */

static void copy_failure(slu_err *to, const slu_err *from)
{
	size_t n = from->size != 0 && from->size < sizeof(*to) ? from->size : sizeof(*to);

	memset(to, 0, sizeof(*to));
	memcpy(to, from, n);
	to->size = sizeof(*to);
	to->code[sizeof(to->code) - 1] = '\0';
	to->field[sizeof(to->field) - 1] = '\0';
	to->message[sizeof(to->message) - 1] = '\0';
	if (to->rc < SLU_E_CONFIG || to->rc > SLU_E_INTERNAL)
		to->rc = SLU_E_INTERNAL;
}

static bool says_more(const struct attempt *at, const slu_err *e)
{
	return at->vague && e->rc == at->failure.rc && e->message[0] != '\0' &&
	       e->field[0] != '\0' && str_eq(e->field, at->failure.field);
}

static void note_failure(struct attempt *at, const slu_err *e, bool vague)
{
	slu_err copy;

	copy_failure(&copy, e);
	pthread_mutex_lock(&at->lock);
	if (!at->failed || says_more(at, &copy)) {
		at->failed = true;
		at->vague = vague;
		at->failure = copy;
	}
	pthread_mutex_unlock(&at->lock);
}

void attempt_fail(struct attempt *at, const slu_err *e)
{
	note_failure(at, e, false);
}

void attempt_fail_vague(struct attempt *at, const slu_err *e)
{
	note_failure(at, e, true);
}

void attempt_failf(struct attempt *at, slu_rc rc, const char *code, const char *fmt, ...)
{
	slu_err e = {.size = sizeof(e), .rc = rc, .row = -1};
	va_list ap;

	snprintf(e.code, sizeof(e.code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(e.message, sizeof(e.message), fmt, ap);
	va_end(ap);
	attempt_fail(at, &e);
}

void attempt_fail_slot(
    struct attempt *at, slu_rc rc, const slu_err *e, const char *role, const char *slot)
{
	slu_err copy;

	copy_failure(&copy, e);
	copy.rc = rc >= SLU_E_CONFIG && rc <= SLU_E_INTERNAL ? rc : SLU_E_INTERNAL;
	if (copy.message[0] == '\0')
		snprintf(copy.message, sizeof(copy.message), "%s: %s failed without a message",
		    role, slot);
	attempt_fail(at, &copy);
}

static slu_rc class_of_err(int code)
{
	switch (code) {
	case ERR_AUTH:
		return SLU_E_AUTH;
	case ERR_TIMEOUT:
		return SLU_E_TIMEOUT;
	case ERR_UNREACHABLE:
	case ERR_AGAIN:
	case ERR_FULL:
	case ERR_IO:
	case ERR_NOMEM:
		return SLU_E_TRANSIENT;
	case ERR_INTERNAL:
	case ERR_CORRUPT:
		return SLU_E_INTERNAL;
	default:
		return SLU_E_CONFIG;
	}
}

void attempt_fail_err(struct attempt *at, const struct err *err)
{
	attempt_failf(at, class_of_err(err->code), "HOST", "%s", err->text);
}

bool attempt_failed(struct attempt *at)
{
	bool failed;

	pthread_mutex_lock(&at->lock);
	failed = at->failed;
	pthread_mutex_unlock(&at->lock);
	return failed || attempt_cancelled(at);
}

/* ---- log ---- */

void attempt_log(struct attempt *at, int level, const char *code, const char *msg, size_t n)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	char now[CLOCK_TEXT_MAX];
	struct str line;

	if (level < SLU_LOG_DEBUG || level > SLU_LOG_ERROR)
		level = SLU_LOG_INFO;
	str_init(&line, LOG_LINE_MAX);
	str_addf(&line, "%s %s ", clock_format(clock_wall(), now), names[level]);
	if (code != NULL && code[0] != '\0')
		str_addf(&line, "%.32s: ", code);
	str_add_visible(&line, msg, n < LOG_LINE_MAX / 8 ? n : LOG_LINE_MAX / 8);
	str_addc(&line, '\n');
	pthread_mutex_lock(&at->lock);
	if (!line.failed)
		(void)!io_write_all(STDERR_FILENO, line.s, line.len, NULL);
	pthread_mutex_unlock(&at->lock);
	str_done(&line);
}

void attempt_logf(struct attempt *at, int level, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	attempt_log(at, level, NULL, text, strlen(text));
}

/* ---- progress ---- */

void attempt_progress(
    struct attempt *at, const char *stage, int64_t done, int64_t total, const char *unit)
{
	bool news;

	pthread_mutex_lock(&at->lock);
	if (stage != NULL)
		(void)str_copy(at->progress.stage, sizeof(at->progress.stage), stage);
	(void)str_copy(at->progress.unit, sizeof(at->progress.unit), unit != NULL ? unit : "");
	at->progress.done = done;
	at->progress.total = total;
	news = !at->progress.dirty;
	at->progress.dirty = true;
	pthread_mutex_unlock(&at->lock);
	if (news)
		signal_fd(at->kick_fd);
}

bool attempt_take_progress(struct attempt *at, struct str *out)
{
	struct progress p;
	struct jw w;

	pthread_mutex_lock(&at->lock);
	p = at->progress;
	at->progress.dirty = false;
	pthread_mutex_unlock(&at->lock);
	if (!p.dirty)
		return false;
	jw_init(&w, out);
	jw_object(&w);
	jw_kstr(&w, "stage", p.stage);
	jw_ki64(&w, "done", p.done);
	jw_ki64(&w, "total", p.total);
	jw_kstr(&w, "unit", p.unit);
	jw_ki64(&w, "rows_in", atomic_load(&at->rows_in));
	jw_ki64(&w, "rows_out", atomic_load(&at->rows_out));
	jw_ki64(&w, "bytes", atomic_load(&at->bytes));
	jw_end_object(&w);
	secrets_mask(at->job->secrets, out);
	return !out->failed;
}

/* ---- marks and runs ---- */

void mark_done(struct mark *m)
{
	mem_free(m->cursor_json);
	memset(m, 0, sizeof(*m));
}

void mark_set(struct mark *m, const slu_mark *from)
{
	char *text;

	if (from == NULL || !TABLE_HAS(from, flags))
		return;
	text = TABLE_SLOT(from, cursor_json) != NULL ? mem_strdup(from->cursor_json) : NULL;
	mem_free(m->cursor_json);
	m->set = true;
	m->cursor_json = text;
	m->flags = from->flags;
	m->complete_us = TABLE_HAS(from, complete_us) ? from->complete_us : 0;
	m->max_event_us = TABLE_HAS(from, max_event_us) ? from->max_event_us : 0;
}

slu_mark mark_view(const struct mark *m)
{
	return (slu_mark){.size = sizeof(slu_mark),
	    .flags = m->flags,
	    .cursor_json = m->cursor_json,
	    .complete_us = m->complete_us,
	    .max_event_us = m->max_event_us};
}

void run_init(struct slu_run *run, struct attempt *at, const char *role, const struct json *node,
    slu_opts table)
{
	memset(run, 0, sizeof(*run));
	run->at = at;
	run->role = role;
	run->index = INT16_MAX;
	run->node = node;
	run->table = table;
}

void run_done(struct slu_run *run)
{
	size_t i;

	for (i = 0; i < run->texts.n; i++)
		mem_free(run->texts.v[i]);
	VEC_DONE(&run->texts);
	mark_done(&run->mark);
	mark_done(&run->end_mark);
}
