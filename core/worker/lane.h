/* lane.h: a thread that runs one function after the other. Every plugin instance lives on one lane
 * from open to close, and so do the connections kept between attempts. */
#ifndef CORE_WORKER_LANE_H
#define CORE_WORKER_LANE_H

struct lane;

struct lane *lane_new(const char *name); /* name: at most 15 bytes, for ps and debuggers */
void lane_start(struct lane *l, void (*fn)(void *arg), void *arg); /* the lane must be idle */
void lane_wait(struct lane *l);					   /* until it is idle */
void lane_free(struct lane *l);					   /* waits; accepts NULL */

#endif
