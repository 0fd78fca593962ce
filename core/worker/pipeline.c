/* pipeline.c: one pipeline step: the target's ledger is asked before the source is opened, then
 * both lanes run. */
#include "core/worker/pipeline.h"

#include "core/base/mem.h"
#include "core/worker/arrow.h"
#include "core/worker/lane.h"
#include "core/worker/step.h"

#include <string.h>

#define PREVIEW_LINE_MAX (64u << 10)

static void print_row(struct attempt *at, const struct ArrowSchema *schema,
    const struct ArrowArray *batch, int64_t row)
{
	struct str line;
	struct jw w;
	int64_t i;

	str_init(&line, PREVIEW_LINE_MAX);
	jw_init(&w, &line);
	jw_object(&w);
	for (i = 0; i < schema->n_children; i++) {
		jw_key(&w, schema->children[i]->name != NULL ? schema->children[i]->name : "");
		arrow_write_value(&w, schema->children[i], batch->children[i], batch->offset + row);
	}
	jw_end_object(&w);
	if (!line.failed)
		attempt_log(at, SLU_LOG_INFO, "preview", str_peek(&line), line.len);
	str_done(&line);
}

/* Nothing is staged, written or published: the load is not even opened. */
static void preview(struct attempt *at, struct queue *q)
{
	const struct ArrowSchema *schema = queue_wait_schema(q);
	struct ArrowArray batch;
	int64_t bytes, i, rows = 0;

	if (schema == NULL)
		return;
	while (queue_pop(q, &batch, &bytes) == QUEUE_ITEM) {
		for (i = 0; i < batch.length; i++)
			print_row(at, schema, &batch, i);
		rows += batch.length;
		batch.release(&batch);
	}
	atomic_store(&at->rows_out, rows);
}

static bool is_preview(const struct attempt *at)
{
	return at->pub.preview_rows > 0 || at->pub.dry_run;
}

static void start_reading(struct reading *r, struct attempt *at, struct queue *q, struct lane *lane)
{
	r->at = at;
	r->queue = q;
	r->preview_left = is_preview(at) ? (int64_t)at->pub.preview_rows : -1;
	attempt_attach(at, queue_break, q, true);
	lane_start(lane, reading_main, r);
}

static void run_halves(struct loading *l, struct reading *r, struct lane *lane)
{
	bool ready;

	start_reading(r, l->at, l->queue, lane);
	ready = loading_fill(l);
	if (!ready)
		attempt_stop_reading(l->at);
	lane_wait(lane);
	attempt_detach(l->at, l->queue);
	if (ready && !attempt_failed(l->at)) {
		pipeline_mark(l->at, &r->mark);
		loading_publish(l, &r->mark);
	}
}

static void load_step(struct attempt *at, struct lane *lane, struct reading *r, struct queue *q)
{
	struct loading l = {.at = at, .queue = q, .role = job_role(at->job, "load")};

	loading_open(&l);
	if (l.open && !attempt_failed(at) && !loading_recover(&l) && !attempt_failed(at))
		run_halves(&l, r, lane);
	loading_close(&l);
	if (at->completed && !at->ledger_found)
		attempt_logf(at, SLU_LOG_INFO, "%lld rows read, %lld written, %lld rejected",
		    (long long)atomic_load(&at->rows_in), (long long)atomic_load(&at->rows_out),
		    (long long)atomic_load(&at->rows_rejected));
}

static void preview_step(struct attempt *at, struct lane *lane, struct reading *r, struct queue *q)
{
	start_reading(r, at, q, lane);
	preview(at, q);
	lane_wait(lane);
	attempt_detach(at, q);
	at->completed = !attempt_failed(at);
}

void pipeline_run(struct attempt *at, struct lane *lane)
{
	struct reading *r = MEM_NEW(struct reading);
	struct queue *q = queue_new(QUEUE_MAX_BYTES);

	if (is_preview(at))
		preview_step(at, lane, r, q);
	else
		load_step(at, lane, r, q);
	reading_done(r);
	mem_free(r);
	queue_free(q);
}
