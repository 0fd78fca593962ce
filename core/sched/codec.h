/* codec.h: records as bytes, by one table of fields each, so that writing and reading cannot
 * disagree. Inside core/sched. */
#ifndef CORE_SCHED_CODEC_H
#define CORE_SCHED_CODEC_H

#include "core/sched/view.h"

#include <stddef.h>
#include <stdint.h>

enum field_type { F_BOOL, F_ENUM, F_U16, F_U32, F_U64, F_TEXT, F_BYTES, F_U64S };

struct field {
	uint8_t type;
	uint8_t since; /* record version that brought the field; older records leave it zero, or at
			  `missing` */
	uint16_t offset; /* in the struct */
	uint16_t size;	 /* F_TEXT: bytes with terminator; F_BYTES: bytes; F_ENUM: number of values;
			    F_U64S: elements */
};

struct codec {
	uint8_t version; /* that is written */
	const struct field *fields;
	size_t n;
	size_t struct_size;
};

size_t codec_encode(const struct codec *c, const void *rec, uint8_t *out);
int codec_decode(
    const struct codec *c, struct slice s, void *ret, struct slice *ret_rest) CHECK_RESULT;

/* Big-endian integers. */
void be_put16(uint8_t *p, uint16_t v);
void be_put32(uint8_t *p, uint32_t v);
void be_put64(uint8_t *p, uint64_t v);
uint16_t be_get16(const uint8_t *p);
uint32_t be_get32(const uint8_t *p);
uint64_t be_get64(const uint8_t *p);

#endif
