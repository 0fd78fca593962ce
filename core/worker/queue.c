/* queue.c: the bounded queue between the two lanes of a pipeline. */
#include "core/worker/queue.h"

#include "core/base/mem.h"

#include <pthread.h>
#include <string.h>

#define QUEUE_SLOTS 64 /* batches; bytes are the real bound */

struct slot {
	struct ArrowArray array;
	int64_t bytes;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct slot slots[QUEUE_SLOTS];
	unsigned first, n;
	int64_t bytes, max_bytes;
	struct ArrowSchema schema;
	bool has_schema, ended, broken;
};

struct queue *queue_new(int64_t max_bytes)
{
	struct queue *q = MEM_NEW(struct queue);

	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->change, NULL);
	q->max_bytes = max_bytes;
	return q;
}

void queue_free(struct queue *q)
{
	struct ArrowArray *a;

	if (q == NULL)
		return;
	for (; q->n > 0; q->n--, q->first = (q->first + 1) % QUEUE_SLOTS) {
		a = &q->slots[q->first].array;
		if (a->release != NULL)
			a->release(a);
	}
	if (q->has_schema && q->schema.release != NULL)
		q->schema.release(&q->schema);
	pthread_cond_destroy(&q->change);
	pthread_mutex_destroy(&q->lock);
	mem_free(q);
}

void queue_put_schema(struct queue *q, struct ArrowSchema *take)
{
	pthread_mutex_lock(&q->lock);
	q->schema = *take;
	take->release = NULL;
	q->has_schema = true;
	pthread_cond_broadcast(&q->change);
	pthread_mutex_unlock(&q->lock);
}

const struct ArrowSchema *queue_wait_schema(struct queue *q)
{
	const struct ArrowSchema *schema;

	pthread_mutex_lock(&q->lock);
	while (!q->has_schema && !q->broken)
		pthread_cond_wait(&q->change, &q->lock);
	schema = q->broken ? NULL : &q->schema;
	pthread_mutex_unlock(&q->lock);
	return schema;
}

static bool has_room(const struct queue *q, int64_t bytes)
{
	return q->n == 0 || (q->n < QUEUE_SLOTS && q->bytes + bytes <= q->max_bytes);
}

bool queue_push(struct queue *q, struct ArrowArray *take, int64_t bytes)
{
	bool ok;

	pthread_mutex_lock(&q->lock);
	while (!q->broken && !has_room(q, bytes))
		pthread_cond_wait(&q->change, &q->lock);
	ok = !q->broken;
	if (ok) {
		q->slots[(q->first + q->n) % QUEUE_SLOTS] = (struct slot){*take, bytes};
		q->n++;
		q->bytes += bytes;
		take->release = NULL;
		pthread_cond_broadcast(&q->change);
	}
	pthread_mutex_unlock(&q->lock);
	if (!ok)
		take->release(take);
	return ok;
}

enum queue_state queue_pop(struct queue *q, struct ArrowArray *ret, int64_t *ret_bytes)
{
	enum queue_state state = QUEUE_ITEM;

	pthread_mutex_lock(&q->lock);
	while (!q->broken && q->n == 0 && !q->ended)
		pthread_cond_wait(&q->change, &q->lock);
	if (q->broken) {
		state = QUEUE_BROKEN;
	} else if (q->n == 0) {
		state = QUEUE_END;
	} else {
		*ret = q->slots[q->first].array;
		*ret_bytes = q->slots[q->first].bytes;
		q->bytes -= *ret_bytes;
		q->first = (q->first + 1) % QUEUE_SLOTS;
		q->n--;
		pthread_cond_broadcast(&q->change);
	}
	pthread_mutex_unlock(&q->lock);
	return state;
}

void queue_end(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->ended = true;
	pthread_cond_broadcast(&q->change);
	pthread_mutex_unlock(&q->lock);
}

void queue_break(void *arg)
{
	struct queue *q = arg;

	pthread_mutex_lock(&q->lock);
	q->broken = true;
	pthread_cond_broadcast(&q->change);
	pthread_mutex_unlock(&q->lock);
}
