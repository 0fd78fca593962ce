/* worker_probe.c: the plugin that the worker's tests run. It offers every role over plain files,
 * and every way of going wrong that the host has to notice: option `fault` names it. Raw Arrow on
 * purpose, so that the host's checks are not tested with the kit's own ideas. */
#include "tests/unit/worker_probe.h"

#include <sluice/plugin.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- connection ---- */

struct conn {
	const slu_host *host;
	slu_run *run;
	char path[512];
	atomic_int cancelled;
};

static slu_rc conn_open(const slu_host *host, slu_run *run, void **out, slu_err *err)
{
	struct conn *c = calloc(1, sizeof(*c));
	const char *path = host->get_str(run, "path");

	c->host = host;
	c->run = run;
	snprintf(c->path, sizeof(c->path), "%s", path != NULL ? path : "");
	if (probe_is(host->get_str(run, "fault"), "open")) {
		free(c);
		return probe_fail(err, SLU_E_AUTH, "PROBE.OPEN", "the connection refuses");
	}
	probe_say(host, run, "conn open");
	*out = c;
	return SLU_OK;
}

static slu_rc conn_reset(void *conn, slu_err *err)
{
	struct conn *c = conn;

	(void)err;
	probe_say(c->host, c->run, "conn reset");
	return SLU_OK;
}

static void conn_cancel(void *conn)
{
	atomic_store(&((struct conn *)conn)->cancelled, 1);
}

static void conn_close(void *conn)
{
	struct conn *c = conn;

	probe_say(c->host, c->run, "conn close");
	free(c);
}

static slu_rc wh_exec(void *session, const char *sql, int64_t *rows, slu_err *err)
{
	struct conn *c = session;

	(void)err;
	probe_say(c->host, c->run, sql);
	*rows = 1;
	return SLU_OK;
}

static const slu_warehouse warehouse = {
    .size = sizeof(slu_warehouse), .dialect = "probe", .exec = wh_exec};
static const slu_opt conn_options[] = {{.name = "path", .type = SLU_T_URI, .doc = "A folder."},
    {.name = "fault", .type = SLU_T_STRING, .doc = "What goes wrong."},
    {.name = "password", .type = SLU_T_SECRET, .doc = "A secret."}};
static const slu_connection connection = {.size = sizeof(slu_connection),
    .options = {3, sizeof(slu_opt), conn_options},
    .open = conn_open,
    .reset = conn_reset,
    .cancel = conn_cancel,
    .close = conn_close,
    .warehouse = &warehouse};

/* ---- extract ---- */

struct extract {
	const slu_host *host;
	slu_run *run;
	const char *fault;
	int64_t rows, batch, at, fault_at, delay_ms;
	atomic_int cancelled;
	int released;
};

static slu_rc extract_open(const slu_host *host, slu_run *run, void *conn, void **out, slu_err *err)
{
	struct extract *x = calloc(1, sizeof(*x));

	(void)conn;
	x->host = host;
	x->run = run;
	x->rows = 10;
	x->batch = 4;
	host->get_i64(run, "rows", &x->rows);
	host->get_i64(run, "batch", &x->batch);
	host->get_i64(run, "fault_at", &x->fault_at);
	host->get_i64(run, "delay", &x->delay_ms);
	x->fault = host->get_str(run, "fault");
	probe_say(host, run, "extract open");
	if (probe_is(x->fault, "open")) {
		free(x);
		return probe_fail(err, SLU_E_AUTH, "PROBE.OPEN", "the source refuses");
	}
	*out = x;
	return SLU_OK;
}

static slu_rc extract_bound(void *st, slu_mark *upper, slu_err *err)
{
	struct extract *x = st;

	(void)err;
	upper->flags = SLU_MARK_COMPLETE;
	upper->complete_us = 1000000;
	upper->cursor_json = x->host->get_json(x->run, "cursor") != NULL ? "{\"id\":9}" : NULL;
	return SLU_OK;
}

static int x_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
	(void)s;
	make_schema(out, "name");
	return 0;
}

static int x_end(struct extract *x)
{
	slu_end end = {.size = sizeof(end), .rows = (uint64_t)x->rows};

	if (probe_is(x->fault, "wrong_count"))
		end.rows++;
	if (!probe_is(x->fault, "no_end"))
		x->host->end(x->run, &end);
	return 0;
}

/* A read that never comes back by itself: only cancel() ends it. */
static int x_block(struct extract *x)
{
	struct pollfd p = {.fd = -1};

	while (!atomic_load(&x->cancelled))
		poll(&p, 1, 5);
	return ECANCELED;
}

static int x_fail(struct extract *x)
{
	slu_err e = {.size = sizeof(e), .rc = SLU_E_QUOTA, .retry_after_ms = 7000};

	snprintf(e.message, sizeof(e.message), "page %" PRId64 " is over quota", x->at);
	snprintf(e.code, sizeof(e.code), "PROBE.QUOTA");
	x->host->fail(x->run, &e);
	return EIO;
}

static void x_spoil(struct extract *x, struct ArrowArray *out)
{
	if (probe_is(x->fault, "bad_length"))
		out->children[0]->length--;
	if (probe_is(x->fault, "bad_offsets"))
		((int32_t *)(uintptr_t)out->children[1]->buffers[1])[1] = 1 << 20;
	if (probe_is(x->fault, "bad_children"))
		out->n_children = 1;
}

static int x_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
	struct extract *x = s->private_data;
	int64_t n = x->rows - x->at < x->batch ? x->rows - x->at : x->batch;

	if (n <= 0) {
		memset(out, 0, sizeof(*out));
		return x_end(x);
	}
	if (x->delay_ms > 0)
		poll(NULL, 0, (int)x->delay_ms);
	if (x->at >= x->fault_at && probe_is(x->fault, "block"))
		return x_block(x);
	if (x->at >= x->fault_at && probe_is(x->fault, "quota"))
		return x_fail(x);
	if (x->at >= x->fault_at && probe_is(x->fault, "errno"))
		return ECONNRESET;
	if (x->at >= x->fault_at && probe_is(x->fault, "kill"))
		raise(SIGKILL);
	make_batch(out, x->at, n);
	if (x->at >= x->fault_at)
		x_spoil(x, out);
	x->at += n;
	return 0;
}

static const char *x_error(struct ArrowArrayStream *s)
{
	(void)s;
	return "the wire broke";
}

static void x_release(struct ArrowArrayStream *s)
{
	struct extract *x = s->private_data;

	if (x->released++ > 0)
		abort(); /* the host promises: exactly once */
	s->release = NULL;
}

static slu_rc extract_stream(void *st, const char *split, const slu_mark *from,
    const slu_mark *upto, struct ArrowArrayStream *out, slu_err *err)
{
	struct extract *x = st;
	char text[256];

	(void)split;
	(void)err;
	snprintf(text, sizeof(text), "extract stream from %s upto %s",
	    from != NULL && from->cursor_json != NULL ? from->cursor_json : "-",
	    upto != NULL && upto->cursor_json != NULL ? upto->cursor_json : "-");
	probe_say(x->host, x->run, text);
	*out = (struct ArrowArrayStream){x_schema, x_next, x_error, x_release, x};
	return SLU_OK;
}

static void extract_cancel(void *st)
{
	atomic_store(&((struct extract *)st)->cancelled, 1);
}

static void extract_close(void *st)
{
	struct extract *x = st;

	probe_say(x->host, x->run,
	    x->released == 1 ? "extract close" : "extract close, stream not released");
	free(x);
}

static const slu_opt extract_options[] = {
    {.name = "rows", .type = SLU_T_INT, .def = "10", .min = "0", .doc = "How many."},
    {.name = "batch", .type = SLU_T_INT, .def = "4", .min = "1", .doc = "Rows of a batch."},
    {.name = "delay", .type = SLU_T_DURATION, .doc = "Before each batch."},
    {.name = "fault", .type = SLU_T_STRING, .doc = "What goes wrong."},
    {.name = "fault_at", .type = SLU_T_INT, .def = "0", .doc = "From which row on."}};
static const slu_extract extract = {.size = sizeof(slu_extract),
    .caps = SLU_X_CURSOR | SLU_X_WINDOW,
    .options = {5, sizeof(slu_opt), extract_options},
    .open = extract_open,
    .bound = extract_bound,
    .stream = extract_stream,
    .cancel = extract_cancel,
    .close = extract_close};

/* ---- transform: passes on, rejects row N or loses it ---- */

struct transform {
	const slu_host *host;
	slu_run *run;
	struct ArrowArrayStream in;
	const char *fault;
	int64_t n;
};

static slu_rc transform_open(const slu_host *host, slu_run *run, void **out, slu_err *err)
{
	struct transform *t = calloc(1, sizeof(*t));

	(void)err;
	t->host = host;
	t->run = run;
	t->fault = host->get_str(run, "fault");
	*out = t;
	return SLU_OK;
}

static slu_rc transform_bind(
    void *st, const struct ArrowSchema *in, struct ArrowSchema *out, slu_err *err)
{
	struct transform *t = st;

	(void)err;
	make_schema(out, probe_is(t->fault, "other_schema") ? "other" : in->children[1]->name);
	return SLU_OK;
}

static int t_schema(struct ArrowArrayStream *s, struct ArrowSchema *out)
{
	struct transform *t = s->private_data;

	return t->in.get_schema(&t->in, out);
}

static int t_next(struct ArrowArrayStream *s, struct ArrowArray *out)
{
	struct transform *t = s->private_data;
	struct ArrowSchema schema;
	slu_rc rc = SLU_OK;
	int e = t->in.get_next(&t->in, out);

	if (e != 0 || out->release == NULL || t->n++ > 0)
		return e;
	if (probe_is(t->fault, "lose"))
		out->length--;
	if (!probe_is(t->fault, "reject"))
		return 0;
	make_schema(&schema, "name");
	rc = t->host->reject(
	    t->run, &schema, out, out->length - 1, "name", "PROBE.BAD", "secret value inside");
	schema.release(&schema);
	out->length--;
	if (rc == SLU_OK)
		return 0;
	out->release(out);
	return EINVAL;
}

static void t_release(struct ArrowArrayStream *s)
{
	struct transform *t = s->private_data;

	t->in.release(&t->in);
	s->release = NULL;
}

static slu_rc transform_wrap(
    void *st, struct ArrowArrayStream *in, struct ArrowArrayStream *out, slu_err *err)
{
	struct transform *t = st;

	if (probe_is(t->fault, "wrap")) {
		in->release(in);
		out->release = NULL;
		return probe_fail(err, SLU_E_CONFIG, "PROBE.WRAP", "cannot wrap");
	}
	t->in = *in;
	*out = (struct ArrowArrayStream){t_schema, t_next, x_error, t_release, t};
	return SLU_OK;
}

static void transform_close(void *st)
{
	free(st);
}

static const slu_opt transform_options[] = {
    {.name = "fault", .type = SLU_T_STRING, .doc = "What goes wrong."},
    {.name = "mask", .type = SLU_T_MAP, .doc = "Only there to be there."}};
static const slu_transform transform = {.size = sizeof(slu_transform),
    .caps = SLU_TR_ROWWISE | SLU_TR_ALL_ROWS,
    .options = {2, sizeof(slu_opt), transform_options},
    .open = transform_open,
    .bind = transform_bind,
    .wrap = transform_wrap,
    .close = transform_close};

/* ---- load: a text file, its ledger beside it; publish renames ---- */

struct load {
	const slu_host *host;
	slu_run *run;
	const slu_work *work;
	const char *fault;
	char target[600], stage[640], ledger[640];
	FILE *f;
	int64_t rows, batches, rejected;
	atomic_int cancelled;
};

/* Raises the fence to this token; false where it is higher. */
static int claim(const struct load *l)
{
	char path[660];
	uint64_t token = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s.fence", l->target);
	f = fopen(path, "r");
	if (f != NULL && fscanf(f, "%" SCNu64, &token) != 1)
		token = 0;
	if (f != NULL)
		fclose(f);
	if (token > l->work->token)
		return 0;
	f = fopen(path, "w");
	fprintf(f, "%" PRIu64 "\n", l->work->token);
	fclose(f);
	return 1;
}

static slu_rc load_open(
    const slu_host *host, slu_run *run, void *conn, const slu_work *work, void **out, slu_err *err)
{
	struct load *l = calloc(1, sizeof(*l));
	struct conn *c = conn;

	l->host = host;
	l->run = run;
	l->work = work;
	l->fault = host->get_str(run, "fault");
	if (c == NULL || c->path[0] == '\0') {
		free(l);
		return probe_fail(err, SLU_E_CONFIG, "PROBE.PATH", "the connection has no path");
	}
	snprintf(l->target, sizeof(l->target), "%s/%s", c->path, work->table);
	snprintf(l->stage, sizeof(l->stage), "%s.stage", l->target);
	snprintf(l->ledger, sizeof(l->ledger), "%s.ledger", l->target);
	if (!probe_is(l->fault, "no_fence") && !claim(l)) {
		free(l);
		return probe_fail(
		    err, SLU_E_TRANSIENT, "PROBE.FENCE", "a newer attempt has claimed the target");
	}
	*out = l;
	return SLU_OK;
}

/* Where `fault` is kill_POINT the worker dies there. */
static void point(const struct load *l, const char *name)
{
	if (l->fault != NULL && strncmp(l->fault, "kill_", 5) == 0 &&
	    strcmp(l->fault + 5, name) == 0)
		raise(SIGKILL);
}

static slu_rc load_recover(
    void *st, int32_t *found, slu_report *report, slu_mark *mark, slu_err *err)
{
	struct load *l = st;
	static char line[512], cursor[256];
	FILE *f = fopen(l->ledger, "r");

	(void)err;
	*found = 0;
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		char key[256];
		int64_t written = 0;

		cursor[0] = '\0';
		if (sscanf(line, "%255s %" SCNd64 " %255s", key, &written, cursor) < 2 ||
		    !probe_is(l->work->ledger_key, key))
			continue;
		*found = 1;
		report->written = written;
		mark->cursor_json = cursor[0] != '\0' ? cursor : NULL;
	}
	if (f != NULL)
		fclose(f);
	return SLU_OK;
}

static slu_rc load_plan(void *st, const struct ArrowSchema *schema,
    slu_rc (*each)(void *, const slu_change *), void *arg, slu_err *err)
{
	struct load *l = st;
	slu_change change = {.size = sizeof(change),
	    .kind = SLU_C_ADD,
	    .column = schema->children[1]->name,
	    .to = "text"};

	(void)err;
	return probe_is(l->fault, "new_column") ? each(arg, &change) : SLU_OK;
}

static slu_rc load_stage(void *st, const struct ArrowSchema *schema,
    const slu_change *const *approved, uint32_t n, char *json, size_t cap, slu_err *err)
{
	struct load *l = st;

	(void)schema;
	(void)approved;
	(void)n;
	snprintf(json, cap, "{}");
	l->f = fopen(l->stage, "w");
	point(l, "stage");
	return l->f != NULL ? SLU_OK
			    : probe_fail(err, SLU_E_TRANSIENT, "PROBE.STAGE", "cannot stage");
}

static slu_rc load_write(void *st, struct ArrowArray *batch, slu_err *err)
{
	struct load *l = st;
	const int64_t *ids = batch->children[0]->buffers[1];
	int64_t i, n = batch->length;

	for (i = 0; i < n; i++)
		fprintf(l->f, "%" PRId64 "\n", ids[i]);
	batch->release(batch);
	l->rows += n;
	l->batches++;
	if (probe_is(l->fault, "slow"))
		poll(NULL, 0, 20);
	if (probe_is(l->fault, "write") && l->batches == 2)
		return probe_fail(err, SLU_E_TRANSIENT, "PROBE.WRITE", "the disk is away");
	if (l->batches == 2)
		point(l, "write");
	return SLU_OK;
}

static slu_rc load_flush(void *st, uint64_t *durable, slu_err *err)
{
	struct load *l = st;

	(void)err;
	fflush(l->f);
	*durable = (uint64_t)l->batches - (probe_is(l->fault, "flush_less") ? 1u : 0u);
	point(l, "flush");
	return SLU_OK;
}

static slu_rc load_probe(void *st, const char *check, int64_t *failing, slu_err *err)
{
	struct load *l = st;

	(void)l;
	(void)err;
	*failing = strstr(check, "fails") != NULL ? 3 : 0;
	return SLU_OK;
}

static slu_rc load_publish(void *st, const slu_mark *mark, slu_report *report, slu_err *err)
{
	struct load *l = st;
	FILE *ledger;

	if (probe_is(l->fault, "publish"))
		return probe_fail(err, SLU_E_TRANSIENT, "PROBE.PUBLISH", "no commit");
	point(l, "publish");
	fclose(l->f);
	l->f = NULL;
	rename(l->stage, l->target);
	ledger = fopen(l->ledger, "a");
	fprintf(ledger, "%s %" PRId64 " %s\n", l->work->ledger_key, l->rows,
	    mark->cursor_json != NULL ? mark->cursor_json : "");
	fclose(ledger);
	point(l, "published");
	report->written = l->rows - (probe_is(l->fault, "miscount") ? 1 : 0);
	report->parts_json =
	    probe_is(l->fault, "parts")
		? "[{\"partition\":\"day=2026-11-21\",\"rows\":4},"
		  "{\"partition\":\"day=2026-11-22\",\"rows\":6,\"changed\":false}]"
		: NULL;
	return SLU_OK;
}

static slu_rc load_abort(void *st, slu_err *err)
{
	struct load *l = st;

	(void)err;
	if (l->f != NULL)
		fclose(l->f);
	l->f = NULL;
	remove(l->stage);
	probe_say(l->host, l->run, "load abort");
	return SLU_OK;
}

static void load_cancel(void *st)
{
	atomic_store(&((struct load *)st)->cancelled, 1);
}

static void load_close(void *st)
{
	struct load *l = st;

	if (l->f != NULL)
		fclose(l->f);
	probe_say(l->host, l->run, "load close");
	free(l);
}

static const slu_opt load_options[] = {
    {.name = "fault", .type = SLU_T_STRING, .doc = "What goes wrong."}};
static const slu_load load = {.size = sizeof(slu_load),
    .options = {1, sizeof(slu_opt), load_options},
    .promise = {[SLU_M_REPLACE] = SLU_P_ONCE},
    .open = load_open,
    .recover = load_recover,
    .plan = load_plan,
    .stage = load_stage,
    .write = load_write,
    .flush = load_flush,
    .probe = load_probe,
    .publish = load_publish,
    .abort = load_abort,
    .cancel = load_cancel,
    .close = load_close};

static const slu_kind kinds[] = {{.type = "probe",
				     .doc = "Every role.",
				     .needs = SLU_N_FILES,
				     .connection = &connection,
				     .extract = &extract,
				     .transform = &transform,
				     .load = &load,
				     .task = &probe_task},
    {.type = "remote", .doc = "Work elsewhere.", .task = &probe_remote}};

static const slu_plugin plugin = {.magic = SLU_MAGIC,
    .size = sizeof(slu_plugin),
    .abi_major = SLU_ABI_MAJOR,
    .abi_minor = SLU_ABI_MINOR,
    .name = "probe",
    .version = "1",
    .license = "",
    .home = "",
    .n_kinds = 2,
    .kind_stride = sizeof(slu_kind),
    .kinds = kinds};

const slu_plugin *sluice_plugin_v1(uint32_t host_major, uint32_t host_minor, slu_err *err)
{
	(void)host_minor;
	if (host_major == SLU_ABI_MAJOR)
		return &plugin;
	probe_fail(err, SLU_E_CONFIG, "PROBE.ABI", "needs ABI 1");
	return NULL;
}
