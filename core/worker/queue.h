/* queue.h: batches on their way from the reading lane to the loading lane, bounded by bytes; the
 * schema goes before them. */
#ifndef CORE_WORKER_QUEUE_H
#define CORE_WORKER_QUEUE_H

#include <sluice/arrow.h>

#include <stdbool.h>
#include <stdint.h>

struct queue;

enum queue_state { QUEUE_ITEM, QUEUE_END, QUEUE_BROKEN };

struct queue *queue_new(int64_t max_bytes);
void queue_free(struct queue *q); /* releases what is in it; accepts NULL */

/* Moves the schema in. Once, before the first batch. */
void queue_put_schema(struct queue *q, struct ArrowSchema *take);
/* Waits for it; it stays the queue's. NULL: the queue was broken before it came. */
const struct ArrowSchema *queue_wait_schema(struct queue *q);
/* Moves a batch in; waits while there is no room (one batch always fits). False: broken, the batch
 * was released. */
bool queue_push(struct queue *q, struct ArrowArray *take, int64_t bytes);
enum queue_state queue_pop(struct queue *q, struct ArrowArray *ret, int64_t *ret_bytes);
void queue_end(struct queue *q); /* no more batches will come, and all was well */
/* Wakes both sides for good. Any thread; also a `cancel` slot, hence the void pointer. */
void queue_break(void *q);

#endif
