/* list.h: inside core/sched: what the pages of lists share. */
#ifndef CORE_SCHED_LIST_H
#define CORE_SCHED_LIST_H

#include "core/sched/key.h"
#include "core/sched/show.h"

uint32_t list_limit(const struct list_query *q);
int list_after_number(const struct list_query *q, uint64_t *ret, struct err *err) CHECK_RESULT;

/* A reverse walk over an index whose keys end in a number, below `after` where that is not 0. */
struct pager {
	struct view_walk w;
	uint32_t left, scans;
	uint64_t last; /* number of the entry before */
	bool more;
};
void pager_init(struct pager *p, const struct view *v, enum table t, const struct key *prefix,
    uint64_t after, uint32_t limit);
/* ERR_NOT_FOUND: the page is full (p->more), or there are no more. */
int pager_next(struct pager *p, uint64_t *ret) CHECK_RESULT;
void pager_end(const struct pager *p, char *ret_next);

#endif
