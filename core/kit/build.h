/* build.h: inside of the batch builder, for build.c and stream.c only. */
#ifndef CORE_KIT_BUILD_H
#define CORE_KIT_BUILD_H

#include "sluice/kit/batch.h"
#include "sluice/kit/period.h"
#include "sluice/kit/stream.h"

#include <stdbool.h>

struct build_col {
	int type, width;
	bool text;
	int64_t n, nulls;
	size_t cap;		       /* values */
	uint8_t *valid, *data, *bytes; /* owned, by malloc: they leave with the array */
	size_t bytes_len, bytes_cap;
};

struct slu_builder {
	slu_fields fields;	/* owned */
	struct build_col *cols; /* owned; fields.n */
	uint64_t max_bytes, bytes, row_start;
	int64_t rows;
	uint64_t rows_before; /* in batches taken so far */
	const char *failed;   /* static text, or NULL */
	size_t failed_col;
	const slu_rejects *rejects; /* borrowed, or NULL */
	slu_window *window;	    /* borrowed, or NULL */
};

int batch_width(int type); /* bytes a value; 0 for bool, 4 (an offset) for utf8 and binary */

#endif
