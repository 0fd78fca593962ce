/* CSV and NDJSON: what is written is read back, and any bytes give rows, rejects or a refusal,
 * never a crash. */
#include "tests/unit/leak.h"
#include "tests/unit/plug_host.h"

#include "sluice/kit/period.h"
#include "sluice/kit/retry.h"
#include "sluice/kit/rows.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Rows of a text through the parser, as NDJSON; the class otherwise. */
static slu_rc parse(struct plug *p, const slu_format *format, const slu_fields *fields,
    const void *text, size_t n, struct str *out)
{
	int fd = memfd_create("rows", MFD_CLOEXEC), done = 0;
	slu_rejects rejects = {&plug_host, plug_run(p, NULL, "{}"), 0};
	slu_err err = {.size = sizeof(err)};
	slu_parser *parser = NULL;
	slu_builder *b = NULL;
	slu_in *in = NULL;
	slu_rc rc;

	cr_assert_eq(write(fd, text, n), (ssize_t)n);
	(void)lseek(fd, 0, SEEK_SET);
	rc = slu_in_fd(fd, "text", &in, &err);
	if (rc == SLU_OK)
		rc = slu_parser_new(format, in, fields, &rejects, &parser, &err);
	if (rc == SLU_OK)
		b = slu_builder_new(slu_parser_fields(parser), 0);
	while (rc == SLU_OK && !done) {
		struct ArrowArray a = {0};
		slu_format nd = {.kind = SLU_NDJSON};
		slu_col *cols = calloc(slu_parser_fields(parser)->n, sizeof(*cols));
		slu_buf line;

		slu_buf_init(&line, 64 << 20);
		rc = slu_parser_fill(parser, b, &done, &err);
		if (rc == SLU_OK)
			rc = slu_builder_take(b, &a, &err);
		if (rc == SLU_OK)
			rc = slu_batch_read(&a, slu_parser_fields(parser), cols, &err);
		if (rc == SLU_OK)
			rc = slu_rows_write(
			    &nd, slu_parser_fields(parser), cols, 0, a.length, &line, &err);
		str_addn(out, slu_buf_text(&line), line.len);
		slu_buf_done(&line);
		if (a.release)
			a.release(&a);
		free(cols);
	}
	cr_expect(rc == SLU_OK || err.message[0]);
	slu_builder_free(b);
	slu_parser_free(parser);
	slu_in_close(in);
	plug_run_free(rejects.run);
	return rc;
}

/* Any bytes: planted characters that steer the parser, in random order. */
Test(kit_rows, any_bytes_give_rows_rejects_or_a_refusal, .timeout = 60)
{
	static const char csv[] = "a,b\n\"\"x1\r\n\\\"{}[]:\xC3\xA9\xFF\0";
	static const char json[] = "{\"a\":1,\"b\":\"\\u00e9\\n\"}\n{}[]null true-0.5e3\\ud83d\xFF";
	slu_fields f = {0};
	slu_format format = {.kind = SLU_CSV};
	struct plug p;
	struct str out;
	uint32_t seed = 1;
	char text[200];
	int i;
	size_t k;

	plug_init(&p);
	p.max_rejects = INT64_MAX;
	str_init(&out, 64 << 20);
	(void)slu_fields_add(&f, "a", SLU_INT64, NULL);
	(void)slu_fields_add(&f, "b", SLU_UTF8, NULL);
	for (i = 0; i < 6000; i++) {
		const char *from = i % 2 ? json : csv;
		size_t from_n = i % 2 ? sizeof(json) - 1 : sizeof(csv) - 1, n = 4;

		memcpy(text, "a,b\n", 4);
		while (n < sizeof(text) && (seed = seed * 1664525u + 1013904223u) >> 28) {
			k = (seed >> 8) % from_n;
			text[n++] = from[k];
		}
		format.kind = i % 2 ? SLU_NDJSON : SLU_CSV;
		format.ragged = i % 3;
		format.rest = i % 5 % 3;
		str_reset(&out);
		(void)!parse(&p, &format, i % 7 ? &f : NULL, text + (i % 2 ? 4 : 0),
		    n - (i % 2 ? 4 : 0), &out);
	}
	slu_fields_done(&f);
	str_done(&out);
	plug_done(&p);
	LEAK_CHECK();
}

/* What we write we read: every text of a nasty alphabet, also as the only column. */
Test(kit_rows, every_text_survives_csv_and_ndjson)
{
	static const char *const alphabet[] = {
	    "", "a", ",", "\"", "\n", "\r", " ", "\\", "\t", "é", "😀", "NULL", "{", "\xEF\xBB\xBF"};
	slu_err err = {.size = sizeof(err)};
	slu_fields f = {0};
	struct ArrowArray a;
	slu_builder *b;
	slu_col col;
	struct plug p;
	size_t i, j, k, n = sizeof(alphabet) / sizeof(alphabet[0]);
	int kind;

	plug_init(&p);
	(void)slu_fields_add(&f, "t", SLU_UTF8, NULL);
	b = slu_builder_new(&f, UINT64_MAX);
	slu_put_null(b, 0);
	cr_assert_eq(slu_row_end(b, &err), SLU_OK);
	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++) {
			for (k = 0; k < n; k++) {
				char text[32];

				(void)snprintf(text, sizeof(text), "%s%s%s", alphabet[i],
				    alphabet[j], alphabet[k]);
				slu_put_str(b, 0, text);
				cr_assert_eq(slu_row_end(b, &err), SLU_OK);
			}
		}
	}
	cr_assert_eq(slu_builder_take(b, &a, &err), SLU_OK);
	cr_assert_eq(slu_batch_read(&a, &f, &col, &err), SLU_OK);
	for (kind = SLU_CSV; kind <= SLU_NDJSON; kind++) {
		slu_format format = {.kind = kind, .delimiter = ','}, nd = {.kind = SLU_NDJSON};
		slu_buf text, want;
		struct str got;

		slu_buf_init(&text, 64 << 20);
		slu_buf_init(&want, 64 << 20);
		str_init(&got, 64 << 20);
		slu_rows_header(&format, &f, &text);
		cr_assert_eq(slu_rows_write(&format, &f, &col, 0, a.length, &text, &err), SLU_OK);
		cr_assert_eq(slu_rows_write(&nd, &f, &col, 0, a.length, &want, &err), SLU_OK);
		cr_assert_eq(parse(&p, &format, &f, text.s, text.len, &got), SLU_OK);
		cr_assert(
		    got.len == want.len && memcmp(got.s, want.s, got.len) == 0, "kind %d", kind);
		slu_buf_done(&text);
		slu_buf_done(&want);
		str_done(&got);
	}
	a.release(&a);
	slu_builder_free(b);
	slu_fields_done(&f);
	plug_done(&p);
	LEAK_CHECK();
}

Test(kit_rows, a_cut_compressed_file_is_refused)
{
	static const int kinds[] = {SLU_GZIP, SLU_ZSTD};
	slu_err err = {.size = sizeof(err)};
	struct plug p;
	size_t i;

	plug_init(&p);
	for (i = 0; i < 2; i++) {
		char text[100000], back[100000];
		size_t n, total = 0, k;
		int64_t bytes = 0;
		slu_out *o;
		slu_in *in;
		slu_rc rc;

		for (k = 0; k < sizeof(text); k++)
			text[k] = (char)(k * k >> 3);
		cr_assert_eq(slu_out_create(plug_path(&p, "f"), kinds[i], &o, &err), SLU_OK);
		cr_assert_eq(slu_out_write(o, text, sizeof(text), &err), SLU_OK);
		cr_assert_eq(slu_out_finish(o, 1, &bytes, &err), SLU_OK);
		cr_assert_eq(slu_in_open(plug_path(&p, "f"), &in, &err), SLU_OK);
		while ((rc = slu_in_read(in, back + total,
			    sizeof(back) - total < 999 ? sizeof(back) - total : 999, &n, &err)) ==
			   SLU_OK &&
		       n)
			if ((total += n) == sizeof(back))
				break;
		cr_assert(rc == SLU_OK && total == sizeof(text) && memcmp(text, back, total) == 0);
		slu_in_close(in);
		cr_assert_eq(truncate(plug_path(&p, "f"), bytes - 1), 0);
		cr_assert_eq(slu_in_open(plug_path(&p, "f"), &in, &err), SLU_OK);
		while ((rc = slu_in_read(in, back, sizeof(back), &n, &err)) == SLU_OK && n)
			;
		cr_assert_eq(rc, SLU_E_DATA);
		slu_in_close(in);
	}
	plug_done(&p);
	LEAK_CHECK();
}

Test(kit_rows, periods_follow_the_zone)
{
	slu_err err = {.size = sizeof(err)};
	const slu_zone *z;
	char key[SLU_PERIOD_MAX];
	int64_t from, to, a, b;
	slu_field date = {.name = "d", .type = SLU_DATE}, text = {.name = "t", .type = SLU_UTF8};

	cr_assert_eq(slu_zone_find("America/New_York", &z, &err), SLU_OK);
	/* 2026-03-08 has 23 hours there */
	cr_assert_eq(
	    slu_period_read("day=2026-03-08", z, &from, &to, &err), SLU_OK, "%s", err.message);
	cr_assert_eq(to - from, INT64_C(23) * 3600 * 1000000);
	cr_assert_eq(slu_period_of("day", z, to - 1, key, &a, &b, &err), SLU_OK);
	cr_assert_str_eq(key, "day=2026-03-08");
	cr_assert(a == from && b == to);
	cr_assert_eq(slu_span_of(&date, z, from, to, &a, &b, &err), SLU_OK);
	cr_assert_eq(b - a, 1);
	cr_assert_eq(slu_span_of(&date, z, from, from + 3600000000, &a, &b, &err), SLU_E_CONFIG,
	    "half a day of dates");
	cr_assert_eq(slu_span_of(&text, z, from, to, &a, &b, &err), SLU_E_CONFIG);
	cr_assert_eq(slu_period_read("nonsense", z, &a, &b, &err), SLU_E_CONFIG);
	cr_assert_eq(slu_zone_find("Mars/Olympus", &z, &err), SLU_E_CONFIG);
	LEAK_CHECK();
}

static slu_rc fails_twice(void *ctx, slu_err *err)
{
	int *n = ctx;

	return ++*n < 3 ? slu_fail(err, SLU_E_TRANSIENT, "T", "later") : SLU_OK;
}

static slu_rc fails_hard(void *ctx, slu_err *err)
{
	++*(int *)ctx;
	return slu_fail(err, SLU_E_AUTH, "T", "no");
}

Test(kit_rows, retries_only_what_may_get_better)
{
	slu_retry how = {.attempts = 4, .delay_ms = 1};
	slu_err err = {.size = sizeof(err)};
	struct plug p;
	struct slu_run *run;
	int n = 0;

	plug_init(&p);
	run = plug_run(&p, NULL, "{}");
	cr_assert_eq(slu_retry_call(&plug_host, run, &how, fails_twice, &n, &err), SLU_OK);
	cr_assert_eq(n, 3);
	n = 0;
	cr_assert_eq(slu_retry_call(&plug_host, run, &how, fails_hard, &n, &err), SLU_E_AUTH);
	cr_assert_eq(n, 1);
	n = -10;
	cr_assert_eq(slu_retry_call(&plug_host, run, &how, fails_twice, &n, &err), SLU_E_TRANSIENT);
	cr_assert_eq(n, -6);
	p.cancelled = 1;
	cr_assert_eq(slu_retry_call(&plug_host, run, &how, fails_twice, &n, &err), SLU_E_CANCELLED);
	plug_run_free(run);
	plug_done(&p);
	LEAK_CHECK();
}

/* What stands in a column json, or is gathered in _rest, is JSON: a row whose text is none is set
 * aside, and no target has to refuse the whole batch for it. */
Test(kit_rows, what_is_called_json_is_json)
{
	static const struct {
		const char *text;
		const char *want; /* NULL: rejected */
	} rows[] = {
	    {"{\"j\":{\"a\":[1,\"\\u00e9\"]},\"x\":\"\\n\"}",
		"{\"j\":{\"a\":[1,\"\\u00e9\"]},\"_rest\":{\"x\":\"\\n\"}}\n"},
	    {"{\"j\":\"\\q\"}", NULL},
	    {"{\"j\":[\"\\ud83d\"]}", NULL},
	    {"{\"j\":1,\"x\":\"\\q\"}", NULL},
	    {"{\"j\":1,\"x\":\"\xFF\"}", NULL},
	    {"{\"j\":1,\"x\xFF\":2}", NULL},
	    {"{\"j\":1,\"x\":{\"y\":\"\\u12\"}}", NULL},
	};
	slu_format format = {.kind = SLU_NDJSON, .rest = SLU_REST_JSON};
	slu_fields f = {0};
	struct plug p;
	struct str out;

	str_init(&out, 1 << 20);
	slu_fields_add(&f, "j", SLU_UTF8, NULL)->json = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		plug_init(&p);
		p.max_rejects = 10;
		str_reset(&out);
		cr_assert_eq(
		    parse(&p, &format, &f, rows[i].text, strlen(rows[i].text), &out), SLU_OK);
		cr_expect_eq(p.rejected, rows[i].want == NULL, "row %zu: %s", i, str_peek(&out));
		cr_expect_str_eq(str_peek(&out), rows[i].want ? rows[i].want : "", "row %zu", i);
		plug_done(&p);
	}
	format = (slu_format){.kind = SLU_CSV};
	plug_init(&p);
	p.max_rejects = 10;
	str_reset(&out);
	cr_assert_eq(parse(&p, &format, &f, "j\n{\"a\":1}\n{oops\n", 15, &out), SLU_OK);
	cr_expect_eq(p.rejected, 1);
	cr_expect_str_eq(str_peek(&out), "{\"j\":{\"a\":1}}\n");
	plug_done(&p);
	format.rest = SLU_REST_JSON;
	plug_init(&p);
	p.max_rejects = 10;
	str_reset(&out);
	cr_assert_eq(parse(&p, &format, &f, "j,x\n1,\xFF\n2,\"\x01\"\n", 14, &out), SLU_OK);
	cr_expect_str_eq(str_peek(&out), "{\"j\":2,\"_rest\":{\"x\":\"\\u0001\"}}\n");
	plug_done(&p);
	slu_fields_done(&f);
	str_done(&out);
	LEAK_CHECK();
}

/* Columns that are taken from the rows: a key that can be no name is one that nobody declared. */
Test(kit_rows, a_key_that_is_no_text_names_no_column)
{
	static const char text[] = "{\"a\":1,\"\xFF\":2}\n{\"a\":2,\"b\\u0000c\":2}\n{\"a\":3}\n";
	slu_format format = {.kind = SLU_NDJSON};
	struct plug p;
	struct str out;

	plug_init(&p);
	p.max_rejects = 10;
	str_init(&out, 1 << 20);
	cr_assert_eq(parse(&p, &format, NULL, text, sizeof(text) - 1, &out), SLU_OK);
	cr_expect_str_eq(str_peek(&out), "{\"a\":\"3\"}\n");
	cr_expect_eq(p.rejected, 2);
	str_done(&out);
	plug_done(&p);
	LEAK_CHECK();
}
