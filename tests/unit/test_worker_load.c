/* Which files are opened as plugins, and what the others are told. */
#include "core/worker/describe.h"
#include "core/worker/load.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/sluice-load-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chmod(dir, 0755), 0);
}

static void end(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *make_file(const char *name, mode_t mode)
{
	static char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, "no plugin", 9), 9);
	close(fd);
	cr_assert_eq(chmod(path, mode), 0);
	return path;
}

static const char *probe_path(const char *name)
{
	static char path[512];
	const char *build = getenv("SLUICE_BUILD_DIR");

	snprintf(path, sizeof(path), "%s/tests/unit/.libs/%s", build != NULL ? build : ".", name);
	return path;
}

Test(worker_load, refuses_what_others_can_write)
{
	struct err err;

	begin();
	cr_assert_eq(plugin_check_path(make_file("good.so", 0644), &err), 0);
	cr_assert_eq(plugin_check_path(make_file("group.so", 0664), &err), ERR_REFUSED);
	cr_assert(strstr(err.text, "chmod go-w") != NULL, "%s", err.text);
	cr_assert_eq(plugin_check_path(make_file("world.so", 0646), &err), ERR_REFUSED);
	cr_assert_eq(chmod(dir, 0777), 0);
	cr_assert_eq(
	    plugin_check_path(make_file("good.so", 0644), &err), ERR_REFUSED, "a folder above it");
	end();
	LEAK_CHECK();
}

Test(worker_load, refuses_relative_paths_links_and_folders)
{
	char link[128];
	struct err err;

	begin();
	cr_assert_eq(plugin_check_path("plugins/x.so", &err), ERR_REFUSED);
	cr_assert_eq(plugin_check_path(dir, &err), ERR_REFUSED);
	snprintf(link, sizeof(link), "%s/link.so", dir);
	cr_assert_eq(symlink(make_file("good.so", 0644), link), 0);
	cr_assert_eq(plugin_check_path(link, &err), ERR_REFUSED);
	cr_assert_eq(plugin_check_path("/nowhere/x.so", &err), ERR_NOT_FOUND);
	end();
	LEAK_CHECK();
}

Test(worker_load, says_why_a_file_is_no_plugin)
{
	const struct plugin *p = NULL;
	struct err err;

	begin();
	cr_assert_eq(plugin_open(make_file("text.so", 0644), &p, &err), ERR_UNSUPPORTED);
	cr_assert(strstr(err.text, "does not load") != NULL, "%s", err.text);
	cr_assert_eq(plugin_find(NULL, "nosuch", &p, &err), ERR_NOT_FOUND);
	cr_assert_eq(plugin_find(NULL, "../x", &p, &err), ERR_CONFIG);
	end();
	LEAK_CHECK();
}

Test(worker_load, opens_once_and_finds_kinds_by_role)
{
	const struct plugin *a = NULL, *b = NULL;
	struct err err = {0};
	slu_kind k;

	cr_assert_eq(plugin_open(probe_path("probe.so"), &a, &err), 0, "%s", err.text);
	cr_assert_eq(plugin_open(probe_path("probe.so"), &b, &err), 0);
	cr_assert_eq(a, b);
	cr_assert_eq(strlen(a->sha), 64);
	cr_assert_not(plugin_is_stale());
	cr_assert_eq(plugin_kind(a, NULL, "task", &k, &err), 0);
	cr_assert_str_eq(k.type, "probe", "of two the one that is called like the plugin");
	cr_assert_eq(plugin_kind(a, "remote", "task", &k, &err), 0);
	cr_assert_eq(plugin_kind(a, "remote", "load", &k, &err), ERR_CONFIG);
	cr_assert_eq(plugin_kind(a, "nosuch", "task", &k, &err), ERR_CONFIG);
}

/* A plugin of an older release ends its tables earlier, a newer one later. */
Test(worker_load, slots_behind_a_tables_size_are_null)
{
	slu_task older = {.size = offsetof(slu_task, cancel), .close = NULL},
		 newer = {.size = sizeof(slu_task) + 64};
	slu_opt opts[2] = {{.name = "a", .type = SLU_T_INT},
	    {.name = "b", .def = "1", .type = SLU_T_INT}},
		found;
	slu_opts table = {2, sizeof(slu_opt), opts}, shorter = {1, offsetof(slu_opt, sub), opts};
	const slu_task *none = NULL;

	older.cancel = (void (*)(void *))(uintptr_t)1;
	cr_assert_null(TABLE_SLOT(&older, cancel));
	newer.cancel = (void (*)(void *))(uintptr_t)1;
	cr_assert_not_null(TABLE_SLOT(&newer, cancel));
	cr_assert_null(TABLE_SLOT(none, cancel));
	cr_assert(table_opt_find(&table, "b", &found));
	cr_assert_str_eq(found.def, "1");
	cr_assert_not(table_opt_find(&table, "c", &found));
	cr_assert(table_opt_find(&shorter, "a", &found));
	cr_assert_eq(found.sub.n, 0);
}

Test(worker_load, describes_every_role_with_its_options)
{
	struct str out;
	struct json *j = NULL;
	struct err err = {0};
	const struct json *roles;

	str_init(&out, 1u << 20);
	cr_assert_eq(describe_file(probe_path("probe.so"), &out, &err), 0, "%s", err.text);
	cr_assert_eq(json_parse(out.s, out.len, 1u << 20, &j, &err), 0, "%s", err.text);
	roles = json_get(json_first(json_get(j, "kinds")), "roles");
	cr_assert_eq(json_len(roles), 5);
	cr_assert_str_eq(json_str(json_path(roles, "load.promise.replace"), ""), "once");
	cr_assert_null(json_path(roles, "load.promise.append"));
	cr_assert(json_bool(json_path(roles, "connection.warehouse"), false));
	cr_assert_str_eq(
	    json_get_str(json_first(json_path(roles, "extract.options")), "name", ""), "rows");
	json_free(j);
	str_done(&out);
}
