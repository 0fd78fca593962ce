/* table.c: rows in columns that fit the terminal. Columns marked `shrink` give way first, widest
 * first. */
#include "core/base/vec.h"
#include "core/cli/cli.h"

#include <stdarg.h>
#include <string.h>

#define TABLE_COLUMNS_MAX 12

struct text_table {
	const struct table_column *columns; /* borrowed */
	size_t n;
	VEC(char *) cells; /* owned */
};

struct text_table *table_new(const struct table_column *columns, size_t n)
{
	struct text_table *t = MEM_NEW(struct text_table);
	t->columns = columns;
	t->n = n < TABLE_COLUMNS_MAX ? n : TABLE_COLUMNS_MAX;
	return t;
}

void table_cell(struct text_table *t, const char *text)
{
	struct str b;
	str_init(&b, 1 << 16);
	str_add_visible(&b, text ? text : "", text ? strlen(text) : 0);
	char *s = str_take(&b);
	VEC_ADD(&t->cells, s ? s : mem_strdup(""));
}

void table_cellf(struct text_table *t, const char *fmt, ...)
{
	struct str b;
	va_list ap;
	str_init(&b, 1 << 16);
	va_start(ap, fmt);
	str_vaddf(&b, fmt, ap);
	va_end(ap);
	table_cell(t, str_peek(&b));
	str_done(&b);
}

void table_int(struct text_table *t, int64_t n)
{
	table_cellf(t, "%lld", (long long)n);
}

void table_time(struct text_table *t, const char *rfc3339)
{
	struct str b;
	str_init(&b, 128);
	text_time(&b, rfc3339);
	table_cell(t, str_peek(&b));
	str_done(&b);
}

static void measure(const struct text_table *t, size_t *width)
{
	for (size_t c = 0; c < t->n; c++)
		width[c] = text_width(t->columns[c].title);
	for (size_t i = 0; i < t->cells.n; i++) {
		size_t w = text_width(t->cells.v[i]);
		if (w > width[i % t->n])
			width[i % t->n] = w;
	}
}

static void fit(const struct text_table *t, size_t *width, size_t room)
{
	for (;;) {
		size_t total = t->n ? 2 * (t->n - 1) : 0, widest = t->n;
		for (size_t c = 0; c < t->n; c++) {
			total += width[c];
			if (t->columns[c].shrink && width[c] > 8 &&
			    (widest == t->n || width[c] > width[widest]))
				widest = c;
		}
		if (total <= room || widest == t->n)
			return;
		size_t over = total - room;
		width[widest] -= over < width[widest] - 8 ? over : width[widest] - 8;
	}
}

static void put_cell(const struct cli *cli, struct str *out, const struct table_column *c,
    const char *text, size_t width, bool last, enum paint paint)
{
	struct str cut;
	str_init(&cut, 1 << 16);
	text_cut(&cut, text, width);
	size_t used = text_width(str_peek(&cut));
	for (size_t i = used; c->right && i < width; i++)
		str_addc(out, ' ');
	text_paint(cli, out, paint, str_peek(&cut));
	for (size_t i = used; !c->right && !last && i < width; i++)
		str_addc(out, ' ');
	if (!last)
		str_add(out, "  ");
	str_done(&cut);
}

static void put_rows(
    const struct text_table *t, const struct cli *cli, const size_t *width, struct str *out)
{
	for (size_t c = 0; c < t->n; c++)
		put_cell(cli, out, &t->columns[c], t->columns[c].title, width[c], c + 1 == t->n,
		    PAINT_DIM);
	str_addc(out, '\n');
	for (size_t i = 0; i + t->n <= t->cells.n; i += t->n) {
		for (size_t c = 0; c < t->n; c++) {
			const struct table_column *col = &t->columns[c];
			enum paint p =
			    col->paint_state ? text_state_paint(t->cells.v[i + c]) : PAINT_NONE;
			put_cell(cli, out, col, t->cells.v[i + c], width[c], c + 1 == t->n, p);
		}
		while (out->len > 0 && out->s[out->len - 1] == ' ') /* the last cells are empty */
			out->s[--out->len] = '\0';
		str_addc(out, '\n');
	}
}

void table_print(struct text_table *t, const struct cli *cli, const char *empty)
{
	size_t width[TABLE_COLUMNS_MAX] = {0};
	struct str out;
	str_init(&out, 64u << 20);
	if (t->cells.n == 0) {
		str_addf(&out, "%s\n", empty);
	} else {
		measure(t, width);
		if (cli->tty)
			fit(t, width, (size_t)cli->width);
		put_rows(t, cli, width, &out);
	}
	fputs(str_peek(&out), stdout);
	str_done(&out);
	for (size_t i = 0; i < t->cells.n; i++)
		mem_free(t->cells.v[i]);
	VEC_DONE(&t->cells);
	mem_free(t);
}
