/* vet.c: judges a raw request head line by line; see vet.h for the rules.
 *
 * Lines are judged as they come in, so that a head that can never become good (a bare LF, a NUL) is
 * refused at once and does not wait for its deadline. */
#include "core/http/vet.h"

#include <string.h>

enum {
	C_TOKEN = 1u << 0,
	C_VALUE = 1u << 1,
	C_TARGET = 1u << 2,
	C_DIGIT = 1u << 3,
	C_HEX = 1u << 4
};

static uint8_t byte_class(unsigned char c)
{
	uint8_t k = 0;
	bool digit = c >= '0' && c <= '9';
	bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

	if (digit || alpha || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL))
		k |= C_TOKEN;
	if (c == '\t' || (c >= 0x20 && c != 0x7f))
		k |= C_VALUE;
	if (c > 0x20 && c < 0x7f && c != '#')
		k |= C_TARGET;
	if (digit)
		k |= C_DIGIT | C_HEX;
	if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
		k |= C_HEX;
	return k;
}

static uint8_t class_of[256];
__attribute__((constructor)) static void fill_classes(void)
{
	for (unsigned c = 0; c < 256; c++)
		class_of[c] = byte_class((unsigned char)c);
}

static bool is(char c, unsigned k)
{
	return (class_of[(unsigned char)c] & k) != 0;
}

static const char *const method_names[VET_METHOD_N] = {"GET", "HEAD", "POST", "DELETE", "OPTIONS"};

const char *vet_method_name(enum vet_method m)
{
	return m < VET_METHOD_N ? method_names[m] : "";
}

bool vet_name_is(const char *p, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];
		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (c != (unsigned char)name[i] || name[i] == '\0')
			return false;
	}
	return name[n] == '\0';
}

struct judge {
	const char *p;
	struct vet v;
	unsigned hosts, lengths;
	const char *why;
};

static int refuse(struct judge *j, int status, const char *why)
{
	j->why = why;
	return status;
}

static int judge_method(struct judge *j, const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && is(s[i], C_TOKEN))
		i++;
	if (i == 0 || i == n || s[i] != ' ')
		return refuse(j, 400, "the request line has no method");
	for (unsigned m = 0; m < VET_METHOD_N; m++) {
		if (strlen(method_names[m]) == i && memcmp(s, method_names[m], i) == 0) {
			j->v.method = (enum vet_method)m;
			return 0;
		}
	}
	return refuse(j, 405, "the method is not one of GET HEAD POST DELETE OPTIONS");
}

/* Escapes must be whole, and a NUL would end the text in one reader and not in another. */
static int judge_target(struct judge *j, const char *s, size_t n)
{
	size_t path_n = n;

	if (n == 0 || s[0] != '/')
		return refuse(j, 400, "the target does not begin with /");
	for (size_t i = 0; i < n; i++) {
		if (!is(s[i], C_TARGET))
			return refuse(j, 400, "the target holds a byte that is not allowed");
		if (s[i] == '?' && path_n == n)
			path_n = i;
		if (s[i] != '%')
			continue;
		if (n - i < 3 || !is(s[i + 1], C_HEX) || !is(s[i + 2], C_HEX))
			return refuse(j, 400, "the target holds a broken %-escape");
		if (s[i + 1] == '0' && s[i + 2] == '0')
			return refuse(j, 400, "the target holds %00");
	}
	j->v.path_n = path_n;
	return 0;
}

static int judge_request_line(struct judge *j, const char *s, size_t n)
{
	const char *end = s + n, *target, *blank;
	int rc = judge_method(j, s, n);

	if (rc != 0)
		return rc;
	target = s + strlen(method_names[j->v.method]) + 1;
	blank = memchr(target, ' ', (size_t)(end - target));
	if (blank == NULL)
		return refuse(j, 400, "the request line has no version");
	j->v.target_at = (size_t)(target - j->p);
	j->v.target_n = (size_t)(blank - target);
	rc = judge_target(j, target, j->v.target_n);
	if (rc != 0)
		return rc;
	blank++;
	if (end - blank != 8 || memcmp(blank, "HTTP/", 5) != 0 || !is(blank[5], C_DIGIT) ||
	    blank[6] != '.' || !is(blank[7], C_DIGIT))
		return refuse(j, 400, "the request line does not end with a version");
	if (blank[5] != '1' || (blank[7] != '1' && blank[7] != '0'))
		return refuse(j, 505, "the version is neither HTTP/1.1 nor HTTP/1.0");
	j->v.http_1_0 = blank[7] == '0';
	return 0;
}

static int judge_length(struct judge *j, const char *s, size_t n)
{
	uint64_t v = 0;

	if (++j->lengths > 1)
		return refuse(j, 400, "there is more than one Content-Length");
	if (n < 1 || n > 15)
		return refuse(j, 400, "Content-Length is not 1 to 15 digits");
	for (size_t i = 0; i < n; i++) {
		if (!is(s[i], C_DIGIT))
			return refuse(j, 400, "Content-Length is not 1 to 15 digits");
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	j->v.has_length = true;
	j->v.length = v;
	return 0;
}

static int judge_field(
    struct judge *j, const char *name, size_t name_n, const char *value, size_t n)
{
	if (vet_name_is(name, name_n, "content-length"))
		return judge_length(j, value, n);
	if (vet_name_is(name, name_n, "transfer-encoding")) {
		j->v.transfer_encoding = true;
		return 0;
	}
	if (vet_name_is(name, name_n, "host")) {
		if (++j->hosts > 1)
			return refuse(j, 400, "there is more than one Host");
		return n > 0 ? 0 : refuse(j, 400, "Host is empty");
	}
	if (vet_name_is(name, name_n, "expect")) {
		if (!vet_name_is(value, n, "100-continue"))
			return refuse(j, 417, "Expect knows 100-continue only");
		j->v.expect_continue = true;
		return 0;
	}
	if (vet_name_is(name, name_n, "upgrade"))
		return refuse(j, 400, "Upgrade is not supported");
	return 0;
}

static int judge_header(struct judge *j, const char *s, size_t n)
{
	size_t i = 0;

	if (++j->v.n_headers > VET_HEADERS_MAX)
		return refuse(j, 431, "there are more than 64 headers");
	while (i < n && is(s[i], C_TOKEN))
		i++;
	if (i == 0)
		return refuse(j, 400, "a header line begins with no name: folding is not allowed");
	if (i == n || s[i] != ':')
		return refuse(j, 400, "a header name is not followed by a colon");
	const char *value = s + i + 1, *end = s + n;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return judge_field(j, s, i, value, (size_t)(end - value));
}

/* *ret_n: bytes of the line without CRLF. VET_MORE where its end has not come yet. */
static int find_line(struct judge *j, const char *s, size_t n, size_t *ret_n)
{
	size_t i = 0;

	while (i < n && is(s[i], C_VALUE))
		i++;
	if (i == n)
		return VET_MORE;
	if (s[i] != '\r')
		return refuse(j, 400,
		    s[i] == '\n' ? "a line ends without CR" : "the head holds a control byte");
	if (i + 1 == n)
		return VET_MORE;
	if (s[i + 1] != '\n')
		return refuse(j, 400, "a CR stands without LF");
	*ret_n = i;
	return 0;
}

static int judge_whole(struct judge *j, bool need_host)
{
	if (need_host && j->hosts != 1)
		return refuse(j, 400, "there is no Host");
	if (j->v.transfer_encoding && j->lengths > 0)
		return refuse(j, 400, "Content-Length stands beside Transfer-Encoding");
	return 0;
}

int vet_head(const char *p, size_t n, bool need_host, struct vet *ret, const char **ret_why)
{
	struct judge j = {.p = p};
	size_t seen = n < VET_HEAD_MAX ? n : VET_HEAD_MAX;
	size_t at = 0, line_n = 0;
	bool first = true;
	int rc;

	for (;;) {
		rc = find_line(&j, p + at, seen - at, &line_n);
		if (rc != 0)
			break;
		if (line_n == 0 && !first)
			break;
		rc = first ? judge_request_line(&j, p + at, line_n)
			   : judge_header(&j, p + at, line_n);
		if (rc != 0)
			break;
		first = false;
		at += line_n + 2;
	}
	if (rc == VET_MORE && n >= VET_HEAD_MAX)
		rc = refuse(&j, 431, "the head is longer than 8 KiB");
	if (rc == 0)
		rc = judge_whole(&j, need_host);
	if (rc == 0) {
		j.v.head_n = at + 2;
		*ret = j.v;
	} else if (rc != VET_MORE) {
		*ret_why = j.why;
	}
	return rc;
}
