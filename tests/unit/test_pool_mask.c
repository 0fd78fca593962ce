/* core/pool/mask.c: secrets never come out, wherever reads are cut; everything else comes out
 * unchanged. */
#include "core/pool/mask.h"

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mask *mask_of(const char *const *values)
{
	struct mask *m = mask_new();

	for (; *values != NULL; values++)
		cr_assert_eq(mask_add(m, *values, strlen(*values), NULL), 0);
	mask_ready(m);
	return m;
}

static char *run(const struct mask *m, const char *text, size_t cut)
{
	struct mask_stream s = {0};
	struct str out;
	size_t n = strlen(text), at, k;

	str_init(&out, 1u << 20);
	for (at = 0; at < n; at += k) {
		k = n - at < cut ? n - at : cut;
		mask_feed(m, &s, text + at, k, false, &out);
	}
	mask_feed(m, &s, "", 0, true, &out);
	mask_stream_done(&s);
	return str_take(&out);
}

Test(pool_mask, masks_every_form_at_every_cut)
{
	static const char *const secrets[] = {"hunter2/+x", "p\"q\\r\ns tail", "abcabcabd", NULL};
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"plain hunter2/+x.", "plain ***."},
	    {"hunter2/+xhunter2/+x", "***"},
	    {"hunter2/+", "hunter2/+"},
	    {"hunter2/hunter2/+x", "hunter2/***"},
	    {"aHVudGVyMi8reA==", "***=="},	    /* alone */
	    {"dXNlcjpodW50ZXIyLyt4", "dXNlcjp***"}, /* as user:secret */
	    {"Authorization: Basic YTpodW50ZXIyLyt4", "Authorization: Basic YTp***"},
	    {"url ?p=hunter2%2F%2Bx&q", "url ?p=***&q"},
	    {"url ?p=hunter2%2f%2bx&q", "url ?p=***&q"},
	    {"path hunter2/%2Bx", "path ***"},
	    {"json \"hunter2\\/+x\"", "json \"***\""},
	    {"json \"p\\\"q\\\\r\\ns tail\"", "json \"***\""},
	    {"abcabcabcabd", "abc***"},
	    {"abcabcabcab", "abcabcabcab"},
	    {"nothing here, hunter 2", "nothing here, hunter 2"},
	    {"", ""},
	};
	struct mask *m = mask_of(secrets);
	size_t i, cut;
	char *got;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (cut = 1; cut <= strlen(cases[i].in) + 1; cut++) {
			got = run(m, cases[i].in, cut);
			cr_assert_str_eq(
			    got, cases[i].out, "cut %zu of \"%s\": \"%s\"", cut, cases[i].in, got);
			mem_free(got);
		}
	}
	mask_free(m);
	LEAK_CHECK();
}

Test(pool_mask, overlapping_secrets_leave_no_rest)
{
	static const char *const secrets[] = {"secret-one", "one-more-secret", NULL};
	struct mask *m = mask_of(secrets);
	char *got = run(m, "x secret-one-more-secret y", 5);

	cr_assert_str_eq(got, "x *** y");
	mem_free(got);
	mask_free(m);
	LEAK_CHECK();
}

Test(pool_mask, lines_and_pieces_of_long_values_are_masked)
{
	char key[5000], text[6000], *got;
	struct mask *m = mask_new();
	size_t i;

	for (i = 0; i < sizeof(key); i++)
		key[i] = i % 65 == 64 ? '\n' : (char)('A' + (i * 7 + i / 65) % 26);
	cr_assert_eq(mask_add(m, key, sizeof(key), NULL), 0);
	mask_ready(m);
	snprintf(text, sizeof(text), "log: %.64s\nnext: %.*s|", key + 65, (int)sizeof(key), key);
	got = run(m, text, 700);
	cr_assert_str_eq(got, "log: ***\nnext: ***|");
	mem_free(got);
	mask_free(m);
	LEAK_CHECK();
}

Test(pool_mask, short_secrets_are_refused)
{
	struct mask *m = mask_new();
	struct err err;

	cr_assert_eq(mask_add(m, "12345", 5, &err), ERR_REFUSED);
	cr_assert_eq(
	    mask_add(m, "12345\n", 6, &err), ERR_REFUSED, "the final newline does not count");
	cr_assert_null(strstr(err.text, "12345"), "the message does not tell it");
	cr_assert_eq(mask_add(m, "123456", 6, NULL), 0);
	mask_free(m);
	LEAK_CHECK();
}

/* Against an oracle: mark every byte covered by an occurrence of the plain value. */
Test(pool_mask, agrees_with_a_simple_search_on_random_text)
{
	static const char *const secrets[] = {"aabbaa", "abababab", "bbbbbbba", "baabab", NULL};
	struct mask *m = mask_of(secrets);
	char text[201], want[800], *got;
	unsigned round, i, j, k;
	bool covered[200], before;

	srand(4711);
	for (round = 0; round < 2000; round++) {
		for (i = 0; i < 200; i++)
			text[i] = rand() % 2 ? 'a' : 'b';
		text[200] = '\0';
		memset(covered, 0, sizeof(covered));
		for (k = 0; secrets[k] != NULL; k++) {
			for (i = 0; i + strlen(secrets[k]) <= 200; i++) {
				for (j = 0;
				     strncmp(text + i, secrets[k], strlen(secrets[k])) == 0 &&
				     j < strlen(secrets[k]);
				     j++)
					covered[i + j] = true;
			}
		}
		for (i = 0, k = 0, before = false; i < 200; i++) {
			if (!covered[i])
				want[k++] = text[i];
			else if (!before)
				memcpy(want + k, MASK_TEXT, 3), k += 3;
			before = covered[i];
		}
		want[k] = '\0';
		got = run(m, text, 1 + (size_t)rand() % 30);
		cr_assert_str_eq(got, want, "%s", text);
		mem_free(got);
	}
	mask_free(m);
	LEAK_CHECK();
}
