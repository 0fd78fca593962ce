/* mailbox.c: the table of attempts and the system lane. Owner: pool, main thread. The connections
 * are in conn.c. */
#define LOG_AT "pool"
#include "core/pool/mailbox.h"

#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/pool/mailbox_int.h"
#include "core/pool/mutant.h"
#include "core/pool/report.h"

#include <string.h>

#define PROGRESS_EVERY_US (100 * US_PER_MS)
#define PROGRESS_MAX 4096

static void on_progress_timer(evutil_socket_t fd, short what, void *arg);

static unsigned bucket_of(const struct frame *h)
{
	uint64_t x = h->run * UINT64_C(0x9e3779b97f4a7c15) + h->token;

	x ^= (uint64_t)h->step << 32 | h->item;
	x *= UINT64_C(0xff51afd7ed558ccd);
	return (unsigned)(x >> 54) % TABLE_BUCKETS;
}

static void add_to_table(struct mailbox *m, const struct frame *h, struct attempt *a)
{
	LIST_INSERT_HEAD(&m->table[bucket_of(h)], a, hash);
	TAILQ_INSERT_TAIL(&m->all, a, link);
	m->n_all++;
	m->n_running++;
}

struct mailbox *mailbox_new(
    struct event_base *base, uint64_t instance, const struct mailbox_ops *ops, void *ctx)
{
	struct mailbox *m = MEM_NEW(struct mailbox);

	m->base = base;
	m->instance = instance;
	m->ops = *ops;
	m->ctx = ctx;
	TAILQ_INIT(&m->all);
	TAILQ_INIT(&m->system_queue);
	TAILQ_INIT(&m->system_running);
	TAILQ_INIT(&m->strangers);
	TAILQ_INIT(&m->out);
	m->end_item.type = FRAME_END;
	str_init(&m->in, FRAME_PAYLOAD_MAX);
	evtimer_assign(&m->progress_timer, base, on_progress_timer, m);
	return m;
}

void attempt_free(struct attempt *a)
{
	note_done(&a->note);
	mem_free(a->report);
	mem_free(a->progress);
	if (a->job != NULL)
		hash_wipe(a->job, a->job_n);
	mem_free(a->job);
	mem_free(a);
}

static void free_list(struct attempt_list *list)
{
	struct attempt *a;

	while ((a = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, a, link);
		attempt_free(a);
	}
}

void mailbox_free(struct mailbox *m)
{
	if (m == NULL)
		return;
	conn_close_all(m);
	event_del(&m->progress_timer);
	free_list(&m->all);
	free_list(&m->system_queue);
	free_list(&m->system_running);
	str_done(&m->in);
	mem_free(m);
}

struct attempt *table_find(struct mailbox *m, const struct frame *h)
{
	struct attempt *a;

	LIST_FOREACH(a, &m->table[bucket_of(h)], hash)
	{
		if (a->key.run == h->run && a->key.token == h->token && a->key.step == h->step &&
		    a->key.item == h->item)
			return a;
	}
	return NULL;
}

static struct attempt *attempt_new(const struct frame *h, bool system)
{
	struct attempt *a = MEM_NEW(struct attempt);

	a->key.run = h->run;
	a->key.token = h->token;
	a->key.step = h->step;
	a->key.item = h->item;
	a->system = system;
	a->note.deadline_ms = -1;
	a->run_item.type = FRAME_RUN;
	a->run_item.attempt = a;
	a->out_item.type = system ? FRAME_SYSTEM_OUT : FRAME_OUT;
	a->out_item.attempt = a;
	return a;
}

static void end_refused(
    struct mailbox *m, struct attempt *a, const char *class_, const char *code, const char *message)
{
	struct str report;

	log_warn("%s refused (%s): %s", a->note.slug, code, message);
	str_init(&report, FRAME_REPORT_MAX);
	report_make(&report, class_, code, message);
	mailbox_end(m, a, OUT_FAILED, str_peek(&report), report.len);
	str_done(&report);
}

/* Splits the payload, fills the note; false: the attempt has ended as refused. */
static bool take_note(struct mailbox *m, struct attempt *a, const char *p, size_t n,
    const char **ret_job, size_t *ret_job_n)
{
	const char *note;
	size_t note_n;
	struct err err;
	int rc;

	rc = frame_job_split(p, n, &note, &note_n, ret_job, ret_job_n, &err);
	if (rc == 0)
		rc = note_parse(note, note_n, &a->note, &err);
	if (rc == 0)
		return true;
	if (rc == ERR_REFUSED)
		end_refused(m, a, "config", "secret-too-short", err.text);
	else
		end_refused(m, a, "internal", "bad-job", err.text);
	return false;
}

/* Rule 8: in the table first, then started. A second JOB of the same token is the same attempt
 * (rule 2). */
void table_job(struct mailbox *m, const struct frame *h, const char *p, size_t n)
{
	struct attempt *a;
	const char *job;
	size_t job_n;

	if (table_find(m, h) != NULL)
		return;
	a = attempt_new(h, false);
	add_to_table(m, h, a);
	if (m->n_all > MAILBOX_ATTEMPTS_MAX || m->report_bytes > MAILBOX_REPORTS_MAX) {
		end_refused(m, a, "internal", "pool-full",
		    "the pool holds too many outcomes that no daemon has acknowledged");
		return;
	}
	if (!take_note(m, a, p, n, &job, &job_n))
		return;
	a->state = ATTEMPT_RUNNING;
	m->ops.start(m->ctx, a, job, job_n);
}

void table_forget(struct mailbox *m, struct attempt *a)
{
	out_remove(m, &a->run_item);
	out_remove(m, &a->out_item);
	LIST_REMOVE(a, hash);
	TAILQ_REMOVE(&m->all, a, link);
	m->n_all--;
	m->report_bytes -= a->report_n;
	attempt_free(a);
}

void table_ack(struct mailbox *m, const struct frame *h)
{
	struct attempt *a = table_find(m, h);

	if (a == NULL || a->state != ATTEMPT_ENDED)
		return;
	table_forget(m, a);
	m->ops.changed(m->ctx);
}

/* ---- the system lane ---- */

static void start_system(struct mailbox *m, struct attempt *a, const char *job, size_t n)
{
	TAILQ_INSERT_TAIL(&m->system_running, a, link);
	m->n_system_running++;
	a->state = ATTEMPT_RUNNING;
	m->ops.start(m->ctx, a, job, n);
}

static void start_next_system(struct mailbox *m)
{
	struct attempt *a;
	char *job;
	size_t n;

	while (m->n_system_running < MAILBOX_SYSTEM_LANES &&
	       (a = TAILQ_FIRST(&m->system_queue)) != NULL) {
		TAILQ_REMOVE(&m->system_queue, a, link);
		m->n_system_queue--;
		job = a->job;
		n = a->job_n;
		a->job = NULL;
		start_system(m, a, job, n);
		hash_wipe(job, n);
		mem_free(job);
	}
}

void system_job(struct mailbox *m, const struct frame *h, const char *p, size_t n)
{
	struct attempt *a = attempt_new(h, true);
	const char *job;
	size_t job_n;

	if (!take_note(m, a, p, n, &job, &job_n))
		return;
	if (m->n_system_running < MAILBOX_SYSTEM_LANES) {
		start_system(m, a, job, job_n);
		return;
	}
	if (m->n_system_queue >= MAILBOX_SYSTEM_QUEUE) {
		end_refused(m, a, "transient", "lane-full", "too many system jobs wait; try again");
		return;
	}
	a->job = mem_dup(job, job_n);
	a->job_n = job_n;
	TAILQ_INSERT_TAIL(&m->system_queue, a, link);
	m->n_system_queue++;
}

/* Nobody waits for the answers any more: what runs may end, what waits never begins. */
void system_forget_daemon(struct mailbox *m)
{
	struct attempt *a;

	free_list(&m->system_queue);
	m->n_system_queue = 0;
	TAILQ_FOREACH(a, &m->system_running, link)
	a->deaf = true;
}

static void end_system(struct mailbox *m, struct attempt *a)
{
	if (a->state == ATTEMPT_RUNNING) {
		TAILQ_REMOVE(&m->system_running, a, link);
		m->n_system_running--;
	}
	a->state = ATTEMPT_ENDED;
	if (a->deaf || m->daemon == NULL) {
		attempt_free(a);
	} else {
		out_push(m, &a->out_item);
		out_flush(m);
	}
	start_next_system(m);
	m->ops.changed(m->ctx);
}

/* ---- outcomes ---- */

/* Rule 19: a success counts, a failure after a kill order is the order's reason. */
static uint32_t judge(const struct attempt *a, uint32_t code)
{
	if (a->reason == OUT_OK)
		return code;
	return code == OUT_OK && !pool_mutant("kill-wins") ? code : a->reason;
}

static void keep_report(struct mailbox *m, struct attempt *a, const char *report, size_t n)
{
	struct str masked;
	size_t max = a->system ? FRAME_PAYLOAD_MAX : FRAME_REPORT_MAX;

	if (report == NULL || n == 0)
		return;
	str_init(&masked, max + 1024);
	if (n > max)
		report_make(&masked, "internal", "report-too-large",
		    "the report is larger than 128 KiB: give fewer or shorter outputs");
	else if (a->note.mask != NULL)
		report_mask(a->note.mask, report, n, &masked);
	if (masked.len > 0) {
		a->report_n = masked.len;
		a->report = str_take(&masked);
	} else {
		a->report = mem_dup(report, n);
		a->report_n = n;
	}
	str_done(&masked);
	if (!a->system)
		m->report_bytes += a->report_n;
}

void mailbox_end(struct mailbox *m, struct attempt *a, uint32_t code, const char *report, size_t n)
{
	a->code = judge(a, code);
	if (a->code == OUT_OK || a->code == OUT_FAILED)
		keep_report(m, a, report, n);
	if (n > FRAME_REPORT_MAX && !a->system && a->code == OUT_OK)
		a->code = OUT_FAILED;
	a->ended_at = clock_mono();
	mem_free(a->progress);
	a->progress = NULL;
	note_done(&a->note);
	if (a->system) {
		end_system(m, a);
		return;
	}
	a->state = ATTEMPT_ENDED;
	m->n_running--;
	if (m->daemon != NULL) {
		out_push(m, &a->out_item);
		out_flush(m);
	}
	m->ops.changed(m->ctx);
}

void mailbox_kill(struct mailbox *m, struct attempt *a, uint32_t reason)
{
	if (a->state != ATTEMPT_RUNNING || a->reason != OUT_OK)
		return;
	a->reason = reason;
	m->ops.kill(m->ctx, a);
}

void mailbox_kill_hard(struct mailbox *m, struct attempt *a, uint32_t reason)
{
	if (a->state != ATTEMPT_RUNNING)
		return;
	a->note.grace_ms = 0;
	if (a->reason == OUT_OK)
		a->reason = reason;
	m->ops.kill(m->ctx, a);
}

void mailbox_kill_all(struct mailbox *m, uint32_t reason)
{
	struct attempt *a, *next;

	free_list(&m->system_queue);
	m->n_system_queue = 0;
	for (a = TAILQ_FIRST(&m->all); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		mailbox_kill(m, a, reason);
	}
	for (a = TAILQ_FIRST(&m->system_running); a != NULL; a = next) {
		next = TAILQ_NEXT(a, link);
		mailbox_kill(m, a, reason);
	}
}

/* ---- progress ---- */

static void on_progress_timer(evutil_socket_t fd, short what, void *arg)
{
	struct mailbox *m = arg;
	struct attempt *a;

	(void)fd;
	(void)what;
	m->progress_armed = false;
	TAILQ_FOREACH(a, &m->all, link)
	{
		if (a->progress != NULL)
			out_progress(m, a);
	}
}

void mailbox_progress(struct mailbox *m, struct attempt *a, const char *p, size_t n)
{
	static const struct timeval wait = {.tv_usec = PROGRESS_EVERY_US};
	struct str masked;

	if (a->system || m->daemon == NULL || a->state != ATTEMPT_RUNNING || n > PROGRESS_MAX)
		return;
	mem_free(a->progress);
	str_init(&masked, 2 * PROGRESS_MAX);
	if (a->note.mask != NULL) {
		report_mask(a->note.mask, p, n, &masked);
		a->progress_n = masked.len;
		a->progress = str_take(&masked);
	} else {
		a->progress = mem_dup(p, n);
		a->progress_n = n;
	}
	str_done(&masked);
	if (clock_mono() - a->progress_at >= PROGRESS_EVERY_US) {
		out_progress(m, a);
	} else if (!m->progress_armed) {
		evtimer_add(&m->progress_timer, &wait);
		m->progress_armed = true;
	}
}

/* ---- state ---- */

bool mailbox_is_empty(const struct mailbox *m)
{
	return m->n_all == 0 && m->n_system_running == 0 && m->n_system_queue == 0;
}

bool mailbox_has_daemon(const struct mailbox *m)
{
	return m->daemon != NULL;
}

bool mailbox_is_retired(const struct mailbox *m)
{
	return m->retired;
}

unsigned mailbox_running(const struct mailbox *m)
{
	return m->n_running + m->n_system_running + m->n_system_queue;
}

void mailbox_retire(struct mailbox *m)
{
	m->retired = true;
	m->ops.changed(m->ctx);
}
