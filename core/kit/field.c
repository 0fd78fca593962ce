/* field.c: columns: names, types as text, Arrow schemas out and in. */
#include "sluice/kit/batch.h"
#include "sluice/kit/json.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int type;
	const char *name, *format;
} types[] = {
    {SLU_BOOL, "bool", "b"},
    {SLU_INT8, "int8", "c"},
    {SLU_INT16, "int16", "s"},
    {SLU_INT32, "int32", "i"},
    {SLU_INT64, "int64", "l"},
    {SLU_UINT8, "uint8", "C"},
    {SLU_UINT16, "uint16", "S"},
    {SLU_UINT32, "uint32", "I"},
    {SLU_UINT64, "uint64", "L"},
    {SLU_FLOAT32, "float32", "f"},
    {SLU_FLOAT64, "float64", "g"},
    {SLU_UTF8, "text", "u"},
    {SLU_BINARY, "binary", "z"},
    {SLU_DATE, "date", "tdD"},
    /* other spellings, read only */
    {SLU_UTF8, "string", ""},
    {SLU_BINARY, "bytes", ""},
    {SLU_UTF8, "utf8", ""},
    {SLU_INT64, "integer", ""},
    {SLU_INT64, "int", ""},
    {SLU_FLOAT64, "number", ""},
    {SLU_FLOAT64, "float", ""},
    {SLU_FLOAT64, "double", ""},
    {SLU_BOOL, "boolean", ""},
    {SLU_DATE, "date32", ""},
};

slu_field *slu_fields_add(slu_fields *f, const char *name, int type, slu_err *err)
{
	slu_field *v;

	if (!*name || strlen(name) >= SLU_COLUMN_NAME_MAX) {
		(void)slu_fail_field(err, SLU_E_SCHEMA, "KIT.COLUMN", "columns",
		    "a column's name must have 1 to %d bytes", SLU_COLUMN_NAME_MAX - 1);
		return NULL;
	}
	if (slu_fields_find(f, name) >= 0) {
		(void)slu_fail_field(err, SLU_E_SCHEMA, "KIT.COLUMN", name,
		    "there are two columns called \"%s\": give one of them another name", name);
		return NULL;
	}
	if (f->n >= SLU_COLUMNS_MAX) {
		(void)slu_fail(
		    err, SLU_E_SCHEMA, "KIT.COLUMN", "more than %d columns", SLU_COLUMNS_MAX);
		return NULL;
	}
	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 8;
		f->v = mem_realloc(f->v, f->cap * sizeof(*f->v));
	}
	v = &f->v[f->n++];
	memset(v, 0, sizeof(*v));
	(void)str_copy(v->name, sizeof(v->name), name);
	v->type = type;
	return v;
}

void slu_fields_done(slu_fields *f)
{
	mem_free(f->v);
	memset(f, 0, sizeof(*f));
}

int slu_fields_find(const slu_fields *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (strcmp(f->v[i].name, name) == 0)
			return (int)i;
	return -1;
}

slu_rc slu_fields_copy(slu_fields *to, const slu_fields *from, slu_err *err)
{
	memset(to, 0, sizeof(*to));
	if (from->n > SLU_COLUMNS_MAX)
		return slu_fail(
		    err, SLU_E_SCHEMA, "KIT.COLUMN", "more than %d columns", SLU_COLUMNS_MAX);
	if (from->n == 0)
		return SLU_OK;
	to->v = mem_dup(from->v, from->n * sizeof(*from->v));
	to->n = to->cap = from->n;
	return SLU_OK;
}

static bool parse_decimal(const char *text, slu_field *f)
{
	int p, s = 0, used = 0;

	if (sscanf(text, "decimal(%d,%d)%n", &p, &s, &used) < 2 || text[used] != '\0') {
		used = s = 0;
		if (sscanf(text, "decimal(%d)%n", &p, &used) < 1 || !used || text[used] != '\0')
			return false;
	}
	if (p < 1 || p > 38 || s < 0 || s > p)
		return false;
	f->type = SLU_DECIMAL;
	f->precision = p;
	f->scale = s;
	return true;
}

static bool parse_timestamp(const char *text, slu_field *f)
{
	size_t n;

	f->zone[0] = '\0';
	if (strcmp(text, "timestamp") == 0 || strcmp(text, "timestamptz") == 0) {
		memcpy(f->zone, "UTC", 4);
	} else if (str_starts(text, "timestamp(") && str_ends(text, ")")) {
		n = strlen(text) - 11;
		if (n == 0 || n >= sizeof(f->zone))
			return false;
		memcpy(f->zone, text + 10, n);
		f->zone[n] = '\0';
	} else if (strcmp(text, "timestamp_local") != 0) {
		return false;
	}
	f->type = SLU_TIMESTAMP;
	return true;
}

slu_rc slu_type_parse(const char *text, slu_field *f, slu_err *err)
{
	size_t i;

	f->json = 0;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(text, types[i].name) == 0) {
			f->type = types[i].type;
			return SLU_OK;
		}
	}
	if (strcmp(text, "json") == 0) {
		f->type = SLU_UTF8;
		f->json = 1;
		return SLU_OK;
	}
	if (parse_decimal(text, f) || parse_timestamp(text, f))
		return SLU_OK;
	return slu_fail_field(err, SLU_E_CONFIG, "KIT.TYPE", f->name,
	    "\"%s\" is no column type: use bool, int8 to int64, uint8 to uint64, float32, float64, "
	    "decimal(12,2), text, json, binary, date, timestamp, timestamp(ZONE) or "
	    "timestamp_local",
	    text);
}

const char *slu_type_text(const slu_field *f, char *buf)
{
	size_t i;

	buf[0] = '\0';
	if (f->type == SLU_DECIMAL)
		(void)snprintf(buf, 96, "decimal(%d,%d)", f->precision, f->scale);
	else if (f->type == SLU_TIMESTAMP && strcmp(f->zone, "UTC") == 0)
		(void)snprintf(buf, 96, "timestamp");
	else if (f->type == SLU_TIMESTAMP && f->zone[0])
		(void)snprintf(buf, 96, "timestamp(%s)", f->zone);
	else if (f->type == SLU_TIMESTAMP)
		(void)snprintf(buf, 96, "timestamp_local");
	else if (f->json)
		(void)snprintf(buf, 96, "json");
	for (i = 0; !buf[0] && i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == f->type)
			(void)snprintf(buf, 96, "%s", types[i].name);
	return buf;
}

static slu_rc declared_one(const slu_json *c, const char *name, slu_fields *out, slu_err *err)
{
	const char *type = slu_json_str(c, NULL);
	slu_field *f;

	if (slu_json_type(c) == SLU_JSON_OBJECT)
		type = slu_json_get_str(c, "type", "text");
	if (!name || !type)
		return slu_fail_field(err, SLU_E_CONFIG, "KIT.COLUMNS", "columns",
		    "each column is NAME: TYPE, or NAME: {type: TYPE}");
	f = slu_fields_add(out, name, 0, err);
	if (!f)
		return SLU_E_CONFIG;
	f->not_null = slu_json_bool(slu_json_get(c, "not_null"), 0);
	(void)str_copy(f->role, sizeof(f->role), slu_json_get_str(c, "role", ""));
	return slu_type_parse(type, f, err);
}

slu_rc slu_fields_declared(const slu_json *columns, slu_fields *out, slu_err *err)
{
	bool list = slu_json_type(columns) == SLU_JSON_ARRAY;
	const slu_json *c;
	slu_rc rc;

	memset(out, 0, sizeof(*out));
	for (c = slu_json_first(columns); c; c = slu_json_next(c)) {
		rc = declared_one(
		    c, list ? slu_json_get_str(c, "name", NULL) : slu_json_key(c), out, err);
		if (rc != SLU_OK) {
			slu_fields_done(out);
			return rc;
		}
	}
	return SLU_OK;
}

void slu_fields_to_json(const slu_fields *f, slu_buf *out)
{
	char type[96];
	size_t i;

	slu_buf_addc(out, '[');
	for (i = 0; i < f->n; i++) {
		slu_buf_add(out, i ? ",{\"name\":" : "{\"name\":");
		slu_buf_add_json(out, f->v[i].name, strlen(f->v[i].name));
		slu_buf_addf(out, ",\"type\":\"%s\"", slu_type_text(&f->v[i], type));
		if (f->v[i].role[0])
			slu_buf_addf(out, ",\"role\":\"%s\"", f->v[i].role);
		if (f->v[i].not_null)
			slu_buf_add(out, ",\"not_null\":true");
		slu_buf_addc(out, '}');
	}
	slu_buf_addc(out, ']');
}

/* ---- Arrow schemas ---- */
static void schema_release(struct ArrowSchema *s)
{
	int64_t i;

	for (i = 0; i < s->n_children; i++) {
		if (s->children[i]->release)
			s->children[i]->release(s->children[i]);
		mem_free(s->children[i]);
	}
	mem_free(s->children);
	mem_free(s->private_data); /* name, format and metadata in one block */
	s->release = NULL;
}

static size_t meta_put(char *to, const char *key, const char *value)
{
	int32_t k = (int32_t)strlen(key), v = (int32_t)strlen(value);

	memcpy(to, &k, 4);
	memcpy(to + 4, key, (size_t)k);
	memcpy(to + 4 + k, &v, 4);
	memcpy(to + 8 + k, value, (size_t)v);
	return (size_t)(8 + k + v);
}

static void format_text(const slu_field *f, char *buf, size_t size)
{
	size_t i;

	if (f->type == SLU_DECIMAL) {
		(void)snprintf(buf, size, "d:%d,%d", f->precision, f->scale);
		return;
	}
	if (f->type == SLU_TIMESTAMP) {
		(void)snprintf(buf, size, "tsu:%s", f->zone);
		return;
	}
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type == f->type) {
			(void)str_copy(buf, size, types[i].format);
			return;
		}
	}
}

static void schema_leaf(const slu_field *f, struct ArrowSchema *s)
{
	char format[96] = "";
	size_t name_n = strlen(f->name) + 1, format_n, meta_n = 4;
	int32_t pairs = (f->role[0] ? 1 : 0) + (f->json ? 1 : 0);
	char *block;

	format_text(f, format, sizeof(format));
	format_n = strlen(format) + 1;
	block = mem_zalloc(name_n + format_n + 128);
	memset(s, 0, sizeof(*s));
	memcpy(block, f->name, name_n);
	memcpy(block + name_n, format, format_n);
	s->name = block;
	s->format = block + name_n;
	if (pairs) {
		char *meta = block + name_n + format_n;

		memcpy(meta, &pairs, 4);
		if (f->role[0])
			meta_n += meta_put(meta + meta_n, SLU_META_ROLE, f->role);
		if (f->json)
			meta_n += meta_put(meta + meta_n, SLU_META_JSON, "1");
		s->metadata = meta;
	}
	s->flags = f->not_null ? 0 : ARROW_FLAG_NULLABLE;
	s->private_data = block;
	s->release = schema_release;
}

slu_rc slu_schema_make(const slu_fields *f, struct ArrowSchema *out, slu_err *err)
{
	char *block;
	size_t i;

	if (f->n == 0)
		return slu_fail(err, SLU_E_SCHEMA, "KIT.COLUMN", "there are no columns");
	memset(out, 0, sizeof(*out));
	block = mem_zalloc(4);
	memcpy(block, "+s", 3);
	out->format = block;
	out->name = block + 2;
	out->private_data = block;
	out->n_children = (int64_t)f->n;
	out->children = mem_calloc(f->n, sizeof(*out->children));
	out->release = schema_release;
	for (i = 0; i < f->n; i++) {
		out->children[i] = mem_zalloc(sizeof(**out->children));
		schema_leaf(&f->v[i], out->children[i]);
	}
	return SLU_OK;
}

static void meta_read(const char *meta, slu_field *f)
{
	int32_t pairs, k, v;

	if (!meta)
		return;
	memcpy(&pairs, meta, 4);
	for (meta += 4; pairs > 0; pairs--, meta += 8 + k + v) {
		const char *value;

		memcpy(&k, meta, 4);
		memcpy(&v, meta + 4 + k, 4);
		value = meta + 8 + k;
		if (k == (int32_t)strlen(SLU_META_ROLE) &&
		    memcmp(meta + 4, SLU_META_ROLE, (size_t)k) == 0 &&
		    v < (int32_t)sizeof(f->role)) {
			memcpy(f->role, value, (size_t)v);
			f->role[v] = '\0';
		}
		if (k == (int32_t)strlen(SLU_META_JSON) &&
		    memcmp(meta + 4, SLU_META_JSON, (size_t)k) == 0)
			f->json = v == 1 && *value == '1';
	}
}

static bool format_read(const char *format, slu_field *f)
{
	int bits = 128, used = 0;
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].format, format) == 0) {
			f->type = types[i].type;
			return *format != '\0';
		}
	}
	if (str_starts(format, "tsu:") && strlen(format) - 4 < sizeof(f->zone)) {
		f->type = SLU_TIMESTAMP;
		(void)str_copy(f->zone, sizeof(f->zone), format + 4);
		return true;
	}
	if (sscanf(format, "d:%d,%d%n", &f->precision, &f->scale, &used) == 2) {
		if (format[used] == ',')
			(void)sscanf(format + used, ",%d", &bits);
		f->type = SLU_DECIMAL;
		return bits == 128 && f->precision >= 1 && f->precision <= 38 && f->scale >= 0 &&
		       f->scale <= f->precision;
	}
	return false;
}

slu_rc slu_schema_read(const struct ArrowSchema *schema, slu_fields *out, slu_err *err)
{
	int64_t i;

	memset(out, 0, sizeof(*out));
	if (!schema->release || strcmp(schema->format, "+s") != 0)
		return slu_fail(err, SLU_E_INTERNAL, "KIT.SCHEMA",
		    "the stream's schema is no struct of columns");
	for (i = 0; i < schema->n_children; i++) {
		const struct ArrowSchema *c = schema->children[i];
		slu_field *f = slu_fields_add(out, c->name ? c->name : "", 0, err);

		if (!f || c->dictionary || !format_read(c->format, f)) {
			if (f)
				(void)slu_fail_field(err, SLU_E_UNSUPPORTED, "KIT.TYPE", f->name,
				    "column \"%s\" has the Arrow type \"%s\", which is not "
				    "supported here: cast it",
				    f->name, c->format);
			slu_fields_done(out);
			return f ? SLU_E_UNSUPPORTED : SLU_E_SCHEMA;
		}
		f->not_null = !(c->flags & ARROW_FLAG_NULLABLE);
		meta_read(c->metadata, f);
	}
	if (out->n == 0)
		return slu_fail(err, SLU_E_SCHEMA, "KIT.COLUMN", "the stream has no columns");
	return SLU_OK;
}
