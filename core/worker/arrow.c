/* arrow.c: checks and sizes of Arrow arrays (Arrow C Data Interface, format strings). */
#include "core/worker/arrow.h"

#include "core/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ARROW_MAX_DEPTH 16
#define ARROW_MAX_ROWS (INT64_C(1) << 31)

enum layout {
	LAYOUT_NONE,
	LAYOUT_NULL,
	LAYOUT_BITS,
	LAYOUT_FIXED,
	LAYOUT_VAR32,
	LAYOUT_VAR64,
	LAYOUT_STRUCT,
	LAYOUT_LIST32,
	LAYOUT_LIST64,
	LAYOUT_FIXED_LIST,
	LAYOUT_UNKNOWN
};

struct shape {
	enum layout layout;
	int64_t width;	   /* bytes, of LAYOUT_FIXED; elements, of LAYOUT_FIXED_LIST */
	int64_t n_buffers; /* that the format has; LAYOUT_UNKNOWN: -1 */
};

static const struct {
	const char *format;
	int64_t width;
} fixed[] = {{"c", 1}, {"C", 1}, {"s", 2}, {"S", 2}, {"i", 4}, {"I", 4}, {"l", 8}, {"L", 8},
    {"e", 2}, {"f", 4}, {"g", 8}, {"tdD", 4}, {"tdm", 8}, {"tts", 4}, {"ttm", 4}, {"ttu", 8},
    {"ttn", 8}, {"tDs", 8}, {"tDm", 8}, {"tDu", 8}, {"tDn", 8}, {"tiM", 4}, {"tiD", 8},
    {"tin", 16}};

static struct shape shape_of_decimal(const char *f)
{
	const char *bits = strchr(f + 2, ',');

	bits = bits != NULL ? strchr(bits + 1, ',') : NULL;
	return (struct shape){LAYOUT_FIXED, bits != NULL ? strtol(bits + 1, NULL, 10) / 8 : 16, 2};
}

static struct shape shape_of_nested(const char *f)
{
	switch (f[1]) {
	case 's':
		return (struct shape){LAYOUT_STRUCT, 0, 1};
	case 'l':
	case 'm':
		return (struct shape){LAYOUT_LIST32, 0, 2};
	case 'L':
		return (struct shape){LAYOUT_LIST64, 0, 2};
	case 'w':
		return (struct shape){
		    LAYOUT_FIXED_LIST, f[2] == ':' ? strtol(f + 3, NULL, 10) : 0, 1};
	default:
		return (struct shape){LAYOUT_UNKNOWN, 0, -1};
	}
}

static struct shape shape_of(const char *f)
{
	size_t i;

	if (f == NULL)
		return (struct shape){LAYOUT_UNKNOWN, 0, -1};
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (strcmp(fixed[i].format, f) == 0)
			return (struct shape){LAYOUT_FIXED, fixed[i].width, 2};
	switch (f[0]) {
	case 'n':
		return (struct shape){LAYOUT_NULL, 0, 0};
	case 'b':
		return (struct shape){LAYOUT_BITS, 0, 2};
	case 'u':
	case 'z':
		return (struct shape){LAYOUT_VAR32, 0, 3};
	case 'U':
	case 'Z':
		return (struct shape){LAYOUT_VAR64, 0, 3};
	case 'w':
		return (struct shape){LAYOUT_FIXED, f[1] == ':' ? strtol(f + 2, NULL, 10) : 0, 2};
	case 'd':
		return shape_of_decimal(f);
	case 't':
		if (strncmp(f, "ts", 2) == 0)
			return (struct shape){LAYOUT_FIXED, 8, 2};
		return (struct shape){LAYOUT_UNKNOWN, 0, -1};
	case '+':
		return shape_of_nested(f);
	default:
		return (struct shape){LAYOUT_UNKNOWN, 0, -1};
	}
}

/* ---- check ---- */

static const char *name_of(const struct ArrowSchema *s)
{
	return s->name != NULL && s->name[0] != '\0' ? s->name : "(batch)";
}

static int check_offsets(
    const struct ArrowSchema *s, const struct ArrowArray *a, bool wide, struct err *err)
{
	const int32_t *narrow = a->buffers[1];
	const int64_t *o = a->buffers[1];
	int64_t i, end = a->offset + a->length;

	if (a->length == 0)
		return 0;
	if (o == NULL)
		return err_set(err, ERR_PARSE, "column \"%s\": no offsets", name_of(s));
	for (i = a->offset; i < end; i++) {
		int64_t from = wide ? o[i] : narrow[i], to = wide ? o[i + 1] : narrow[i + 1];

		if (from < 0 || to < from)
			return err_set(err, ERR_PARSE,
			    "column \"%s\": offset %" PRId64 " falls or is negative", name_of(s),
			    i);
	}
	return 0;
}

static int check_head(const struct ArrowSchema *s, const struct ArrowArray *a,
    const struct shape *shape, struct err *err)
{
	if (a->release == NULL)
		return err_set(err, ERR_PARSE, "column \"%s\": the array was released", name_of(s));
	if (a->length < 0 || a->offset < 0 || a->length > ARROW_MAX_ROWS ||
	    a->offset > ARROW_MAX_ROWS || a->null_count < -1 || a->null_count > a->length)
		return err_set(err, ERR_PARSE,
		    "column \"%s\": length %" PRId64 ", offset %" PRId64 ", nulls %" PRId64
		    " are impossible",
		    name_of(s), a->length, a->offset, a->null_count);
	if (a->n_children != s->n_children || (a->n_children > 0 && a->children == NULL))
		return err_set(err, ERR_PARSE,
		    "column \"%s\": %" PRId64 " children where the schema has %" PRId64, name_of(s),
		    a->n_children, s->n_children);
	if (shape->n_buffers >= 0 &&
	    (a->n_buffers != shape->n_buffers || (a->n_buffers > 0 && a->buffers == NULL)))
		return err_set(err, ERR_PARSE,
		    "column \"%s\": %" PRId64 " buffers where format %s has %" PRId64, name_of(s),
		    a->n_buffers, s->format, shape->n_buffers);
	if (shape->n_buffers > 0 && a->null_count > 0 && a->buffers[0] == NULL)
		return err_set(
		    err, ERR_PARSE, "column \"%s\": nulls without a validity bitmap", name_of(s));
	return 0;
}

static int check_body(const struct ArrowSchema *s, const struct ArrowArray *a,
    const struct shape *shape, struct err *err)
{
	switch (shape->layout) {
	case LAYOUT_BITS:
	case LAYOUT_FIXED:
		if (a->length > 0 && a->buffers[1] == NULL)
			return err_set(err, ERR_PARSE, "column \"%s\": no values", name_of(s));
		return 0;
	case LAYOUT_VAR32:
	case LAYOUT_LIST32:
		return check_offsets(s, a, false, err);
	case LAYOUT_VAR64:
	case LAYOUT_LIST64:
		return check_offsets(s, a, true, err);
	default:
		return 0;
	}
}

static int64_t child_rows(const struct ArrowArray *a, const struct shape *shape)
{
	int64_t end = a->offset + a->length;

	switch (shape->layout) {
	case LAYOUT_STRUCT:
		return end;
	case LAYOUT_LIST32:
		return a->length > 0 ? ((const int32_t *)a->buffers[1])[end] : 0;
	case LAYOUT_LIST64:
		return a->length > 0 ? ((const int64_t *)a->buffers[1])[end] : 0;
	case LAYOUT_FIXED_LIST:
		return end * shape->width;
	default:
		return 0;
	}
}

static int check_deep(
    const struct ArrowSchema *s, const struct ArrowArray *a, unsigned depth, struct err *err)
{
	struct shape shape = shape_of(s->format);
	int64_t i, need;
	int rc = check_head(s, a, &shape, err);

	if (rc == 0)
		rc = check_body(s, a, &shape, err);
	if (rc != 0)
		return rc;
	if (depth >= ARROW_MAX_DEPTH)
		return err_set(err, ERR_PARSE, "column \"%s\": nested too deep", name_of(s));
	need = child_rows(a, &shape);
	for (i = 0; i < a->n_children; i++) {
		rc = check_deep(s->children[i], a->children[i], depth + 1, err);
		if (rc == 0 && a->children[i]->length < need)
			rc = err_set(err, ERR_PARSE,
			    "column \"%s\": %" PRId64 " rows where its parent needs %" PRId64,
			    name_of(s->children[i]), a->children[i]->length, need);
		if (rc != 0)
			return rc;
	}
	if (s->dictionary != NULL && a->dictionary == NULL && a->length > 0)
		return err_set(
		    err, ERR_PARSE, "column \"%s\": the dictionary is missing", name_of(s));
	return 0;
}

int arrow_check(const struct ArrowSchema *schema, const struct ArrowArray *array, struct err *err)
{
	if (schema->format == NULL || strcmp(schema->format, "+s") != 0)
		return err_set(err, ERR_PARSE, "a batch is a struct (format +s), this one is %.20s",
		    schema->format != NULL ? schema->format : "nothing");
	return check_deep(schema, array, 0, err);
}

/* ---- size ---- */

int64_t arrow_bytes(const struct ArrowSchema *s, const struct ArrowArray *a)
{
	struct shape shape = shape_of(s->format);
	int64_t i, n = (a->length + 7) / 8;

	switch (shape.layout) {
	case LAYOUT_BITS:
		n += (a->length + 7) / 8;
		break;
	case LAYOUT_FIXED:
		n += a->length * shape.width;
		break;
	case LAYOUT_VAR32:
		n += a->length * 4;
		if (a->length > 0)
			n += ((const int32_t *)a->buffers[1])[a->offset + a->length] -
			     ((const int32_t *)a->buffers[1])[a->offset];
		break;
	case LAYOUT_VAR64:
		n += a->length * 8;
		if (a->length > 0)
			n += ((const int64_t *)a->buffers[1])[a->offset + a->length] -
			     ((const int64_t *)a->buffers[1])[a->offset];
		break;
	default:
		break;
	}
	for (i = 0; i < a->n_children; i++)
		n += arrow_bytes(s->children[i], a->children[i]);
	return n;
}

/* ---- metadata ---- */

static int32_t read_i32(const char **p)
{
	int32_t v;

	memcpy(&v, *p, sizeof(v));
	*p += sizeof(v);
	return v;
}

bool arrow_metadata(const struct ArrowSchema *schema, const char *key, char *buf, size_t size)
{
	const char *p = schema->metadata;
	int32_t i, n, len;
	bool match;

	if (p == NULL)
		return false;
	n = read_i32(&p);
	for (i = 0; i < n; i++) {
		len = read_i32(&p);
		match = len >= 0 && (size_t)len == strlen(key) && memcmp(p, key, (size_t)len) == 0;
		p += len;
		len = read_i32(&p);
		if (match && len >= 0 && (size_t)len < size) {
			memcpy(buf, p, (size_t)len);
			buf[len] = '\0';
			return true;
		}
		p += len;
	}
	return false;
}

static size_t metadata_bytes(const char *metadata)
{
	const char *p = metadata;
	int32_t i, n;

	if (metadata == NULL)
		return 0;
	n = read_i32(&p);
	for (i = 0; i < n * 2; i++) {
		int32_t len = read_i32(&p);

		p += len;
	}
	return (size_t)(p - metadata);
}

/* ---- schema copies ---- */

static void copy_release(struct ArrowSchema *s)
{
	int64_t i;

	for (i = 0; i < s->n_children; i++) {
		if (s->children[i]->release != NULL)
			s->children[i]->release(s->children[i]);
		mem_free(s->children[i]);
	}
	if (s->dictionary != NULL) {
		if (s->dictionary->release != NULL)
			s->dictionary->release(s->dictionary);
		mem_free(s->dictionary);
	}
	mem_free(s->children);
	mem_free(s->private_data); /* format, name, metadata in one block */
	s->release = NULL;
}

void arrow_schema_copy(const struct ArrowSchema *from, struct ArrowSchema *to)
{
	size_t f = strlen(from->format) + 1, n = from->name != NULL ? strlen(from->name) + 1 : 1;
	size_t m = metadata_bytes(from->metadata);
	char *block = mem_zalloc(f + n + m);
	int64_t i;

	memset(to, 0, sizeof(*to));
	memcpy(block, from->format, f);
	if (from->name != NULL)
		memcpy(block + f, from->name, n);
	if (m > 0)
		memcpy(block + f + n, from->metadata, m);
	to->format = block;
	to->name = block + f;
	to->metadata = m > 0 ? block + f + n : NULL;
	to->flags = from->flags;
	to->private_data = block;
	to->release = copy_release;
	to->n_children = from->n_children;
	if (from->n_children > 0)
		to->children = mem_calloc((size_t)from->n_children, sizeof(*to->children));
	for (i = 0; i < from->n_children; i++) {
		to->children[i] = MEM_NEW(struct ArrowSchema);
		arrow_schema_copy(from->children[i], to->children[i]);
	}
	if (from->dictionary != NULL) {
		to->dictionary = MEM_NEW(struct ArrowSchema);
		arrow_schema_copy(from->dictionary, to->dictionary);
	}
}

bool arrow_schema_equal(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
	int64_t i;

	if (strcmp(a->format, b->format) != 0 || a->n_children != b->n_children ||
	    strcmp(a->name != NULL ? a->name : "", b->name != NULL ? b->name : "") != 0)
		return false;
	for (i = 0; i < a->n_children; i++)
		if (!arrow_schema_equal(a->children[i], b->children[i]))
			return false;
	return true;
}
