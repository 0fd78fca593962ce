/* outbox.h: messages on their way: each that is due becomes a job of the pool's system lane, in
 * which a worker loads the plugin and sends it; what became of it is stored (T5). The daemon itself
 * makes no request. */
#ifndef CORE_DAEMON_OUTBOX_H
#define CORE_DAEMON_OUTBOX_H

#include "core/sched/op.h"

struct daemon;
struct outbox;
struct outbox *outbox_new(struct daemon *d);
void outbox_free(struct outbox *o); /* accepts NULL */
/* EFFECT_OUTBOX, after its commit. */
void outbox_send(struct outbox *o, const struct effect *e);
/* A pool takes work (again). */
void outbox_pool_changed(struct outbox *o);
/* What waits is tried at once: at the start, because nobody knows what the last daemon had under
 * way, and with a new configuration. */
void outbox_poke(struct outbox *o);

#endif
