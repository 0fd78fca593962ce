/* yaml.c: see yaml.h. Scalars are resolved by the rules of the YAML 1.2 core schema, not by
 * libyaml's 1.1 ones. */
#include "core/dagfile/yaml.h"

#include "core/base/hash.h"
#include "core/base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct yaml_doc {
	struct yaml_node *root; /* borrowed from all */
	struct yaml_node *all;	/* owned */
	bool broken;
};

struct reader {
	yaml_parser_t parser;
	struct diags *d; /* borrowed */
	struct yaml_doc *doc;
	struct yaml_node *stack[YAML_MAX_DEPTH];
	/* the key that waits for its value, per level */
	char *key[YAML_MAX_DEPTH]; /* owned */
	yaml_mark_t key_mark[YAML_MAX_DEPTH];
	const char *text; /* borrowed */
	size_t n;	  /* bytes of it */
	size_t depth, n_nodes;
	bool stop;
};

/* ---- scalars ---- */
static bool one_of(const char *s, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

static bool all_of(const char *s, const char *set)
{
	return *s != '\0' && s[strspn(s, set)] == '\0';
}

static bool is_decimal(const char *s)
{
	return all_of(s + (*s == '-' || *s == '+'), "0123456789");
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(const char *s)
{
	size_t whole, part = 0;

	s += *s == '-' || *s == '+';
	whole = strspn(s, "0123456789");
	s += whole;
	if (*s == '.') {
		part = strspn(s + 1, "0123456789");
		s += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		return all_of(s, "0123456789");
	}
	return *s == '\0';
}

static void set_int(struct yaml_node *n, const char *digits, int base)
{
	errno = 0;
	n->i = strtoll(digits, NULL, base);
	n->kind = errno == 0 ? YAML_INT : YAML_FLOAT;
	n->f = errno == 0 ? (double)n->i : strtod(n->text, NULL);
}

static void resolve_plain(struct yaml_node *n)
{
	static const char *const NULLS[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const TRUES[] = {"true", "True", "TRUE", NULL};
	static const char *const FALSES[] = {"false", "False", "FALSE", NULL};
	static const char *const ODD[] = {".inf", ".Inf", ".INF", "+.inf", "-.inf", "+.Inf",
	    "-.Inf", "+.INF", "-.INF", ".nan", ".NaN", ".NAN", NULL};
	const char *s = n->text;

	if (one_of(s, NULLS)) {
		n->kind = YAML_NULL;
	} else if (one_of(s, TRUES) || one_of(s, FALSES)) {
		n->kind = YAML_BOOL;
		n->flag = one_of(s, TRUES);
	} else if (is_decimal(s)) {
		set_int(n, s, 10);
	} else if (str_starts(s, "0x") && all_of(s + 2, "0123456789abcdefABCDEF")) {
		set_int(n, s, 16);
	} else if (str_starts(s, "0o") && all_of(s + 2, "01234567")) {
		set_int(n, s + 2, 8);
	} else if (is_float(s) || one_of(s, ODD)) {
		n->kind = YAML_FLOAT;
		n->f = one_of(s, ODD) ? (double)NAN : strtod(s, NULL);
	}
}

/* ---- errors ---- */
static unsigned line_of(yaml_mark_t m)
{
	return (unsigned)m.line + 1;
}

static unsigned column_of(yaml_mark_t m)
{
	return (unsigned)m.column + 1;
}

static void stop_at(
    struct reader *r, yaml_mark_t m, const char *code, const char *hint, const char *what)
{
	diag_at(r->d, line_of(m), column_of(m), "", false, code, hint, "%s", what);
	r->stop = true;
}

static char byte_at(const struct reader *r, yaml_mark_t m)
{
	const char *text = r->text;
	size_t n = r->n;
	size_t line = 0, col = 0, i;

	for (i = 0; i < n && line < m.line; i++)
		line += text[i] == '\n';
	for (; i < n && col < m.column && text[i] != '\n'; i++)
		col += ((unsigned char)text[i] & 0xc0) != 0x80;
	return i < n ? text[i] : '\0';
}

/* libyaml's problems are terse; the usual causes get a cure. */
static const char *cure(const char *problem, char at)
{
	if (at == '\t')
		return "indent with blanks, not with tabs";
	if (strstr(problem, "mapping values are not allowed") != NULL)
		return "a text with \": \" in it needs quotes; else check that the lines above are "
		       "indented alike";
	if (strstr(problem, "alphabetic or numeric") != NULL)
		return "a text that begins with * or & needs quotes: cron: \"*/5 * * * *\"";
	if (strstr(problem, "cannot start any token") != NULL)
		return "a text that begins with this character needs quotes";
	if (strstr(problem, "',' or ']'") != NULL || strstr(problem, "',' or '}'") != NULL)
		return "inside { } and [ ] texts with ${…}, commas or brackets need quotes; else a "
		       "comma or bracket is missing";
	if (strstr(problem, "expected key") != NULL || strstr(problem, "'-' indicator") != NULL)
		return "members of one map, and of one list, begin in the same column; or a quote "
		       "further up is not closed";
	if (strstr(problem, "expected ':'") != NULL)
		return "a key is followed by a colon and a blank: key: value";
	if (strstr(problem, "unexpected end of stream") != NULL)
		return "a closing quote is missing";
	if (strstr(problem, "document start") != NULL)
		return "a file holds one document; check the indentation of this line";
	return "";
}

static void syntax_error(struct reader *r)
{
	const char *text = r->text;
	size_t n = r->n;
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem != NULL ? p->problem : "the text cannot be read";
	yaml_mark_t m = p->problem_mark;
	size_t i, end;

	if (p->error == YAML_READER_ERROR) {
		end = p->problem_offset < n ? p->problem_offset : n;
		memset(&m, 0, sizeof(m));
		for (i = 0; i < end; i++) {
			m.line += text[i] == '\n';
			m.column = text[i] == '\n'
				       ? 0
				       : m.column + (((unsigned char)text[i] & 0xc0) != 0x80);
		}
		diag_at(r->d, line_of(m), column_of(m), "", false, "bad-encoding",
		    "save the file as UTF-8 without control characters",
		    "this byte is no text in UTF-8: %s", problem);
		return;
	}
	diag_at(r->d, line_of(m), column_of(m), "", false, "bad-yaml", cure(problem, byte_at(r, m)),
	    "%s%s%s%s", problem, p->context != NULL ? " " : "",
	    p->context != NULL ? p->context : "",
	    p->context != NULL && p->context_mark.line != m.line ? " that began further up" : "");
}

/* ---- tree ---- */
static struct yaml_node *new_node(struct reader *r, const yaml_event_t *e)
{
	struct yaml_node *n;

	if (++r->n_nodes > YAML_MAX_NODES) {
		stop_at(r, e->start_mark, "too-many-nodes",
		    "split the file, or use foreach with a list from elsewhere",
		    "the file has more than 10000 values");
		return NULL;
	}
	n = MEM_NEW(struct yaml_node);
	n->all_next = r->doc->all;
	r->doc->all = n;
	n->line = n->key_line = line_of(e->start_mark);
	n->column = n->key_column = n->text_column = column_of(e->start_mark);
	n->text = "";
	return n;
}

static uint32_t key_hash(const char *key)
{
	return hash_crc32c(0, key, strlen(key));
}

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	struct yaml_node *n;

	if (map == NULL || map->kind != YAML_MAP)
		return NULL;
	for (n = map->first; n != NULL; n = n->next)
		if (strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

static void check_duplicate(
    struct reader *r, const struct yaml_node *parent, const struct yaml_node *n)
{
	const struct yaml_node *m;

	for (m = parent->first; m != NULL && m != n; m = m->next) {
		if (m->key_hash != n->key_hash || strcmp(m->key, n->key) != 0)
			continue;
		diag_error_key(r->d, n, "duplicate-key", "keep one of them",
		    "the key \"%s\" stands twice in this map; the first one is in line %u", n->key,
		    m->key_line);
		return;
	}
}

/* Puts the node under the open list or map; a scalar where a key is due becomes the key instead. */
static void attach(struct reader *r, struct yaml_node *n)
{
	struct yaml_node *parent = r->depth > 0 ? r->stack[r->depth - 1] : NULL;

	if (parent == NULL) {
		r->doc->root = n;
		return;
	}
	n->parent = parent;
	n->index = parent->n++;
	if (parent->last != NULL)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	if (parent->kind == YAML_MAP) {
		n->key = r->key[r->depth - 1];
		r->key[r->depth - 1] = NULL;
		n->key_hash = key_hash(n->key);
		n->key_line = line_of(r->key_mark[r->depth - 1]);
		n->key_column = column_of(r->key_mark[r->depth - 1]);
		check_duplicate(r, parent, n);
	}
}

static bool key_is_due(const struct reader *r)
{
	return r->depth > 0 && r->stack[r->depth - 1]->kind == YAML_MAP &&
	       r->key[r->depth - 1] == NULL;
}

static void refuse_decoration(
    struct reader *r, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		diag_at(r->d, line_of(e->start_mark), column_of(e->start_mark), "", false,
		    "no-anchors",
		    "defaults: and foreach save repetition; a text that begins with & needs quotes",
		    "anchors (&%s) are not allowed", (const char *)anchor);
	if (tag != NULL)
		diag_at(r->d, line_of(e->start_mark), column_of(e->start_mark), "", false,
		    "no-tags", "leave it out; a text that begins with ! needs quotes",
		    "tags (%s) are not allowed", (const char *)tag);
}

static void take_key(struct reader *r, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;

	if (strlen(text) != e->data.scalar.length) {
		stop_at(r, e->start_mark, "bad-encoding", "leave it out",
		    "a key holds a NUL character");
		return;
	}
	if (strcmp(text, "<<") == 0 && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		diag_at(r->d, line_of(e->start_mark), column_of(e->start_mark), "", false,
		    "no-merge-keys", "defaults: and foreach save repetition",
		    "merge keys (<<) are not allowed");
	r->key[r->depth - 1] = mem_strdup(text);
	r->key_mark[r->depth - 1] = e->start_mark;
}

/* Whether each character of the text is one column of the file. */
static void set_columns(struct yaml_node *n, const yaml_event_t *e, bool quoted)
{
	size_t chars = 0, width;
	const char *s;

	if (e->start_mark.line != e->end_mark.line)
		return;
	for (s = n->text; *s != '\0'; s++)
		chars += ((unsigned char)*s & 0xc0) != 0x80;
	width = e->end_mark.column - e->start_mark.column;
	n->exact = width == chars + (quoted ? 2 : 0);
	if (n->exact && quoted)
		n->text_column++;
}

/* Blanks at the beginning of the file's line (from 0). */
static size_t indent_of(const struct reader *r, size_t line)
{
	size_t i, n = 0;

	for (i = 0; i < r->n && line > 0; i++)
		line -= r->text[i] == '\n';
	for (; i < r->n && r->text[i] == ' '; i++)
		n++;
	return n;
}

/* The lines of a | block stand in the file as they are, but for their indentation. */
static void set_block(const struct reader *r, struct yaml_node *n, const yaml_event_t *e)
{
	size_t empty = strspn(n->text, "\n"), own = strspn(n->text + empty, " ");
	size_t there = indent_of(r, e->start_mark.line + 1 + empty);

	n->block = there >= own;
	n->block_indent = (uint32_t)(there - own);
}

static void take_scalar(struct reader *r, const yaml_event_t *e)
{
	yaml_scalar_style_t style = e->data.scalar.style;
	const char *text = (const char *)e->data.scalar.value;
	struct yaml_node *n;

	refuse_decoration(r, e, e->data.scalar.anchor, e->data.scalar.tag);
	if (key_is_due(r)) {
		take_key(r, e);
		return;
	}
	n = new_node(r, e);
	if (n == NULL)
		return;
	n->kind = YAML_TEXT;
	n->text = mem_strdup(text);
	attach(r, n);
	if (strlen(text) != e->data.scalar.length) {
		diag_error(
		    r->d, n, "bad-encoding", "leave it out", "the text holds a NUL character");
		n->bad = true;
	}
	if (style == YAML_PLAIN_SCALAR_STYLE)
		resolve_plain(n);
	else if (style == YAML_LITERAL_SCALAR_STYLE)
		set_block(r, n, e);
	if (n->kind == YAML_FLOAT && !isfinite(n->f)) {
		diag_error(r->d, n, "bad-value", "write a finite number, or a text in quotes",
		    "%s is no number that can be used", n->text);
		n->bad = true;
		n->f = 0;
	}
	set_columns(n, e,
	    style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

/* Stands for nothing, so that the rest of the file is read too. */
static void take_alias(struct reader *r, const yaml_event_t *e)
{
	struct yaml_node *n;

	diag_at(r->d, line_of(e->start_mark), column_of(e->start_mark), "", false, "no-anchors",
	    "a text that begins with * needs quotes, as in cron: \"* * * * *\"; defaults: and "
	    "foreach save "
	    "repetition",
	    "aliases (*%.80s) are not allowed", (const char *)e->data.alias.anchor);
	if (key_is_due(r)) {
		r->stop = true;
		return;
	}
	n = new_node(r, e);
	if (n == NULL)
		return;
	n->text = mem_strdup("");
	n->bad = true;
	attach(r, n);
}

static void open_node(struct reader *r, const yaml_event_t *e, enum yaml_kind kind)
{
	struct yaml_node *n;

	if (key_is_due(r)) {
		stop_at(r, e->start_mark, "bad-key", "a text with ${…} or { } needs quotes",
		    "a list or map cannot be a key");
		return;
	}
	if (r->depth == YAML_MAX_DEPTH) {
		stop_at(r, e->start_mark, "too-deep", "flatten the value",
		    "the file nests deeper than 32 levels");
		return;
	}
	n = new_node(r, e);
	if (n == NULL)
		return;
	n->kind = kind;
	attach(r, n);
	r->stack[r->depth++] = n;
}

static void take_event(struct reader *r, const yaml_event_t *e, bool *ret_end)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (r->doc->root != NULL)
			stop_at(r, e->start_mark, "one-document",
			    "put the second DAG into a file of its own",
			    "a file holds one document, a second one begins here");
		break;
	case YAML_ALIAS_EVENT:
		take_alias(r, e);
		break;
	case YAML_SCALAR_EVENT:
		take_scalar(r, e);
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_decoration(r, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
		open_node(r, e, YAML_LIST);
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_decoration(r, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
		open_node(r, e, YAML_MAP);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		break;
	case YAML_STREAM_END_EVENT:
		*ret_end = true;
		break;
	default:
		break;
	}
}

static void read_events(struct reader *r)
{
	bool end = false;
	yaml_event_t e;

	while (!end && !r->stop) {
		if (!yaml_parser_parse(&r->parser, &e)) {
			syntax_error(r);
			r->stop = true;
			break;
		}
		take_event(r, &e, &end);
		yaml_event_delete(&e);
	}
	r->doc->broken = r->stop;
	while (r->depth > 0)
		mem_free(r->key[--r->depth]);
}

/* ---- JSON ---- */
static int hex4(const char *s)
{
	unsigned v = 0, i;

	for (i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef", *at;

		at = s[i] != '\0' ? strchr(digits, s[i] >= 'A' && s[i] <= 'F' ? s[i] + 32 : s[i])
				  : NULL;
		if (at == NULL)
			return -1;
		v = v * 16 + (unsigned)(at - digits);
	}
	return (int)v;
}

/* JSON writes characters beyond U+FFFF as two escapes, which YAML does not know: \ud83d\ude00
 * becomes \U0001f600; columns behind it on the line are off by two. NULL where nothing has to
 * change. */
static char *join_surrogates(const char *text, size_t n, size_t *ret_n)
{
	char *out, *to;
	size_t i = 0;

	if (memmem(text, n, "\\ud", 3) == NULL && memmem(text, n, "\\uD", 3) == NULL)
		return NULL;
	out = to = mem_alloc(n + 1);
	while (i < n) {
		int high = -1, low = -1;

		if (text[i] == '\\' && n - i >= 12 && text[i + 1] == 'u' && text[i + 6] == '\\' &&
		    text[i + 7] == 'u') {
			high = hex4(text + i + 2);
			low = hex4(text + i + 8);
		}
		if (high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			to += snprintf(to, 11, "\\U%08x",
			    0x10000u + (unsigned)(high - 0xd800) * 0x400u +
				(unsigned)(low - 0xdc00));
			i += 12;
		} else if (text[i] == '\\' && i + 1 < n) {
			*to++ = text[i++]; /* an escaped backslash begins nothing */
			*to++ = text[i++];
		} else {
			*to++ = text[i++];
		}
	}
	*ret_n = (size_t)(to - out);
	return out;
}

static bool is_json(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n && strchr(" \t\r\n", text[i]) != NULL && text[i] != '\0'; i++)
		;
	return i < n && (text[i] == '{' || text[i] == '[');
}

struct yaml_doc *yaml_doc_parse(const char *text, size_t n, struct diags *d)
{
	struct reader r;
	char *json;

	memset(&r, 0, sizeof(r));
	r.d = d;
	r.doc = MEM_NEW(struct yaml_doc);
	if (n > YAML_MAX_BYTES) {
		diag_at(d, 1, 1, "", false, "too-long", "split the file",
		    "the file has %zu bytes, more than %u", n, YAML_MAX_BYTES);
		return r.doc;
	}
	if (!yaml_parser_initialize(&r.parser)) {
		diag_at(d, 1, 1, "", false, "bad-yaml", NULL, "out of memory");
		return r.doc;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	json = is_json(text, n) ? join_surrogates(text, n, &n) : NULL;
	if (json != NULL)
		text = json;
	r.text = text;
	r.n = n;
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
	read_events(&r);
	yaml_parser_delete(&r.parser);
	mem_free(json);
	if (r.doc->root == NULL && d->n_errors == 0)
		diag_at(d, 1, 1, "", false, "empty-file", NULL, "the file is empty");
	return r.doc;
}

void yaml_doc_free(struct yaml_doc *doc)
{
	struct yaml_node *n, *next;

	if (doc == NULL)
		return;
	for (n = doc->all; n != NULL; n = next) {
		next = n->all_next;
		if (n->kind != YAML_LIST && n->kind != YAML_MAP)
			mem_free((void *)(uintptr_t)n->text);
		mem_free((void *)(uintptr_t)n->key);
		mem_free(n);
	}
	mem_free(doc);
}

struct yaml_node *yaml_doc_root(const struct yaml_doc *doc)
{
	return doc != NULL && !doc->broken ? doc->root : NULL;
}

/* ---- reading ---- */
const char *yaml_kind_name(const struct yaml_node *n)
{
	static const char *const NAMES[] = {
	    "nothing", "true or false", "a whole number", "a number", "a text", "a list", "a map"};

	if (n->kind == YAML_BOOL)
		return n->flag ? "true" : "false";
	return NAMES[n->kind];
}

void yaml_path(const struct yaml_node *n, struct str *out)
{
	const struct yaml_node *chain[YAML_MAX_DEPTH + 1];
	size_t len = 0;

	for (; n != NULL && n->parent != NULL && len <= YAML_MAX_DEPTH; n = n->parent)
		chain[len++] = n;
	while (len > 0) {
		n = chain[--len];
		if (n->key == NULL)
			str_addf(out, "[%u]", (unsigned)n->index);
		else if (strpbrk(n->key, ".[]\"") != NULL || n->key[0] == '\0')
			str_addf(out, "[\"%.200s\"]", n->key);
		else
			str_addf(out, "%s%.200s", out->len > 0 ? "." : "", n->key);
	}
}

void yaml_write_json(const struct yaml_node *n, struct jw *w)
{
	const struct yaml_node *c;

	switch (n->kind) {
	case YAML_NULL:
		jw_null(w);
		break;
	case YAML_BOOL:
		jw_bool(w, n->flag);
		break;
	case YAML_INT:
		jw_i64(w, n->i);
		break;
	case YAML_FLOAT:
		jw_num(w, n->f);
		break;
	case YAML_TEXT:
		jw_str(w, n->text);
		break;
	case YAML_LIST:
		jw_array(w);
		for (c = n->first; c != NULL; c = c->next)
			yaml_write_json(c, w);
		jw_end_array(w);
		break;
	case YAML_MAP:
		jw_object(w);
		for (c = n->first; c != NULL; c = c->next) {
			jw_key(w, c->key);
			yaml_write_json(c, w);
		}
		jw_end_object(w);
		break;
	}
}

struct json *yaml_to_json(const struct yaml_node *n)
{
	struct json *j;
	const struct yaml_node *c;

	switch (n->kind) {
	case YAML_NULL:
		return json_new_null();
	case YAML_BOOL:
		return json_new_bool(n->flag);
	case YAML_INT:
		return json_new_i64(n->i);
	case YAML_FLOAT:
		return json_new_num(n->f);
	case YAML_TEXT:
		return json_new_str(n->text);
	case YAML_LIST:
		j = json_new_array();
		for (c = n->first; c != NULL; c = c->next)
			json_push(j, yaml_to_json(c));
		return j;
	case YAML_MAP:
		break;
	}
	j = json_new_object();
	for (c = n->first; c != NULL; c = c->next)
		json_put(j, c->key, yaml_to_json(c));
	return j;
}

void yaml_place_at(
    const struct yaml_node *n, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
	unsigned line = n->line, column = n->text_column;
	size_t i;

	*ret_line = n->line;
	*ret_column = n->column;
	if (!n->exact && !n->block)
		return;
	if (n->block) {
		line++;
		column = n->block_indent + 1;
	}
	for (i = 0; i < offset && n->text[i] != '\0'; i++) {
		column += ((unsigned char)n->text[i] & 0xc0) != 0x80;
		if (n->text[i] == '\n') {
			line++;
			column = n->block_indent + 1;
		}
	}
	*ret_line = line;
	*ret_column = column;
}
