/* host.h: the slots of slu_host that have a file of their own; host.c makes the table of them. */
#ifndef CORE_WORKER_HOST_H
#define CORE_WORKER_HOST_H

#include "core/worker/attempt.h"

/* host_config.c */
const struct json *host_lookup(slu_run *run, const char *path);
const char *host_get_str(slu_run *run, const char *path);
slu_rc host_get_i64(slu_run *run, const char *path, int64_t *out);
slu_rc host_get_f64(slu_run *run, const char *path, double *out);
slu_rc host_get_bool(slu_run *run, const char *path, int32_t *out);
const char *host_get_json(slu_run *run, const char *path);
/* host_secret.c */
slu_rc host_get_secret(slu_run *run, const char *path, char *buf, size_t *len);
slu_rc host_secret_put(slu_run *run, const char *path, const void *p, size_t n, slu_err *err);
/* host_mark.c */
const slu_mark *host_cursor_load(slu_run *run);
slu_rc host_mark(slu_run *run, const slu_mark *mark);
slu_rc host_end(slu_run *run, const slu_end *end);
/* host_rate.c */
slu_rc host_rate(slu_run *run, const char *connection, double tokens);
/* conn.c */
slu_rc host_session(
    slu_run *run, const char *connection, const slu_warehouse **wh, void **session, slu_err *err);
/* host.c: also used by host_rate.c */
slu_rc host_sleep_ms(slu_run *run, int64_t ms);

#endif
