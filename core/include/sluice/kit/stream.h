/* stream.h: an Arrow stream out of a function that makes rows, and in. The explicit end (rows,
 * batches, mark) and the class of a failure reach the host by themselves. */
#ifndef SLUICE_KIT_STREAM_H
#define SLUICE_KIT_STREAM_H
#include "sluice/kit/batch.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct slu_rows {
	/* Puts rows (slu_put_*, slu_row_end) until slu_builder_full or nothing is left; sets
	 * *ret_done then. */
	slu_rc (*fill)(void *ctx, slu_builder *b, int *ret_done, slu_err *err);
	/* What was looked at, once after the last row; may be NULL. m is zeroed but for size. */
	void (*finish)(void *ctx, slu_mark *m);
	void (*close)(
	    void *ctx); /* frees ctx; may be NULL; called once, with the stream's release */
	void *ctx;
} slu_rows;
/* fields are copied. A row that cannot be built is given to slu_reject_text, not put. SLU_E_SCHEMA
 * where there are no columns; on failure ctx is closed too. */
slu_rc slu_stream_make(const slu_host *host, slu_run *run, const slu_fields *fields,
    const slu_rows *rows, struct ArrowArrayStream *out, slu_err *err) SLU_CHECK;

/* A row that cannot be built: text (may be NULL) is the source's row as it came. Counts it for the
 * end and hands it to the host. SLU_E_DATA once the step allows no more. */
typedef struct slu_rejects {
	const slu_host *host;
	slu_run *run;
	uint64_t n;
} slu_rejects;
slu_rc slu_reject_text(slu_rejects *r, const char *text, size_t n, const char *column,
    const char *code, const char *reason, slu_err *err) SLU_CHECK;
/* The builder's end of stream takes the count from here. */
void slu_builder_rejects(slu_builder *b, const slu_rejects *r);

/* Turns a stream's errno into the class: the host has the true one, this is what the caller
 * returns. */
slu_rc slu_stream_failed(struct ArrowArrayStream *in, int errno_value, slu_err *err);

#ifdef __cplusplus
}
#endif
#endif
