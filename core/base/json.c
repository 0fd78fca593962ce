/* json.c: the tree. A struct json is a cJSON node under another name. */
#include "core/base/json.h"

#include "core/base/json_build.h"
#include "core/base/json_scan.h"
#include "core/base/mem.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_MAX 9007199254740992.0 /* 2^53: doubles name every integer up to here */

static const cJSON *node(const struct json *j)
{
	return (const cJSON *)j;
}

static cJSON *node_rw(struct json *j)
{
	return (cJSON *)j;
}

static const struct json *wrap(const cJSON *c)
{
	return (const struct json *)c;
}

/* cJSON gives NULL only when memory is out. */
static struct json *made(cJSON *c)
{
	if (c == NULL)
		abort();
	return (struct json *)c;
}

/* ---- parsing ---- */

int json_parse(const char *text, size_t n, size_t max, struct json **ret, struct err *err)
{
	struct json_built built;
	cJSON *root;
	int rc;

	if (n > max)
		return err_set(err, ERR_LIMIT,
		    "JSON: %zu bytes, more than the %zu allowed (stopped at byte %zu)", n, max,
		    max);
	rc = json_scan(text, n, err);
	if (rc != 0)
		return rc;
	root = json_build(text, n, &built);
	if (root == NULL)
		return err_set(err, ERR_NOMEM, "JSON: no memory for %zu bytes of text", n);
	if (built.too_large)
		rc = err_set(err, ERR_PARSE, "JSON: a number that is too large");
	else if (built.twice != NULL)
		rc = err_set(err, ERR_PARSE, "JSON: the key \"%.100s\" occurs twice", built.twice);
	if (rc != 0) {
		cJSON_Delete(root);
		return rc;
	}
	*ret = (struct json *)root;
	return 0;
}

void json_free(struct json *root)
{
	cJSON_Delete(node_rw(root));
}

struct json *json_dup(const struct json *j)
{
	return made(j != NULL ? json_build_copy(node(j)) : NULL);
}

/* ---- reading ---- */

enum json_type json_type(const struct json *j)
{
	const cJSON *c = node(j);

	switch (c == NULL ? cJSON_NULL : c->type & 0xff) {
	case cJSON_True:
	case cJSON_False:
		return JSON_BOOL;
	case cJSON_Number:
		return JSON_NUMBER;
	case cJSON_String:
		return JSON_STRING;
	case cJSON_Array:
		return JSON_ARRAY;
	case cJSON_Object:
		return JSON_OBJECT;
	default:
		return JSON_NULL;
	}
}

bool json_is(const struct json *j, enum json_type t)
{
	return j != NULL && json_type(j) == t;
}

const struct json *json_get(const struct json *j, const char *key)
{
	const cJSON *c;

	if (!json_is(j, JSON_OBJECT))
		return NULL;
	for (c = node(j)->child; c != NULL; c = c->next)
		if (c->string[0] == key[0] && strcmp(c->string, key) == 0)
			return wrap(c);
	return NULL;
}

const struct json *json_path(const struct json *j, const char *dotted)
{
	const char *dot;
	size_t n;
	const cJSON *c;

	for (;; dotted = dot + 1) {
		dot = strchr(dotted, '.');
		n = dot == NULL ? strlen(dotted) : (size_t)(dot - dotted);
		if (!json_is(j, JSON_OBJECT))
			return NULL;
		for (c = node(j)->child; c != NULL; c = c->next)
			if (strncmp(c->string, dotted, n) == 0 && c->string[n] == '\0')
				break;
		j = wrap(c);
		if (dot == NULL || j == NULL)
			return j;
	}
}

const struct json *json_at(const struct json *j, size_t i)
{
	const struct json *c;

	if (!json_is(j, JSON_ARRAY))
		return NULL;
	for (c = json_first(j); c != NULL && i > 0; i--)
		c = json_next(c);
	return c;
}

size_t json_len(const struct json *j)
{
	const struct json *c;
	size_t n = 0;

	for (c = json_first(j); c != NULL; c = json_next(c))
		n++;
	return n;
}

const struct json *json_first(const struct json *j)
{
	return json_is(j, JSON_ARRAY) || json_is(j, JSON_OBJECT) ? wrap(node(j)->child) : NULL;
}

const struct json *json_next(const struct json *j)
{
	return wrap(node(j)->next);
}

const char *json_key(const struct json *j)
{
	return j == NULL ? NULL : node(j)->string;
}

const char *json_str(const struct json *j, const char *fallback)
{
	return json_is(j, JSON_STRING) ? node(j)->valuestring : fallback;
}

double json_num(const struct json *j, double fallback)
{
	return json_is(j, JSON_NUMBER) ? node(j)->valuedouble : fallback;
}

int64_t json_i64(const struct json *j, int64_t fallback)
{
	int64_t v;
	double d;

	if (json_is(j, JSON_STRING))
		return str_to_i64(node(j)->valuestring, &v) == 0 ? v : fallback;
	if (!json_is(j, JSON_NUMBER))
		return fallback;
	d = node(j)->valuedouble;
	return fabs(d) <= EXACT_MAX && d == floor(d) ? (int64_t)d : fallback;
}

bool json_bool(const struct json *j, bool fallback)
{
	return json_is(j, JSON_BOOL) ? (node(j)->type & 0xff) == cJSON_True : fallback;
}

const char *json_get_str(const struct json *j, const char *key, const char *fallback)
{
	return json_str(json_get(j, key), fallback);
}

int64_t json_get_i64(const struct json *j, const char *key, int64_t fallback)
{
	return json_i64(json_get(j, key), fallback);
}

bool json_get_bool(const struct json *j, const char *key, bool fallback)
{
	return json_bool(json_get(j, key), fallback);
}

static bool objects_equal(const struct json *a, const struct json *b)
{
	size_t n = json_len(a), i;
	const cJSON **x, **y;
	bool same = true;

	if (n != json_len(b))
		return false;
	x = json_build_sorted(node(a), n);
	y = json_build_sorted(node(b), n);
	for (i = 0; i < n && same; i++)
		same =
		    strcmp(x[i]->string, y[i]->string) == 0 && json_equal(wrap(x[i]), wrap(y[i]));
	mem_free(x);
	mem_free(y);
	return same;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (json_type(a) != json_type(b))
		return false;
	switch (json_type(a)) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return json_bool(a, false) == json_bool(b, false);
	case JSON_NUMBER:
		return json_num(a, 0) == json_num(b, 0);
	case JSON_STRING:
		return strcmp(json_str(a, ""), json_str(b, "")) == 0;
	case JSON_OBJECT:
		return objects_equal(a, b);
	case JSON_ARRAY:
		break;
	}
	a = json_first(a);
	b = json_first(b);
	for (; a != NULL && b != NULL; a = json_next(a), b = json_next(b))
		if (!json_equal(a, b))
			return false;
	return a == b;
}

/* ---- building ---- */

struct json *json_new_object(void)
{
	return made(cJSON_CreateObject());
}

struct json *json_new_array(void)
{
	return made(cJSON_CreateArray());
}

struct json *json_new_str(const char *s)
{
	return s == NULL ? json_new_null() : made(cJSON_CreateString(s));
}

struct json *json_new_num(double v)
{
	return isfinite(v) ? made(cJSON_CreateNumber(v)) : json_new_null();
}

struct json *json_new_i64(int64_t v)
{
	struct str b;
	struct json *j;

	if (v <= (int64_t)EXACT_MAX && v >= -(int64_t)EXACT_MAX)
		return json_new_num((double)v);
	str_init(&b, 24);
	str_addf(&b, "%lld", (long long)v);
	j = json_new_str(str_peek(&b));
	str_done(&b);
	return j;
}

struct json *json_new_bool(bool v)
{
	return made(cJSON_CreateBool(v));
}

struct json *json_new_null(void)
{
	return made(cJSON_CreateNull());
}

void json_put(struct json *object, const char *key, struct json *take)
{
	bool ok;

	if (json_get(object, key) != NULL)
		ok = cJSON_ReplaceItemInObjectCaseSensitive(node_rw(object), key, node_rw(take));
	else
		ok = cJSON_AddItemToObject(node_rw(object), key, node_rw(take));
	if (!ok)
		abort();
}

void json_push(struct json *array, struct json *take)
{
	if (!cJSON_AddItemToArray(node_rw(array), node_rw(take)))
		abort();
}

void json_remove(struct json *object, const char *key)
{
	cJSON_DeleteItemFromObjectCaseSensitive(node_rw(object), key);
}
