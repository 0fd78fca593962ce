/* batch.h: columns in and out of Arrow arrays.
 *
 * A batch is a struct array with one child a column. Types: see slu_type; nested values travel as
 * JSON text (utf8 with `json`). Decimals are exact, timestamps microseconds: of UTC where `zone` is
 * set, zone-less where it is "". */
#ifndef SLUICE_KIT_BATCH_H
#define SLUICE_KIT_BATCH_H
#include "sluice/arrow.h"
#include "sluice/kit/buf.h"
#include "sluice/kit/error.h"
#ifdef __cplusplus
extern "C" {
#endif

enum slu_type {
	SLU_BOOL = 1,
	SLU_INT8,
	SLU_INT16,
	SLU_INT32,
	SLU_INT64,
	SLU_UINT8,
	SLU_UINT16,
	SLU_UINT32,
	SLU_UINT64,
	SLU_FLOAT32,
	SLU_FLOAT64,
	SLU_DECIMAL,
	SLU_UTF8,
	SLU_BINARY,
	SLU_DATE,
	SLU_TIMESTAMP
};
#define SLU_COLUMN_NAME_MAX 256 /* bytes with terminator */
#define SLU_COLUMNS_MAX 2000
#define SLU_CELL_MAX (64u << 20) /* bytes of one text or binary value */
#define SLU_BATCH_ROWS 65536

__extension__ typedef __int128 slu_i128; /* unscaled value of a decimal */

typedef struct slu_field {
	char name[SLU_COLUMN_NAME_MAX];
	char zone[64];	      /* of a timestamp; "" zone-less */
	char role[16];	      /* key cursor event_time op version, or "" */
	int type;	      /* enum slu_type */
	int precision, scale; /* of a decimal: digits in all, digits behind the point */
	int json;	      /* utf8 that holds JSON text */
	int not_null;
} slu_field;
typedef struct slu_fields {
	slu_field *v; /* owned */
	size_t n, cap;
} slu_fields;

/* A new column at the end, zeroed but for name and type; NULL (with err) where the name is empty,
 * too long or there already. */
slu_field *slu_fields_add(slu_fields *f, const char *name, int type, slu_err *err);
void slu_fields_done(slu_fields *f);
int slu_fields_find(const slu_fields *f, const char *name); /* index, or -1 */
/* to is overwritten, not freed. SLU_E_SCHEMA for more than SLU_COLUMNS_MAX. */
slu_rc slu_fields_copy(slu_fields *to, const slu_fields *from, slu_err *err) SLU_CHECK;
/* "int64", "decimal(12,2)", "timestamp" (of UTC), "timestamp(Asia/Tokyo)", "timestamp_local"
 * (zone-less), "json" … into f; and back (buf of 96). SLU_E_CONFIG for any other text. */
slu_rc slu_type_parse(const char *text, slu_field *f, slu_err *err) SLU_CHECK;
const char *slu_type_text(const slu_field *f, char *buf);
/* The core's key `columns`: {"id": "int64", "at": {"type": "timestamp", "role": "cursor"}} or
 * [{"name", "type"}]. SLU_E_CONFIG where it is anything else. */
struct slu_json;
slu_rc slu_fields_declared(const struct slu_json *columns, slu_fields *out, slu_err *err) SLU_CHECK;
/* [{"name","type","role"?,"not_null"?}], and back by slu_fields_declared. */
void slu_fields_to_json(const slu_fields *f, slu_buf *out);

/* Arrow schema out (the caller releases it) and in: SLU_E_UNSUPPORTED for a column whose type is
 * not in slu_type, SLU_E_SCHEMA for no columns, two of one name or a name that is too long. */
slu_rc slu_schema_make(const slu_fields *f, struct ArrowSchema *out, slu_err *err) SLU_CHECK;
slu_rc slu_schema_read(const struct ArrowSchema *schema, slu_fields *out, slu_err *err) SLU_CHECK;

/* ---- building ---- */
typedef struct slu_builder slu_builder;
/* fields are copied. A batch is full at max_bytes (0: 1 MiB) or SLU_BATCH_ROWS. */
slu_builder *slu_builder_new(const slu_fields *fields, uint64_t max_bytes);
void slu_builder_free(slu_builder *b);
const slu_fields *slu_builder_fields(const slu_builder *b);
/* One value of the row being built; each column at most once a row, what was not put is NULL. The
 * caller puts what the column's type is: i64 for bool, ints up to uint32, date (days) and timestamp
 * (µs); u64 for uint64. */
void slu_put_null(slu_builder *b, size_t col);
void slu_put_i64(slu_builder *b, size_t col, int64_t v);
void slu_put_u64(slu_builder *b, size_t col, uint64_t v);
void slu_put_f64(slu_builder *b, size_t col, double v);
void slu_put_decimal(slu_builder *b, size_t col, slu_i128 v);
void slu_put_bytes(
    slu_builder *b, size_t col, const void *p, size_t n); /* utf8 and binary; utf8 must be valid */
void slu_put_str(slu_builder *b, size_t col, const char *s); /* NULL puts NULL */
/* Reads text as the column's type. Not exactly representable: SLU_E_DATA with *ret_reason a static
 * text, nothing is put. */
slu_rc slu_put_text(
    slu_builder *b, size_t col, const char *p, size_t n, const char **ret_reason) SLU_CHECK;
/* Ends the row. SLU_E_* where memory is out, a value was too large, or a not_null column got none.
 */
slu_rc slu_row_end(slu_builder *b, slu_err *err) SLU_CHECK;
void slu_row_drop(slu_builder *b); /* forgets the row being built */
int slu_builder_full(const slu_builder *b);
int64_t slu_builder_rows(const slu_builder *b);
/* Moves the rows out as an array that the caller releases; the builder is empty after. */
slu_rc slu_builder_take(slu_builder *b, struct ArrowArray *out, slu_err *err) SLU_CHECK;

/* ---- reading ---- */
typedef struct slu_col {
	int type, width;      /* bytes a value; 0 for bool, 4 or 8 (offsets) for utf8 and binary */
	const uint8_t *valid; /* NULL: no NULLs */
	const uint8_t *data;
	const uint8_t *offsets;
	int64_t first; /* index of row 0 in the buffers */
} slu_col;
/* cols: fields->n of them, borrowed from the array. Checks lengths and that the array has the
 * schema's shape: SLU_E_INTERNAL where it has not. */
slu_rc slu_batch_read(const struct ArrowArray *array, const slu_fields *fields, slu_col *cols,
    slu_err *err) SLU_CHECK;
static inline int slu_is_null(const slu_col *c, int64_t row)
{
	int64_t i = c->first + row;
	return c->valid && !((c->valid[i >> 3] >> (i & 7)) & 1);
}
/* The value of a row that is not NULL, of the type that slu_put_* names; row: 0 to the array's
 * length. Bytes are borrowed from the array and have no terminator. */
int64_t slu_get_i64(const slu_col *c, int64_t row);
uint64_t slu_get_u64(const slu_col *c, int64_t row);
double slu_get_f64(const slu_col *c, int64_t row);
slu_i128 slu_get_decimal(const slu_col *c, int64_t row);
const char *slu_get_bytes(const slu_col *c, int64_t row, size_t *ret_n);
/* Appends the value as text, the inverse of slu_put_text (binary as base64). Not for NULL. */
void slu_cell_text(const slu_field *f, const slu_col *c, int64_t row, slu_buf *out);

#ifdef __cplusplus
}
#endif
#endif
