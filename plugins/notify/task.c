/* task.c: one message: read, sent, done. */
#include "plugins/notify/notify.h"

#include <stdlib.h>

struct task {
	const struct endpoint *e; /* borrowed: the connection */
	struct message m;
};

static void task_close(void *st)
{
	struct task *t = st;

	message_done(&t->m);
	slu_http_free(t->m.http);
	free(t);
}

static slu_rc task_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	const struct endpoint *e = conn;
	slu_http_options o = {.size = sizeof(o), .max_bytes = 64u << 10};
	struct task *t;
	slu_rc rc;

	if (e == NULL)
		return slu_fail(err, SLU_E_CONFIG, "NOTIFY.CONNECTION",
		    "a notification needs a connection: where it goes");
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "NOTIFY.MEMORY", "out of memory");
	t->e = e;
	o.private_ok = e->private_ok;
	o.timeout_ms = e->timeout_ms;
	o.ca_file = e->ca_file;
	rc = slu_http_new(host, run, &o, &t->m.http, err);
	if (rc == SLU_OK)
		rc = message_read(&t->m, e, host, run, err);
	if (rc != SLU_OK) {
		task_close(t);
		return rc;
	}
	*st = t;
	return SLU_OK;
}

static slu_rc task_run(void *st, slu_err *err)
{
	struct task *t = st;

	if (t->e->kind == NOTIFY_WEBHOOK)
		return webhook_send(t->e, &t->m, err);
	if (t->e->kind == NOTIFY_SLACK)
		return slack_send(t->e, &t->m, err);
	return mail_send(t->e, &t->m, err);
}

static void task_cancel(void *st)
{
	struct task *t = st;

	slu_http_cancel(t->m.http);
}

static const slu_opt datum = {
    .name = "value", .type = SLU_T_STRING, .flags = SLU_F_TEMPLATED, .doc = "Any value."};
static const slu_opt options[] = {
    {.name = "text",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "What it says; for the end of a run without it: what became of the run."},
    {.name = "title",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "The heading, or the subject of a mail."},
    {.name = "event",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.def = "message",
	.doc = "The type in the body of a webhook."},
    {.name = "data",
	.type = SLU_T_MAP,
	.flags = SLU_F_TEMPLATED,
	.sub = {1, sizeof(slu_opt), &datum},
	.doc = "The data in the body of a webhook."},
    {.name = "id",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "By which a receiver knows a repeat; without it one for this step of this run."},
    {.name = "at",
	.type = SLU_T_STRING,
	.flags = SLU_F_TEMPLATED,
	.doc = "When it happened (RFC 3339); without it now."}};

const slu_task notify_task = {.size = sizeof(slu_task),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = task_open,
    .run = task_run,
    .cancel = task_cancel,
    .close = task_close};
