/* stream.h: GET /v1/stream and what feeds it. Private to the folder. */
#ifndef CORE_HTTP_STREAM_H
#define CORE_HTTP_STREAM_H

#include "core/http/server.h"

/* A ring of `n` references; nothing is rendered while nobody listens. */
struct stream *stream_new(struct http *h, uint32_t n);
void stream_free(struct stream *s);
void stream_effects(struct stream *s, const struct effect *v, size_t n);
void stream_progress(struct stream *s, const struct step_ref *step, const char *json, size_t n);

/* GET /v1/runs/ID?wait=SECONDS: answered when the run has ended or the time is over. */
void stream_wait(struct http_req *q, uint64_t run, uint32_t seconds);
/* Answers who waits with what is now. */
void stream_drain(struct stream *s);

#endif
