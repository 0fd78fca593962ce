/* model.c: runs a model: open, then run, which stages, checks and publishes by itself. */
#include "core/worker/step.h"

#include "core/worker/conn.h"
#include "core/worker/workorder.h"

#include <string.h>

struct model {
	struct attempt *at;
	const slu_model *table;
	struct slu_run run;
	struct workorder order;
	void *st;
};

static void note_report(struct model *m, const slu_report *report, const slu_mark *mark)
{
	struct mark copy = {0};

	if (report->written > 0)
		atomic_store(&m->at->rows_out, report->written);
	if (report->bytes > 0)
		atomic_store(&m->at->bytes, report->bytes);
	mark_set(&copy, mark);
	step_publish_rest(m->at, &copy);
	mark_done(&copy);
}

static void run_open(struct model *m)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_report report = {.size = sizeof(report)};
	slu_mark mark = {.size = sizeof(mark)};
	slu_rc rc = SLU_E_UNSUPPORTED;

	if (TABLE_SLOT(m->table, run) != NULL)
		rc = m->table->run(m->st, &report, &mark, &e);
	if (rc != SLU_OK)
		attempt_fail_slot(m->at, rc, &e, "model", "run");
	else
		note_report(m, &report, &mark);
	m->at->completed = rc == SLU_OK;
}

static void open_and_run(struct model *m, const char *node)
{
	slu_err e = {.size = sizeof(e), .row = -1};
	slu_rc rc = SLU_E_UNSUPPORTED;

	if (TABLE_SLOT(m->table, open) != NULL)
		rc = m->table->open(&host_table, &m->run, node, &m->order.work, &m->st, &e);
	if (rc != SLU_OK) {
		attempt_fail_slot(m->at, rc, &e, "model", "open");
		return;
	}
	attempt_attach(m->at, TABLE_SLOT(m->table, cancel), m->st, false);
	run_open(m);
	attempt_detach(m->at, m->st);
	if (TABLE_SLOT(m->table, close) != NULL)
		m->table->close(m->st);
}

void model_run(struct attempt *at, const struct json *role)
{
	struct model m = {.at = at};
	struct str node;
	struct err err;
	slu_kind kind;

	if (!step_kind_of(at, role, "model", &kind))
		return;
	if (workorder_init(&m.order, at, role, &err) != 0) {
		attempt_fail_err(at, &err);
		return;
	}
	m.table = kind.model;
	run_init(&m.run, at, "model", role, table_options(&kind, "model"));
	m.run.may_publish = true;
	str_init(&node, 16u << 20);
	json_print(json_get(role, "options"), &node);
	if (at->pub.preview_rows > 0 || at->pub.dry_run) {
		attempt_logf(at, SLU_LOG_INFO, "preview: the model is not run");
		at->completed = true;
	} else {
		open_and_run(&m, str_peek(&node));
	}
	str_done(&node);
	run_done(&m.run);
	workorder_done(&m.order);
}
