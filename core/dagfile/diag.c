/* diag.c: see diag.h. */
#include "core/dagfile/diag.h"

#include "core/base/mem.h"
#include "core/dagfile/yaml.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 1000 /* bytes; a message quotes the file, and the file may be hostile */

void diags_init(struct diags *d)
{
	memset(d, 0, sizeof(*d));
}

void diags_done(struct diags *d)
{
	size_t i;

	for (i = 0; i < d->list.n; i++) {
		mem_free(d->list.v[i].key);
		mem_free(d->list.v[i].message);
		mem_free(d->list.v[i].hint);
	}
	VEC_DONE(&d->list);
	memset(d, 0, sizeof(*d));
}

static int compare(const void *pa, const void *pb)
{
	const struct diag *a = pa, *b = pb;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return strcmp(a->message, b->message);
}

void diags_sort(struct diags *d)
{
	if (d->list.n > 1)
		qsort(d->list.v, d->list.n, sizeof(d->list.v[0]), compare);
}

static bool known(const struct diags *d, const struct diag *x)
{
	size_t i;

	for (i = 0; i < d->list.n; i++) {
		const struct diag *y = &d->list.v[i];

		if (y->line == x->line && y->column == x->column && strcmp(y->code, x->code) == 0 &&
		    strcmp(y->message, x->message) == 0)
			return true;
	}
	return false;
}

static char *format(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Text of at most MESSAGE_MAX bytes, control bytes made visible. */
static char *format(const char *fmt, va_list ap)
{
	struct str raw, safe;
	char *text;

	str_init(&raw, 64u << 10);
	str_init(&safe, 256u << 10);
	str_vaddf(&raw, fmt, ap);
	str_add_visible(
	    &safe, raw.s != NULL ? raw.s : "", raw.len < MESSAGE_MAX ? raw.len : MESSAGE_MAX);
	text = mem_strdup(str_peek(&safe));
	str_done(&raw);
	str_done(&safe);
	return text;
}

static void add(struct diags *d, struct diag x, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static void add(struct diags *d, struct diag x, const char *fmt, va_list ap)
{
	x.message = format(fmt, ap);
	if (d->list.n >= DIAG_MAX || known(d, &x)) {
		d->n_dropped += d->list.n >= DIAG_MAX;
		mem_free(x.message);
		mem_free(x.key);
		mem_free(x.hint);
		return;
	}
	if (x.warning)
		d->n_warnings++;
	else
		d->n_errors++;
	VEC_ADD(&d->list, x);
}

static struct diag at_node(
    const struct yaml_node *n, bool key, bool warning, const char *code, const char *hint)
{
	struct diag x = {.line = 1, .column = 1, .warning = warning, .code = code};
	struct str path;

	str_init(&path, 1024);
	if (n != NULL) {
		yaml_path(n, &path);
		x.line = key ? n->key_line : n->line;
		x.column = key ? n->key_column : n->column;
	}
	x.key = mem_strdup(str_peek(&path));
	x.hint = hint != NULL ? mem_strdup(hint) : NULL;
	str_done(&path);
	return x;
}

void diag_error(struct diags *d, const struct yaml_node *at, const char *code, const char *hint,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, at_node(at, false, false, code, hint), fmt, ap);
	va_end(ap);
}

void diag_error_key(struct diags *d, const struct yaml_node *at, const char *code, const char *hint,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, at_node(at, true, false, code, hint), fmt, ap);
	va_end(ap);
}

void diag_warn(struct diags *d, const struct yaml_node *at, const char *code, const char *hint,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(d, at_node(at, false, true, code, hint), fmt, ap);
	va_end(ap);
}

void diag_at(struct diags *d, unsigned line, unsigned column, const char *key, bool warning,
    const char *code, const char *hint, const char *fmt, ...)
{
	struct diag x = {.line = line, .column = column, .warning = warning, .code = code};
	va_list ap;

	x.key = mem_strdup(key);
	x.hint = hint != NULL ? mem_strdup(hint) : NULL;
	va_start(ap, fmt);
	add(d, x, fmt, ap);
	va_end(ap);
}

static void write_list(const struct diags *d, struct jw *w, bool warnings)
{
	size_t i;

	jw_array(w);
	for (i = 0; i < d->list.n; i++) {
		const struct diag *x = &d->list.v[i];

		if (x->warning != warnings)
			continue;
		jw_object(w);
		jw_ki64(w, "line", x->line);
		jw_ki64(w, "column", x->column);
		jw_kstr(w, "key", x->key);
		jw_kstr(w, "code", x->code);
		jw_kstr(w, "message", x->message);
		jw_kstr(w, "hint", x->hint != NULL ? x->hint : "");
		jw_end_object(w);
	}
	jw_end_array(w);
}

void diags_write(const struct diags *d, struct jw *w)
{
	jw_key(w, "errors");
	write_list(d, w, false);
	jw_key(w, "warnings");
	write_list(d, w, true);
}
