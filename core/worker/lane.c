/* lane.c: one thread, one function at a time. */
#include "core/worker/lane.h"

#include "core/base/mem.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

struct lane {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	void (*fn)(void *arg); /* NULL: idle */
	void *arg;	       /* borrowed until fn has returned */
	bool ends;
};

static void *lane_main(void *arg)
{
	struct lane *l = arg;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		while (l->fn == NULL && !l->ends)
			pthread_cond_wait(&l->change, &l->lock);
		if (l->fn == NULL)
			break;
		pthread_mutex_unlock(&l->lock);
		l->fn(l->arg);
		pthread_mutex_lock(&l->lock);
		l->fn = NULL;
		pthread_cond_broadcast(&l->change);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

struct lane *lane_new(const char *name)
{
	struct lane *l = MEM_NEW(struct lane);

	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->change, NULL);
	if (pthread_create(&l->thread, NULL, lane_main, l) != 0)
		abort(); /* as mem_alloc: a worker that cannot have two threads is of no use */
	(void)pthread_setname_np(l->thread, name);
	return l;
}

void lane_start(struct lane *l, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&l->lock);
	l->arg = arg;
	l->fn = fn;
	pthread_mutex_unlock(&l->lock);
	/* Afterwards: who wakes with the lock still held sleeps again at once. */
	pthread_cond_broadcast(&l->change);
}

void lane_wait(struct lane *l)
{
	pthread_mutex_lock(&l->lock);
	while (l->fn != NULL)
		pthread_cond_wait(&l->change, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

void lane_free(struct lane *l)
{
	if (l == NULL)
		return;
	pthread_mutex_lock(&l->lock);
	l->ends = true;
	pthread_cond_broadcast(&l->change);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	pthread_cond_destroy(&l->change);
	pthread_mutex_destroy(&l->lock);
	mem_free(l);
}
