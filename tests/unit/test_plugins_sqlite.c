/* The sqlite plugin: every mode, killed at every named point, fenced, found, owned; types and
 * hazards there and back. */
#include "tests/unit/leak.h"
#include "tests/unit/plug_host.h"

#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char conn[] = "{\"path\":\"t.db\"}";

static int collect(void *arg, int n, char **cells, char **names)
{
	struct str *s = arg;
	int i;

	(void)names;
	for (i = 0; i < n; i++)
		str_addf(s, "%s%s", i ? "|" : "", cells[i] ? cells[i] : "NULL");
	str_addc(s, '\n');
	return 0;
}

/* Rows of a query as a|b lines; the text lives until the next call. */
static const char *rows(struct plug *p, const char *sql)
{
	static char text[1 << 16];
	struct str s;
	char *message = NULL;
	sqlite3 *db;

	str_init(&s, 1 << 20);
	cr_assert_eq(sqlite3_open(plug_path(p, "t.db"), &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	cr_assert_eq(
	    sqlite3_exec(db, sql, collect, &s, &message), SQLITE_OK, "%s: %s", sql, message);
	(void)sqlite3_close(db);
	(void)str_copy(text, sizeof(text), str_peek(&s));
	str_done(&s);
	return text;
}

static slu_rc load(
    struct plug *p, struct plug_load *l, const char *columns, const char *ndjson, slu_err *err)
{
	struct ArrowArrayStream in = {0};

	*err = (slu_err){.size = sizeof(*err)};
	l->kind = plug_kind("sqlite", "sqlite");
	l->conn_options = conn;
	cr_assert_eq(plug_source(p, columns, ndjson, &in, err), SLU_OK, "%s", err->message);
	return plug_load(p, l, &in, err);
}

/* The next step attempt: a new ledger key and a higher token. */
static void next_run(struct plug *p, struct plug_load *l, uint32_t mode)
{
	static char key[64], run[32];
	static unsigned n;

	(void)snprintf(key, sizeof(key), "test/shop/%u/load//0/0", ++n);
	(void)snprintf(run, sizeof(run), "run%u", n);
	p->at.ledger_key = key;
	p->at.run = run;
	p->at.token++;
	plug_work(p, l, mode, "t");
}

#define COLS "{\"id\":\"int64\",\"name\":\"text\",\"v\":\"int64\"}"

Test(plugins_sqlite, replaces_and_sees_that_nothing_changed)
{
	struct plug_load l = {0};
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_REPLACE);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"\"}\n", &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(rows(&p, "SELECT id, name, v FROM t ORDER BY id"), "1|a|NULL\n2||NULL\n");
	cr_assert_eq(l.report.flags, 0);
	next_run(&p, &l, SLU_M_REPLACE);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"id\":2,\"name\":\"\"}\n{\"id\":1,\"name\":\"a\"}\n", &err),
	    SLU_OK);
	cr_assert_eq(l.report.flags, SLU_RP_UNCHANGED);
	next_run(&p, &l, SLU_M_REPLACE);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"id\":2,\"name\":\"\"}\n{\"id\":2,\"name\":\"\"}\n", &err),
	    SLU_OK);
	cr_assert_eq(l.report.flags, 0);
	cr_assert_str_eq(rows(&p, "SELECT id FROM t ORDER BY id"), "2\n2\n");
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite, merges_by_key_and_never_takes_an_older_version)
{
	struct plug_load l = {0};
	struct plug p;
	const char *key[] = {"id"};
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_MERGE);
	l.work.key = key;
	l.work.n_key = 1;
	l.work.version_column = "v";
	cr_assert_eq(
	    load(&p, &l, COLS,
		"{\"id\":1,\"name\":\"a\",\"v\":5}\n{\"id\":2,\"name\":\"b\",\"v\":5}\n", &err),
	    SLU_OK, "%s", err.message);
	next_run(&p, &l, SLU_M_MERGE);
	l.work.key = key;
	l.work.n_key = 1;
	l.work.version_column = "v";
	cr_assert_eq(load(&p, &l, COLS,
			 "{\"id\":1,\"name\":\"old\",\"v\":4}\n{\"id\":2,\"name\":\"new\",\"v\":6}"
			 "\n{\"id\":3,\"name\":null,\"v\":1}\n",
			 &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(
	    rows(&p, "SELECT id, name, v FROM t ORDER BY id"), "1|a|5\n2|new|6\n3|NULL|1\n");
	cr_assert(l.report.inserted == 1 && l.report.updated == 1 && l.report.written == 3);
	/* the same rows again change nothing */
	next_run(&p, &l, SLU_M_MERGE);
	l.work.key = key;
	l.work.n_key = 1;
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":3,\"name\":null,\"v\":1}\n", &err), SLU_OK);
	cr_assert_eq(l.report.flags, SLU_RP_UNCHANGED);
	plug_done(&p);
	LEAK_CHECK();
}

static void merge_order(struct plug *p, struct plug_load *l)
{
	static const char *const key[] = {"id"};

	next_run(p, l, SLU_M_MERGE);
	l->work.key = key;
	l->work.n_key = 1;
}

Test(plugins_sqlite, merge_refuses_duplicates_or_takes_the_latest_and_rejects_null_keys)
{
	struct plug_load l = {0};
	struct plug p;
	slu_err err;

	plug_init(&p);
	/* duplicates: refused, or the latest */
	merge_order(&p, &l);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"id\":9,\"v\":1}\n{\"id\":9,\"v\":2}\n", &err), SLU_E_DATA);
	merge_order(&p, &l);
	l.work.version_column = "v";
	l.work.flags = SLU_WK_LATEST;
	cr_assert_eq(
	    load(&p, &l, COLS,
		"{\"id\":9,\"name\":\"x\",\"v\":2}\n{\"id\":9,\"name\":\"y\",\"v\":1}\n", &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(rows(&p, "SELECT name, v FROM t WHERE id = 9"), "x|2\n");
	/* NULL in the key rejects the row */
	p.max_rejects = 1;
	merge_order(&p, &l);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"id\":null,\"name\":\"x\"}\n{\"id\":10,\"name\":\"y\"}\n", &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(p.reject_column, "id");
	cr_assert_eq(l.report.written, 1);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite, replaces_exactly_the_partitions_of_the_work_order)
{
	const slu_part part = {
	    "day=2026-11-21", INT64_C(1795186800000000), INT64_C(1795273200000000)}; /* Tokyo */
	struct plug_load l = {
	    .options =
		"{\"partition\":{\"unit\":\"day\",\"zone\":\"Asia/Tokyo\",\"column\":\"d\"}}"};
	static const char cols[] = "{\"d\":\"timestamp\",\"n\":\"int64\"}";
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, cols,
			 "{\"d\":\"2026-11-20T14:59:59.999999Z\",\"n\":1}\n{\"d\":\"2026-11-20T15:"
			 "00:00Z\",\"n\":2}\n"
			 "{\"d\":\"2026-11-21T14:59:59.999999Z\",\"n\":3}\n{\"d\":\"2026-11-21T15:"
			 "00:00Z\",\"n\":4}\n",
			 &err),
	    SLU_OK, "%s", err.message);
	p.at.parts = (slu_parts){1, sizeof(part), &part};
	next_run(&p, &l, SLU_M_REPLACE_PARTITION);
	cr_assert_eq(load(&p, &l, cols, "{\"d\":\"2026-11-21T00:00:00Z\",\"n\":5}\n", &err), SLU_OK,
	    "%s", err.message);
	cr_assert_str_eq(rows(&p, "SELECT n FROM t ORDER BY n"), "1\n4\n5\n");
	cr_assert_str_eq(
	    l.parts, "[{\"partition\":\"day=2026-11-21\",\"rows\":1,\"changed\":true}]");
	next_run(&p, &l, SLU_M_REPLACE_PARTITION);
	cr_assert_eq(load(&p, &l, cols, "{\"d\":\"2026-11-21T15:00:00Z\",\"n\":5}\n", &err),
	    SLU_E_DATA, "a stray row");
	next_run(&p, &l, SLU_M_REPLACE_PARTITION);
	cr_assert_eq(load(&p, &l, cols, "", &err), SLU_E_DATA, "no rows");
	cr_assert(strstr(err.message, "empty: replace"), "%s", err.message);
	next_run(&p, &l, SLU_M_REPLACE_PARTITION);
	l.work.flags = SLU_WK_EMPTY_REPLACE;
	cr_assert_eq(load(&p, &l, cols, "", &err), SLU_OK, "%s", err.message);
	cr_assert_str_eq(rows(&p, "SELECT n FROM t ORDER BY n"), "1\n4\n");
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite, rerun_of_an_append_replaces_its_own_rows)
{
	struct plug_load l = {0};
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_APPEND);
	l.work.flags = SLU_WK_STAMP;
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":1}\n", &err), SLU_OK, "%s", err.message);
	l.work.ledger_key = "test/shop/again/1";
	l.work.flags = SLU_WK_STAMP | SLU_WK_RERUN;
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":2}\n", &err), SLU_OK, "%s", err.message);
	cr_assert_str_eq(rows(&p, "SELECT id, _sl_step FROM t"), "2|load\n");
	l.work.flags = SLU_WK_RERUN;
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":2}\n", &err), SLU_E_CONFIG);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite, a_retry_finds_the_ledger_with_report_and_mark)
{
	struct plug_load l = {.mark = {.flags = SLU_MARK_COMPLETE,
				  .cursor_json = "{\"at\":[\"t:x\"]}",
				  .complete_us = INT64_C(1795186800000001)}};
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":1}\n", &err), SLU_OK);
	l.work.token++;
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":7}\n", &err), SLU_OK);
	cr_assert(l.found);
	cr_assert_eq(l.report.written, 1);
	cr_assert_str_eq(l.found_cursor, "{\"at\":[\"t:x\"]}");
	cr_assert_eq(l.found_mark.complete_us, INT64_C(1795186800000001));
	cr_assert_str_eq(rows(&p, "SELECT id FROM t"), "1\n");
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite, a_zombie_is_fenced_and_a_foreign_deployment_refused)
{
	struct plug_load l = {0};
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":1}\n", &err), SLU_OK);
	l.work.ledger_key = "other";
	l.work.token--;
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":2}\n", &err), SLU_E_CANCELLED);
	cr_assert_str_eq(err.code, "SINK.FENCED");
	l.work.token += 2;
	l.work.deployment = "staging";
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":2}\n", &err), SLU_E_CONFIG);
	cr_assert_str_eq(err.code, "SINK.OWNER");
	cr_assert_str_eq(rows(&p, "SELECT id FROM t"), "1\n");
	plug_done(&p);
	LEAK_CHECK();
}

/* A newer attempt claims the fence between the zombie's stage and its publish. */
Test(plugins_sqlite, a_zombie_that_wakes_before_publish_changes_nothing)
{
	const slu_kind *kind = plug_kind("sqlite", "sqlite");
	struct plug_load l = {0};
	struct slu_run *run, *crun;
	void *c = NULL, *st = NULL;
	slu_report report = {.size = sizeof(report)};
	slu_mark mark = {.size = sizeof(mark)};
	struct ArrowArrayStream in = {0};
	struct ArrowSchema schema = {0};
	struct ArrowArray batch = {0};
	int32_t found;
	struct plug p;
	slu_err err = {.size = sizeof(err)};
	struct plug_load newer;
	char stage[16];

	plug_init(&p);
	next_run(&p, &l, SLU_M_REPLACE);
	run = plug_run(&p, &kind->load->options, "{}");
	crun = plug_run(&p, &kind->connection->options, conn);
	cr_assert_eq(kind->connection->open(&plug_host, crun, &c, &err), SLU_OK);
	cr_assert_eq(kind->load->open(&plug_host, run, c, &l.work, &st, &err), SLU_OK);
	cr_assert_eq(kind->load->recover(st, &found, &report, &mark, &err), SLU_OK);
	cr_assert_eq(plug_source(&p, COLS, "{\"id\":666}\n", &in, &err), SLU_OK);
	cr_assert_eq(in.get_schema(&in, &schema), 0);
	cr_assert_eq(kind->load->stage(st, &schema, NULL, 0, stage, sizeof(stage), &err), SLU_OK);
	cr_assert_eq(in.get_next(&in, &batch), 0);
	cr_assert_eq(kind->load->write(st, &batch, &err), SLU_OK);
	newer = l;
	newer.work.token++;
	cr_assert_eq(load(&p, &newer, COLS, "{\"id\":1}\n", &err), SLU_OK, "%s", err.message);
	/* the ledger has the row already: the zombie would report what is there; its own rows never
	 * arrive */
	cr_assert_eq(kind->load->publish(st, &mark, &report, &err), SLU_OK);
	cr_assert_str_eq(rows(&p, "SELECT id FROM t"), "1\n");
	schema.release(&schema);
	in.release(&in);
	kind->load->close(st);
	kind->connection->close(c);
	plug_run_free(run);
	plug_run_free(crun);
	plug_done(&p);
	LEAK_CHECK();
}

/* ---- killed at every point ---- */
struct oracle {
	uint32_t mode;
	const char *options, *before, *batch, *after;
};
static const slu_part day = {
    "day=2026-11-21", INT64_C(1795219200000000), INT64_C(1795305600000000)};
#define KCOLS "{\"id\":\"int64\",\"d\":\"date\"}"
static const struct oracle oracles[] = {
    {SLU_M_APPEND, "{}", "{\"id\":1,\"d\":\"2026-11-20\"}\n", "{\"id\":2,\"d\":\"2026-11-21\"}\n",
	"1\n2\n"},
    {SLU_M_REPLACE, "{}", "{\"id\":1,\"d\":\"2026-11-20\"}\n", "{\"id\":2,\"d\":\"2026-11-21\"}\n",
	"2\n"},
    {SLU_M_MERGE, "{}", "{\"id\":1,\"d\":\"2026-11-20\"}\n",
	"{\"id\":1,\"d\":\"2026-11-21\"}\n{\"id\":3}\n", "1\n3\n"},
    {SLU_M_REPLACE_PARTITION, "{\"partition\":{\"column\":\"d\"}}",
	"{\"id\":1,\"d\":\"2026-11-20\"}\n{\"id\":5,\"d\":\"2026-11-21\"}\n",
	"{\"id\":2,\"d\":\"2026-11-21\"}\n", "1\n2\n"},
    {SLU_M_DELETE_INSERT, "{}", "{\"id\":1,\"d\":\"2026-11-20\"}\n",
	"{\"id\":1,\"d\":\"2026-11-21\"}\n{\"id\":4}\n", "1\n4\n"},
};
static const char *const points[] = {"fence", "stage", "write", "flush", "publish-fence",
    "publish-rows", "publish-ledger", "commit"};

static void order(
    struct plug *p, struct plug_load *l, const struct oracle *o, uint64_t token, const char *ledger)
{
	static const char *const key[] = {"id"};

	p->at.token = token;
	p->at.ledger_key = ledger;
	p->at.parts =
	    o->mode == SLU_M_REPLACE_PARTITION ? (slu_parts){1, sizeof(day), &day} : (slu_parts){0};
	plug_work(p, l, o->mode, "t");
	l->options = o->options;
	if (o->mode == SLU_M_MERGE || o->mode == SLU_M_DELETE_INSERT) {
		l->work.key = key;
		l->work.n_key = 1;
	}
}

/* One attempt in a child that is killed at the point. */
static void killed_attempt(struct plug *p, const struct oracle *o, const char *point)
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct plug_load l = {0};
		slu_err err;

		(void)setenv("SLUICE_TEST_KILL_AT", point, 1);
		order(p, &l, o, 2, "load");
		(void)!load(p, &l, KCOLS, o->batch, &err);
		_exit(99);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	    "%s: the point was not reached (%d)", point, status);
}

Test(plugins_sqlite, killed_at_every_point_a_retry_makes_the_target_the_oracle, .timeout = 120)
{
	size_t i, k, kills = 0;

	for (i = 0; i < sizeof(oracles) / sizeof(oracles[0]); i++) {
		for (k = 0; k < sizeof(points) / sizeof(points[0]); k++) {
			const struct oracle *o = &oracles[i];
			struct oracle first = *o;
			struct plug_load l = {0};
			struct plug p;
			slu_err err;

			plug_init(&p);
			first.mode = o->mode == SLU_M_MERGE ? SLU_M_MERGE : SLU_M_APPEND;
			order(&p, &l, &first, 1, "seed");
			cr_assert_eq(
			    load(&p, &l, KCOLS, o->before, &err), SLU_OK, "%s", err.message);
			killed_attempt(&p, o, points[k]);
			order(&p, &l, o, 3, "load");
			cr_assert_eq(load(&p, &l, KCOLS, o->batch, &err), SLU_OK, "%s: %s",
			    points[k], err.message);
			cr_assert_eq(l.found, strcmp(points[k], "commit") == 0, "%s", points[k]);
			cr_assert_str_eq(rows(&p, "SELECT id FROM t ORDER BY id"), o->after,
			    "mode %u at %s", o->mode, points[k]);
			cr_assert_str_eq(rows(&p, "SELECT count(*) FROM _sluice_ledger"), "2\n");
			cr_assert_str_eq(rows(&p, "PRAGMA integrity_check"), "ok\n");
			kills++;
			plug_done(&p);
		}
	}
	cr_assert_eq(kills, 40);
	LEAK_CHECK();
}

/* ---- types and hazards ---- */
static const struct {
	const char *name, *columns, *row; /* in, and out the same unless said */
	const char *out;		  /* NULL: the same */
	const char *reason;		  /* rejected instead */
} types[] = {
    {"bool", "{\"a\":\"bool\"}", "{\"a\":true}", NULL, NULL},
    {"int8", "{\"a\":\"int8\"}", "{\"a\":-128}", NULL, NULL},
    {"int16", "{\"a\":\"int16\"}", "{\"a\":32767}", NULL, NULL},
    {"int32", "{\"a\":\"int32\"}", "{\"a\":-2147483648}", NULL, NULL},
    {"int64", "{\"a\":\"int64\"}", "{\"a\":9223372036854775807}", NULL, NULL},
    {"uint8", "{\"a\":\"uint8\"}", "{\"a\":255}", NULL, NULL},
    {"uint16", "{\"a\":\"uint16\"}", "{\"a\":65535}", NULL, NULL},
    {"uint32", "{\"a\":\"uint32\"}", "{\"a\":4294967295}", NULL, NULL},
    {"uint64", "{\"a\":\"uint64\"}", "{\"a\":9223372036854775807}", NULL, NULL},
    {"uint64 beyond", "{\"a\":\"uint64\"}", "{\"a\":9223372036854775808}", NULL,
	"is larger than 9223372036854775807, the largest integer of SQLite"},
    {"float32", "{\"a\":\"float32\"}", "{\"a\":0.1}", NULL, NULL},
    {"float64", "{\"a\":\"float64\"}", "{\"a\":0.30000000000000004}", NULL, NULL},
    {"denormal", "{\"a\":\"float64\"}", "{\"a\":4.94065645841247e-324}", NULL, NULL},
    {"infinity", "{\"a\":\"float64\"}", "{\"a\":\"-Infinity\"}", NULL, NULL},
    {"NaN", "{\"a\":\"float64\"}", "{\"a\":\"NaN\"}", NULL,
	"is NaN, which SQLite would store as NULL"},
    {"decimal of 30 digits", "{\"a\":\"decimal(38,8)\"}",
	"{\"a\":123456789012345678901234567890.12345678}", NULL, NULL},
    {"decimal", "{\"a\":\"decimal(12,2)\"}", "{\"a\":-0.10}", NULL, NULL},
    {"empty text", "{\"a\":\"text\"}", "{\"a\":\"\"}", NULL, NULL},
    {"NULL", "{\"a\":\"text\"}", "{\"a\":null}", NULL, NULL},
    {"the word NULL", "{\"a\":\"text\"}", "{\"a\":\"NULL\"}", NULL, NULL},
    {"00001", "{\"a\":\"text\"}", "{\"a\":\"00001\"}", NULL, NULL},
    {"CRLF", "{\"a\":\"text\"}", "{\"a\":\"x\\r\\ny\"}", NULL, NULL},
    {"NUL byte", "{\"a\":\"text\"}", "{\"a\":\"x\\u0000y\"}", NULL, NULL},
    {"json", "{\"a\":\"json\"}", "{\"a\":{\"b\":[1,2.50,null]}}", NULL, NULL},
    {"binary", "{\"a\":\"binary\"}", "{\"a\":\"AAEC/w==\"}", NULL, NULL},
    {"empty binary", "{\"a\":\"binary\"}", "{\"a\":\"\"}", NULL, NULL},
    {"date", "{\"a\":\"date\"}", "{\"a\":\"2024-02-29\"}", NULL, NULL},
    {"first date", "{\"a\":\"date\"}", "{\"a\":\"0001-01-01\"}", NULL, NULL},
    {"last date", "{\"a\":\"date\"}", "{\"a\":\"9999-12-31\"}", NULL, NULL},
    {"timestamp", "{\"a\":\"timestamp\"}", "{\"a\":\"2026-11-21T00:00:00.000001Z\"}", NULL, NULL},
    {"timestamp in a zone", "{\"a\":\"timestamp(Asia/Tokyo)\"}",
	"{\"a\":\"2026-11-21T09:00:00+09:00\"}", "{\"a\":\"2026-11-21T00:00:00Z\"}", NULL},
    {"zone-less", "{\"a\":\"timestamp_local\"}", "{\"a\":\"2026-11-21T02:30:00\"}", NULL, NULL},
};

Test(plugins_sqlite, every_type_comes_back_as_it_went_or_is_rejected_with_a_reason, .timeout = 60)
{
	const slu_kind *kind = plug_kind("sqlite", "sqlite");
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct plug_load l = {0};
		struct str out;
		struct plug p;
		char row[256], want[256];
		slu_err err;

		plug_init(&p);
		str_init(&out, 1 << 20);
		p.max_rejects = 1;
		next_run(&p, &l, SLU_M_REPLACE);
		(void)snprintf(row, sizeof(row), "%s\n", types[i].row);
		(void)snprintf(
		    want, sizeof(want), "%s\n", types[i].out ? types[i].out : types[i].row);
		cr_expect_eq(load(&p, &l, types[i].columns, row, &err), SLU_OK, "%s: %s",
		    types[i].name, err.message);
		cr_expect_eq(plug_extract(&p, kind, conn, "{\"table\":\"t\"}", &out, NULL, &err),
		    SLU_OK, "%s: %s", types[i].name, err.message);
		if (types[i].reason)
			cr_expect(p.rejected == 1 && strcmp(p.reject_reason, types[i].reason) == 0,
			    "%s: %s", types[i].name, p.reject_reason);
		else
			cr_expect_str_eq(
			    str_peek(&out), want, "%s: %s", types[i].name, str_peek(&out));
		str_done(&out);
		plug_done(&p);
	}
	LEAK_CHECK();
}

Test(plugins_sqlite, schema_of_a_table_comes_back)
{
	static const char cols[] = "{\"a\":\"bool\",\"b\":\"int8\",\"c\":\"int16\",\"d\":\"int32\","
				   "\"e\":\"int64\",\"f\":\"uint8\",\"g\":\"uint16\","
				   "\"h\":\"uint32\",\"i\":\"uint64\",\"j\":\"float32\",\"k\":"
				   "\"float64\",\"l\":\"decimal(12,2)\",\"m\":\"text\","
				   "\"n\":\"json\",\"o\":\"binary\",\"p\":\"date\",\"q\":"
				   "\"timestamp\",\"r\":\"timestamp_local\"}";
	const slu_kind *kind = plug_kind("sqlite", "sqlite");
	struct plug_load l = {0};
	struct json *want = NULL;
	struct str schema, flat;
	struct plug p;
	slu_err err;

	plug_init(&p);
	str_init(&schema, 1 << 16);
	str_init(&flat, 1 << 16);
	next_run(&p, &l, SLU_M_REPLACE);
	cr_assert_eq(load(&p, &l, cols, "{}\n", &err), SLU_OK, "%s", err.message);
	cr_assert_eq(
	    plug_extract(&p, kind, conn, "{\"table\":\"t\"}", NULL, &schema, &err), SLU_OK);
	cr_assert_eq(json_parse(str_peek(&schema), schema.len, 1 << 16, &want, NULL), 0);
	str_addc(&flat, '{');
	for (const struct json *f = json_first(want); f; f = json_next(f))
		str_addf(&flat, "%s\"%s\":\"%s\"", flat.len > 1 ? "," : "",
		    json_get_str(f, "name", ""), json_get_str(f, "type", ""));
	str_addc(&flat, '}');
	cr_assert_str_eq(str_peek(&flat), cols);
	json_free(want);
	str_done(&schema);
	str_done(&flat);
	/* and the same rows fit into it again */
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, cols, "{}\n", &err), SLU_OK, "%s", err.message);
	cr_assert_eq(l.n_changes, 0);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite, refuses_a_new_column_until_it_is_approved)
{
	const slu_kind *kind = plug_kind("sqlite", "sqlite");
	struct plug_load l = {.kind = kind};
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, "{\"id\":\"int64\"}", "{\"id\":1}\n", &err), SLU_OK);
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(load(&p, &l, "{\"id\":\"text\"}", "{\"id\":\"x\"}\n", &err), SLU_E_SCHEMA,
	    "another type");
	next_run(&p, &l, SLU_M_APPEND);
	cr_assert_eq(
	    load(&p, &l, "{\"id\":\"int64\",\"b\":\"text\"}", "{\"id\":2,\"b\":\"x\"}\n", &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(rows(&p, "SELECT id, b FROM t ORDER BY id"), "1|NULL\n2|x\n");
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite, checks_are_made_on_the_stage)
{
	struct plug_load l = {.check = "{\"not_null\":[\"name\"]}"};
	struct plug p;
	slu_err err;

	plug_init(&p);
	next_run(&p, &l, SLU_M_REPLACE);
	cr_assert_eq(
	    load(&p, &l, COLS, "{\"id\":1}\n{\"id\":2,\"name\":\"x\"}\n", &err), SLU_E_DATA);
	cr_assert_eq(l.failing, 1);
	l.check = "{\"unique\":[\"id\"]}";
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":1}\n{\"id\":1}\n", &err), SLU_E_DATA);
	cr_assert_eq(l.failing, 2);
	l.check = "{\"rows\":{\"min\":1}}";
	cr_assert_eq(load(&p, &l, COLS, "{\"id\":1}\n", &err), SLU_OK, "%s", err.message);
	plug_done(&p);
	LEAK_CHECK();
}

/* ---- reading ---- */
Test(plugins_sqlite, cursor_reads_each_row_once_also_with_ties)
{
	static const char options[] =
	    "{\"table\":\"s\",\"cursor\":{\"column\":\"at\",\"tie\":[\"id\"]}}";
	const slu_kind *kind = plug_kind("sqlite", "sqlite");
	struct plug p;
	struct str out;
	slu_err err = {.size = sizeof(err)};

	plug_init(&p);
	str_init(&out, 1 << 20);
	(void)rows(&p, "CREATE TABLE s (id INTEGER, at TEXT)");
	cr_assert_eq(
	    plug_extract(&p, kind, conn, options, &out, NULL, &err), SLU_OK, "%s", err.message);
	cr_assert_str_eq(p.mark_text, "");
	(void)rows(&p, "INSERT INTO s VALUES (1, 'a'), (2, 'b'), (4, 'b')");
	cr_assert_eq(
	    plug_extract(&p, kind, conn, options, &out, NULL, &err), SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&out),
	    "{\"id\":1,\"at\":\"a\"}\n{\"id\":2,\"at\":\"b\"}\n{\"id\":4,\"at\":\"b\"}\n");
	cr_assert_str_eq(p.mark_text, "{\"column\":\"at\",\"at\":[\"t:b\",\"i:4\"]}");
	(void)str_copy(p.cursor_text, sizeof(p.cursor_text), p.mark_text);
	p.cursor.cursor_json = p.cursor_text;
	(void)rows(&p, "INSERT INTO s VALUES (3, 'b'), (5, 'b'), (6, 'c')");
	str_reset(&out);
	cr_assert_eq(
	    plug_extract(&p, kind, conn, options, &out, NULL, &err), SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&out), "{\"id\":5,\"at\":\"b\"}\n{\"id\":6,\"at\":\"c\"}\n");
	/* nothing new: the position stays */
	(void)str_copy(p.cursor_text, sizeof(p.cursor_text), p.mark_text);
	str_reset(&out);
	cr_assert_eq(plug_extract(&p, kind, conn, options, &out, NULL, &err), SLU_OK);
	cr_assert_str_eq(str_peek(&out), "");
	cr_assert_str_eq(p.mark_text, "{\"column\":\"at\",\"at\":[\"t:c\",\"i:6\"]}");
	(void)rows(&p, "INSERT INTO s VALUES (7, NULL)");
	cr_assert_eq(plug_extract(&p, kind, conn, options, &out, NULL, &err), SLU_E_DATA);
	str_done(&out);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite, a_range_is_read_again_as_it_was)
{
	static const char options[] =
	    "{\"table\":\"s\",\"cursor\":{\"column\":\"at\",\"tie\":[\"id\"]}}";
	const slu_kind *kind = plug_kind("sqlite", "sqlite");
	struct plug p;
	struct str out;
	slu_err err = {.size = sizeof(err)};

	plug_init(&p);
	str_init(&out, 1 << 20);
	(void)rows(&p, "CREATE TABLE s (id INTEGER, at TEXT)");
	(void)rows(&p, "INSERT INTO s VALUES (1, 'a'), (2, 'b'), (3, 'b'), (4, 'c'), (5, NULL)");
	p.upto = "{\"column\":\"at\",\"at\":[\"t:b\",\"i:2\"]}";
	cr_assert_eq(
	    plug_extract(&p, kind, conn, options, &out, NULL, &err), SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&out), "{\"id\":1,\"at\":\"a\"}\n{\"id\":2,\"at\":\"b\"}\n");
	cr_assert_str_eq(p.mark_text, p.upto);
	(void)str_copy(p.cursor_text, sizeof(p.cursor_text), p.upto);
	p.cursor.cursor_json = p.cursor_text;
	p.upto = "{\"column\":\"at\",\"at\":[\"t:b\",\"i:3\"]}";
	str_reset(&out);
	cr_assert_eq(
	    plug_extract(&p, kind, conn, options, &out, NULL, &err), SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&out), "{\"id\":3,\"at\":\"b\"}\n");
	str_done(&out);
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite, window_is_exact_whatever_the_spelling_of_the_time)
{
	const slu_kind *kind = plug_kind("sqlite", "sqlite");
	struct plug p;
	struct str out;
	slu_err err = {.size = sizeof(err)};

	plug_init(&p);
	str_init(&out, 1 << 20);
	p.at.window_from_us = INT64_C(1795219200000000);
	p.at.window_to_us = INT64_C(1795305600000000);
	(void)rows(&p, "CREATE TABLE s (id INTEGER, at TIMESTAMP); INSERT INTO s VALUES (1, "
		       "'2026-11-20 23:59:59'), "
		       "(2, '2026-11-21 00:00:00'), (3, '2026-11-21T23:59:59.9'), (4, '2026-11-22 "
		       "00:00:00'), (5, NULL)");
	cr_assert_eq(
	    plug_extract(&p, kind, conn,
		"{\"query\":\"SELECT id, at FROM s -- all\",\"window\":{\"column\":\"at\"}}", &out,
		NULL, &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&out), "{\"id\":2,\"at\":\"2026-11-21T00:00:00\"}\n{\"id\":3,"
					 "\"at\":\"2026-11-21T23:59:59.900000\"}\n");
	str_done(&out);
	plug_done(&p);
	LEAK_CHECK();
}

/* ---- the sql task ---- */
static slu_rc run_task(struct plug *p, const char *options, slu_err *err)
{
	const slu_kind *k = plug_kind("sqlite", "sql");
	struct slu_run *run = plug_run(p, &k->task->options, options),
		       *crun = plug_run(p, &k->connection->options, conn);
	void *c = NULL, *st = NULL;
	slu_rc rc;

	*err = (slu_err){.size = sizeof(*err)};
	rc = k->connection->open(&plug_host, crun, &c, err);
	if (rc == SLU_OK)
		rc = k->task->open(&plug_host, run, c, &st, err);
	if (rc == SLU_OK)
		rc = k->task->run(st, err);
	if (st)
		k->task->close(st);
	if (c)
		k->connection->close(c);
	plug_run_free(run);
	plug_run_free(crun);
	return rc;
}

Test(plugins_sqlite, sql_task_runs_once_in_one_transaction)
{
	struct plug p;
	slu_err err;

	plug_init(&p);
	p.at.ledger_key = "a";
	cr_assert_eq(run_task(&p,
			 "{\"sql\":\"CREATE TABLE m (k TEXT, n INTEGER); INSERT INTO m VALUES "
			 "(:run_key, :n);\\n"
			 "SELECT count(*) AS rows FROM m -- "
			 "end\",\"params\":{\"n\":7},\"outputs\":\"last_row\"}",
			 &err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&p.outputs), "rows=1\n");
	p.at.token++; /* the retry finds it, outputs included */
	str_reset(&p.outputs);
	cr_assert_eq(
	    run_task(&p, "{\"sql\":\"INSERT INTO m VALUES ('twice', 0)\",\"outputs\":\"last_row\"}",
		&err),
	    SLU_OK, "%s", err.message);
	cr_assert_str_eq(str_peek(&p.outputs), "rows=1\n");
	cr_assert_str_eq(rows(&p, "SELECT k, n FROM m"), "2026-11-21|7\n");
	p.at.ledger_key = "b";
	cr_assert_eq(
	    run_task(&p, "{\"sql\":\"DELETE FROM m;\\n\\nINSERT INTO nowhere VALUES (1)\"}", &err),
	    SLU_E_CONFIG);
	cr_assert(strstr(err.message, "line 3"), "%s", err.message);
	cr_assert_str_eq(rows(&p, "SELECT count(*) FROM m"), "1\n", "the failed one left nothing");
	cr_assert_eq(run_task(&p, "{\"sql\":\"SELECT :missing\"}", &err), SLU_E_CONFIG);
	cr_assert_eq(run_task(&p, "{\"sql\":\"VACUUM\",\"transaction\":false}", &err), SLU_OK, "%s",
	    err.message);
	plug_done(&p);
	LEAK_CHECK();
}
