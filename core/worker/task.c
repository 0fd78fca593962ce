/* task.c: runs a task, or one step of a task whose work is elsewhere. */
#include "core/worker/step.h"

#include "core/worker/conn.h"
#include "core/worker/host.h"

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

static void run_open(struct task *t)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc;

	if (remote_is(t->at, t->table)) {
		remote_run(t->at, t->table, t->st);
	} else if (TABLE_SLOT(t->table, run) != NULL && str_eq(t->at->job->phase, "submit")) {
		rc = t->table->run(t->st, &e);
		if (rc != SLU_OK)
			fail_slot(t, rc, &e, "run");
	} else {
		attempt_failf(t->at, SLU_E_UNSUPPORTED, "HOST.TASK",
		    "the task's plugin can neither run nor submit");
	}
}

static void open_and_run(struct task *t, void *conn)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc = SLU_E_UNSUPPORTED;

	if (remote_is(t->at, t->table))
		remote_key(t->at);
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
	if (at->completed && at->handle == NULL && at->pub.preview_rows == 0 && !at->pub.dry_run)
		step_publish_rest(at, &t.run.mark);
	run_done(&t.run);
}
