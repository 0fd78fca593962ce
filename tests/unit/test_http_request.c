#include "tests/unit/http_rig.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>

static int parse(struct http_req *q, const char *text)
{
	const char *why = "";

	memset(q, 0, sizeof(*q));
	int rc = vet_head(text, strlen(text), true, &q->vet, &why);
	if (rc != 0)
		return rc;
	q->head = text;
	return request_parse(q, &why);
}

Test(http_request, reads_what_the_filter_let_pass)
{
	static struct http_req q;
	size_t n;
	char text[16];

	cr_assert_eq(parse(&q, "POST /a/b?c=1 HTTP/1.1\r\nHost: h\r\nEmpty:\r\nX-Two: a "
			       "\t\r\nx-two: b\r\nContent-Length: 3\r\n\r\n"),
	    0);
	cr_assert_eq(q.path_n, 4);
	cr_assert_eq(strncmp(q.path, "/a/b", 4), 0);
	cr_assert_eq(q.query_n, 3);
	cr_assert_eq(strncmp(q.query, "c=1", 3), 0);
	cr_assert_eq(q.n_headers, 5);
	cr_assert(request_header(&q, "empty", &n) != NULL && n == 0);
	cr_assert(request_header(&q, "none", &n) == NULL);
	cr_assert(request_header_copy(&q, "x-two", text, sizeof(text)));
	cr_assert_str_eq(text, "a", "the first counts, without blanks around it");
	cr_assert_not(request_header_copy(&q, "x-two", text, 1));
	LEAK_CHECK();
}

Test(http_request, keep_alive_is_of_the_version_and_the_header)
{
	static const struct {
		const char *text;
		bool keep;
	} t[] = {{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
	    {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
	    {"GET / HTTP/1.0\r\nHost: h\r\n\r\n", false},
	    {"GET / HTTP/1.0\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n", true},
	    {"GET / HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\n\r\n", false}};
	static struct http_req q;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		cr_assert_eq(parse(&q, t[i].text), 0);
		cr_expect_eq(q.keep, t[i].keep, "%s", t[i].text);
	}
	LEAK_CHECK();
}

Test(http_request, decodes_escapes_once)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
		bool plus;
	} t[] = {{"a%2Fb", "a/b", false}, {"a+b", "a+b", false}, {"a+b", "a b", true},
	    {"%252F", "%2F", false}, {"", "", false}, {"%00", NULL, false}, {"%4", NULL, false},
	    {"%zz", NULL, false}, {"12345678", NULL, false}};
	char to[8];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int n = request_decode(t[i].in, strlen(t[i].in), to, sizeof(to), t[i].plus);
		cr_expect_eq(n, t[i].out != NULL ? (int)strlen(t[i].out) : -1, "%s", t[i].in);
		if (t[i].out != NULL)
			cr_expect_str_eq(to, t[i].out);
	}
	LEAK_CHECK();
}

Test(http_request, finds_options_of_the_query)
{
	static struct http_req q;
	char to[16];
	bool bad = false;

	cr_assert_eq(parse(&q, "GET /?a=1&bc=x%20y+z&flag&a=2&long=01234567890123456789&u=%ff "
			       "HTTP/1.1\r\nHost: h\r\n\r\n"),
	    0);
	cr_assert(request_query(&q, "a", to, sizeof(to), &bad));
	cr_assert_str_eq(to, "1", "the first counts");
	cr_assert(request_query(&q, "bc", to, sizeof(to), &bad));
	cr_assert_str_eq(to, "x y z");
	cr_assert(request_query(&q, "flag", to, sizeof(to), &bad));
	cr_assert_str_eq(to, "");
	cr_assert_not(request_query(&q, "b", to, sizeof(to), &bad));
	cr_assert_not(bad);
	cr_assert_not(request_query(&q, "long", to, sizeof(to), &bad));
	cr_assert(bad);
	bad = false;
	request_query(&q, "u", to, sizeof(to), &bad);
	cr_assert(bad, "not UTF-8");
	LEAK_CHECK();
}
