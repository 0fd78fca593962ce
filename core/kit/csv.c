/* csv.c: CSV in. A record is found first (quotes may hold line ends), then its cells are read as
 * their columns' types. */
#include "core/kit/parse.h"

#include "core/base/mem.h"

#include <stdio.h>
#include <string.h>

static struct parse_cell *cell_push(slu_parser *p)
{
	if (p->n_cells == p->cap_cells) {
		p->cap_cells = p->cap_cells ? p->cap_cells * 2 : 64;
		p->cells = mem_realloc(p->cells, p->cap_cells * sizeof(*p->cells));
	}
	return &p->cells[p->n_cells++];
}

/* What a scan of a record came to. */
enum scan { SCAN_RECORD, SCAN_MORE, SCAN_END, SCAN_BAD_QUOTE };

/* One cell from s; *ret_next is behind its delimiter or at its line end. SCAN_MORE: the buffer ends
 * before the cell does. */
static enum scan scan_cell(slu_parser *p, const char *s, const char *end, const char **ret_next)
{
	struct parse_cell *c = cell_push(p);
	const char delimiter = p->format.delimiter;
	const char *q = s;

	memset(c, 0, sizeof(*c));
	if (s == end)
		return p->eof ? (c->p = s, *ret_next = s, SCAN_RECORD) : SCAN_MORE;
	if (*s != '"') {
		while (q < end && *q != delimiter && *q != '\n')
			q++;
		if (q == end && !p->eof)
			return SCAN_MORE;
		c->p = s;
		c->n = (size_t)(q - s);
		if (c->n && (q == end || *q == '\n') && q[-1] == '\r')
			c->n--;
		*ret_next = q;
		return SCAN_RECORD;
	}
	c->quoted = true;
	c->p = ++q;
	for (;;) {
		q = memchr(q, '"', (size_t)(end - q));
		if (!q)
			return p->eof ? SCAN_BAD_QUOTE : SCAN_MORE;
		if (q + 1 == end && !p->eof)
			return SCAN_MORE;
		if (q + 1 == end || q[1] != '"')
			break;
		c->doubled = true;
		q += 2;
	}
	c->n = (size_t)(q - c->p);
	q++;
	if (q < end && *q == '\r' && (q + 1 == end ? p->eof : q[1] == '\n'))
		q++;
	else if (q < end && *q == '\r' && q + 1 == end)
		return SCAN_MORE;
	*ret_next = q;
	return q == end || *q == '\n' || *q == delimiter ? SCAN_RECORD : SCAN_BAD_QUOTE;
}

/* The record at p->at: cells, and *ret_next behind its line end. */
static enum scan scan_record(slu_parser *p, size_t *ret_next)
{
	const char *s = p->buf + p->at, *end = p->buf + p->end, *next = s;
	enum scan got;

	p->n_cells = 0;
	if (s == end)
		return p->eof ? SCAN_END : SCAN_MORE;
	for (;;) {
		got = scan_cell(p, s, end, &next);
		if (got != SCAN_RECORD)
			break;
		if (next < end && *next == p->format.delimiter) {
			s = next + 1;
			continue;
		}
		if (next < end)
			next++;
		break;
	}
	if (got == SCAN_BAD_QUOTE) { /* go on at the next line */
		const char *nl = memchr(p->buf + p->at, '\n', (size_t)(end - p->buf) - p->at);

		if (!nl && !p->eof)
			return SCAN_MORE;
		next = nl ? nl + 1 : end;
	}
	*ret_next = (size_t)(next - p->buf);
	return got;
}

static slu_rc record_next(slu_parser *p, enum scan *ret_scan, size_t *ret_next, slu_err *err)
{
	slu_rc rc;

	for (;;) {
		*ret_scan = scan_record(p, ret_next);
		if (*ret_scan != SCAN_MORE)
			return SLU_OK;
		rc = parse_more(p, err);
		if (rc != SLU_OK)
			return rc;
	}
}

static void record_done(slu_parser *p, size_t next)
{
	const char *s = p->buf + p->at, *end = p->buf + next;

	for (; s < end && (s = memchr(s, '\n', (size_t)(end - s))); s++)
		p->line++;
	p->at = next;
}

/* The cell's text; doubled quotes are made single in the scratch buffer. */
static const char *cell_text(slu_parser *p, const struct parse_cell *c, size_t *ret_n)
{
	const char *s = c->p, *end = c->p + c->n, *q;

	*ret_n = c->n;
	if (!c->doubled)
		return c->p;
	slu_buf_reset(&p->scratch);
	while ((q = memchr(s, '"', (size_t)(end - s)))) {
		slu_buf_addn(&p->scratch, s, (size_t)(q - s) + 1);
		s = q + 2;
	}
	slu_buf_addn(&p->scratch, s, (size_t)(end - s));
	*ret_n = p->scratch.len;
	return slu_buf_text(&p->scratch);
}

static bool cell_is_null(const slu_parser *p, const struct parse_cell *c)
{
	return !c->quoted && c->n == strlen(p->format.null_text) &&
	       memcmp(c->p, p->format.null_text, c->n) == 0;
}

/* ---- the columns ---- */
static slu_rc header_name(slu_parser *p, size_t i, char *name, slu_err *err)
{
	size_t n;
	const char *s;

	if (p->format.no_header) {
		(void)snprintf(name, SLU_COLUMN_NAME_MAX, "c%zu", i + 1);
		return SLU_OK;
	}
	s = cell_text(p, &p->cells[i], &n);
	if (n == 0 || n >= SLU_COLUMN_NAME_MAX || memchr(s, '\0', n) || !slu_utf8_valid(s, n))
		return slu_fail(err, SLU_E_SCHEMA, "KIT.HEADER",
		    "%s: column %zu of the header has no usable name; with `header: false` the "
		    "first record is data",
		    slu_in_name(p->in), i + 1);
	memcpy(name, s, n);
	name[n] = '\0';
	return SLU_OK;
}

static slu_rc map_column(slu_parser *p, size_t i, const char *name, slu_err *err)
{
	int col =
	    p->format.no_header && i < p->fields.n ? (int)i : slu_fields_find(&p->fields, name);
	size_t k;

	if (col < 0 && p->format.rest == SLU_REST_REFUSE)
		return slu_fail_field(err, SLU_E_SCHEMA, "KIT.UNLISTED", name,
		    "%s has a column \"%s\" that is not declared: add it to `columns`, or say "
		    "`rest: drop`",
		    slu_in_name(p->in), name);
	for (k = 0; k < i && col >= 0; k++)
		if (p->map[k] == col)
			return slu_fail_field(err, SLU_E_SCHEMA, "KIT.HEADER", name,
			    "%s has two columns called \"%s\"", slu_in_name(p->in), name);
	p->map[i] = col >= 0 ? col : p->format.rest == SLU_REST_JSON ? -2 : -1;
	return SLU_OK;
}

static slu_rc missing_column(slu_parser *p, slu_err *err)
{
	size_t i, k;

	for (i = 0; i < p->fields.n; i++) {
		for (k = 0; k < p->n_map && p->map[k] != (int)i; k++)
			;
		if (k == p->n_map && (int)i != p->rest_col)
			return slu_fail_field(err, SLU_E_SCHEMA, "KIT.MISSING", p->fields.v[i].name,
			    "%s has no column \"%s\", which is declared", slu_in_name(p->in),
			    p->fields.v[i].name);
	}
	return SLU_OK;
}

static slu_rc csv_columns(slu_parser *p, bool declared, slu_err *err)
{
	char name[SLU_COLUMN_NAME_MAX];
	slu_rc rc = SLU_OK;
	size_t i;

	if (p->n_cells > SLU_COLUMNS_MAX)
		return slu_fail(err, SLU_E_SCHEMA, "KIT.HEADER", "%s has more than %d columns",
		    slu_in_name(p->in), SLU_COLUMNS_MAX);
	p->n_map = p->n_cells;
	p->map = mem_calloc(p->n_map, sizeof(*p->map));
	for (i = 0; i < p->n_map && rc == SLU_OK; i++) {
		rc = header_name(p, i, name, err);
		if (rc == SLU_OK && p->rest_col >= 0 &&
		    !slu_fields_add(&p->header, name, SLU_UTF8, err))
			rc = SLU_E_SCHEMA;
		if (rc == SLU_OK && declared)
			rc = map_column(p, i, name, err);
		else if (rc == SLU_OK && !slu_fields_add(&p->fields, name, SLU_UTF8, err))
			rc = slu_fail_prefix(err, "%s", slu_in_name(p->in));
		else
			p->map[i] = (int)i;
	}
	return rc == SLU_OK && declared ? missing_column(p, err) : rc;
}

slu_rc csv_begin(slu_parser *p, const slu_fields *wanted, slu_err *err)
{
	enum scan got;
	size_t next;
	slu_rc rc;

	if (wanted) {
		rc = parse_wanted(p, wanted, err);
		if (rc != SLU_OK)
			return rc;
	}
	while (p->end < 3 && !p->eof) {
		rc = parse_more(p, err);
		if (rc != SLU_OK)
			return rc;
	}
	if (p->end >= 3 && memcmp(p->buf, "\xEF\xBB\xBF", 3) == 0)
		p->at = 3;
	rc = record_next(p, &got, &next, err);
	if (rc != SLU_OK)
		return rc;
	if (got == SCAN_END) /* an empty file: no columns but the declared ones, no rows */
		return wanted ? SLU_OK
			      : slu_fail(err, SLU_E_SCHEMA, "KIT.EMPTY",
				    "%s is empty, so its columns are not known: declare `columns`",
				    slu_in_name(p->in));
	if (got == SCAN_BAD_QUOTE)
		return slu_fail(err, SLU_E_DATA, "KIT.QUOTE",
		    "%s, line 1: a quote is not closed, or text follows it", slu_in_name(p->in));
	rc = csv_columns(p, wanted != NULL, err);
	if (rc == SLU_OK && !p->format.no_header)
		record_done(p, next);
	return rc;
}

/* ---- rows ---- */
static void rest_add(slu_parser *p, size_t cell, const char *s, size_t n)
{
	const char *name = p->header.v[cell].name;

	slu_buf_add(&p->rest, p->rest.len ? "," : "{");
	slu_buf_add_json(&p->rest, name, strlen(name));
	slu_buf_addc(&p->rest, ':');
	if (cell_is_null(p, &p->cells[cell]))
		slu_buf_add(&p->rest, "null");
	else
		slu_buf_add_json(&p->rest, s, n);
}

/* Puts one cell; *ret_reason is set where it is not of its type. */
static slu_rc put_cell(slu_parser *p, slu_builder *b, size_t i, const char **ret_reason)
{
	const struct parse_cell *c = &p->cells[i];
	const char *s;
	size_t n;

	if (p->map[i] == -1)
		return SLU_OK;
	s = cell_text(p, c, &n);
	if (p->map[i] == -2) {
		rest_add(p, i, s, n);
		*ret_reason = "holds what is not valid UTF-8";
		return slu_utf8_valid(s, n) ? SLU_OK : SLU_E_DATA;
	}
	if (cell_is_null(p, c)) {
		slu_put_null(b, (size_t)p->map[i]);
		return SLU_OK;
	}
	return slu_put_text(b, (size_t)p->map[i], s, n, ret_reason);
}

static slu_rc put_record(slu_parser *p, slu_builder *b, size_t next, slu_err *err)
{
	const char *raw = p->buf + p->at, *reason = NULL;
	size_t raw_n = next - p->at, i, n = p->n_cells < p->n_map ? p->n_cells : p->n_map;
	int col;

	slu_buf_reset(&p->rest);
	for (i = 0; i < n; i++) {
		if (put_cell(p, b, i, &reason) == SLU_OK)
			continue;
		col = p->map[i] >= 0 ? p->map[i] : p->rest_col;
		return parse_reject(p, b, raw, raw_n, p->fields.v[col].name, reason, err);
	}
	if (p->rest.len) {
		slu_buf_addc(&p->rest, '}');
		slu_put_bytes(b, (size_t)p->rest_col, p->rest.s, p->rest.len);
	}
	return slu_row_end(b, err);
}

static slu_rc ragged(slu_parser *p, slu_builder *b, size_t next, slu_err *err)
{
	char why[96];

	(void)snprintf(why, sizeof(why),
	    "is missing or one too many: the record has %zu cells, not %zu", p->n_cells, p->n_map);
	if (p->format.ragged == SLU_RAGGED_FILL && p->n_cells < p->n_map)
		return put_record(p, b, next, err);
	if (p->format.ragged == SLU_RAGGED_REFUSE)
		return slu_fail(err, SLU_E_DATA, "KIT.RAGGED",
		    "%s, line %llu: the record has %zu cells, not %zu; `ragged: fill` or `ragged: "
		    "reject` allows it",
		    slu_in_name(p->in), (unsigned long long)p->line, p->n_cells, p->n_map);
	return parse_reject(p, b, p->buf + p->at, next - p->at,
	    p->fields.v[p->n_cells < p->fields.n ? p->n_cells : p->fields.n - 1].name, why, err);
}

static bool blank_line(const slu_parser *p)
{
	return p->n_cells == 1 && p->n_map > 1 && !p->cells[0].quoted && p->cells[0].n == 0;
}

slu_rc csv_fill(slu_parser *p, slu_builder *b, int *ret_done, slu_err *err)
{
	enum scan got;
	size_t next;
	slu_rc rc;

	while (!slu_builder_full(b)) {
		rc = record_next(p, &got, &next, err);
		if (rc != SLU_OK)
			return rc;
		if (got == SCAN_END) {
			*ret_done = 1;
			return SLU_OK;
		}
		if (got == SCAN_BAD_QUOTE)
			rc = parse_reject(p, b, p->buf + p->at, next - p->at, p->fields.v[0].name,
			    "stands in a record whose quote is not closed or is followed by text",
			    err);
		else if (blank_line(p))
			rc = SLU_OK;
		else if (p->n_cells != p->n_map)
			rc = ragged(p, b, next, err);
		else
			rc = put_record(p, b, next, err);
		if (rc != SLU_OK)
			return rc;
		record_done(p, next);
	}
	return SLU_OK;
}
