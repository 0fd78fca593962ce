/* remote.c: work elsewhere: a step that was submitted and is polled until it ends.
 *
 * Such a step is RUNNING and holds its pool tokens, and stands in exactly one place: in table due
 * until poll_at; then in table ready, without being READY; then with an instance, as an attempt
 * with a token of its own and a slot. Only there does it cost a process. A poll that is lost tells
 * nothing and uses nothing: the next one asks again. Whatever wants the work to end (a cancel, the
 * timeout) sets `stop`: from then on a worker calls cancel_remote and looks again, until the end is
 * seen or STOP_TRIES have passed; a success that is seen first counts. */
#include "core/sched/tx.h"

#include "core/sched/report.h"

#include <stdio.h>
#include <string.h>

#define POLL_MIN_MS 1000
#define POLL_MAX_MS (5 * 60 * 1000)
#define STOP_TRIES 12u	    /* by doubling intervals: about 17 minutes */
#define POLL_ERRORS_MAX 20u /* in a row, of a kind that time does not cure: about an hour */

/* The plugin's hint; without one more seldom the longer it takes; doubled with every failure. */
static int64_t interval_ms(const struct step_rec *s, int64_t hint_ms)
{
	uint32_t slower = s->polls / 4 < 6 ? s->polls / 4 : 6;
	uint32_t failed = s->poll_errors < 9 ? s->poll_errors : 9;
	int64_t ms = hint_ms > 0 ? hint_ms : (int64_t)POLL_MIN_MS << slower;

	if (failed > 0 && ms < (int64_t)POLL_MIN_MS << (failed - 1))
		ms = (int64_t)POLL_MIN_MS << (failed - 1);
	if (ms < POLL_MIN_MS)
		return POLL_MIN_MS;
	return ms > POLL_MAX_MS ? POLL_MAX_MS : ms;
}

/* The timeout counts over the whole life of the attempt, from its submission on, whatever the clock
 * was set by since. */
static int limit_of(struct tx *x, const struct step_rec *s, wall_us *ret)
{
	int64_t ms = x->plan->steps[s->step].timeout_ms, sum;
	int rc;

	*ret = TIME_NONE;
	if (ms < 0)
		return 0;
	rc = reclock_sum(x, &sum);
	*ret = s->started_at + ms * US_PER_MS + sum - s->clock_sum;
	return rc;
}

static int set_stop(struct tx *x, struct step_rec *s, wall_us *ret_limit)
{
	int rc = limit_of(x, s, ret_limit);

	if (rc != 0 || s->stop != REMOTE_KEEP)
		return rc;
	if (x->run.cancel)
		s->stop = REMOTE_CANCEL;
	else if (*ret_limit != TIME_NONE && *ret_limit <= x->now)
		s->stop = REMOTE_TIMEOUT;
	if (s->stop != REMOTE_KEEP)
		s->poll_errors = 0;
	return 0;
}

static int wait_for_poll(struct tx *x, struct step_rec *s, int64_t hint_ms)
{
	bool stopped = s->stop != REMOTE_KEEP;
	wall_us at, limit;
	int rc = set_stop(x, s, &limit);

	if (rc != 0)
		return rc;
	if (!stopped && s->stop != REMOTE_KEEP)
		return remote_place(x, s, 0, x->now, true);
	at = x->now + interval_ms(s, hint_ms) * US_PER_MS;
	if (s->stop == REMOTE_KEEP && limit != TIME_NONE && limit < at)
		at = limit;
	return remote_place(x, s, 0, at, false);
}

static int put_handle(struct tx *x, const struct step_rec *s, const char *handle)
{
	struct step_ref ref = step_ref_of(s);
	struct str text;
	struct jw w;
	int rc;

	str_init(&text, PLAN_MAX_BYTES);
	jw_init(&w, &text);
	jw_object(&w);
	jw_kstr(&w, "handle", handle);
	jw_end_object(&w);
	rc = text.failed ? ERR_INTERNAL
			 : step_doc_put(x->v, &ref, STEP_DOC_HANDLE, text.s, text.len);
	str_done(&text);
	return rc;
}

void remote_name(const struct view *v, const struct step_ref *ref, char *out, size_t size)
{
	struct slice doc;
	struct json *j = NULL;

	snprintf(out, size, "the submitted work");
	if (step_doc_get(v, ref, STEP_DOC_HANDLE, &doc) != 0 ||
	    json_parse(doc.p, doc.n, doc.n, &j, NULL) != 0)
		return;
	snprintf(out, size, "job %.120s", json_get_str(j, "handle", "?"));
	json_free(j);
}

/* ---- what a report means ---- */

static void stopped(struct report *p, enum remote_stop why, const char *text)
{
	p->class_ = why == REMOTE_TIMEOUT ? CLASS_TIMEOUT : CLASS_CANCELLED;
	str_copy(p->code, sizeof(p->code), "");
	snprintf(p->message, sizeof(p->message), "%s: %.400s",
	    why == REMOTE_TIMEOUT ? "the timeout passed" : "cancelled", text);
}

/* It was asked to end and did not say so: again, or, after STOP_TRIES, without its word. */
static bool gives_up(struct tx *x, struct step_rec *s, struct report *p)
{
	struct step_ref ref = step_ref_of(s);
	char name[160], text[320];

	if (s->stop == REMOTE_KEEP || s->poll_errors < STOP_TRIES)
		return false;
	remote_name(x->v, &ref, name, sizeof(name));
	snprintf(text, sizeof(text),
	    "%s did not confirm its end in %u tries: look there, it may still run", name,
	    s->poll_errors);
	stopped(p, s->stop, text);
	return true;
}

static int still_runs(struct tx *x, struct step_rec *s, struct report *p, bool *ret_open)
{
	int rc = put_handle(x, s, p->handle);

	if (!s->submitted)
		s->polls = s->poll_errors = 0;
	s->poll_errors = s->stop != REMOTE_KEEP ? s->poll_errors + 1 : 0;
	if (rc != 0 || gives_up(x, s, p))
		return rc;
	*ret_open = true;
	s->class_ = CLASS_OK;
	s->code[0] = s->message[0] = 0;
	return wait_for_poll(x, s, p->poll_after_ms);
}

static bool time_cures(enum step_class c)
{
	return c == CLASS_TRANSIENT || c == CLASS_QUOTA || c == CLASS_TIMEOUT || c == CLASS_LOST ||
	       c == CLASS_CANCELLED;
}

/* The poll itself failed, which says nothing of the work. */
static int poll_failed(struct tx *x, struct step_rec *s, struct report *p, bool *ret_open)
{
	char text[MESSAGE_MAX];

	s->poll_errors++;
	if (gives_up(x, s, p))
		return 0;
	snprintf(text, sizeof(text), "%u poll%s in a row failed, the last with %s: %.400s",
	    s->poll_errors, s->poll_errors == 1 ? "" : "s", class_name(p->class_), p->message);
	if (s->stop == REMOTE_KEEP && !time_cures(p->class_) && s->poll_errors >= POLL_ERRORS_MAX) {
		str_copy(p->message, sizeof(p->message), text);
		return 0;
	}
	*ret_open = true;
	s->class_ = CLASS_OK;
	s->code[0] = 0;
	str_copy(s->message, sizeof(s->message), text);
	return wait_for_poll(x, s, p->retry_after_ms);
}

int remote_outcome(struct tx *x, struct step_rec *s, struct report *p, bool *ret_open)
{
	*ret_open = false;
	if (p->class_ == CLASS_OK)
		return p->handle != NULL ? still_runs(x, s, p, ret_open) : 0;
	if (s->submitted && !p->remote_ended)
		return poll_failed(x, s, p, ret_open);
	if (p->remote_ended)
		s->submission++; /* the next try is another work, under another id */
	if (s->submitted && p->remote_ended && s->stop != REMOTE_KEEP)
		stopped(p, s->stop, p->message);
	return 0;
}

int remote_again(struct tx *x, struct step_rec *s)
{
	return remote_place(x, s, 0, x->now, true);
}

int remote_lost(struct tx *x, struct step_rec *s, const char *message)
{
	s->poll_errors++;
	snprintf(s->message, sizeof(s->message), "the last poll was lost: %.400s", message);
	return wait_for_poll(x, s, 0);
}

/* ---- cancel, due, DISPATCH ---- */

int remote_stop(struct tx *x, struct step_rec *s, enum remote_stop why)
{
	if (s->stop == REMOTE_KEEP) {
		s->stop = why;
		s->poll_errors = 0;
	}
	if (s->instance != 0 || s->poll_ready) /* the next hand-over asks for the end */
		return step_put(x->v, s);
	return remote_place(x, s, 0, x->now, true);
}

int remote_due(struct tx *x, const struct step_ref *ref)
{
	struct step_rec s;
	wall_us limit;
	int rc = must(run_open(x, ref->run));

	if (rc == 0)
		rc = step_load(x, ref->step, ref->item, &s);
	if (rc != 0)
		return rc;
	if (s.state != STEP_RUNNING || !s.submitted || s.instance != 0 || s.poll_ready)
		return ERR_CORRUPT;
	rc = set_stop(x, &s, &limit);
	return rc != 0 ? rc : remote_place(x, &s, 0, x->now, true);
}

int remote_poll(struct tx *x, struct step_rec *s, uint64_t instance)
{
	wall_us limit;
	int rc = set_stop(x, s, &limit);

	s->polls++;
	return rc != 0 ? rc : remote_place(x, s, instance, 0, false);
}
