/* ndjson.c: NDJSON in: one object a line. Numbers are taken as text, so that none loses a digit;
 * nested values stay JSON. */
#include "core/kit/parse.h"

#include "core/kit/build.h"

#include "core/base/json_scan.h"
#include "core/base/mem.h"

#include <string.h>

#define NEST_MAX 64
#define SAMPLE_LINES 1000

struct span { /* a value in a line */
	const char *p;
	size_t n;
	char kind; /* 's' text without its quotes, 'n' number, 't' true, 'f' false, '0' null, '{'
		      nested */
	bool escaped;
};

static const char *blanks(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\r'))
		s++;
	return s;
}

/* Behind the closing quote of a text that starts at s (behind its quote); NULL where it does not
 * end. */
static const char *text_end(const char *s, const char *end, bool *ret_escaped)
{
	*ret_escaped = false;
	for (; s < end; s++) {
		if (*s == '"')
			return s + 1;
		if ((unsigned char)*s < 0x20)
			return NULL;
		if (*s == '\\') {
			*ret_escaped = true;
			if (++s == end)
				return NULL;
		}
	}
	return NULL;
}

static const char *number_end(const char *s, const char *end)
{
	const char *from;

	if (s < end && *s == '-')
		s++;
	from = s;
	while (s < end && *s >= '0' && *s <= '9')
		s++;
	if (s == from || (*from == '0' && s - from > 1))
		return NULL;
	if (s < end && *s == '.') {
		for (from = ++s; s < end && *s >= '0' && *s <= '9'; s++)
			;
		if (s == from)
			return NULL;
	}
	if (s < end && (*s == 'e' || *s == 'E')) {
		s++;
		if (s < end && (*s == '+' || *s == '-'))
			s++;
		for (from = s; s < end && *s >= '0' && *s <= '9'; s++)
			;
		if (s == from)
			return NULL;
	}
	return s;
}

static const char *value_end(const char *s, const char *end, struct span *v, int depth);

/* s is behind the opening bracket. */
static const char *nested_end(const char *s, const char *end, char close, int depth)
{
	struct span v;
	bool escaped;

	s = blanks(s, end);
	if (s < end && *s == close)
		return s + 1;
	while (s && s < end && depth < NEST_MAX) {
		if (close == '}') {
			s = *s == '"' ? text_end(s + 1, end, &escaped) : NULL;
			s = s ? blanks(s, end) : NULL;
			if (!s || s == end || *s++ != ':')
				return NULL;
			s = blanks(s, end);
		}
		s = value_end(s, end, &v, depth + 1);
		s = s ? blanks(s, end) : NULL;
		if (!s || s == end)
			return NULL;
		if (*s == close)
			return s + 1;
		if (*s++ != ',')
			return NULL;
		s = blanks(s, end);
	}
	return NULL;
}

static const char *word_end(const char *s, const char *end, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(end - s) >= n && memcmp(s, word, n) == 0 ? s + n : NULL;
}

static const char *value_end(const char *s, const char *end, struct span *v, int depth)
{
	const char *e = NULL;

	v->p = s;
	v->escaped = false;
	if (s == end)
		return NULL;
	v->kind = *s;
	switch (*s) {
	case '"':
		v->kind = 's';
		v->p++;
		e = text_end(s + 1, end, &v->escaped);
		v->n = e ? (size_t)(e - v->p) - 1 : 0;
		return e;
	case '{':
	case '[':
		v->kind = '{';
		e = nested_end(s + 1, end, *s == '{' ? '}' : ']', depth);
		break;
	case 't':
		e = word_end(s, end, "true");
		break;
	case 'f':
		e = word_end(s, end, "false");
		break;
	case 'n':
		v->kind = '0';
		e = word_end(s, end, "null");
		break;
	default:
		v->kind = 'n';
		e = number_end(s, end);
	}
	v->n = e ? (size_t)(e - s) : 0;
	return e;
}

static int hex4(const char *s, const char *end, unsigned *ret)
{
	int i;

	*ret = 0;
	if (end - s < 4)
		return 0;
	for (i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)s[i];
		unsigned d = c >= '0' && c <= '9'   ? c - '0' + 0u
			     : c >= 'a' && c <= 'f' ? c - 'a' + 10u
			     : c >= 'A' && c <= 'F' ? c - 'A' + 10u
						    : 16u;

		if (d > 15)
			return 0;
		*ret = *ret << 4 | d;
	}
	return 1;
}

static void utf8_add(slu_buf *b, unsigned c)
{
	if (c < 0x80) {
		slu_buf_addc(b, (char)c);
	} else if (c < 0x800) {
		slu_buf_addc(b, (char)(0xC0 | c >> 6));
		slu_buf_addc(b, (char)(0x80 | (c & 0x3F)));
	} else if (c < 0x10000) {
		slu_buf_addc(b, (char)(0xE0 | c >> 12));
		slu_buf_addc(b, (char)(0x80 | (c >> 6 & 0x3F)));
		slu_buf_addc(b, (char)(0x80 | (c & 0x3F)));
	} else {
		slu_buf_addc(b, (char)(0xF0 | c >> 18));
		slu_buf_addc(b, (char)(0x80 | (c >> 12 & 0x3F)));
		slu_buf_addc(b, (char)(0x80 | (c >> 6 & 0x3F)));
		slu_buf_addc(b, (char)(0x80 | (c & 0x3F)));
	}
}

/* One escape; s is behind the backslash. Behind it, or NULL. */
static const char *unescape_one(slu_buf *b, const char *s, const char *end)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = *s ? strchr(from, *s) : NULL;
	unsigned c, low;

	if (at) {
		slu_buf_addc(b, to[at - from]);
		return s + 1;
	}
	if (*s != 'u' || !hex4(s + 1, end, &c))
		return NULL;
	s += 5;
	if (c >= 0xD800 && c < 0xDC00) {
		if (end - s < 6 || s[0] != '\\' || s[1] != 'u' || !hex4(s + 2, end, &low) ||
		    low < 0xDC00 || low > 0xDFFF)
			return NULL;
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
		s += 6;
	} else if (c >= 0xDC00 && c < 0xE000) {
		return NULL;
	}
	utf8_add(b, c);
	return s;
}

static const char *unescape(slu_buf *b, const struct span *v, size_t *ret_n)
{
	const char *s = v->p, *end = v->p + v->n;

	slu_buf_reset(b);
	while (s < end) {
		const char *q = memchr(s, '\\', (size_t)(end - s));

		slu_buf_addn(b, s, (size_t)((q ? q : end) - s));
		if (!q)
			break;
		s = unescape_one(b, q + 1, end);
		if (!s)
			return NULL;
	}
	*ret_n = b->len;
	return slu_buf_text(b);
}

/* ---- lines ---- */
/* The line at p->at without its end. *ret_n -1: there is none left. */
static slu_rc line_next(slu_parser *p, size_t *ret_n, size_t *ret_next, bool *ret_end, slu_err *err)
{
	size_t looked = 0;
	slu_rc rc;

	for (;;) {
		const char *s = p->buf + p->at, *nl = NULL;
		size_t n = p->end - p->at;

		if (n > looked)
			nl = memchr(s + looked, '\n', n - looked);
		*ret_end = p->eof && n == 0;
		if (nl || p->eof) {
			*ret_n = nl ? (size_t)(nl - s) : n;
			*ret_next = p->at + *ret_n + (nl ? 1 : 0);
			return SLU_OK;
		}
		looked = n;
		rc = parse_more(p, err);
		if (rc != SLU_OK)
			return rc;
	}
}

static slu_rc put_value(
    slu_parser *p, slu_builder *b, size_t col, const struct span *v, const char **why)
{
	const char *s = v->p;
	size_t n = v->n;

	if (v->kind == '0') {
		slu_put_null(b, col);
		return SLU_OK;
	}
	if (p->fields.v[col].json) {
		if (v->kind == 's')
			s--, n += 2;
	} else if (v->kind == 's' && v->escaped) {
		s = unescape(&p->scratch, v, &n);
		if (!s) {
			*why = "holds an escape that is no Unicode";
			return SLU_E_DATA;
		}
	} else if (v->kind == '{' && p->fields.v[col].type != SLU_UTF8) {
		*why = "is nested: declare it json";
		return SLU_E_DATA;
	}
	return slu_put_text(b, col, s, n, why);
}

static void rest_put(slu_parser *p, const struct span *key, const struct span *v)
{
	slu_buf_add(&p->rest, p->rest.len ? ",\"" : "{\"");
	slu_buf_addn(&p->rest, key->p, key->n);
	slu_buf_add(&p->rest, "\":");
	slu_buf_addn(&p->rest, v->kind == 's' ? v->p - 1 : v->p, v->kind == 's' ? v->n + 2 : v->n);
}

/* Column of a key: the one behind the last, else a search. -1: unknown. */
static int key_column(slu_parser *p, const struct span *key, size_t guess)
{
	const char *s = key->p;
	size_t n = key->n, i;

	if (key->escaped) {
		s = unescape(&p->scratch, key, &n);
		if (!s)
			return -1;
	}
	if (guess < p->fields.n && strlen(p->fields.v[guess].name) == n &&
	    memcmp(p->fields.v[guess].name, s, n) == 0)
		return (int)guess;
	for (i = 0; i < p->fields.n; i++)
		if (strlen(p->fields.v[i].name) == n && memcmp(p->fields.v[i].name, s, n) == 0)
			return (int)i;
	return -1;
}

static const char syntax[] = "stands in a line that is no JSON object";

/* The next "key": value of an object; s is at the key. Behind the comma or the closing brace;
 * *ret_last. */
static const char *member_next(
    const char *s, const char *end, struct span *key, struct span *v, bool *ret_last)
{
	s = blanks(s, end);
	if (s == end || *s != '"')
		return NULL;
	s = value_end(s, end, key, 0);
	s = s ? blanks(s, end) : NULL;
	if (!s || s == end || *s++ != ':')
		return NULL;
	s = value_end(blanks(s, end), end, v, 0);
	s = s ? blanks(s, end) : NULL;
	if (!s || s == end || (*s != ',' && *s != '}'))
		return NULL;
	*ret_last = *s == '}';
	return s + 1;
}

/* *why where the row is bad, with its column. */
static slu_rc put_line(slu_parser *p, slu_builder *b, const char *s, const char *end,
    const char **col, const char **why)
{
	struct span key, v;
	bool last = false;
	size_t guess = 0;
	int c;

	s = blanks(s, end);
	*why = syntax;
	*col = p->fields.v[0].name;
	if (s == end || *s++ != '{')
		return SLU_E_DATA;
	s = blanks(s, end);
	if (s < end && *s == '}') {
		last = true;
		s++;
	}
	while (!last) {
		*why = syntax;
		s = member_next(s, end, &key, &v, &last);
		if (!s)
			return SLU_E_DATA;
		c = key_column(p, &key, guess);
		if (c < 0 && p->format.rest == SLU_REST_REFUSE) {
			*why = "is the last known one before a key that is not declared: add it to "
			       "`columns`, or say `rest: drop`";
			return SLU_E_DATA;
		}
		if (c < 0 && p->format.rest == SLU_REST_JSON)
			rest_put(p, &key, &v);
		if (c < 0)
			continue;
		*col = p->fields.v[c].name;
		guess = (size_t)c + 1;
		if (b->cols[c].n != b->rows) {
			*why = "stands twice in one object";
			return SLU_E_DATA;
		}
		if (put_value(p, b, (size_t)c, &v, why) != SLU_OK)
			return SLU_E_DATA;
	}
	return blanks(s, end) == end ? SLU_OK : (*why = syntax, SLU_E_DATA);
}

/* The line of n bytes at p->at as a row; blank ones are none. */
static slu_rc take_line(slu_parser *p, slu_builder *b, size_t n, slu_err *err)
{
	const char *s = p->buf + p->at, *col, *why;

	slu_buf_reset(&p->rest);
	if (blanks(s, s + n) == s + n)
		return SLU_OK;
	if (put_line(p, b, s, s + n, &col, &why) != SLU_OK)
		return parse_reject(p, b, s, n, col, why, err);
	if (p->rest.len && p->rest_col >= 0) {
		slu_buf_addc(&p->rest, '}');
		if (json_scan(p->rest.s, p->rest.len, NULL) != 0)
			return parse_reject(p, b, s, n, p->fields.v[p->rest_col].name,
			    "holds what is not JSON", err);
		slu_put_bytes(b, (size_t)p->rest_col, p->rest.s, p->rest.len);
	}
	return slu_row_end(b, err);
}

slu_rc ndjson_fill(slu_parser *p, slu_builder *b, int *ret_done, slu_err *err)
{
	size_t n, next;
	bool end;
	slu_rc rc;

	while (!slu_builder_full(b)) {
		rc = line_next(p, &n, &next, &end, err);
		if (rc != SLU_OK)
			return rc;
		if (end) {
			*ret_done = 1;
			return SLU_OK;
		}
		rc = take_line(p, b, n, err);
		if (rc != SLU_OK)
			return rc;
		p->at = next;
		p->line++;
	}
	return SLU_OK;
}

/* ---- columns from a sample ---- */
static slu_rc sample_line(slu_parser *p, const char *s, const char *end, slu_err *err)
{
	struct span key, v;
	bool last = false;
	size_t n;

	s = blanks(s, end);
	if (s == end || *s++ != '{')
		return SLU_OK; /* the row will be rejected when it is read */
	while (!last) {
		char name[SLU_COLUMN_NAME_MAX];
		const char *text;

		s = member_next(s, end, &key, &v, &last);
		if (!s)
			return SLU_OK;
		text = key.escaped ? unescape(&p->scratch, &key, &n) : key.p;
		n = key.escaped ? p->scratch.len : key.n;
		if (!text || n == 0 || n >= sizeof(name) || memchr(text, '\0', n) ||
		    !slu_utf8_valid(text, n) || key_column(p, &key, p->fields.n) >= 0)
			continue; /* no name of a column: what `rest` says goes for it */
		memcpy(name, text, n);
		name[n] = '\0';
		if (!slu_fields_add(&p->fields, name, SLU_UTF8, err))
			return SLU_E_SCHEMA;
	}
	return SLU_OK;
}

static slu_rc ndjson_sample(slu_parser *p, slu_err *err)
{
	size_t at = p->at, lines;
	slu_rc rc = SLU_OK;

	while (!p->eof && p->end < (64u << 10) && rc == SLU_OK)
		rc = parse_more(p, err);
	for (lines = 0; rc == SLU_OK && lines < SAMPLE_LINES && at < p->end; lines++) {
		const char *nl = memchr(p->buf + at, '\n', p->end - at);
		size_t stop = nl ? (size_t)(nl - p->buf) : p->end;

		if (!nl && !p->eof && lines)
			break;
		rc = sample_line(p, p->buf + at, p->buf + stop, err);
		at = stop + 1;
	}
	if (rc == SLU_OK && p->fields.n == 0)
		return slu_fail(err, SLU_E_SCHEMA, "KIT.EMPTY",
		    "%s has no rows to take the columns from: declare `columns`",
		    slu_in_name(p->in));
	return rc;
}

slu_rc ndjson_begin(slu_parser *p, const slu_fields *wanted, slu_err *err)
{
	slu_rc rc = parse_more(p, err);

	if (rc == SLU_OK && p->end >= 3 && memcmp(p->buf, "\xEF\xBB\xBF", 3) == 0)
		p->at = 3;
	if (rc == SLU_OK && !wanted)
		return ndjson_sample(p, err);
	if (rc == SLU_OK)
		rc = parse_wanted(p, wanted, err);
	return rc;
}
