/* The 28 ambiguous probes of the reliability reference (§4.3), over a whole server: behind or
 * inside each probe hides a second request. None may be answered as a request of its own. */
#include "tests/unit/http_rig.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>

#define HID "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Hidden: 1\r\n\r\n"
#define POST "POST /hooks/wide HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
#define GET "GET /livez HTTP/1.1\r\nHost: localhost\r\n"

static const struct {
	const char *name, *text;
	size_t n;   /* 0: strlen */
	int status; /* of the one reply */
} probes[] = {
    {"length beside chunked",
	POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HID, 0, 400},
    {"chunked beside length",
	POST "Transfer-Encoding: chunked\r\nContent-Length: 60\r\n\r\n0\r\n\r\n" HID, 0, 400},
    {"length -1", POST "Content-Length: -1\r\n\r\n" HID, 0, 400},
    {"length 5,5", POST "Content-Length: 5,5\r\n\r\n" HID, 0, 400},
    {"two lengths", POST "Content-Length: 60\r\nContent-Length: 0\r\n\r\n" HID, 0, 400},
    {"length +5", POST "Content-Length: +5\r\n\r\n" HID, 0, 400},
    {"blank before the colon", POST "Content-Length : 60\r\n\r\n" HID, 0, 400},
    {"length in hex", POST "Content-Length: 0x3c\r\n\r\n" HID, 0, 400},
    {"negative chunk", POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n" HID, 0, 411},
    {"chunk extension", POST "Transfer-Encoding: chunked\r\n\r\n0;x=\r\n\r\n" HID, 0, 411},
    {"chunk size 0x5", POST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n" HID, 0,
	411},
    {"chunk size +5", POST "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n" HID, 0,
	411},
    {"chunk of 2^63-1", POST "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n" HID, 0, 411},
    {"trailer", POST "Transfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer x\r\n\r\n" HID,
	0, 411},
    {"xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n" HID, 0, 411},
    {"gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n" HID, 0, 411},
    {"bare LF", "GET /livez HTTP/1.1\nHost: localhost\n\n" HID, 0, 400},
    {"folded header", GET "X: a\r\n b\r\n\r\n" HID, 0, 400},
    {"folded encoding", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" HID, 0, 400},
    {"NUL in a header", GET "X: a\0b\r\n\r\n", sizeof(GET "X: a\0b\r\n\r\n") - 1, 400},
    {"%00 in the path", "GET /livez%00 HTTP/1.1\r\nHost: localhost\r\n\r\n" HID, 0, 400},
    {"missing Host", "GET /livez HTTP/1.1\r\n\r\n" HID, 0, 400},
    {"two Hosts", GET "Host: evil\r\n\r\n" HID, 0, 400},
    {"absolute URI", "GET http://localhost/livez HTTP/1.1\r\nHost: localhost\r\n\r\n" HID, 0, 400},
    {"HTTP/9.9", "GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n" HID, 0, 505},
    {"unknown method", "TRACK /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" HID, 0, 405},
    {"encoded ..",
	"GET /v1/%2e%2e/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" HID, 0,
	404},
    {"GET with a body", GET "Connection: close\r\nContent-Length: 53\r\n\r\n" HID, 0, 200},
};

Test(http_smuggle, no_probe_hides_a_request)
{
	struct rig r;

	cr_assert_eq(sizeof(probes) / sizeof(probes[0]), 28);
	rig_init(&r, NULL);
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		rig_connect(&r, RIG_TCP);
		rig_askn(
		    &r, probes[i].text, probes[i].n != 0 ? probes[i].n : strlen(probes[i].text));
		cr_expect_eq(rig_replies(&r), 1, "%s: %zu replies: %s", probes[i].name,
		    rig_replies(&r), str_peek(&r.got));
		cr_expect_eq(rig_status(&r, 0), probes[i].status, "%s: %d", probes[i].name,
		    rig_status(&r, 0));
		cr_expect(r.eof, "%s: the connection stays open", probes[i].name);
	}
	cr_expect_eq(r.n_ops, 0);
	rig_done(&r);
	LEAK_CHECK();
}

/* The harness itself: two honest requests are two replies. */
Test(http_smuggle, two_honest_requests_are_two_replies)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_TCP);
	rig_ask(&r, GET "\r\n" HID);
	cr_assert_eq(rig_replies(&r), 2);
	rig_done(&r);
	LEAK_CHECK();
}
