/* json.h: JSON in and out. Reading wraps cJSON behind `struct json` with the checks it lacks
 * (depth, duplicate keys, size, trailing text, UTF-8); writing is a streaming writer into a struct
 * str, because building trees to print them costs most of the time. The only user of cJSON.h. */
#ifndef CORE_BASE_JSON_H
#define CORE_BASE_JSON_H

#include "core/base/err.h"
#include "core/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json; /* a node; the root is owned, every other node borrowed from it */

#define JSON_MAX_DEPTH 64
enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* One value and nothing behind it; duplicate keys, depth > JSON_MAX_DEPTH, n > max, bad UTF-8 and
 * \u0000 are ERR_PARSE or ERR_LIMIT with the byte offset in the text. */
int json_parse(
    const char *text, size_t n, size_t max, struct json **ret, struct err *err) CHECK_RESULT;
void json_free(struct json *root); /* accepts NULL */
struct json *json_dup(const struct json *j);

enum json_type json_type(const struct json *j);	      /* NULL node: JSON_NULL */
bool json_is(const struct json *j, enum json_type t); /* false for a NULL node */
/* Object member or NULL; array element or NULL. j may be NULL. */
const struct json *json_get(const struct json *j, const char *key);
const struct json *json_path(const struct json *j, const char *dotted); /* "a.b.c" */
const struct json *json_at(
    const struct json *j, size_t i);   /* O(i): loop with json_first/json_next instead */
size_t json_len(const struct json *j); /* elements or members; 0 otherwise */
const struct json *json_first(const struct json *j);
const struct json *json_next(const struct json *j);
const char *json_key(const struct json *j); /* of a member; NULL otherwise */
/* Values; the fallback where the node is missing or of another type. */
const char *json_str(const struct json *j, const char *fallback);
double json_num(const struct json *j, double fallback);
int64_t json_i64(
    const struct json *j, int64_t fallback); /* also a decimal string, as 64-bit ids are written */
bool json_bool(const struct json *j, bool fallback);
/* Shorthands: json_get then the value. */
const char *json_get_str(const struct json *j, const char *key, const char *fallback);
int64_t json_get_i64(const struct json *j, const char *key, int64_t fallback);
bool json_get_bool(const struct json *j, const char *key, bool fallback);
/* Deep equality; numbers by value, objects without order. */
bool json_equal(const struct json *a, const struct json *b);
/* Compact text of the node, members in their order. */
void json_print(const struct json *j, struct str *out);
void json_print_pretty(const struct json *j, struct str *out); /* two blanks, for people */
/* Building: new nodes are owned by the caller until they are put into a parent. */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_str(const char *s);
struct json *json_new_num(double v);
struct json *json_new_i64(int64_t v); /* a number; beyond 2^53 a decimal string */
struct json *json_new_bool(bool v);
struct json *json_new_null(void);
void json_put(
    struct json *object, const char *key, struct json *take); /* replaces; frees what was there */
void json_push(struct json *array, struct json *take);
void json_remove(struct json *object, const char *key);

/* ---- streaming writer ---- */
/* No tree and no limit of depth. A comma is due where the last byte written ends a value. */
struct jw {
	struct str *out; /* borrowed */
	unsigned depth;
	bool after_key;
};
void jw_init(struct jw *w, struct str *out);
void jw_object(struct jw *w);
void jw_array(struct jw *w);
void jw_end_object(struct jw *w);
void jw_end_array(struct jw *w);
void jw_key(struct jw *w, const char *key);
void jw_str(struct jw *w, const char *s); /* NULL writes null; invalid UTF-8 becomes U+FFFD */
void jw_strn(struct jw *w, const char *s, size_t n);
void jw_i64(struct jw *w, int64_t v);
void jw_u64(struct jw *w, uint64_t v);
void jw_num(struct jw *w, double v); /* shortest that reads back; NaN and infinity write null */
void jw_bool(struct jw *w, bool v);
void jw_null(struct jw *w);
void jw_raw(struct jw *w, const char *json); /* a JSON text that is known to be whole */
void jw_json(struct jw *w, const struct json *j);
void jw_time(struct jw *w, int64_t wall_us_value); /* RFC 3339 ms; TIME_NONE writes null */
void jw_u64_text(struct jw *w, uint64_t v);	   /* a decimal in quotes, as event ids are */
/* key and value in one call */
void jw_kstr(struct jw *w, const char *key, const char *s);
void jw_ki64(struct jw *w, const char *key, int64_t v);
void jw_kbool(struct jw *w, const char *key, bool v);
void jw_ktime(struct jw *w, const char *key, int64_t v);

#endif
