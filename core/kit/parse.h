/* parse.h: inside of the row parsers, for source.c, csv.c and ndjson.c only. */
#ifndef CORE_KIT_PARSE_H
#define CORE_KIT_PARSE_H

#include "sluice/kit/rows.h"

#include <stdbool.h>

#define PARSE_RECORD_MAX (96u << 20) /* bytes of one record */

struct parse_cell { /* of a CSV record; p is borrowed from the input buffer */
	const char *p;
	size_t n;
	bool quoted, doubled; /* doubled: holds "" that stand for one quote */
};

struct slu_parser {
	slu_format format;
	slu_in *in;	      /* borrowed */
	slu_rejects *rejects; /* borrowed */
	slu_fields fields;    /* owned */
	slu_fields header;    /* owned; CSV: the names of all cells where _rest needs them */
	char *buf;	      /* owned */
	size_t cap, at, end;  /* unread bytes are buf[at..end) */
	bool eof;
	uint64_t line;		  /* of the record at `at`, from 1 */
	struct parse_cell *cells; /* owned */
	size_t n_cells, cap_cells;
	int *map; /* owned; CSV: cell -> column, -1: dropped, -2: into _rest */
	size_t n_map;
	int rest_col; /* column _rest, or -1 */
	slu_buf scratch, rest;
};

/* Takes the wanted columns over, and adds _rest where the format asks for it. */
slu_rc parse_wanted(slu_parser *p, const slu_fields *wanted, slu_err *err) SLU_CHECK;
/* More input behind end; at moves to 0. SLU_E_DATA where one record is longer than
 * PARSE_RECORD_MAX. */
slu_rc parse_more(slu_parser *p, slu_err *err) SLU_CHECK;
/* Row of the builder is dropped and the record's text set aside. */
slu_rc parse_reject(slu_parser *p, slu_builder *b, const char *text, size_t n, const char *column,
    const char *reason, slu_err *err) SLU_CHECK;

/* CSV: finds the columns (header) and fills batches. */
slu_rc csv_begin(slu_parser *p, const slu_fields *wanted, slu_err *err) SLU_CHECK;
slu_rc csv_fill(slu_parser *p, slu_builder *b, int *ret_done, slu_err *err) SLU_CHECK;
slu_rc ndjson_begin(slu_parser *p, const slu_fields *wanted, slu_err *err) SLU_CHECK;
slu_rc ndjson_fill(slu_parser *p, slu_builder *b, int *ret_done, slu_err *err) SLU_CHECK;

#endif
