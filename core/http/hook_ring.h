/* hook_ring.h: the last heads that a hook refused: for `sluice hook show`. Private to the folder.
 */
#ifndef CORE_HTTP_HOOK_RING_H
#define CORE_HTTP_HOOK_RING_H

#include "core/http/hook.h"

#define HOOK_RING_N 16
#define HOOK_RING_HEAD 1024 /* bytes of a head that are kept */

/* Values of headers that may hold a secret are left out. */
void hook_ring_add(
    struct hook *k, const struct http_req *q, wall_us now, int status, const char *why);
void hook_ring_show(const struct hook *k, struct jw *w); /* the array, newest first */
void hook_ring_free(struct hook *k);

#endif
