/* request.c: reads a vetted head with http_parser, and looks things up in it. The only user of
 * http_parser.h.
 *
 * The filter (vet.c) decides what is acceptable, the parser what it says; where the two read
 * different lengths, methods, targets or numbers of headers the request is refused, because a third
 * reader would differ as well. */
#include "core/http/server.h"

#include <http_parser.h>
#include <string.h>

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct http_req *q = p->data;

	if (q->path != NULL)
		return 1;
	q->path = at;
	q->path_n = n;
	return 0;
}

static int on_field(http_parser *p, const char *at, size_t n)
{
	struct http_req *q = p->data;

	if (q->n_headers == VET_HEADERS_MAX)
		return 1;
	q->headers[q->n_headers++] =
	    (struct header){.name = at, .name_n = (uint32_t)n, .value = at + n};
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct http_req *q = p->data;

	if (q->n_headers == 0 || q->headers[q->n_headers - 1].value_n != 0)
		return 1;
	while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
		n--;
	q->headers[q->n_headers - 1].value = at;
	q->headers[q->n_headers - 1].value_n = (uint32_t)n;
	return 0;
}

static int on_head_end(http_parser *p)
{
	struct http_req *q = p->data;

	q->keep = http_should_keep_alive(p) != 0;
	return 1; /* the body is not the parser's business */
}

static const http_parser_settings settings = {.on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head_end};

static bool agrees(const struct http_req *q, const http_parser *p)
{
	const struct vet *v = &q->vet;
	uint64_t length = v->has_length ? v->length : UINT64_MAX;

	return q->path == q->head + v->target_at && q->path_n == v->target_n &&
	       q->n_headers == v->n_headers && p->content_length == length && p->http_major == 1 &&
	       p->http_minor == (v->http_1_0 ? 0 : 1) && !p->upgrade &&
	       strcmp(http_method_str((enum http_method)p->method), vet_method_name(v->method)) ==
		   0;
}

int request_parse(struct http_req *q, const char **ret_why)
{
	http_parser parser;

	q->path = q->query = q->body = NULL;
	q->path_n = q->query_n = q->body_n = q->n_headers = q->n_params = 0;
	q->keep = false;
	q->route = NULL;
	q->auth.scopes = 0;
	q->auth.object[0] = q->auth.actor[0] = '\0';
	http_parser_init(&parser, HTTP_REQUEST);
	parser.data = q;
	size_t n = http_parser_execute(&parser, &settings, q->head, q->vet.head_n);
	if (n != q->vet.head_n || HTTP_PARSER_ERRNO(&parser) != HPE_OK || !agrees(q, &parser)) {
		*ret_why = "the head can be read in two ways";
		return 400;
	}
	if (q->vet.path_n < q->path_n) {
		q->query = q->path + q->vet.path_n + 1;
		q->query_n = q->path_n - q->vet.path_n - 1;
	}
	q->path_n = q->vet.path_n;
	return 0;
}

const char *request_header(const struct http_req *q, const char *name, size_t *ret_n)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < q->n_headers; i++) {
		const struct header *h = &q->headers[i];
		if (h->name_n == n && vet_name_is(h->name, n, name)) {
			*ret_n = h->value_n;
			return h->value;
		}
	}
	*ret_n = 0;
	return NULL;
}

bool request_header_copy(const struct http_req *q, const char *name, char *to, size_t size)
{
	size_t n;
	const char *v = request_header(q, name, &n);

	if (v == NULL || n >= size)
		return false;
	memcpy(to, v, n);
	to[n] = '\0';
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int request_decode(const char *s, size_t n, char *to, size_t size, bool plus)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];
		if (c == '%') {
			if (n - i < 3 || hex_value(s[i + 1]) < 0 || hex_value(s[i + 2]) < 0)
				return -1;
			c = (char)(hex_value(s[i + 1]) * 16 + hex_value(s[i + 2]));
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (out + 1 >= size || c == '\0')
			return -1;
		to[out++] = c;
	}
	if (out >= size)
		return -1;
	to[out] = '\0';
	return (int)out;
}

bool request_query(const struct http_req *q, const char *name, char *to, size_t size, bool *bad)
{
	const char *p = q->query, *end = p != NULL ? p + q->query_n : NULL;
	size_t name_n = strlen(name);

	while (p != NULL && p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		const char *stop = amp != NULL ? amp : end;
		const char *eq = memchr(p, '=', (size_t)(stop - p));
		size_t key_n = (size_t)((eq != NULL ? eq : stop) - p);
		if (key_n == name_n && memcmp(p, name, name_n) == 0) {
			const char *v = eq != NULL ? eq + 1 : stop;
			int n = request_decode(v, (size_t)(stop - v), to, size, true);
			if (n < 0 || !str_utf8_valid(to, (size_t)n))
				*bad = true;
			return n >= 0;
		}
		p = amp != NULL ? amp + 1 : end;
	}
	return false;
}

bool request_is_json(const struct http_req *q)
{
	size_t n;
	const char *v = request_header(q, "content-type", &n);

	if (v == NULL)
		return false;
	const char *semi = memchr(v, ';', n);
	if (semi != NULL)
		n = (size_t)(semi - v);
	while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'))
		n--;
	if (vet_name_is(v, n, "application/json"))
		return true;
	return n > 17 && vet_name_is(v, 12, "application/") && vet_name_is(v + n - 5, 5, "+json");
}
