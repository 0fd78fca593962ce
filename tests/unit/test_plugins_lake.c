/* The lake: partitions, atomic replace, kills at every named point, fence, owner, types there and
 * back in each format. */
#include "tests/unit/leak.h"
#include "tests/unit/plug_host.h"

#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char conn[] = "{\"root\":\"lake\"}";
static const char by_column[] =
    "{\"partition\":{\"unit\":\"day\",\"zone\":\"Asia/Tokyo\",\"column\":\"d\"}}";
static const slu_part day = {
    "day=2026-11-21", INT64_C(1795186800000000), INT64_C(1795273200000000)};
#define COLS "{\"d\":\"timestamp\",\"n\":\"int64\"}"

static slu_rc load(
    struct plug *p, struct plug_load *l, const char *columns, const char *ndjson, slu_err *err)
{
	struct ArrowArrayStream in = {0};

	*err = (slu_err){.size = sizeof(*err)};
	l->kind = plug_kind("lake", "lake");
	l->conn_options = conn;
	l->work.dataset = "lake/shop.t";
	cr_assert_eq(plug_source(p, columns, ndjson, &in, err), SLU_OK, "%s", err->message);
	return plug_load(p, l, &in, err);
}

static void next_run(struct plug *p, struct plug_load *l, uint32_t mode)
{
	static char key[64], fence[64];
	static unsigned n;

	(void)snprintf(key, sizeof(key), "test/shop/%u/load//0/0", ++n);
	(void)snprintf(fence, sizeof(fence), "test/%u/load/", n);
	p->at.ledger_key = key;
	p->at.token++;
	plug_work(p, l, mode, "t");
	l->work.fence_key = fence;
}

static const char *read_rows(struct plug *p, const char *options)
{
	static char text[1 << 16];
	slu_err err = {.size = sizeof(err)};
	struct str out;

	str_init(&out, 1 << 20);
	cr_assert_eq(plug_extract(p, plug_kind("lake", "lake"), conn, options, &out, NULL, &err),
	    SLU_OK, "%s", err.message);
	(void)str_copy(text, sizeof(text), str_peek(&out));
	str_done(&out);
	return text;
}

static const char all[] = "{\"dataset\":\"lake/shop.t\",\"read\":\"all\"}";

static int count_files(struct plug *p, const char *sub)
{
	DIR *d = opendir(plug_path(p, sub));
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	if (d)
		(void)closedir(d);
	return n;
}

Test(plugins_lake, puts_rows_into_the_days_of_the_zone)
{
	struct plug_load l = {.options = by_column};
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, COLS,
			 "{\"d\":\"2026-11-20T14:59:59Z\",\"n\":1}\n{\"d\":\"2026-11-20T15:00:"
			 "00Z\",\"n\":2}\n"
			 "{\"d\":\"2026-11-21T01:00:00Z\",\"n\":3}\n",
			 &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(l.parts, "[{\"partition\":\"day=2026-11-20\",\"rows\":1,\"changed\":true,"
				  "\"max_event_us\":\"1795186799000000\"},"
				  "{\"partition\":\"day=2026-11-21\",\"rows\":2,\"changed\":true,"
				  "\"max_event_us\":\"1795222800000000\"}]");
	cr_assert_eq(count_files(&p, "lake/shop.t/day=2026-11-21"), 1);
	cr_assert_str_eq(read_rows(&p, all),
	    "{\"d\":\"2026-11-20T14:59:59Z\",\"n\":1}\n{\"d\":\"2026-11-20T15:"
	    "00:00Z\",\"n\":2}\n{\"d\":\"2026-11-21T01:00:00Z\",\"n\":3}\n");
	cr_assert_str_eq(
	    read_rows(&p,
		"{\"dataset\":\"lake/"
		"shop.t\",\"read\":\"new\",\"positions\":{\"from\":0,\"upto\":2,\"versions\":"
		"[{\"version\":1,\"partition\":\"day=2026-11-20\"}]}}"),
	    "{\"d\":\"2026-11-20T14:59:59Z\",\"n\":1}\n");
	p.at.parts = (slu_parts){1, sizeof(day), &day};
	cr_assert_str_eq(read_rows(&p, "{\"dataset\":\"lake/shop.t\",\"read\":\"partition\"}"),
	    "{\"d\":\"2026-11-20T15:00:00Z\",\"n\":2}\n{\"d\":\"2026-11-21T01:00:00Z\",\"n\":3}\n");
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_lake, replaces_a_partition_and_leaves_no_old_file)
{
	struct plug_load l = {.options = by_column};
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, COLS,
			 "{\"d\":\"2026-11-20T00:00:00Z\",\"n\":1}\n{\"d\":\"2026-11-21T00:00:"
			 "00Z\",\"n\":2}\n",
			 &err),
	    SLU_OK);
	p.at.parts = (slu_parts){1, sizeof(day), &day};
	next_run(&p, &l, SLU_M_REPLACE_PARTITION);
	cr_assert_eq(load(&p, &l, COLS, "{\"d\":\"2026-11-21T02:00:00Z\",\"n\":3}\n", &err), SLU_OK,
	    "%s", err.message);
	cr_assert_str_eq(read_rows(&p, all),
	    "{\"d\":\"2026-11-20T00:00:00Z\",\"n\":1}\n{\"d\":\"2026-11-21T02:00:00Z\",\"n\":3}\n");
	cr_assert_eq(count_files(&p, "lake/shop.t/day=2026-11-21"), 1);
	/* the same rows again are no change */
	next_run(&p, &l, SLU_M_REPLACE_PARTITION);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"d\":\"2026-11-21T02:00:00Z\",\"n\":3}\n", &err), SLU_OK);
	cr_assert_eq(l.report.flags, SLU_RP_UNCHANGED);
	cr_assert(strstr(l.parts, "\"changed\":false"), "%s", l.parts);
	cr_assert_eq(count_files(&p, "lake/shop.t/day=2026-11-21"), 1);
	/* strays and emptiness are refused */
	next_run(&p, &l, SLU_M_REPLACE_PARTITION);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"d\":\"2026-11-25T02:00:00Z\",\"n\":3}\n", &err), SLU_E_DATA);
	next_run(&p, &l, SLU_M_REPLACE_PARTITION);
	cr_assert_eq(load(&p, &l, COLS, "", &err), SLU_E_DATA);
	cr_assert_eq(count_files(&p, "lake/shop.t/day=2026-11-21"), 1);
	next_run(&p, &l, SLU_M_REPLACE_PARTITION);
	l.work.flags = SLU_WK_EMPTY_REPLACE;
	cr_assert_eq(load(&p, &l, COLS, "", &err), SLU_OK, "%s", err.message);
	cr_assert_str_eq(read_rows(&p, all), "{\"d\":\"2026-11-20T00:00:00Z\",\"n\":1}\n");
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_lake, rerun_of_an_append_replaces_its_own_rows)
{
	struct plug_load l = {.options = by_column};
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":1}\n", &err), SLU_OK);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":2}\n", &err), SLU_OK);
	l.work.ledger_key = "again";
	l.work.token++;
	l.work.flags = SLU_WK_RERUN;
	cr_assert_eq(load(&p, &l, COLS, "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":3}\n", &err), SLU_OK,
	    "%s", err.message);
	cr_assert_str_eq(read_rows(&p, all),
	    "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":1}\n{\"d\":\"2026-11-21T00:00:00Z\",\"n\":3}\n");
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_lake, lays_out_by_run)
{
	struct plug_load l = {
	    .options = "{\"layout\":{\"by\":\"run\",\"unit\":\"day\"},\"partition\":{\"zone\":"
		       "\"Asia/Tokyo\",\"column\":\"d\"}}"};
	struct plug p;
	slu_err err;

	plug_init(&p);
	p.at.window_from_us = day.from_us;
	p.at.window_to_us = day.to_us;
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, COLS, "{\"d\":null,\"n\":1}\n", &err), SLU_OK, "%s", err.message);
	cr_assert(strstr(l.parts, "day=2026-11-21"), "%s", l.parts);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_lake, a_zombie_is_fenced_and_a_foreign_deployment_refused)
{
	struct plug_load l = {.options = by_column, .mark = {.cursor_json = "{\"at\":1}"}};
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":1}\n", &err), SLU_OK);
	l.work.token++;
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":9}\n", &err), SLU_OK);
	cr_assert(l.found && l.report.written == 1);
	cr_assert_str_eq(l.found_cursor, "{\"at\":1}");
	l.work.token--;
	l.work.ledger_key = "zombie";
	cr_assert_eq(load(&p, &l, COLS, "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":9}\n", &err),
	    SLU_E_CANCELLED);
	cr_assert_str_eq(err.code, "LAKE.FENCED");
	l.work.token += 5;
	l.work.deployment = "staging";
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":9}\n", &err), SLU_E_CONFIG);
	cr_assert_str_eq(err.code, "LAKE.OWNER");
	cr_assert_str_eq(read_rows(&p, all), "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":1}\n");
	plug_done(&p);
	LEAK_CHECK();
}

/* ---- killed at every point ---- */
static const char *const points[] = {"fence", "stage", "write", "flush", "renamed", "commit"};
static const struct {
	uint32_t mode;
	const char *after;
} modes[] = {
    {SLU_M_APPEND,
	"{\"d\":\"2026-11-20T00:00:00Z\",\"n\":1}\n{\"d\":\"2026-11-21T00:00:00Z\",\"n\":2}\n"
	"{\"d\":\"2026-11-21T00:00:00Z\",\"n\":3}\n"},
    {SLU_M_REPLACE, "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":3}\n"},
    {SLU_M_REPLACE_PARTITION,
	"{\"d\":\"2026-11-20T00:00:00Z\",\"n\":1}\n{\"d\":\"2026-11-21T00:00:00Z\",\"n\":3}\n"}};
static const char before[] =
    "{\"d\":\"2026-11-20T00:00:00Z\",\"n\":1}\n{\"d\":\"2026-11-21T00:00:00Z\",\"n\":2}\n";
static const char batch[] = "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":3}\n";

static void order(struct plug *p, struct plug_load *l, uint32_t mode, uint64_t token)
{
	p->at.token = token;
	p->at.ledger_key = "the-load";
	p->at.parts =
	    mode == SLU_M_REPLACE_PARTITION ? (slu_parts){1, sizeof(day), &day} : (slu_parts){0};
	l->options = by_column;
	plug_work(p, l, mode, "t");
	l->work.fence_key = "the-fence";
}

static void killed_attempt(struct plug *p, uint32_t mode, const char *point)
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct plug_load l = {0};
		slu_err err;

		(void)setenv("SLUICE_TEST_KILL_AT", point, 1);
		order(p, &l, mode, 100);
		(void)!load(p, &l, COLS, batch, &err);
		_exit(99);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	    "%s: the point was not reached (%d)", point, status);
}

Test(plugins_lake, killed_at_every_point_a_retry_makes_the_target_the_oracle, .timeout = 120)
{
	size_t i, k, kills = 0;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		for (k = 0; k < sizeof(points) / sizeof(points[0]); k++) {
			struct plug_load l = {.options = by_column};
			struct plug p;
			slu_err err;

			plug_init(&p);
			next_run(&p, &l, SLU_M_APPEND);
			cr_assert_eq(load(&p, &l, COLS, before, &err), SLU_OK, "%s", err.message);
			killed_attempt(&p, modes[i].mode, points[k]);
			/* readers see all of it or nothing */
			if (strcmp(points[k], "commit") != 0)
				cr_assert_str_eq(read_rows(&p, all), before, "%s", points[k]);
			order(&p, &l, modes[i].mode, 101);
			cr_assert_eq(load(&p, &l, COLS, batch, &err), SLU_OK, "%s: %s", points[k],
			    err.message);
			cr_assert_eq(l.found, strcmp(points[k], "commit") == 0);
			cr_assert_str_eq(read_rows(&p, all), modes[i].after, "mode %u at %s",
			    modes[i].mode, points[k]);
			cr_assert_leq(count_files(&p, "lake/shop.t/day=2026-11-21"), 2,
			    "nothing of the dead is left");
			kills++;
			plug_done(&p);
		}
	}
	cr_assert_eq(kills, 18);
	LEAK_CHECK();
}

/* ---- types and hazards, each format ---- */
static const char typed_cols[] =
    "{\"a\":\"bool\",\"b\":\"int8\",\"c\":\"int16\",\"d\":\"int32\",\"e\":\"int64\",\"f\":"
    "\"uint8\",\"g\":\"uint16\",\"h\":\"uint32\","
    "\"i\":\"uint64\",\"j\":\"float32\",\"k\":\"float64\",\"l\":\"decimal(38,8)\",\"m\":\"text\","
    "\"n\":\"json\",\"o\":\"binary\","
    "\"p\":\"date\",\"q\":\"timestamp(Asia/Tokyo)\",\"r\":\"timestamp_local\"}";
static const char typed_rows[] =
    "{\"a\":true,\"b\":-128,\"c\":-32768,\"d\":2147483647,\"e\":-9223372036854775808,\"f\":255,"
    "\"g\":65535,\"h\":4294967295,"
    "\"i\":18446744073709551615,\"j\":0.1,\"k\":0.30000000000000004,\"l\":"
    "123456789012345678901234567890.12345678,"
    "\"m\":\"\",\"n\":{\"x\":[1,null,\"a,b\"]},\"o\":\"AAEC/"
    "w==\",\"p\":\"0001-01-01\",\"q\":\"2026-11-21T00:00:00.000001Z\","
    "\"r\":\"2026-11-21T02:30:00\"}\n"
    "{\"a\":null,\"b\":null,\"c\":null,\"d\":null,\"e\":null,\"f\":null,\"g\":null,\"h\":null,"
    "\"i\":null,\"j\":null,\"k\":null,\"l\":null,"
    "\"m\":null,\"n\":null,\"o\":null,\"p\":null,\"q\":null,\"r\":null}\n"
    "{\"a\":false,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":\"-"
    "Infinity\",\"k\":\"NaN\",\"l\":-0.00000001,"
    "\"m\":\"NULL\",\"n\":\"text\",\"o\":\"\",\"p\":\"9999-12-31\",\"q\":\"1969-12-31T23:59:59."
    "999999Z\",\"r\":\"0001-01-01T00:00:00\"}\n"
    "{\"a\":false,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1e-40,"
    "\"k\":4.94065645841247e-324,\"l\":0.10000000,"
    "\"m\":\"x\\r\\ny \\\"q\\\", 00001\\u0000 \\ttab "
    "é\",\"n\":[],\"o\":\"AA==\",\"p\":\"2024-02-29\",\"q\":\"2026-11-21T00:00:00Z\","
    "\"r\":\"2026-11-21T23:59:59.999999\"}\n";

Test(plugins_lake, every_type_comes_back_as_it_went_in_every_format)
{
	static const char *const formats[] = {"{}", "{\"compression\":\"gzip\"}",
	    "{\"compression\":\"zstd\"}", "{\"format\":\"ndjson\"}",
	    "{\"format\":\"ndjson\",\"compression\":\"zstd\"}"};
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct plug_load l = {.options = formats[i]};
		struct ArrowArrayStream in = {0};
		struct str want;
		struct plug p;
		slu_err err = {.size = sizeof(err)};

		plug_init(&p);
		str_init(&want, 1 << 16);
		next_run(&p, &l, SLU_M_REPLACE);
		cr_assert_eq(load(&p, &l, typed_cols, typed_rows, &err), SLU_OK, "%s", err.message);
		cr_assert_eq(plug_source(&p, typed_cols, typed_rows, &in, &err), SLU_OK);
		cr_assert_eq(plug_drain(&in, &want, NULL, &err), SLU_OK);
		cr_assert_str_eq(read_rows(&p, all), str_peek(&want), "%s", formats[i]);
		cr_assert_eq(p.end.rows, 4);
		str_done(&want);
		plug_done(&p);
	}
	LEAK_CHECK();
}

Test(plugins_lake, refuses_other_columns_and_damaged_files)
{
	struct plug_load l = {.options = "{\"compression\":\"zstd\"}"};
	slu_err err = {.size = sizeof(err)};
	struct plug p;
	struct dirent *e;
	char path[512] = "";
	DIR *d;

	plug_init(&p);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":1}\n", &err), SLU_OK);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, "{\"n\":\"text\"}", "{\"n\":\"x\"}\n", &err), SLU_E_SCHEMA);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, "{\"n\":\"int64\"}", "{\"n\":2}\n", &err), SLU_OK,
	    "a column less is NULL: %s", err.message);
	cr_assert_str_eq(
	    read_rows(&p, all), "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":1}\n{\"d\":null,\"n\":2}\n");
	d = opendir(plug_path(&p, "lake/shop.t"));
	while ((e = readdir(d)))
		if (strncmp(e->d_name, "part-", 5) == 0)
			(void)snprintf(
			    path, sizeof(path), "%s/%s", plug_path(&p, "lake/shop.t"), e->d_name);
	(void)closedir(d);
	cr_assert_eq(truncate(path, 10), 0);
	cr_assert_eq(plug_extract(&p, plug_kind("lake", "lake"), conn, all, NULL, NULL, &err),
	    SLU_E_DATA, "%s", err.message);
	cr_assert(strstr(err.message, "ends early"), "%s", err.message);
	cr_assert_eq(plug_extract(&p, plug_kind("lake", "lake"), conn,
			 "{\"dataset\":\"lake/none\"}", NULL, NULL, &err),
	    SLU_E_NOT_FOUND);
	plug_done(&p);
	LEAK_CHECK();
}
