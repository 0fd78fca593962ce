/* plugin.c: the tutorial: an extractor in under a hundred lines. It gives the powers of a number,
 * one row each. Copy it, rename it, and replace what is between the lines "yours". README.md beside
 * this file goes through it step by step. */
#include "sluice/kit/stream.h"
#include "sluice/kit/plugin.h"

#include <stdlib.h>

/* What one open extract knows. The host opens one for each attempt, uses it from one thread, and
 * closes it. */
struct powers {
	const slu_host *host; /* borrowed: what the host does for us */
	slu_run *run;	      /* borrowed: which attempt we are */
	int64_t base, n, rows;
};

/* 1. open: read the options. They are checked and typed by the table below, so only what a table
 * cannot say is checked here. */
static slu_rc powers_open(const slu_host *host, slu_run *run, void *conn, void **st, slu_err *err)
{
	struct powers *p = calloc(1, sizeof(*p));

	(void)conn; /* this plugin needs no connection */
	if (!p)
		return slu_fail(err, SLU_E_TRANSIENT, "EXAMPLE.MEMORY", "out of memory");
	p->host = host;
	p->run = run;
	(void)host->get_i64(run, "base", &p->base); /* both have defaults */
	(void)host->get_i64(run, "rows", &p->rows);
	*st = p;
	return SLU_OK;
}

/* 2. fill: put rows until the batch is full or nothing is left. The kit makes Arrow arrays out of
 * them, bounds their bytes, looks after cancel between batches, and tells the host the end. ----
 * yours ---- */
static slu_rc powers_fill(void *ctx, slu_builder *b, int *ret_done, slu_err *err)
{
	struct powers *p = ctx;
	slu_i128 value = 1;
	slu_rc rc = SLU_OK;
	int64_t i;

	for (i = 0; i < p->n; i++)
		value *= p->base;
	for (; p->n < p->rows && !slu_builder_full(b) && rc == SLU_OK; value *= p->base) {
		slu_put_i64(b, 0, ++p->n);
		slu_put_decimal(b, 1, value);		    /* exact to 38 digits */
		slu_put_str(b, 2, p->n % 2 ? "odd" : NULL); /* NULL is NULL, "" is the empty text */
		rc = slu_row_end(b, err);
	}
	*ret_done = p->n == p->rows;
	return rc;
}

/* 3. stream: say which columns there are, and hand the rows over. */
static slu_rc powers_stream(void *st, const char *split, const slu_mark *from, const slu_mark *upto,
    struct ArrowArrayStream *out, slu_err *err)
{
	slu_rows rows = {.fill = powers_fill, .ctx = st};
	slu_fields f = {0};
	slu_field *value;
	slu_rc rc;

	(void)split;
	(void)from;
	(void)upto;
	(void)slu_fields_add(&f, "n", SLU_INT64, err);
	value = slu_fields_add(&f, "value", SLU_DECIMAL, err);
	value->precision = 38;
	(void)slu_fields_add(&f, "note", SLU_UTF8, err);
	rc = slu_stream_make(
	    ((struct powers *)st)->host, ((struct powers *)st)->run, &f, &rows, out, err);
	slu_fields_done(&f);
	return rc;
}

/* 4. the options: checked with line numbers by `sluice check`, shown by `sluice plugin show
 * example`. */
static const slu_opt options[] = {{.name = "base",
				      .type = SLU_T_INT,
				      .def = "2",
				      .min = "1",
				      .max = "10",
				      .doc = "The number whose powers are given."},
    {.name = "rows",
	.type = SLU_T_INT,
	.def = "10",
	.min = "0",
	.max = "38",
	.doc = "How many powers, from the 0th on."}};

static const slu_extract extract = {.size = sizeof(extract),
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = powers_open,
    .stream = powers_stream,
    .close = free};

/* 5. the plugin: one kind with one role. */
static const slu_kind kinds[] = {
    {.type = "example", .doc = "Powers of a number: the tutorial.", .extract = &extract}};

/* 6. the only symbol that leaves the shared object. */
SLU_PLUGIN("example", "0.1.0", "same as Sluice", kinds)
