/* task.c: runs a task. A task that submits work elsewhere is polled here until it ends. */
#include "core/worker/step.h"

#include "core/worker/conn.h"
#include "core/worker/host.h"

#include <stdio.h>
#include <string.h>

#define HANDLE_MAX 4096
#define POLL_MIN_MS 100
#define POLL_MAX_MS 60000

struct task {
	struct attempt *at;
	const slu_task *table;
	struct slu_run run;
	void *st;
	bool ran; /* to its end */
};

static void fail_slot(struct task *t, slu_rc rc, const slu_err *e, const char *slot)
{
	attempt_fail_slot(t->at, rc, e, "task", slot);
}

static int64_t next_poll(const slu_poll *p)
{
	if (p->next_poll_ms < POLL_MIN_MS)
		return POLL_MIN_MS;
	return p->next_poll_ms > POLL_MAX_MS ? POLL_MAX_MS : p->next_poll_ms;
}

static void cancel_remote(struct task *t, const char *handle)
{
	slu_err e = {.size = sizeof(e)};

	if (TABLE_SLOT(t->table, cancel_remote) != NULL &&
	    t->table->cancel_remote(t->st, handle, &e) != SLU_OK)
		attempt_logf(t->at, SLU_LOG_WARN, "the remote work could not be cancelled: %.400s",
		    e.message);
}

/* Submit and watch. The id comes from the ledger key, so a second submit finds the first. */
static void run_elsewhere(struct task *t)
{
	char handle[HANDLE_MAX] = "";
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_poll p = {.size = sizeof(p)};
	slu_rc rc = t->table->submit(t->st, handle, sizeof(handle), &p, &e);

	if (rc != SLU_OK) {
		fail_slot(t, rc, &e, "submit");
		return;
	}
	attempt_logf(t->at, SLU_LOG_INFO, "submitted: %.1000s", handle);
	while (p.state == SLU_POLL_RUNNING) {
		if (host_sleep_ms(&t->run, next_poll(&p)) != SLU_OK) {
			cancel_remote(t, handle);
			attempt_failf(t->at, SLU_E_CANCELLED, "HOST.CANCELLED", "cancelled");
			return;
		}
		rc = t->table->poll(t->st, handle, &p, &e);
		if (rc != SLU_OK) {
			fail_slot(t, rc, &e, "poll");
			return;
		}
		attempt_progress(t->at, "remote", p.done, p.total, "");
	}
	if (p.state == SLU_POLL_FAILED)
		fail_slot(t, e.rc != SLU_OK ? e.rc : SLU_E_TRANSIENT, &e, "poll");
}

static void run_open(struct task *t)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc;

	if (TABLE_SLOT(t->table, run) != NULL) {
		rc = t->table->run(t->st, &e);
		if (rc != SLU_OK)
			fail_slot(t, rc, &e, "run");
	} else if (TABLE_SLOT(t->table, submit) != NULL && TABLE_SLOT(t->table, poll) != NULL) {
		run_elsewhere(t);
	} else {
		attempt_failf(t->at, SLU_E_UNSUPPORTED, "HOST.TASK",
		    "the task's plugin can neither run nor submit");
	}
}

static void open_and_run(struct task *t, void *conn)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc = SLU_E_UNSUPPORTED;

	if (TABLE_SLOT(t->table, open) != NULL)
		rc = t->table->open(&host_table, &t->run, conn, &t->st, &e);
	if (rc != SLU_OK) {
		fail_slot(t, rc, &e, "open");
		return;
	}
	attempt_attach(t->at, TABLE_SLOT(t->table, cancel), t->st, false);
	run_open(t);
	t->ran = true;
	attempt_detach(t->at, t->st);
	if (TABLE_SLOT(t->table, close) != NULL)
		t->table->close(t->st);
}

void task_run(struct attempt *at, const struct json *role)
{
	struct task t = {.at = at};
	slu_kind kind;
	void *conn;

	if (!step_kind_of(at, role, "task", &kind) ||
	    !conn_use(at, json_get_str(role, "connection", NULL), &conn))
		return;
	t.table = kind.task;
	run_init(&t.run, at, "task", role, table_options(&kind, "task"));
	t.run.may_publish = true;
	if (at->pub.preview_rows > 0 || at->pub.dry_run) {
		attempt_logf(at, SLU_LOG_INFO, "preview: the task is not run");
		t.ran = true;
	} else {
		open_and_run(&t, conn);
	}
	at->completed = !at->failed && t.ran;
	if (at->completed && at->pub.preview_rows == 0 && !at->pub.dry_run)
		step_publish_rest(at, &t.run.mark);
	run_done(&t.run);
}
