#include "core/http/vet.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define H "Host: a\r\n"

static int judge(const char *text, size_t n, struct vet *v)
{
	const char *why = "";

	memset(v, 0, sizeof(*v));
	return vet_head(text, n, true, v, &why);
}

Test(http_vet, takes_a_plain_head)
{
	static const char t[] =
	    "POST /hooks/a?x=%20 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: \tv \r\n\r\nhello";
	struct vet v;

	cr_assert_eq(judge(t, sizeof(t) - 1, &v), 0);
	cr_assert_eq(v.head_n, sizeof(t) - 1 - 5);
	cr_assert_eq(v.method, VET_POST);
	cr_assert_eq(v.length, 5);
	cr_assert(v.has_length && !v.http_1_0 && !v.transfer_encoding);
	cr_assert_eq(v.target_at, 5);
	cr_assert_eq(v.path_n, 8);
	cr_assert_eq(v.target_n, 14);
	cr_assert_eq(v.n_headers, 3);
	LEAK_CHECK();
}

static const struct {
	const char *name, *text;
	size_t n; /* 0: strlen */
	int want;
} bad[] = {
    {"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 0, 400},
    {"LF behind a header", "GET / HTTP/1.1\r\nHost: a\n\r\n", 0, 400},
    {"CR alone", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 0, 400},
    {"folding", "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 0, 400},
    {"folding with tab", "GET / HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", 0, 400},
    {"NUL in a value", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 29, 400},
    {"control in a value", "GET / HTTP/1.1\r\n" H "X: \x01\r\n\r\n", 0, 400},
    {"DEL in a value", "GET / HTTP/1.1\r\n" H "X: \x7f\r\n\r\n", 0, 400},
    {"blank before the colon", "GET / HTTP/1.1\r\n" H "Content-Length : 5\r\n\r\n", 0, 400},
    {"no colon", "GET / HTTP/1.1\r\n" H "Content-Length\r\n\r\n", 0, 400},
    {"empty name", "GET / HTTP/1.1\r\n" H ": x\r\n\r\n", 0, 400},
    {"name that is no token", "GET / HTTP/1.1\r\n" H "X(y): x\r\n\r\n", 0, 400},
    {"no host", "GET / HTTP/1.1\r\n\r\n", 0, 400},
    {"two hosts", "GET / HTTP/1.1\r\n" H H "\r\n", 0, 400},
    {"empty host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", 0, 400},
    {"two lengths", "GET / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 0,
	400},
    {"list of lengths", "GET / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n", 0, 400},
    {"signed length", "GET / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n", 0, 400},
    {"negative length", "GET / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 0, 400},
    {"hex length", "GET / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n", 0, 400},
    {"empty length", "GET / HTTP/1.1\r\n" H "Content-Length: \r\n\r\n", 0, 400},
    {"length of 16 digits", "GET / HTTP/1.1\r\n" H "Content-Length: 0000000000000005\r\n\r\n", 0,
	400},
    {"length beside encoding",
	"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 0, 400},
    {"absolute target", "GET http://a/ HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"asterisk", "OPTIONS * HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"%00", "GET /a%00b HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"broken escape", "GET /a%2 HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"broken escape in the query", "GET /a?b=%zz HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"fragment", "GET /a#b HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"blank in the target", "GET /a b HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"high byte in the target", "GET /\xff HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"two blanks", "GET  / HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"tab", "GET\t/ HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"no version", "GET /\r\n" H "\r\n", 0, 400},
    {"HTTP/9.9", "GET / HTTP/9.9\r\n" H "\r\n", 0, 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\n" H "\r\n", 0, 505},
    {"HTTP/01.1", "GET / HTTP/01.1\r\n" H "\r\n", 0, 400},
    {"lower case version", "GET / http/1.1\r\n" H "\r\n", 0, 400},
    {"blank behind the version", "GET / HTTP/1.1 \r\n" H "\r\n", 0, 400},
    {"empty line first", "\r\nGET / HTTP/1.1\r\n" H "\r\n", 0, 400},
    {"unknown method", "BREW / HTTP/1.1\r\n" H "\r\n", 0, 405},
    {"lower case method", "get / HTTP/1.1\r\n" H "\r\n", 0, 405},
    {"expectation", "GET / HTTP/1.1\r\n" H "Expect: more\r\n\r\n", 0, 417},
    {"upgrade", "GET / HTTP/1.1\r\n" H "Upgrade: h2c\r\n\r\n", 0, 400},
};

Test(http_vet, refuses_what_could_be_read_in_two_ways)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct vet v;
		size_t n = bad[i].n != 0 ? bad[i].n : strlen(bad[i].text);
		cr_expect_eq(judge(bad[i].text, n, &v), bad[i].want, "%s", bad[i].name);
	}
	LEAK_CHECK();
}

/* A decision on a prefix is final: whatever comes behind, it stays. */
Test(http_vet, decides_the_same_whatever_the_pieces)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t n = bad[i].n != 0 ? bad[i].n : strlen(bad[i].text);
		for (size_t k = 0; k < n; k++) {
			struct vet v;
			int rc = judge(bad[i].text, k, &v);
			cr_expect(rc == VET_MORE || rc == bad[i].want, "%s at %zu: %d", bad[i].name,
			    k, rc);
		}
	}
	LEAK_CHECK();
}

Test(http_vet, holds_heads_to_8_kib_and_64_headers)
{
	static char t[VET_HEAD_MAX + 64];
	struct vet v;
	size_t at = (size_t)snprintf(t, sizeof(t), "GET / HTTP/1.1\r\nHost: a\r\nX: ");

	memset(t + at, 'a', VET_HEAD_MAX - at - 4);
	memcpy(t + VET_HEAD_MAX - 4, "\r\n\r\n", 4);
	cr_assert_eq(judge(t, VET_HEAD_MAX, &v), 0, "8192 bytes are allowed");
	memset(t + at, 'a', sizeof(t) - at);
	cr_assert_eq(judge(t, VET_HEAD_MAX - 1, &v), VET_MORE);
	cr_assert_eq(judge(t, sizeof(t), &v), 431);
	for (int extra = 63; extra <= 64; extra++) {
		at = (size_t)snprintf(t, sizeof(t), "GET / HTTP/1.1\r\nHost: a\r\n");
		for (int i = 0; i < extra; i++)
			at += (size_t)snprintf(t + at, sizeof(t) - at, "X%d: y\r\n", i);
		at += (size_t)snprintf(t + at, sizeof(t) - at, "\r\n");
		cr_assert_eq(judge(t, at, &v), extra == 63 ? 0 : 431);
	}
	LEAK_CHECK();
}

Test(http_vet, needs_no_host_on_the_unix_socket)
{
	static const char t[] = "GET / HTTP/1.0\r\n\r\n";
	const char *why;
	struct vet v;

	cr_assert_eq(vet_head(t, sizeof(t) - 1, false, &v, &why), 0);
	cr_assert(v.http_1_0);
	LEAK_CHECK();
}

Test(http_vet, marks_transfer_encoding_of_any_kind)
{
	static const char *const kinds[] = {"chunked", "xchunked", "gzip, chunked", "identity", ""};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char t[128];
		struct vet v;
		int n = snprintf(t, sizeof(t),
		    "POST / HTTP/1.1\r\n" H "Transfer-Encoding: %s\r\n\r\n", kinds[i]);
		cr_assert_eq(judge(t, (size_t)n, &v), 0);
		cr_assert(v.transfer_encoding, "%s", kinds[i]);
	}
	LEAK_CHECK();
}

Test(http_vet, compares_names_without_case)
{
	cr_assert(vet_name_is("HoSt", 4, "host"));
	cr_assert_not(vet_name_is("Hos", 3, "host"));
	cr_assert_not(vet_name_is("Hosts", 5, "host"));
	cr_assert_not(vet_name_is("h\xd3st", 4, "host"));
	LEAK_CHECK();
}
