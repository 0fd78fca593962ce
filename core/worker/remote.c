/* remote.c: one step of work elsewhere: it is submitted, or asked, or asked to end. The worker then
 * reports and is free; the scheduler says when somebody is to ask again (core/sched/remote.c). */
#include "core/worker/step.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>

#define HANDLE_MAX 4096

struct remote {
	struct attempt *at;
	const slu_task *table;
	void *st;
	slu_poll poll;
	slu_err err;
};

/* What the plugin derives the id from: another one for each work of which the end was seen. */
void remote_key(struct attempt *at)
{
	struct str text;

	str_init(&text, 8192);
	str_addf(&text, "%s/%u", at->job->ledger_key, at->job->submission);
	at->remote_key = str_take(&text);
	at->pub.ledger_key = at->remote_key;
}

bool remote_is(const struct attempt *at, const slu_task *table)
{
	bool asked = !str_eq(at->job->phase, "submit");

	return TABLE_SLOT(table, submit) != NULL && TABLE_SLOT(table, poll) != NULL &&
	       (asked || TABLE_SLOT(table, run) == NULL);
}

static void goes_on(struct remote *r, const char *handle)
{
	r->at->handle = mem_strdup(handle);
	r->at->poll_after_ms = r->poll.next_poll_ms;
	attempt_progress(r->at, "remote", r->poll.done, r->poll.total, "");
}

static void judge(struct remote *r, const char *handle, const char *slot)
{
	if (r->poll.state == SLU_POLL_RUNNING) {
		goes_on(r, handle);
		return;
	}
	r->at->remote_ended = true;
	if (r->poll.state != SLU_POLL_DONE)
		attempt_fail_slot(r->at, r->err.rc != SLU_OK ? r->err.rc : SLU_E_TRANSIENT, &r->err,
		    "task", slot);
}

static void submit(struct remote *r)
{
	char handle[HANDLE_MAX] = "";
	slu_rc rc = r->table->submit(r->st, handle, sizeof(handle), &r->poll, &r->err);

	if (rc != SLU_OK) {
		attempt_fail_slot(r->at, rc, &r->err, "task", "submit");
		return;
	}
	handle[sizeof(handle) - 1] = '\0';
	if (handle[0] == '\0') {
		attempt_failf(r->at, SLU_E_INTERNAL, "HOST.TASK",
		    "the task's plugin has submitted something and gave no handle for it");
		return;
	}
	attempt_logf(r->at, SLU_LOG_INFO, "submitted: %.1000s", handle);
	judge(r, handle, "submit");
}

static void ask(struct remote *r)
{
	const char *handle = r->at->job->handle;
	slu_rc rc = r->table->poll(r->st, handle, &r->poll, &r->err);

	if (rc == SLU_OK)
		judge(r, handle, "poll");
	else
		attempt_fail_slot(r->at, rc, &r->err, "task", "poll");
}

/* What ended before it was asked to has ended as it says; what nobody knows any more has ended. */
static void ask_to_end(struct remote *r)
{
	const char *handle = r->at->job->handle;
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc;

	attempt_logf(r->at, SLU_LOG_INFO, "asked to end: %.1000s", handle);
	if (TABLE_SLOT(r->table, cancel_remote) == NULL)
		attempt_logf(r->at, SLU_LOG_WARN, "the task's plugin cannot end what it submitted");
	else if (r->table->cancel_remote(r->st, handle, &e) != SLU_OK)
		attempt_logf(
		    r->at, SLU_LOG_WARN, "it could not be asked to end: %.400s", e.message);
	rc = r->table->poll(r->st, handle, &r->poll, &r->err);
	if (rc == SLU_OK) {
		judge(r, handle, "poll");
		return;
	}
	r->at->remote_ended = rc == SLU_E_NOT_FOUND;
	attempt_fail_slot(r->at, rc, &r->err, "task", "poll");
}

void remote_run(struct attempt *at, const slu_task *table, void *st)
{
	struct remote r = {.at = at,
	    .table = table,
	    .st = st,
	    .poll = {.size = sizeof(slu_poll)},
	    .err = {.size = sizeof(slu_err), .row = -1}};

	if (str_eq(at->job->phase, "submit"))
		submit(&r);
	else if (str_eq(at->job->phase, "poll"))
		ask(&r);
	else
		ask_to_end(&r);
}
