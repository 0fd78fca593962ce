/* host_config.c: how a plugin reads its options.
 *
 * A path "a.b.0" is looked up in the role's own options first, then among the core's keys of the
 * role (table, query, mode …). Column names may hold dots, so at each level the whole rest of the
 * path is tried as a key before it is split. What is not there comes from the default in the
 * plugin's table. */
#include "core/worker/host.h"

#include "core/base/clock.h"
#include "core/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SEGMENT_MAX 256
#define TEXT_MAX (16u << 20)

static const struct json *child(const struct json *node, const char *key)
{
	uint64_t i;

	if (json_is(node, JSON_OBJECT))
		return json_get(node, key);
	if (json_is(node, JSON_ARRAY) && str_to_u64(key, &i) == 0)
		return json_at(node, (size_t)i);
	return NULL;
}

static const struct json *walk(const struct json *node, const char *path)
{
	char segment[PATH_SEGMENT_MAX];

	while (node != NULL) {
		const struct json *whole = child(node, path);
		const char *dot = strchr(path, '.');
		size_t n = dot != NULL ? (size_t)(dot - path) : 0;

		if (whole != NULL || dot == NULL)
			return whole;
		if (n >= sizeof(segment))
			return NULL;
		memcpy(segment, path, n);
		segment[n] = '\0';
		node = child(node, segment);
		path = dot + 1;
	}
	return NULL;
}

/* The positions of the data set that an extract reads are the job's, not the file's. */
static const struct json *positions(const slu_run *run)
{
	const char *dataset = json_get_str(run->node, "dataset", NULL);

	return dataset != NULL ? json_get(run->at->job->positions, dataset) : NULL;
}

const struct json *host_lookup(slu_run *run, const char *path)
{
	const struct json *found = walk(json_get(run->node, "options"), path);

	if (found == NULL)
		found = walk(run->node, path);
	if (found == NULL && strcmp(path, "positions") == 0)
		found = positions(run);
	return json_is(found, JSON_NULL) ? NULL : found;
}

/* The declaration of a path: objects and lists lead to their children, maps to their element. */
static bool declared(const slu_run *run, const char *path, slu_opt *ret)
{
	char segment[PATH_SEGMENT_MAX];
	slu_opts table = run->table;
	const char *dot;

	for (;;) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(segment))
			return false;
		memcpy(segment, path, n);
		segment[n] = '\0';
		dot = path[n] == '.' ? path + n + 1 : NULL;
		if (!table_opt_find(&table, segment, ret))
			return false;
		while (dot != NULL && (ret->type == SLU_T_MAP || ret->type == SLU_T_LIST)) {
			const char *next = strchr(dot, '.');

			if (ret->sub.n == 0)
				return false;
			*ret = table_opt(&ret->sub, 0);
			dot = next != NULL ? next + 1 : NULL;
		}
		if (dot == NULL)
			return true;
		table = ret->sub;
		path = dot;
	}
}

static const char *default_of(const slu_run *run, const char *path, uint16_t *ret_type)
{
	slu_opt opt;

	*ret_type = 0;
	if (!declared(run, path, &opt))
		return NULL;
	*ret_type = opt.type;
	return opt.def != NULL && opt.def[0] != '\0' ? opt.def : NULL;
}

static const char *keep_text(slu_run *run, struct str *b)
{
	char *text;
	size_t i;

	if (b->failed) {
		str_done(b);
		return NULL;
	}
	for (i = 0; i < run->texts.n; i++) {
		if (strcmp(run->texts.v[i], str_peek(b)) != 0)
			continue;
		str_done(b);
		return run->texts.v[i];
	}
	text = b->s != NULL ? str_take(b) : mem_strdup("");
	VEC_ADD(&run->texts, text);
	return text;
}

const char *host_get_str(slu_run *run, const char *path)
{
	const struct json *node = host_lookup(run, path);
	struct str b;
	uint16_t type;

	if (node == NULL)
		return default_of(run, path, &type);
	if (json_is(node, JSON_STRING))
		return json_str(node, "");
	str_init(&b, TEXT_MAX);
	json_print(node, &b);
	return keep_text(run, &b);
}

const char *host_get_json(slu_run *run, const char *path)
{
	const struct json *node = host_lookup(run, path);
	struct str b;
	struct jw w;
	uint16_t type;
	const char *def;

	str_init(&b, TEXT_MAX);
	if (node != NULL) {
		json_print(node, &b);
		return keep_text(run, &b);
	}
	def = default_of(run, path, &type);
	if (def == NULL)
		return NULL;
	jw_init(&w, &b);
	if (type == SLU_T_STRING || type == SLU_T_ENUM || type == SLU_T_URI || type == SLU_T_SQL)
		jw_str(&w, def);
	else
		jw_raw(&w, def);
	return keep_text(run, &b);
}

static slu_rc text_to_i64(const char *text, uint16_t type, int64_t *out)
{
	uint64_t bytes;

	if (type == SLU_T_INSTANT)
		return clock_parse(text, out) == 0 ? SLU_OK : SLU_E_CONFIG;
	if (str_to_i64(text, out) == 0)
		return SLU_OK;
	if (type != SLU_T_BYTES && str_to_duration_ms(text, out) == 0)
		return SLU_OK;
	if (type == SLU_T_DURATION || str_to_bytes(text, &bytes) != 0 || bytes > INT64_MAX)
		return SLU_E_CONFIG;
	*out = (int64_t)bytes;
	return SLU_OK;
}

slu_rc host_get_i64(slu_run *run, const char *path, int64_t *out)
{
	const struct json *node = host_lookup(run, path);
	uint16_t type = 0;
	const char *def = default_of(run, path, &type);

	if (json_is(node, JSON_NUMBER)) {
		*out = json_i64(node, 0);
		return SLU_OK;
	}
	if (node != NULL && !json_is(node, JSON_STRING))
		return SLU_E_CONFIG;
	if (node == NULL && def == NULL)
		return SLU_E_NOT_FOUND;
	return text_to_i64(node != NULL ? json_str(node, "") : def, type, out);
}

slu_rc host_get_f64(slu_run *run, const char *path, double *out)
{
	const struct json *node = host_lookup(run, path);
	uint16_t type;
	const char *text = node != NULL ? json_str(node, NULL) : default_of(run, path, &type);
	double v;
	char *end;

	if (json_is(node, JSON_NUMBER)) {
		*out = json_num(node, 0);
		return SLU_OK;
	}
	if (text == NULL)
		return node != NULL ? SLU_E_CONFIG : SLU_E_NOT_FOUND;
	errno = 0;
	v = strtod(text, &end);
	if (end == text || *end != '\0' || errno != 0)
		return SLU_E_CONFIG;
	*out = v;
	return SLU_OK;
}

slu_rc host_get_bool(slu_run *run, const char *path, int32_t *out)
{
	const struct json *node = host_lookup(run, path);
	uint16_t type;
	const char *text = node != NULL ? json_str(node, NULL) : default_of(run, path, &type);

	if (json_is(node, JSON_BOOL)) {
		*out = json_bool(node, false);
		return SLU_OK;
	}
	if (text == NULL)
		return node != NULL ? SLU_E_CONFIG : SLU_E_NOT_FOUND;
	if (!str_eq(text, "true") && !str_eq(text, "false"))
		return SLU_E_CONFIG;
	*out = str_eq(text, "true");
	return SLU_OK;
}
