/* reply.c: status texts, the Date line, JSON replies and problems (RFC 9457). */
#include "core/http/server.h"

#include <stdio.h>
#include <string.h>

static const struct {
	int status;
	const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

static const struct {
	int rc, status;
	const char *code;
} codes[] = {
    {ERR_NOT_FOUND, 404, "not-found"},
    {ERR_CONFLICT, 409, "conflict"},
    {ERR_REFUSED, 409, "refused"},
    {ERR_EXISTS, 409, "exists"},
    {ERR_PARSE, 400, "malformed"},
    {ERR_USAGE, 400, "usage"},
    {ERR_CONFIG, 400, "config"},
    {ERR_LIMIT, 400, "limit"},
    {ERR_AUTH, 401, "auth"},
    {ERR_FULL, 503, "over-quota"},
    {ERR_AGAIN, 503, "try-again"},
    {ERR_CLOSED, 503, "stopping"},
    {ERR_UNREACHABLE, 503, "unreachable"},
    {ERR_TIMEOUT, 504, "timeout"},
    {ERR_UNSUPPORTED, 501, "unsupported"},
};

const char *reply_reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Unknown";
}

const char *reply_date(struct http *h)
{
	static const char days[] = "SunMonTueWedThuFriSat",
			  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t s = h->env.wall() / US_PER_S, day = s / 86400, sec = s % 86400, year;
	int month, mday;

	if (s == h->date_s || s < 0)
		return h->date;
	clock_civil_from_days(day, &year, &month, &mday);
	snprintf(h->date, sizeof(h->date), "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
	    days + 3 * ((day + 4) % 7), mday, months + 3 * (month - 1), (int)(year % 10000),
	    (int)(sec / 3600), (int)(sec / 60 % 60), (int)(sec % 60));
	h->date_s = s;
	return h->date;
}

struct jw *reply_begin(struct http *h)
{
	if (h->body.cap > (1u << 20))
		str_done(&h->body), str_init(&h->body, HTTP_OUT_MAX);
	str_reset(&h->body);
	jw_init(&h->jw, &h->body);
	return &h->jw;
}

void reply_json(struct conn *c, int status)
{
	struct str *b = &c->h->body;

	if (b->failed) {
		reply_problem(c, 500, "too-large",
		    "the reply is larger than %u bytes: ask for less", HTTP_OUT_MAX);
		return;
	}
	conn_reply(
	    c, status, "application/json", "Cache-Control: no-store\r\n", str_peek(b), b->len);
}

static const char *extra_of(int status)
{
	switch (status) {
	case 401:
		return "WWW-Authenticate: Bearer\r\nCache-Control: no-store\r\n";
	case 405: /* a method that no resource has; others name their own */
		return "Allow: GET, HEAD, POST, DELETE, OPTIONS\r\nCache-Control: no-store\r\n";
	case 503:
		return "Retry-After: 5\r\nCache-Control: no-store\r\n";
	default:
		return "Cache-Control: no-store\r\n";
	}
}

void reply_problem_with(
    struct conn *c, int status, const char *code, const char *extra, const char *detail)
{
	struct jw *w = reply_begin(c->h);

	jw_object(w);
	jw_kstr(w, "title", reply_reason(status));
	jw_ki64(w, "status", status);
	jw_kstr(w, "code", code);
	jw_kstr(w, "detail", detail);
	jw_end_object(w);
	conn_reply(
	    c, status, "application/problem+json", extra, str_peek(&c->h->body), c->h->body.len);
}

void reply_problem(struct conn *c, int status, const char *code, const char *fmt, ...)
{
	char detail[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	reply_problem_with(c, status, code, extra_of(status), detail);
}

int reply_status_of(int rc)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].rc == rc)
			return codes[i].status;
	}
	return 500;
}

void reply_err(struct conn *c, int rc, const struct err *err)
{
	const char *detail = err != NULL && err->text[0] != '\0' ? err->text : err_text(rc);
	const char *code = "internal";

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].rc == rc)
			code = codes[i].code;
	}
	reply_problem(c, reply_status_of(rc), code, "%s", detail);
}
