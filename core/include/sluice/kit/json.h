/* json.h: reading the JSON that the host hands out (maps and lists of options, marks, positions). A
 * tree; the root is owned by the caller, every other node is borrowed from it; all readers accept
 * NULL. */
#ifndef SLUICE_KIT_JSON_H
#define SLUICE_KIT_JSON_H
#include "sluice/kit/buf.h"
#include "sluice/kit/error.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct slu_json slu_json;
enum {
	SLU_JSON_NULL,
	SLU_JSON_BOOL,
	SLU_JSON_NUMBER,
	SLU_JSON_STRING,
	SLU_JSON_ARRAY,
	SLU_JSON_OBJECT
};

/* what: for the message. text NULL gives *out NULL and SLU_OK; SLU_E_CONFIG where it is no JSON. */
slu_rc slu_json_parse(const char *text, const char *what, slu_json **out, slu_err *err) SLU_CHECK;
/* The host's value at path, parsed; *out NULL where the option is not given. */
slu_rc slu_option_json(
    const slu_host *host, slu_run *run, const char *path, slu_json **out, slu_err *err) SLU_CHECK;
void slu_json_free(slu_json *root);
int slu_json_type(const slu_json *j);
const slu_json *slu_json_get(const slu_json *j, const char *key);
const slu_json *slu_json_first(const slu_json *j);
const slu_json *slu_json_next(const slu_json *j);
size_t slu_json_len(const slu_json *j);
const char *slu_json_key(const slu_json *j);
const char *slu_json_str(const slu_json *j, const char *fallback);
int64_t slu_json_i64(const slu_json *j, int64_t fallback);
int slu_json_bool(const slu_json *j, int fallback);
const char *slu_json_get_str(const slu_json *j, const char *key, const char *fallback);
/* What a JSON pointer ("/items/0/id", "" for root itself, RFC 6901) leads to; NULL: nothing. */
const slu_json *slu_json_at(const slu_json *root, const char *pointer);
/* 1 for equal values: numbers by value (as doubles: whole ones are told apart up to 2^53), members
 * in any order. */
int slu_json_equal(const slu_json *a, const slu_json *b);
/* Compact JSON text of the node. */
void slu_json_print(const slu_json *j, slu_buf *out);
int64_t slu_json_get_i64(const slu_json *j, const char *key, int64_t fallback);

#ifdef __cplusplus
}
#endif
#endif
