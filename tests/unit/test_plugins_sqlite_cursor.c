/* The sqlite plugin's cursor: types of positions, NULLs, a full refresh, positions of other
 * columns. That each row is read once, with ties, and ranges of reruns: test_plugins_sqlite.c. */
#include "tests/unit/leak.h"
#include "tests/unit/plug_host.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static const char conn[] = "{\"path\":\"t.db\"}";

static void sql(struct plug *p, const char *text)
{
	char *message = NULL;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(plug_path(p, "t.db"), &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 5000);
	cr_assert_eq(
	    sqlite3_exec(db, text, NULL, NULL, &message), SQLITE_OK, "%s: %s", text, message);
	(void)sqlite3_close(db);
}

/* What the plugin reads of table s by its column v, from the cursor on. */
static void reads(struct plug *p, const char *rows)
{
	static const char options[] = "{\"table\":\"s\",\"cursor\":{\"column\":\"v\"}}";
	slu_err err = {.size = sizeof(err)};
	struct str out;

	str_init(&out, 1 << 20);
	cr_assert_eq(
	    plug_extract(p, plug_kind("sqlite", "sqlite"), conn, options, &out, NULL, &err), SLU_OK,
	    "%s", err.message);
	cr_assert_str_eq(str_peek(&out), rows);
	str_done(&out);
}

/* The next read goes on from the mark of the last one. */
static void go_on(struct plug *p)
{
	(void)str_copy(p->cursor_text, sizeof(p->cursor_text), p->mark_text);
	p->cursor.cursor_json = p->cursor_text;
}

Test(plugins_sqlite_cursor, a_cursor_keeps_its_type_and_a_full_refresh_begins_anew)
{
	struct plug p;

	plug_init(&p);
	sql(&p, "CREATE TABLE s (v)");
	sql(&p, "INSERT INTO s VALUES (9), (10)");
	reads(&p, "{\"v\":9}\n{\"v\":10}\n");
	cr_assert_str_eq(p.mark_text, "{\"column\":\"v\",\"at\":[\"i:10\"]}");
	go_on(&p);
	sql(&p, "INSERT INTO s VALUES (100)");
	reads(&p, "{\"v\":100}\n");
	p.at.full_refresh = 1;
	reads(&p, "{\"v\":9}\n{\"v\":10}\n{\"v\":100}\n");
	cr_assert_str_eq(p.mark_text, "{\"column\":\"v\",\"at\":[\"i:100\"]}");
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite_cursor, a_fraction_is_a_bound_as_well)
{
	struct plug p;

	plug_init(&p);
	sql(&p, "CREATE TABLE s (v)");
	sql(&p, "INSERT INTO s VALUES (0.1), (9.75)");
	reads(&p, "{\"v\":0.1}\n{\"v\":9.75}\n");
	cr_assert_str_eq(p.mark_text, "{\"column\":\"v\",\"at\":[\"r:9.75\"]}");
	go_on(&p);
	sql(&p, "INSERT INTO s VALUES (10.25)");
	reads(&p, "{\"v\":10.25}\n");
	plug_done(&p);
	LEAK_CHECK();
}

Test(plugins_sqlite_cursor, nulls_under_a_cursor_are_refused_left_out_or_read_each_time)
{
	static const struct {
		const char *nulls, *rows; /* NULL: refused */
	} cases[] = {{"refuse", NULL}, {"ignore", "{\"id\":2,\"v\":\"b\"}\n"},
	    {"include", "{\"id\":3,\"v\":null}\n{\"id\":2,\"v\":\"b\"}\n"}};
	const slu_kind *kind = plug_kind("sqlite", "sqlite");
	char options[200];
	struct plug p;
	struct str out;
	slu_err err = {.size = sizeof(err)};
	slu_rc rc;

	plug_init(&p);
	str_init(&out, 1 << 20);
	sql(&p, "CREATE TABLE s (id INTEGER, v TEXT)");
	sql(&p, "INSERT INTO s VALUES (1, 'a'), (2, 'b'), (3, NULL)");
	(void)str_copy(p.cursor_text, sizeof(p.cursor_text), "{\"column\":\"v\",\"at\":[\"t:a\"]}");
	p.cursor.cursor_json = p.cursor_text;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(options, sizeof(options),
		    "{\"table\":\"s\",\"cursor\":{\"column\":\"v\",\"nulls\":\"%s\"}}",
		    cases[i].nulls);
		str_reset(&out);
		rc = plug_extract(&p, kind, conn, options, &out, NULL, &err);
		cr_assert_eq(
		    rc, cases[i].rows ? SLU_OK : SLU_E_DATA, "%s: %s", cases[i].nulls, err.message);
		if (cases[i].rows)
			cr_assert_str_eq(str_peek(&out), cases[i].rows, "%s", cases[i].nulls);
	}
	/* a NULL in a tie alone hides a row as well */
	sql(&p, "DELETE FROM s WHERE id = 3");
	sql(&p, "INSERT INTO s VALUES (NULL, 'c')");
	p.cursor.cursor_json = NULL;
	cr_assert_eq(plug_extract(&p, kind, conn,
			 "{\"table\":\"s\",\"cursor\":{\"column\":\"v\",\"tie\":[\"id\"]}}", &out,
			 NULL, &err),
	    SLU_E_DATA);
	/* a position of other columns is none */
	p.cursor.cursor_json = p.cursor_text;
	cr_assert_eq(plug_extract(&p, kind, conn,
			 "{\"table\":\"s\",\"cursor\":{\"column\":\"id\",\"nulls\":\"ignore\"}}",
			 &out, NULL, &err),
	    SLU_E_CONFIG);
	cr_assert_not_null(strstr(err.message, "of column \"v\""), "%s", err.message);
	str_done(&out);
	plug_done(&p);
	LEAK_CHECK();
}
