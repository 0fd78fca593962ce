/* json_build.c: a checked text as a tree of cJSON nodes. cJSON's own parser makes three allocations
 * a member and walks each string twice; here a node holds its key and text itself, which cJSON
 * calls a constant key and a referenced text: it frees neither. */
#include "core/base/json_build.h"

#include "core/base/mem.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FAST_DIGITS 15	/* fit a double exactly */
#define NUMBER_BYTES 64 /* json_scan takes no longer ones */
#define TABLE_KEYS 128	/* members up to which keys are looked up in a table on the stack */
#define TABLE_SLOTS 512 /* a power of two */

/* The inside of a string in the text, without its quotes. */
struct span {
	const char *p;
	size_t n;
	bool escaped;
};

struct build {
	const char *at; /* borrowed; what is there was found good by json_scan */
	const char *end;
	struct json_built *ret;
};

static cJSON *build_value(struct build *b, const struct span *key);

static void skip_blanks(struct build *b)
{
	while (
	    b->at < b->end && (*b->at == ' ' || *b->at == '\n' || *b->at == '\t' || *b->at == '\r'))
		b->at++;
}

static struct span take_string(struct build *b)
{
	struct span s = {.p = ++b->at};

	while (*b->at != '"') {
		if (*b->at == '\\') {
			s.escaped = true;
			b->at++;
		}
		b->at++;
	}
	s.n = (size_t)(b->at - s.p);
	b->at++;
	return s;
}

/* ---- texts ---- */

static unsigned hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++)
		v = v * 16 + (unsigned)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return v;
}

static char *put_utf8(char *out, unsigned c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*out++ = (char)(0xe0 | c >> 12);
		} else {
			*out++ = (char)(0xf0 | c >> 18);
			*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

/* One escape at *p, behind its backslash. */
static char *put_escape(char *out, const char **p)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *letter = strchr(from, **p);
	unsigned c;

	if (**p != 'u') {
		*out++ = letter != NULL ? to[letter - from] : **p;
		(*p)++;
		return out;
	}
	c = hex4(*p + 1);
	*p += 5;
	if (c >= 0xd800 && c < 0xdc00) {
		c = 0x10000 + ((c - 0xd800) << 10) + (hex4(*p + 2) - 0xdc00);
		*p += 6;
	}
	return put_utf8(out, c);
}

/* Never longer than the span; ends with a zero. */
static void put_text(char *out, const struct span *s)
{
	const char *p = s->p, *end = s->p + s->n;

	if (!s->escaped) {
		memcpy(out, s->p, s->n);
		out[s->n] = '\0';
		return;
	}
	while (p < end) {
		if (*p != '\\') {
			*out++ = *p++;
			continue;
		}
		p++;
		out = put_escape(out, &p);
	}
	*out = '\0';
}

/* ---- nodes ---- */

/* With room for its key and for `more` bytes of text; NULL: no memory. */
static cJSON *node_new(int type, const struct span *key, size_t more, char **ret_text)
{
	size_t key_bytes = key != NULL ? key->n + 1 : 0;
	size_t n = sizeof(cJSON) + key_bytes + more;
	cJSON *c = mem_try_alloc(n, n);

	if (c == NULL)
		return NULL;
	memset(c, 0, sizeof(*c));
	c->type = type;
	if (key != NULL) {
		c->string = (char *)(c + 1);
		c->type |= cJSON_StringIsConst;
		put_text(c->string, key);
	}
	if (ret_text != NULL)
		*ret_text = (char *)(c + 1) + key_bytes;
	return c;
}

static cJSON *build_string(struct build *b, const struct span *key)
{
	struct span s = take_string(b);
	char *text = NULL;
	cJSON *c = node_new(cJSON_String | cJSON_IsReference, key, s.n + 1, &text);

	if (c == NULL)
		return NULL;
	put_text(text, &s);
	c->valuestring = text;
	return c;
}

static bool is_number_char(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static double take_number(struct build *b)
{
	const char *from = b->at;
	bool negative = *from == '-', whole = true;
	char text[NUMBER_BYTES];
	int64_t v = 0;
	size_t n;

	for (b->at += negative; b->at < b->end && is_number_char(*b->at); b->at++) {
		whole &= *b->at >= '0' && *b->at <= '9';
		if (whole && b->at - from <= FAST_DIGITS)
			v = v * 10 + (*b->at - '0');
	}
	n = (size_t)(b->at - from);
	if (whole && n <= FAST_DIGITS)
		return negative ? -(double)v : (double)v;
	memcpy(text, from, n);
	text[n] = '\0';
	return strtod(text, NULL);
}

static cJSON *build_number(struct build *b, const struct span *key)
{
	cJSON *c = node_new(cJSON_Number, key, 0, NULL);
	double v = take_number(b);

	if (c == NULL)
		return NULL;
	b->ret->too_large |= !isfinite(v);
	c->valuedouble = v;
	c->valueint = v >= INT_MAX ? INT_MAX : v <= (double)INT_MIN ? INT_MIN : (int)v;
	return c;
}

static cJSON *build_word(struct build *b, const struct span *key)
{
	int type = *b->at == 't' ? cJSON_True : *b->at == 'f' ? cJSON_False : cJSON_NULL;

	cJSON *c = node_new(type, key, 0, NULL);

	b->at += type == cJSON_False ? 5 : 4;
	if (c != NULL)
		c->valueint = type == cJSON_True; /* as cJSON does */
	return c;
}

/* ---- keys that occur twice ---- */

static int by_key(const void *a, const void *b)
{
	const cJSON *const *x = a, *const *y = b;

	return strcmp((*x)->string, (*y)->string);
}

const cJSON **json_build_sorted(const cJSON *object, size_t n)
{
	const cJSON **v = mem_calloc(n, sizeof(*v)), *c;
	size_t i = 0;

	for (c = object->child; c != NULL; c = c->next)
		v[i++] = c;
	qsort(v, n, sizeof(*v), by_key);
	return v;
}

static const char *twice_sorted(const cJSON *object, size_t n)
{
	const cJSON **v = json_build_sorted(object, n);
	const char *found = NULL;
	size_t i;

	for (i = 1; i < n && found == NULL; i++)
		if (strcmp(v[i - 1]->string, v[i]->string) == 0)
			found = v[i]->string;
	mem_free(v);
	return found;
}

static unsigned key_hash(const char *key)
{
	unsigned h = 2166136261u;

	for (; *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return h ^ h >> 15;
}

static const char *twice_by_table(const cJSON *object, size_t n)
{
	const cJSON *slot[TABLE_SLOTS], *c;
	unsigned slots = 16, i;

	while (slots < 4 * n)
		slots *= 2;
	memset(slot, 0, slots * sizeof(slot[0]));
	for (c = object->child; c != NULL; c = c->next) {
		for (i = key_hash(c->string) & (slots - 1); slot[i] != NULL;
		     i = (i + 1) & (slots - 1))
			if (strcmp(slot[i]->string, c->string) == 0)
				return c->string;
		slot[i] = c;
	}
	return NULL;
}

static const char *key_twice(const cJSON *object, size_t n)
{
	if (n < 2)
		return NULL;
	return n <= TABLE_KEYS ? twice_by_table(object, n) : twice_sorted(object, n);
}

/* ---- objects and arrays ---- */

static cJSON *build_item(struct build *b, bool object)
{
	struct span key;

	skip_blanks(b);
	if (!object)
		return build_value(b, NULL);
	key = take_string(b);
	skip_blanks(b);
	b->at++; /* : */
	return build_value(b, &key);
}

/* As cJSON keeps lists: the first one's prev is the last. */
static void append(cJSON *list, cJSON *item)
{
	if (list->child == NULL) {
		list->child = item;
		item->prev = item;
		return;
	}
	item->prev = list->child->prev;
	item->prev->next = item;
	list->child->prev = item;
}

static cJSON *build_items(struct build *b, const struct span *key, bool object)
{
	char close = object ? '}' : ']';
	cJSON *list = node_new(object ? cJSON_Object : cJSON_Array, key, 0, NULL), *item;
	const char *twice;
	size_t n = 0;

	b->at++;
	skip_blanks(b);
	if (list == NULL)
		return NULL;
	while (*b->at != close) {
		b->at += *b->at == ',';
		item = build_item(b, object);
		if (item == NULL) {
			cJSON_Delete(list);
			return NULL;
		}
		append(list, item);
		n++;
		skip_blanks(b);
	}
	b->at++;
	twice = object && b->ret->twice == NULL ? key_twice(list, n) : NULL;
	if (twice != NULL)
		b->ret->twice = twice;
	return list;
}

static cJSON *build_value(struct build *b, const struct span *key)
{
	skip_blanks(b);
	switch (*b->at) {
	case '{':
		return build_items(b, key, true);
	case '[':
		return build_items(b, key, false);
	case '"':
		return build_string(b, key);
	case 't':
	case 'f':
	case 'n':
		return build_word(b, key);
	default:
		return build_number(b, key);
	}
}

cJSON *json_build(const char *text, size_t n, struct json_built *ret)
{
	struct build b = {.at = text, .end = text + n, .ret = ret};

	memset(ret, 0, sizeof(*ret));
	return build_value(&b, NULL);
}

/* cJSON_Duplicate would share constant keys with the original. */
cJSON *json_build_copy(const cJSON *c)
{
	struct span key = {.p = c->string, .n = c->string != NULL ? strlen(c->string) : 0};
	struct span value = {
	    .p = c->valuestring, .n = c->valuestring != NULL ? strlen(c->valuestring) : 0};
	int type = (c->type & 0xff) | (value.p != NULL ? cJSON_IsReference : 0);
	char *text = NULL;
	cJSON *copy = node_new(type, key.p != NULL ? &key : NULL, value.n + 1, &text), *item;

	if (copy == NULL)
		return NULL;
	copy->valuedouble = c->valuedouble;
	copy->valueint = c->valueint;
	if (value.p != NULL) {
		put_text(text, &value);
		copy->valuestring = text;
	}
	for (c = c->child; c != NULL; c = c->next) {
		item = json_build_copy(c);
		if (item == NULL) {
			cJSON_Delete(copy);
			return NULL;
		}
		append(copy, item);
	}
	return copy;
}
