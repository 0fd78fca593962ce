/* Which files of the DAG folder are taken. */
#include "core/daemon/scan.h"

#include "core/base/hash.h"
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
