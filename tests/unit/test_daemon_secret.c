/* Secrets: one final newline, rotation without a restart, wrong files refused with a message. */
#include "core/daemon/secret.h"

#include "core/base/mem.h"
#include "leak.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static void write_secret(const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static struct json *ref_of(const char *kind, const char *value)
{
	struct json *j = json_new_object();

	json_put(j, kind, json_new_str(value));
	return j;
}

static void expect(struct secret_cache *c, const struct json *ref, const char *want)
{
	struct str out;
	struct err err = {0};

	str_init(&out, SECRET_MAX);
	cr_assert_eq(secret_read(c, ref, &out, &err), 0, "%s", err.text);
	cr_assert_str_eq(str_peek(&out), want);
	str_done(&out);
}

static void setup(void)
{
	memcpy(path, "/tmp/sluice-secret-XXXXXX", 26);
	cr_assert_geq(close(mkstemp(path)), 0);
}

static void teardown(void)
{
	unlink(path);
}

TestSuite(daemon_secret, .init = setup, .fini = teardown);

Test(daemon_secret, one_final_newline_is_not_part_of_it)
{
	struct secret_cache *c = secret_cache_new();
	struct json *ref = ref_of("file", path);

	write_secret("pass word\n");
	expect(c, ref, "pass word");
	write_secret("two lines\n\n");
	expect(c, ref, "two lines\n");
	write_secret("dos\r\n");
	expect(c, ref, "dos");
	json_free(ref);
	secret_cache_free(c);
	LEAK_CHECK();
}

Test(daemon_secret, a_changed_file_is_read_again_with_a_higher_version)
{
	struct secret_cache *c = secret_cache_new();
	struct json *ref = ref_of("file", path);
	const char *value;
	size_t n;
	uint64_t first, same, second;

	write_secret("before");
	cr_assert_eq(secret_value(c, ref, &value, &n, &first, NULL), 0);
	cr_assert_eq(secret_value(c, ref, &value, &n, &same, NULL), 0);
	cr_assert_eq(first, same);
	write_secret("afterwards");
	cr_assert_eq(secret_value(c, ref, &value, &n, &second, NULL), 0);
	cr_assert_gt(second, first);
	cr_assert_eq(n, 10);
	cr_assert_eq(memcmp(value, "afterwards", n), 0);
	json_free(ref);
	secret_cache_free(c);
	LEAK_CHECK();
}

Test(daemon_secret, the_environment_is_kept_from_before_it_was_scrubbed)
{
	struct secret_cache *c;
	struct json *ref = ref_of("env", "SLUICE_TEST_SECRET"),
		    *other = ref_of("env", "SLUICE_NOT_SET");
	struct str out;
	struct err err = {0};

	setenv("SLUICE_TEST_SECRET", "from outside", 1);
	c = secret_cache_new();
	unsetenv("SLUICE_TEST_SECRET");
	expect(c, ref, "from outside");
	str_init(&out, 100);
	cr_assert_eq(secret_read(c, other, &out, &err), ERR_CONFIG);
	cr_assert(strstr(err.text, "SLUICE_NOT_SET"));
	str_done(&out);
	json_free(ref);
	json_free(other);
	secret_cache_free(c);
	LEAK_CHECK();
}

Test(daemon_secret, refuses_what_is_no_reference_or_no_small_file)
{
	static const char *const bad[][2] = {{"file", "/nowhere/at/all"}, {"file", "/dev/zero"},
	    {"file", "/tmp"}, {"credential", "../etc/passwd"}, {"password", "literal"}};
	struct secret_cache *c = secret_cache_new();
	struct str out;

	str_init(&out, SECRET_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct json *ref = ref_of(bad[i][0], bad[i][1]);
		struct err err = {0};

		cr_assert_neq(secret_read(c, ref, &out, &err), 0, "%s", bad[i][1]);
		cr_assert_neq(err.text[0], 0);
		json_free(ref);
	}
	str_done(&out);
	secret_cache_free(c);
	LEAK_CHECK();
}

Test(daemon_secret, names_references_by_kind_and_value)
{
	struct json *ref = ref_of("file", "/a/b"), *two = ref_of("file", "/a/b");
	struct str text;

	json_put(two, "more", json_new_str("x"));
	str_init(&text, 100);
	cr_assert(secret_is_ref(ref, &text));
	cr_assert_str_eq(str_peek(&text), "file:/a/b");
	cr_assert(!secret_is_ref(two, NULL));
	cr_assert(!secret_is_ref(NULL, NULL));
	str_done(&text);
	json_free(ref);
	json_free(two);
	LEAK_CHECK();
}
