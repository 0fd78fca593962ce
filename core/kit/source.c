/* source.c: what the parsers of CSV and NDJSON share: options, the input buffer, rows that are set
 * aside. */
#include "sluice/kit/rows.h"

#include "core/kit/parse.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

#define PARSE_FIRST_BYTES (256u << 10)

static slu_rc option_bad(slu_err *err, const char *name, const char *value, const char *cure)
{
	return slu_fail_field(err, SLU_E_CONFIG, "KIT.OPTION", name, "%s: \"%s\" is not valid: %s",
	    name, value, cure);
}

slu_rc slu_format_options(const slu_host *host, slu_run *run, slu_format *f, slu_err *err)
{
	const char *format = host->get_str(run, "format"),
		   *delimiter = host->get_str(run, "delimiter");
	const char *ragged = host->get_str(run, "ragged"), *rest = host->get_str(run, "rest");
	const char *null_text = host->get_str(run, "null_text");
	int32_t header = 1;

	if (format)
		f->kind = strcmp(format, "ndjson") == 0 ? SLU_NDJSON : SLU_CSV;
	if (delimiter && strcmp(delimiter, "\\t") == 0)
		delimiter = "\t";
	if (delimiter && (strlen(delimiter) != 1 || strchr("\"\r\n", *delimiter)))
		return option_bad(
		    err, "delimiter", delimiter, "one character, neither a quote nor a line end");
	f->delimiter = delimiter ? *delimiter : ',';
	if (null_text && !str_copy(f->null_text, sizeof(f->null_text), null_text))
		return option_bad(err, "null_text", null_text, "at most 31 bytes");
	if (host->get_bool(run, "header", &header) == SLU_OK)
		f->no_header = !header;
	if (ragged)
		f->ragged = strcmp(ragged, "fill") == 0	    ? SLU_RAGGED_FILL
			    : strcmp(ragged, "reject") == 0 ? SLU_RAGGED_REJECT
							    : SLU_RAGGED_REFUSE;
	if (rest)
		f->rest = strcmp(rest, "drop") == 0   ? SLU_REST_DROP
			  : strcmp(rest, "json") == 0 ? SLU_REST_JSON
						      : SLU_REST_REFUSE;
	return SLU_OK;
}

slu_rc slu_parser_new(const slu_format *format, slu_in *in, const slu_fields *fields,
    slu_rejects *rejects, slu_parser **out, slu_err *err)
{
	slu_parser *p = MEM_NEW(slu_parser);
	slu_rc rc;

	p->format = *format;
	if (!p->format.delimiter)
		p->format.delimiter = ',';
	p->in = in;
	p->rejects = rejects;
	p->line = 1;
	p->rest_col = -1;
	slu_buf_init(&p->scratch, SLU_CELL_MAX);
	slu_buf_init(&p->rest, SLU_CELL_MAX);
	rc = format->kind == SLU_NDJSON ? ndjson_begin(p, fields, err) : csv_begin(p, fields, err);
	if (rc != SLU_OK) {
		slu_parser_free(p);
		return rc;
	}
	*out = p;
	return SLU_OK;
}

const slu_fields *slu_parser_fields(const slu_parser *p)
{
	return &p->fields;
}

slu_rc slu_parser_fill(slu_parser *p, slu_builder *b, int *ret_done, slu_err *err)
{
	return p->format.kind == SLU_NDJSON ? ndjson_fill(p, b, ret_done, err)
					    : csv_fill(p, b, ret_done, err);
}

void slu_parser_free(slu_parser *p)
{
	if (!p)
		return;
	slu_fields_done(&p->fields);
	slu_fields_done(&p->header);
	slu_buf_done(&p->scratch);
	slu_buf_done(&p->rest);
	mem_free(p->buf);
	mem_free(p->cells);
	mem_free(p->map);
	mem_free(p);
}

slu_rc parse_wanted(slu_parser *p, const slu_fields *wanted, slu_err *err)
{
	slu_rc rc = slu_fields_copy(&p->fields, wanted, err);
	slu_field *f;

	if (rc != SLU_OK || p->format.rest != SLU_REST_JSON)
		return rc;
	p->rest_col = slu_fields_find(&p->fields, "_rest");
	if (p->rest_col >= 0)
		return SLU_OK;
	f = slu_fields_add(&p->fields, "_rest", SLU_UTF8, err);
	if (!f)
		return SLU_E_SCHEMA;
	f->json = 1;
	p->rest_col = (int)p->fields.n - 1;
	return SLU_OK;
}

slu_rc parse_more(slu_parser *p, slu_err *err)
{
	size_t got;
	slu_rc rc;

	if (p->at) {
		memmove(p->buf, p->buf + p->at, p->end - p->at);
		p->end -= p->at;
		p->at = 0;
	}
	if (p->end == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : PARSE_FIRST_BYTES;
		char *buf = mem_try_realloc(p->buf, cap, PARSE_RECORD_MAX);

		if (!buf)
			return slu_fail(err, SLU_E_DATA, "KIT.RECORD",
			    "%s, line %llu: a record is longer than %u MiB (is a quote missing?)",
			    slu_in_name(p->in), (unsigned long long)p->line,
			    PARSE_RECORD_MAX >> 21);
		p->buf = buf;
		p->cap = cap;
	}
	rc = slu_in_read(p->in, p->buf + p->end, p->cap - p->end, &got, err);
	if (rc != SLU_OK)
		return rc;
	p->eof = got == 0;
	p->end += got;
	return SLU_OK;
}

slu_rc parse_reject(slu_parser *p, slu_builder *b, const char *text, size_t n, const char *column,
    const char *reason, slu_err *err)
{
	slu_rc rc;

	slu_row_drop(b);
	rc = slu_reject_text(p->rejects, text, n, column, "KIT.ROW", reason, err);
	if (rc == SLU_OK)
		return SLU_OK;
	return slu_fail_field(err, rc, "KIT.ROW", column,
	    "%s, line %llu: column \"%s\" %s; correct it, or let reject.max_rows set such rows "
	    "aside",
	    slu_in_name(p->in), (unsigned long long)p->line, column, reason);
}
