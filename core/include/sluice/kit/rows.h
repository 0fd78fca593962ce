/* rows.h: rows as text: CSV (RFC 4180 and real life) and NDJSON, in and out.
 *
 * Nothing changes silently: an unquoted empty CSV cell (or null_text) is NULL and "" is the empty
 * text; numbers are kept to the last digit or the row is rejected with column and reason. */
#ifndef SLUICE_KIT_ROWS_H
#define SLUICE_KIT_ROWS_H
#include "sluice/kit/batch.h"
#include "sluice/kit/file.h"
#include "sluice/kit/json.h"
#include "sluice/kit/stream.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { SLU_CSV, SLU_NDJSON };
enum { SLU_RAGGED_REFUSE, SLU_RAGGED_FILL, SLU_RAGGED_REJECT };
enum { SLU_REST_REFUSE, SLU_REST_DROP, SLU_REST_JSON };
typedef struct slu_format {
	int kind;      /* SLU_CSV, SLU_NDJSON */
	int no_header; /* CSV: the first record is data; columns are called c1, c2 … or as declared
			*/
	int ragged;    /* CSV: a record with too few or too many cells */
	int rest;      /* a column of the file that is not declared; JSON collects them in _rest */
	char delimiter; /* 0: comma */
	char null_text[32];
} slu_format;
/* The options that share these words: format delimiter header null_text ragged rest. Not given:
 * kept as they are in *f. SLU_E_CONFIG for a value that is none of its words. */
slu_rc slu_format_options(
    const slu_host *host, slu_run *run, slu_format *f, slu_err *err) SLU_CHECK;
/* Entries for the plugin's table of options, so that every plugin says the same. */
#define SLU_FORMAT_OPTIONS                                                                         \
	{.name = "delimiter",                                                                      \
	    .type = SLU_T_STRING,                                                                  \
	    .def = ",",                                                                            \
	    .doc = "The character between the cells of a CSV file; \\t is a tab."},                \
	    {.name = "header",                                                                     \
		.type = SLU_T_BOOL,                                                                \
		.def = "true",                                                                     \
		.doc = "The first record of a CSV file names the columns."},                       \
	    {.name = "null_text",                                                                  \
		.type = SLU_T_STRING,                                                              \
		.def = "",                                                                         \
		.doc = "The unquoted text that stands for NULL in a CSV file."},                   \
	{                                                                                          \
		.name = "ragged", .type = SLU_T_ENUM, .def = "refuse",                             \
		.choices = "refuse|fill|reject",                                                   \
		.doc = "What happens to a CSV record with too few or too many cells; fill makes "  \
		       "missing ones NULL."                                                        \
	}

typedef struct slu_parser slu_parser;
/* fields: what is wanted, or NULL to take the columns from the file, all text. in and rejects stay
 * the caller's and outlive the parser. SLU_E_SCHEMA where the header does not fit the fields. */
slu_rc slu_parser_new(const slu_format *format, slu_in *in, const slu_fields *fields,
    slu_rejects *rejects, slu_parser **out, slu_err *err) SLU_CHECK;
const slu_fields *slu_parser_fields(const slu_parser *p);
/* Rows until the builder is full or the input ends (*ret_done). SLU_E_DATA for a text that is no
 * CSV or NDJSON, a record of more than 48 MiB, or once the step allows no more rejected rows. */
slu_rc slu_parser_fill(slu_parser *p, slu_builder *b, int *ret_done, slu_err *err) SLU_CHECK;
void slu_parser_free(slu_parser *p);

/* Writing. The header is one record of CSV and nothing of NDJSON. */
void slu_rows_header(const slu_format *format, const slu_fields *fields, slu_buf *out);
/* Rows from (counted from 0) up to, without, `to` of the batch. SLU_E_TRANSIENT: out has no room.
 */
slu_rc slu_rows_write(const slu_format *format, const slu_fields *fields, const slu_col *cols,
    int64_t from, int64_t to, slu_buf *out, slu_err *err) SLU_CHECK;

#ifdef __cplusplus
}
#endif
#endif
