/* Which files of the DAG folder are taken. */
#include "core/daemon/scan.h"

#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/str.h"
#include "leak.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static void put(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
}

static void put_dir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(mkdir(path, 0700), 0);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static void setup(void)
{
	memcpy(dir, "/tmp/sluice-scan-XXXXXX", 24);
	cr_assert(mkdtemp(dir));
}

static void teardown(void)
{
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(daemon_scan, .init = setup, .fini = teardown);

Test(daemon_scan, takes_dag_files_below_the_folder_in_order)
{
	struct scan s = {0};
	struct err err = {0};

	put("b.yaml");
	put("a.yml");
	put("c.json");
	put("README.md");
	put(".hidden.yaml");
	put_dir("sub");
	put("sub/d.yaml");
	put_dir(".git");
	put(".git/e.yaml");
	cr_assert_eq(scan_folder(&s, dir, &err), 0, "%s", err.text);
	cr_assert_eq(s.files.n, 4);
	cr_assert_str_eq(s.files.v[0].path, "a.yml");
	cr_assert_str_eq(s.files.v[3].path, "sub/d.yaml");
	cr_assert_not_null(scan_find(&s, "b.yaml"));
	cr_assert_not_null(scan_find(&s, "sub/d.yaml"));
	cr_assert_null(scan_find(&s, "d.yaml"));
	scan_done(&s);
	LEAK_CHECK();
}

Test(daemon_scan, a_folder_that_is_not_there_is_an_error_and_not_an_empty_one)
{
	struct scan s = {0};
	struct err err = {0};

	cr_assert_eq(scan_folder(&s, "/nowhere/at/all", &err), ERR_IO);
	cr_assert(strstr(err.text, "/nowhere/at/all"));
	cr_assert_eq(scan_add(&s, dir, "missing.yaml", &err), ERR_NOT_FOUND);
	scan_done(&s);
	LEAK_CHECK();
}

Test(daemon_scan, the_signature_changes_with_configuration_and_plugins)
{
	static const char text[] =
	    "{\"v\":1,\"file\":\"\",\"deployment\":\"%s\",\"state\":\"/s\",\"workers\":1,"
	    "\"plugins\":[\"%s\"],\"http\":{}}";
	uint8_t a[HASH_SHA256_BYTES], b[HASH_SHA256_BYTES];
	struct conf *one, *two;
	char buf[512];
	int n;

	n = snprintf(buf, sizeof(buf), text, "one", dir);
	cr_assert_eq(conf_parse(buf, (size_t)n, &one, NULL), 0);
	n = snprintf(buf, sizeof(buf), text, "two", dir);
	cr_assert_eq(conf_parse(buf, (size_t)n, &two, NULL), 0);
	scan_signature(one, a);
	scan_signature(one, b);
	cr_assert_eq(memcmp(a, b, sizeof(a)), 0);
	scan_signature(two, b);
	cr_assert_neq(memcmp(a, b, sizeof(a)), 0);
	put("new.so");
	scan_signature(one, b);
	cr_assert_neq(memcmp(a, b, sizeof(a)), 0);
	conf_free(one);
	conf_free(two);
	LEAK_CHECK();
}

/* ---- files that a plan was made from beside its own ---- */

static void write_text(const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Written long ago: a file of this moment counts as changed. */
static void age(const char *name, long seconds)
{
	struct timespec at[2] = {
	    {.tv_sec = 1700000000 - seconds}, {.tv_sec = 1700000000 - seconds}};
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(utimensat(AT_FDCWD, path, at, 0), 0);
}

/* A report that was made from these two files as they are now. */
static void report_of(struct str *out)
{
	struct json *report = json_new_object(), *paths = json_new_array();
	char path[256];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, i ? "b.yaml" : "a.yaml");
		json_push(paths, json_new_str(path));
	}
	json_put(report, "path", json_new_str("x.yaml"));
	scan_inputs_put(report, paths);
	str_init(out, 65536);
	json_print(report, out);
	json_free(report);
	json_free(paths);
}

static void count(void *arg, const char *path)
{
	int *n = arg;

	cr_assert_eq(strncmp(path, dir, strlen(dir)), 0, "%s", path);
	++*n;
}

static bool is_same(const struct str *report)
{
	return scan_inputs_same(str_peek(report), report->len);
}

Test(daemon_scan, inputs_are_the_same_until_one_of_them_changes)
{
	struct str report;
	int n = 0;

	write_text("a.yaml", "one");
	write_text("b.yaml", "two");
	age("a.yaml", 1000);
	age("b.yaml", 1000);
	report_of(&report);
	cr_assert(is_same(&report));
	scan_inputs_each(str_peek(&report), report.len, count, &n);
	cr_assert_eq(n, 2);
	age("b.yaml", 999); /* written again with as many bytes */
	cr_assert(!is_same(&report), "another time is not seen");
	age("b.yaml", 1000);
	str_done(&report);
	report_of(&report);
	cr_assert(is_same(&report));
	write_text("b.yaml", "three");
	age("b.yaml", 1000);
	cr_assert(!is_same(&report), "another size is not seen");
	str_done(&report);
	LEAK_CHECK();
}

/* By a rename, with the size and the times of the old one: the inode tells. */
Test(daemon_scan, an_input_that_was_replaced_is_another_one)
{
	struct str report;
	char from[256], to[256];

	write_text("a.yaml", "one");
	write_text("b.yaml", "two");
	age("a.yaml", 1000);
	age("b.yaml", 1000);
	report_of(&report);
	write_text("new", "six");
	snprintf(from, sizeof(from), "%s/new", dir);
	snprintf(to, sizeof(to), "%s/a.yaml", dir);
	cr_assert_eq(rename(from, to), 0);
	age("a.yaml", 1000);
	cr_assert(!is_same(&report));
	str_done(&report);
	LEAK_CHECK();
}

Test(daemon_scan, an_input_that_goes_or_comes_is_a_change)
{
	struct str report;
	char path[256];

	write_text("a.yaml", "one");
	age("a.yaml", 1000);
	report_of(&report); /* b.yaml is not there: the plan's fault is that */
	cr_assert(is_same(&report), "what is not there stays so");
	write_text("b.yaml", "two");
	age("b.yaml", 1000);
	cr_assert(!is_same(&report), "it came");
	str_done(&report);
	report_of(&report);
	cr_assert(is_same(&report));
	snprintf(path, sizeof(path), "%s/a.yaml", dir);
	cr_assert_eq(unlink(path), 0);
	cr_assert(!is_same(&report), "it went");
	str_done(&report);
	LEAK_CHECK();
}

Test(daemon_scan, an_input_of_this_moment_is_looked_at_again)
{
	static const char none[] = "{\"path\":\"x.yaml\",\"errors\":[]}",
			  bad[] = "{\"inputs\":{\"/x\":[1,";
	struct str report;

	write_text("a.yaml", "one");
	write_text("b.yaml", "two");
	age("b.yaml", 1000);
	report_of(&report);
	cr_assert(!is_same(&report), "a write within the clock's grain would not be seen");
	str_done(&report);
	cr_assert(scan_inputs_same(none, strlen(none)), "a plan of its own file alone");
	cr_assert(!scan_inputs_same(bad, strlen(bad)), "a report that cannot be read");
	LEAK_CHECK();
}
