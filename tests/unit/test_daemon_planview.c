/* What plan and apply say of a DAG, and the inputs of a plan beside its file. */
#include "core/daemon/planview.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/daemon/scan.h"
#include "leak.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct json *parse(const char *text)
{
	struct json *j = NULL;

	cr_assert_eq(json_parse(text, strlen(text), 1 << 20, &j, NULL), 0, "%s", text);
	return j;
}

Test(daemon_planview, a_new_dag_lists_what_it_has_and_its_next_start)
{
	static const char plan[] =
	    "{\"v\":1,\"dag\":\"d\",\"triggers\":[{\"name\":\"t\"}],\"steps\":[{\"name\":\"a\"},"
	    "{\"name\":\"b\"}],\"datasets\":{\"lake/x\":{}}}";
	struct json *report = parse("{\"next\":[\"2026-01-01T00:00:00.000Z\"],\"errors\":[]}"), *j;
	struct plan_view p;
	struct str out;

	plan_view_init(&p);
	plan_view_dag(&p, NULL, "d", "d.yaml", plan, sizeof(plan) - 1, report);
	str_init(&out, 1 << 16);
	plan_view_print(&p, &out);
	j = parse(str_peek(&out));
	cr_assert_str_eq(json_str(json_at(json_get(j, "add"), 0), ""), "d");
	cr_assert(strstr(str_peek(&out),
	    "\"triggers\":{\"add\":[\"t\"],\"change\":[],\"remove\":[]},\"steps\":{\"add\":[\"a\","
	    "\"b\"],\"change\":[],\"remove\":[]},\"datasets\":{\"add\":[\"lake/x\"]"));
	cr_assert(strstr(str_peek(&out), "\"next\":\"2026-01-01T00:00:00.000Z\""));
	json_free(j);
	json_free(report);
	str_done(&out);
	plan_view_done(&p);
	LEAK_CHECK();
}

Test(daemon_planview, a_dag_that_moved_to_another_file_is_not_gone)
{
	static const char plan[] = "{\"v\":1,\"dag\":\"d\",\"triggers\":[],\"steps\":[]}";
	struct plan_view p;
	struct str out;

	plan_view_init(&p);
	plan_view_gone(&p, "d", "old.yaml");
	plan_view_gone(&p, "e", "e.yaml");
	plan_view_dag(&p, NULL, "d", "new.yaml", plan, sizeof(plan) - 1, NULL);
	str_init(&out, 1 << 16);
	plan_view_print(&p, &out);
	cr_assert(strstr(str_peek(&out), "\"remove\":[\"e\"]"), "%s", str_peek(&out));
	str_done(&out);
	plan_view_done(&p);
	LEAK_CHECK();
}

static void write_old(const char *path, const char *text)
{
	struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	struct err err = {0};

	cr_assert_eq(io_write_file(path, text, strlen(text), 0600, &err), 0, "%s", err.text);
	cr_assert_eq(utimensat(AT_FDCWD, path, old, 0), 0);
}

static bool same(const struct json *report)
{
	struct str text;
	bool is;

	str_init(&text, 1 << 16);
	json_print(report, &text);
	is = scan_inputs_same(str_peek(&text), text.len);
	str_done(&text);
	return is;
}

Test(daemon_planview, a_plan_is_stale_when_a_file_that_it_was_made_from_changes)
{
	char dir[] = "/tmp/sluice-inputs-XXXXXX", path[64], list[160];
	struct json *report = parse("{\"errors\":[]}"), *paths;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/items.json", dir);
	snprintf(list, sizeof(list), "[\"%s\",\"%s.none\"]", path, path);
	cr_assert(same(report), "a plan without such files");
	write_old(path, "[1,2]");
	paths = parse(list);
	scan_inputs_put(report, paths);
	cr_assert(same(report));
	write_old(path, "[1,2,3]");
	cr_assert(!same(report), "another size");
	scan_inputs_put(report, paths);
	cr_assert(same(report));
	unlink(path);
	cr_assert(!same(report), "gone");
	scan_inputs_put(report, paths);
	cr_assert(same(report), "still gone");
	cr_assert_eq(io_write_file(path, "[1]", 3, 0600, NULL), 0);
	cr_assert(!same(report), "there again");
	scan_inputs_put(report, paths);
	cr_assert(!same(report), "just written: another change might look the same");
	unlink(path);
	rmdir(dir);
	json_free(paths);
	json_free(report);
	LEAK_CHECK();
}
