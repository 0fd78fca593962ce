/* The csv extract: real files of real life, and the table of hazards. */
#include "tests/unit/leak.h"
#include "tests/unit/plug_host.h"

#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct hazard {
	const char *name, *file;
	size_t n;		     /* bytes, 0: strlen */
	const char *options, *rows;  /* rows NULL: refused */
	const char *column, *reason; /* of a reject or failure */
};
static const struct hazard hazards[] = {
    {"empty cell is NULL, quotes are the empty text", "a,b\n,\"\"\n", 0, "{}",
	"{\"a\":null,\"b\":\"\"}\n", 0, 0},
    {"NULL and NA are words", "a,b\nNULL,NA\n", 0, "{}", "{\"a\":\"NULL\",\"b\":\"NA\"}\n", 0, 0},
    {"null_text is NULL only unquoted", "a,b\nNA,\"NA\"\n", 0, "{\"null_text\":\"NA\"}",
	"{\"a\":null,\"b\":\"NA\"}\n", 0, 0},
    {"leading zeros stay", "a\n00001\n", 0, "{}", "{\"a\":\"00001\"}\n", 0, 0},
    {"CRLF line ends", "a,b\r\n1,2\r\n", 0, "{}", "{\"a\":\"1\",\"b\":\"2\"}\n", 0, 0},
    {"CRLF inside quotes stays", "a,b\r\n\"x\r\ny\",2\r\n", 0, "{}",
	"{\"a\":\"x\\r\\ny\",\"b\":\"2\"}\n", 0, 0},
    {"quotes in quotes", "a\n\"say \"\"hi\"\"\"\n", 0, "{}", "{\"a\":\"say \\\"hi\\\"\"}\n", 0, 0},
    {"byte order mark",
	"\xEF\xBB\xBF"
	"a\n1\n",
	0, "{}", "{\"a\":\"1\"}\n", 0, 0},
    {"no line end at the end", "a,b\n1,2", 0, "{}", "{\"a\":\"1\",\"b\":\"2\"}\n", 0, 0},
    {"blank lines are no rows", "a,b\n\n1,2\n\n", 0, "{}", "{\"a\":\"1\",\"b\":\"2\"}\n", 0, 0},
    {"one column: a blank line is NULL", "a\n\nx\n", 0, "{}", "{\"a\":null}\n{\"a\":\"x\"}\n", 0,
	0},
    {"NUL byte stays", "a\nx\0y\n", 6, "{}", "{\"a\":\"x\\u0000y\"}\n", 0, 0},
    {"other delimiter", "a\tb\n1\t2,3\n", 0, "{\"delimiter\":\"\\\\t\"}",
	"{\"a\":\"1\",\"b\":\"2,3\"}\n", 0, 0},
    {"no header", "1,2\n", 0, "{\"header\":false}", "{\"c1\":\"1\",\"c2\":\"2\"}\n", 0, 0},
    {"30 digits stay", "a\n123456789012345678901234567890.12345678\n", 0,
	"{\"columns\":{\"a\":\"decimal(38,8)\"}}",
	"{\"a\":123456789012345678901234567890.12345678}\n", 0, 0},
    {"too many fraction digits", "a\n1.005\n", 0, "{\"columns\":{\"a\":\"decimal(10,2)\"}}", NULL,
	"a", "has more fraction digits than its type holds"},
    {"trailing zeros fit", "a\n1.500\n", 0, "{\"columns\":{\"a\":\"decimal(10,2)\"}}",
	"{\"a\":1.50}\n", 0, 0},
    {"unsigned 64", "a\n18446744073709551615\n", 0, "{\"columns\":{\"a\":\"uint64\"}}",
	"{\"a\":18446744073709551615}\n", 0, 0},
    {"beyond int64", "a\n9223372036854775808\n", 0, "{\"columns\":{\"a\":\"int64\"}}", NULL, "a",
	"is too large for its type"},
    {"int32 does not wrap", "a\n2147483648\n", 0, "{\"columns\":{\"a\":\"int32\"}}", NULL, "a",
	"is too large for its type"},
    {"1.0 is no int", "a\n1.0\n", 0, "{\"columns\":{\"a\":\"int64\"}}", NULL, "a",
	"is not a whole number"},
    {"double to the last bit", "a\n0.1\n1e-320\n5e-324\n1.7976931348623157e308\n", 0,
	"{\"columns\":{\"a\":\"float64\"}}",
	"{\"a\":0.1}\n{\"a\":9.99988867182683e-321}\n{\"a\":4.94065645841247e-324}\n{\"a\":1."
	"7976931348623157e+308}\n",
	0, 0},
    {"NaN and infinity", "a\nNaN\n-Infinity\n", 0, "{\"columns\":{\"a\":\"float64\"}}",
	"{\"a\":\"NaN\"}\n{\"a\":\"-Infinity\"}\n", 0, 0},
    {"bad UTF-8", "a\n\xC3\x28\n", 0, "{}", NULL, "a", "is not valid UTF-8"},
    {"29 February", "a\n2023-02-29\n", 0, "{\"columns\":{\"a\":\"date\"}}", NULL, "a",
	"is not a date YYYY-MM-DD"},
    {"offset becomes UTC", "a\n2026-11-21T09:00:00.000001+09:00\n", 0,
	"{\"columns\":{\"a\":\"timestamp\"}}", "{\"a\":\"2026-11-21T00:00:00.000001Z\"}\n", 0, 0},
    {"zone-less stays zone-less", "a\n2026-11-21 09:00\n", 0,
	"{\"columns\":{\"a\":\"timestamp_local\"}}", "{\"a\":\"2026-11-21T09:00:00\"}\n", 0, 0},
    {"a zone is not guessed", "a\n2026-11-21 09:00\n", 0, "{\"columns\":{\"a\":\"timestamp\"}}",
	NULL, "a", "has no time zone: declare it timestamp_local, or write an offset"},
    {"nanoseconds are not cut", "a\n2026-11-21T09:00:00.1234567Z\n", 0,
	"{\"columns\":{\"a\":\"timestamp\"}}", NULL, "a", "has more than microseconds"},
    {"a comma is no decimal point", "a;b\n1,5;2\n", 0,
	"{\"delimiter\":\";\",\"columns\":{\"a\":\"float64\",\"b\":\"text\"}}", NULL, "a",
	"is not a number"},
    {"column not declared", "a,b\n1,2\n", 0, "{\"columns\":{\"a\":\"text\"}}", NULL, "b", NULL},
    {"column missing", "a\n1\n", 0, "{\"columns\":{\"a\":\"text\",\"b\":\"text\"}}", NULL, "b",
	NULL},
    {"rest dropped", "a,b\n1,2\n", 0, "{\"columns\":{\"a\":\"text\"},\"rest\":\"drop\"}",
	"{\"a\":\"1\"}\n", 0, 0},
    {"rest as JSON", "a,b,c\n1,x\"y,\n", 0, "{\"columns\":{\"a\":\"text\"},\"rest\":\"json\"}",
	"{\"a\":\"1\",\"_rest\":{\"b\":\"x\\\"y\",\"c\":null}}\n", 0, 0},
    {"order is the file's own", "b,a\n2,1\n", 0, "{\"columns\":{\"a\":\"int8\",\"b\":\"text\"}}",
	"{\"a\":1,\"b\":\"2\"}\n", 0, 0},
    {"too few cells", "a,b\n1\n", 0, "{}", NULL, NULL, NULL},
    {"too few cells filled", "a,b\n1\n", 0, "{\"ragged\":\"fill\"}", "{\"a\":\"1\",\"b\":null}\n",
	0, 0},
    {"two columns of one name", "a,a\n1,2\n", 0, "{}", NULL, "a", NULL},
    {"text behind a quote", "a,b\n\"x\"y,1\n", 0, "{}", NULL, "a", NULL},
    {"quote never closed", "a,b\n\"x,1\n2,3\n", 0, "{}", NULL, "a", NULL},
    {"base64", "a\nAAEC\n", 0, "{\"columns\":{\"a\":\"binary\"}}", "{\"a\":\"AAEC\"}\n", 0, 0},
};

static void try_hazard(struct plug *p, const struct hazard *h)
{
	const slu_kind *kind = plug_kind("csv", "csv");
	slu_err err = {.size = sizeof(err)};
	char options[512];
	struct str rows;
	slu_rc rc;

	p->rejected = 0;
	p->reject_column[0] = p->reject_reason[0] = '\0';
	str_init(&rows, 1 << 20);
	plug_write(p, "f.csv", h->file, h->n ? h->n : strlen(h->file));
	(void)snprintf(options, sizeof(options), "{\"path\":\"f.csv\"%s%s",
	    h->options[1] == '}' ? "" : ",", h->options + 1);
	rc = plug_extract(p, kind, NULL, options, &rows, NULL, &err);
	if (h->rows) {
		cr_expect_eq(rc, SLU_OK, "%s: %s", h->name, err.message);
		cr_expect_str_eq(str_peek(&rows), h->rows, "%s: %s", h->name, str_peek(&rows));
		cr_expect(p->ended, "%s", h->name);
	} else {
		cr_expect(rc == SLU_E_DATA || rc == SLU_E_SCHEMA, "%s: %d %s", h->name, rc,
		    str_peek(&rows));
		cr_expect(
		    !h->column || strstr(err.message, h->column), "%s: %s", h->name, err.message);
		cr_expect(!h->reason || strcmp(p->reject_reason, h->reason) == 0, "%s: %s", h->name,
		    p->reject_reason);
	}
	str_done(&rows);
}

Test(plugins_csv, keeps_rejects_or_refuses_every_hazard)
{
	struct plug p;
	size_t i;

	plug_init(&p);
	for (i = 0; i < sizeof(hazards) / sizeof(hazards[0]); i++)
		try_hazard(&p, &hazards[i]);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_csv, sets_bad_rows_aside_and_counts_them)
{
	const slu_kind *kind = plug_kind("csv", "csv");
	slu_err err = {.size = sizeof(err)};
	struct plug p;
	struct str rows;

	plug_init(&p);
	p.max_rejects = 5;
	str_init(&rows, 1 << 20);
	plug_write(&p, "f.csv", "a,b\n1,x\nz,y\n3,w\n\"q\"q,1\n4,v\n",
	    strlen("a,b\n1,x\nz,y\n3,w\n\"q\"q,1\n4,v\n"));
	cr_assert_eq(plug_extract(&p, kind, NULL,
			 "{\"path\":\"f.csv\",\"columns\":{\"a\":\"int64\",\"b\":\"text\"}}", &rows,
			 NULL, &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&rows),
	    "{\"a\":1,\"b\":\"x\"}\n{\"a\":3,\"b\":\"w\"}\n{\"a\":4,\"b\":\"v\"}\n");
	cr_assert_eq(p.end.rows, 3);
	cr_assert_eq(p.end.rejected, 2);
	str_done(&rows);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_csv, reads_only_the_window)
{
	const slu_kind *kind = plug_kind("csv", "csv");
	slu_err err = {.size = sizeof(err)};
	struct plug p;
	struct str rows;

	plug_init(&p);
	str_init(&rows, 1 << 20);
	p.at.window_from_us = INT64_C(1795186800000000); /* 2026-11-21 00:00 +09:00 */
	p.at.window_to_us = p.at.window_from_us + INT64_C(86400000000);
	plug_write(&p, "f.csv", "d,n\n2026-11-20,1\n2026-11-21,2\n,3\n2026-11-22,4\n",
	    strlen("d,n\n2026-11-20,1\n2026-11-21,2\n,3\n2026-11-22,4\n"));
	cr_assert_eq(plug_extract(&p, kind, NULL,
			 "{\"path\":\"f.csv\",\"columns\":{\"d\":\"date\",\"n\":\"int64\"},"
			 "\"window\":{\"column\":\"d\",\"unit\":\"day\",\"zone\":\"Asia/Tokyo\"}}",
			 &rows, NULL, &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&rows), "{\"d\":\"2026-11-21\",\"n\":2}\n");
	cr_assert_eq(p.end.mark.flags, SLU_MARK_COMPLETE);
	cr_assert_eq(p.end.mark.complete_us, p.at.window_to_us);
	str_done(&rows);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_csv, gives_the_same_rows_for_any_buffering)
{
	const slu_kind *kind = plug_kind("csv", "csv");
	slu_err err = {.size = sizeof(err)};
	struct plug p;
	struct str file, want, rows;
	int i;

	plug_init(&p);
	str_init(&file, 16 << 20);
	str_init(&want, 64 << 20);
	str_init(&rows, 64 << 20);
	str_add(&file, "id,text\n");
	for (i = 0; i < 60000; i++) { /* well over one input buffer */
		str_addf(&file, "%d,\"line %d\nand \"\"more\"\"\"\r\n", i, i);
		str_addf(&want, "{\"id\":\"%d\",\"text\":\"line %d\\nand \\\"more\\\"\"}\n", i, i);
	}
	plug_write(&p, "f.csv", file.s, file.len);
	cr_assert_eq(plug_extract(&p, kind, NULL, "{\"path\":\"f.csv\"}", &rows, NULL, &err),
	    SLU_OK, "%s", err.message);
	cr_assert(want.len == rows.len && memcmp(want.s, rows.s, want.len) == 0);
	cr_assert_gt(p.end.batches, 1);
	str_done(&file);
	str_done(&want);
	str_done(&rows);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_csv, names_the_missing_file)
{
	const slu_kind *kind = plug_kind("csv", "csv");
	slu_err err = {.size = sizeof(err)};
	struct plug p;

	plug_init(&p);
	cr_assert_eq(plug_extract(&p, kind, NULL, "{\"path\":\"none.csv\"}", NULL, NULL, &err),
	    SLU_E_NOT_FOUND);
	cr_assert(strstr(err.message, "none.csv"), "%s", err.message);
	cr_assert_eq(plug_extract(&p, kind, NULL, "{\"path\":\"none-*.csv\"}", NULL, NULL, &err),
	    SLU_E_NOT_FOUND);
	cr_assert_eq(
	    plug_extract(&p, kind, NULL,
		"{\"path\":\"none-*.csv\",\"allow_none\":true,\"columns\":{\"a\":\"text\"}}", NULL,
		NULL, &err),
	    SLU_OK, "%s", err.message);
	cr_assert(p.ended && p.end.rows == 0);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_csv, reads_ndjson_exactly)
{
	const slu_kind *kind = plug_kind("csv", "csv");
	static const char file[] = "{\"a\": 12345678901234567890123, \"b\": {\"x\": [1, 2.50]}, "
				   "\"c\": \"\\u00e9\\ud83d\\ude00\"}\n"
				   "{\"b\": null, \"a\": \"7\"}\n\n"
				   "{\"a\":1,\"a\":2}\n{\"a\":1,}\n";
	slu_err err = {.size = sizeof(err)};
	struct plug p;
	struct str rows;

	plug_init(&p);
	p.max_rejects = 2;
	str_init(&rows, 1 << 20);
	plug_write(&p, "f.ndjson", file, sizeof(file) - 1);
	cr_assert_eq(plug_extract(&p, kind, NULL,
			 "{\"path\":\"f.ndjson\",\"format\":\"ndjson\",\"columns\":{\"a\":"
			 "\"decimal(38,0)\",\"b\":\"json\",\"c\":\"text\"}}",
			 &rows, NULL, &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&rows),
	    "{\"a\":12345678901234567890123,\"b\":{\"x\": [1, "
	    "2.50]},\"c\":\"é😀\"}\n{\"a\":7,\"b\":null,\"c\":null}\n");
	cr_assert_eq(p.rejected, 2);
	str_done(&rows);
	plug_done(&p);
	LEAK_CHECK();
}
