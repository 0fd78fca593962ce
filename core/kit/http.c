/* http.c: requests by libcurl's multi interface, because that can be woken: cancel ends a request
 * at once, also while a name is resolved. */
#include "sluice/kit/http.h"

#include "core/base/clock.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 30000
#define CONNECT_MS 10000
#define BODY_MAX (8u << 20)
#define HEADERS_MAX (64u << 10)
#define TURN_MS 100
#define RETRY_MAX_MS (INT64_C(365) * 86400 * 1000)

struct slu_http {
	const slu_host *host;
	slu_run *run;
	slu_http_options o;
	CURLM *multi;
	CURL *easy; /* owned; of the request under way or the last one */
	char *ca_file;
	char error[CURL_ERROR_SIZE];
	char refused[INET6_ADDRSTRLEN]; /* the address that the guard turned away */
	bool too_long;
	atomic_bool cancelled;
};

slu_rc slu_http_new(
    const slu_host *host, slu_run *run, const slu_http_options *o, slu_http **out, slu_err *err)
{
	slu_http *h = calloc(1, sizeof(*h));

	if (h != NULL)
		h->multi = curl_multi_init();
	if (h == NULL || h->multi == NULL) {
		free(h);
		return slu_fail(err, SLU_E_TRANSIENT, "HTTP.MEMORY", "out of memory");
	}
	h->host = host;
	h->run = run;
	if (o != NULL)
		memcpy(&h->o, o, o->size < sizeof(h->o) ? o->size : sizeof(h->o));
	if (h->o.timeout_ms <= 0)
		h->o.timeout_ms = TIMEOUT_MS;
	if (h->o.connect_ms <= 0)
		h->o.connect_ms = CONNECT_MS;
	if (h->o.max_bytes == 0)
		h->o.max_bytes = BODY_MAX;
	if (h->o.ca_file != NULL)
		h->ca_file = strdup(h->o.ca_file);
	*out = h;
	return SLU_OK;
}

static bool is_cancelled(const slu_http *h)
{
	return atomic_load(&h->cancelled) ||
	       (h->host != NULL && h->run != NULL && h->host->cancelled(h->run));
}

static void drop_handle(slu_http *h)
{
	if (h->easy == NULL)
		return;
	/* a resolver that hangs would be waited for */
	if (is_cancelled(h))
		(void)curl_easy_setopt(h->easy, CURLOPT_QUICK_EXIT, 1L);
	(void)curl_multi_remove_handle(h->multi, h->easy);
	curl_easy_cleanup(h->easy);
	h->easy = NULL;
}

void slu_http_free(slu_http *h)
{
	if (h == NULL)
		return;
	drop_handle(h);
	(void)curl_multi_cleanup(h->multi);
	free(h->ca_file);
	free(h);
}

void slu_http_cancel(slu_http *h)
{
	atomic_store(&h->cancelled, true);
	(void)curl_multi_wakeup(h->multi);
}

/* ---- the guard ---- */

static void note_address(slu_http *h, const struct curl_sockaddr *a)
{
	const void *at =
	    a->family == AF_INET6
		? (const void *)&((const struct sockaddr_in6 *)(const void *)&a->addr)->sin6_addr
		: (const void *)&((const struct sockaddr_in *)(const void *)&a->addr)->sin_addr;

	if (inet_ntop(a->family, at, h->refused, sizeof(h->refused)) == NULL)
		(void)snprintf(h->refused, sizeof(h->refused), "family %d", a->family);
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	slu_http *h = arg;

	(void)purpose;
	if (!h->o.private_ok && slu_http_is_private(&a->addr, a->addrlen)) {
		note_address(h, a);
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- one request ---- */

void *slu_http_handle(slu_http *h)
{
	CURL *c;

	drop_handle(h);
	c = h->easy = curl_easy_init();
	if (c == NULL)
		return NULL;
	h->error[0] = h->refused[0] = 0;
	h->too_long = false;
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)h->o.timeout_ms);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)h->o.connect_ms);
	(void)curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	(void)curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h);
	(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	if (h->ca_file != NULL) {
		(void)curl_easy_setopt(c, CURLOPT_CAINFO, h->ca_file);
		/* else the system's folder of certificates would be trusted as well */
		(void)curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	return c;
}

static slu_rc class_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return SLU_E_TIMEOUT;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_USE_SSL_FAILED:
		return SLU_E_CONFIG;
	case CURLE_LOGIN_DENIED:
	case CURLE_REMOTE_ACCESS_DENIED:
		return SLU_E_AUTH;
	case CURLE_OUT_OF_MEMORY:
	default:
		return SLU_E_TRANSIENT;
	}
}

/* What to do about it, where libcurl says only what is wrong. */
static const char *advice(const slu_http *h, CURLcode code)
{
	long verified = 0;

	if (code == CURLE_SSL_CACERT_BADFILE)
		return ": what \"ca_file\" names cannot be read, or holds no certificates (PEM)";
	if (code != CURLE_PEER_FAILED_VERIFICATION || h->easy == NULL)
		return "";
	(void)curl_easy_getinfo(h->easy, CURLINFO_SSL_VERIFYRESULT, &verified);
	switch (verified) {
	case 2:	 /* X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT */
	case 18: /* …_DEPTH_ZERO_SELF_SIGNED_CERT */
	case 19: /* …_SELF_SIGNED_CERT_IN_CHAIN */
	case 20: /* …_UNABLE_TO_GET_ISSUER_CERT_LOCALLY */
	case 21: /* …_UNABLE_TO_VERIFY_LEAF_SIGNATURE */
		return h->ca_file != NULL
			   ? ": it is not signed by what \"ca_file\" holds"
			   : ": who signed it is not trusted here; \"ca_file\" names whom to trust";
	default:
		return "";
	}
}

static slu_rc fail_of(slu_http *h, const char *where, CURLcode code, slu_err *err)
{
	if (h->refused[0] != 0)
		return slu_fail(err, SLU_E_CONFIG, "HTTP.PRIVATE",
		    "%.200s is %s, an address of the own network, which is refused; \"private: "
		    "allow\" permits it",
		    where, h->refused);
	if (h->too_long)
		return slu_fail(err, SLU_E_DATA, "HTTP.TOO_LONG",
		    "the answer of %.200s is longer than %llu bytes", where,
		    (unsigned long long)h->o.max_bytes);
	return slu_fail(err, class_of(code), "HTTP.CONNECTION", "%.200s: %.200s%s", where,
	    h->error[0] != 0 ? h->error : curl_easy_strerror(code), advice(h, code));
}

/* Until it is done or cancelled. */
static CURLMcode drive(slu_http *h, bool *ret_cancelled)
{
	struct curl_waitfd wake = {.events = CURL_WAIT_POLLIN};
	int running = 1;
	CURLMcode rc = CURLM_OK;

	wake.fd = h->host != NULL && h->run != NULL ? h->host->cancel_fd(h->run) : -1;
	*ret_cancelled = false;
	while (rc == CURLM_OK && running > 0) {
		if (is_cancelled(h)) {
			*ret_cancelled = true;
			return CURLM_OK;
		}
		rc = curl_multi_perform(h->multi, &running);
		if (rc == CURLM_OK && running > 0)
			rc = curl_multi_poll(h->multi, &wake, wake.fd >= 0 ? 1 : 0, TURN_MS, NULL);
	}
	return rc;
}

static CURLcode result_of(slu_http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (m->msg == CURLMSG_DONE && m->easy_handle == h->easy)
			return m->data.result;
	}
	return CURLE_OK;
}

slu_rc slu_http_run(slu_http *h, const char *where, long *ret_code, slu_err *err)
{
	bool cancelled = false;
	CURLcode code = CURLE_OUT_OF_MEMORY;
	CURLMcode rc = CURLM_OUT_OF_MEMORY;

	if (h->easy != NULL)
		rc = curl_multi_add_handle(h->multi, h->easy);
	if (rc == CURLM_OK)
		rc = drive(h, &cancelled);
	if (rc == CURLM_OK && !cancelled)
		code = result_of(h);
	*ret_code = 0;
	if (h->easy != NULL)
		(void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, ret_code);
	if (cancelled) {
		drop_handle(h);
		return slu_fail(err, SLU_E_CANCELLED, "HTTP.CANCELLED", "cancelled");
	}
	return code == CURLE_OK ? SLU_OK : fail_of(h, where, code, err);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	slu_http_reply *reply = arg;

	slu_buf_addn(&reply->body, p, size * n);
	return reply->body.failed ? CURL_WRITEFUNC_ERROR : size * n;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	slu_http_reply *reply = arg;

	if (size * n >= 5 && memcmp(p, "HTTP/", 5) == 0)
		slu_buf_reset(&reply->headers); /* of the last answer only: 100 comes first */
	slu_buf_addn(&reply->headers, p, size * n);
	return reply->headers.failed ? 0 : size * n;
}

/* "https://user@host:1/x?y" -> "host:1" */
static void host_of(const char *url, char *out, size_t n)
{
	const char *at = strstr(url, "://"), *end, *user;

	at = at != NULL ? at + 3 : url;
	end = at + strcspn(at, "/?#");
	user = memrchr(at, '@', (size_t)(end - at));
	if (user != NULL)
		at = user + 1;
	(void)snprintf(out, n, "%.*s", (int)(end - at), at);
}

static struct curl_slist *headers_of(const slu_http_request *q)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:"), *next;

	for (uint32_t i = 0; list != NULL && i < q->n_headers; i++) {
		if (strpbrk(q->headers[i], "\r\n") != NULL)
			continue; /* it would be two headers */
		next = curl_slist_append(list, q->headers[i]);
		if (next == NULL)
			break;
		list = next;
	}
	return list;
}

static void fill(CURL *c, const slu_http_request *q, struct curl_slist *list, slu_http_reply *reply)
{
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(c, CURLOPT_URL, q->url);
	(void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	(void)curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice");
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, reply);
	(void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(c, CURLOPT_HEADERDATA, reply);
	if (q->body != NULL) {
		(void)curl_easy_setopt(c, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_n);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body);
	}
	if (q->method != NULL && strcmp(q->method, "HEAD") == 0)
		(void)curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	else if (q->method != NULL)
		(void)curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
}

slu_rc slu_http_do(slu_http *h, const slu_http_request *q, slu_http_reply *reply, slu_err *err)
{
	int64_t began = clock_mono();
	struct curl_slist *list;
	char where[300], text[128];
	long status = 0;
	CURL *c = slu_http_handle(h);
	slu_rc rc;

	slu_http_reply_done(reply);
	slu_buf_init(&reply->body, h->o.max_bytes);
	slu_buf_init(&reply->headers, HEADERS_MAX);
	list = headers_of(q);
	host_of(q->url, where, sizeof(where));
	if (c == NULL || list == NULL) {
		curl_slist_free_all(list);
		return slu_fail(err, SLU_E_TRANSIENT, "HTTP.MEMORY", "out of memory");
	}
	fill(c, q, list, reply);
	rc = slu_http_run(h, where, &status, err);
	h->too_long = reply->body.failed;
	if (rc != SLU_OK && rc != SLU_E_CANCELLED && h->too_long)
		rc = fail_of(h, where, CURLE_WRITE_ERROR, err);
	drop_handle(h); /* before the list that it points to; the connection stays with multi */
	curl_slist_free_all(list);
	reply->status = (int32_t)status;
	reply->time_ms = (clock_mono() - began) / 1000;
	if (slu_http_header(reply, "Retry-After", text, sizeof(text)) != NULL)
		reply->retry_after_ms = slu_http_retry_after(text, clock_wall());
	return rc;
}

/* ---- what came back ---- */

void slu_http_reply_done(slu_http_reply *reply)
{
	slu_buf_done(&reply->body);
	slu_buf_done(&reply->headers);
	memset(reply, 0, sizeof(*reply));
}

const char *slu_http_header(const slu_http_reply *reply, const char *name, char *buf, size_t n)
{
	const char *line = slu_buf_text(&reply->headers), *end, *value;
	size_t name_n = strlen(name);

	for (; *line != 0; line = *end != 0 ? end + 1 : end) {
		end = strchrnul(line, '\n');
		if (strncasecmp(line, name, name_n) != 0 || line[name_n] != ':')
			continue;
		value = line + name_n + 1;
		value += strspn(value, " \t");
		while (end > value && strchr(" \t\r\n", end[-1]) != NULL)
			end--;
		(void)snprintf(buf, n, "%.*s", (int)(end - value), value);
		return buf;
	}
	return NULL;
}

int64_t slu_http_retry_after(const char *text, int64_t now_us)
{
	char *end;
	long long s = strtoll(text, &end, 10);
	time_t at;

	if (*text >= '0' && *text <= '9' && *end == 0)
		return s > RETRY_MAX_MS / 1000 ? RETRY_MAX_MS : (int64_t)s * 1000;
	at = curl_getdate(text, NULL);
	if (at == (time_t)-1 || (int64_t)at * US_PER_S <= now_us)
		return 0;
	return ((int64_t)at * US_PER_S - now_us) / US_PER_MS;
}

static slu_rc class_of_status(const slu_http_reply *r)
{
	switch (r->status) {
	case 401:
	case 403:
	case 407:
		return SLU_E_AUTH;
	case 429:
		return SLU_E_QUOTA;
	case 408:
	case 425:
		return SLU_E_TRANSIENT;
	case 400:
	case 409:
	case 412:
	case 413:
	case 422:
		return SLU_E_DATA;
	default:
		break;
	}
	if (r->status >= 500)
		return r->retry_after_ms > 0 ? SLU_E_QUOTA : SLU_E_TRANSIENT;
	return SLU_E_CONFIG;
}

slu_rc slu_http_judge(const slu_http_reply *reply, const char *who, slu_err *err)
{
	char code[32], to[300], place[300];
	slu_rc rc;

	if (reply->status >= 200 && reply->status < 300)
		return SLU_OK;
	rc = class_of_status(reply);
	(void)snprintf(code, sizeof(code), "HTTP.%d", (int)reply->status);
	if (reply->status >= 300 && reply->status < 400) {
		if (slu_http_header(reply, "Location", to, sizeof(to)) == NULL)
			to[0] = 0;
		host_of(to, place, sizeof(place));
		(void)slu_fail(err, rc, code,
		    "%s answers %d and points to %.200s; redirects are not followed: write the "
		    "place itself",
		    who, (int)reply->status, place[0] != 0 ? place : "another place");
	} else {
		(void)slu_fail(err, rc, code, "%s answers %d%s", who, (int)reply->status,
		    rc == SLU_E_AUTH ? ": check the credentials" : "");
	}
	if (err != NULL)
		err->retry_after_ms = reply->retry_after_ms;
	return rc;
}

void slu_buf_add_url(slu_buf *b, const char *s)
{
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *s != 0; s++) {
		if (strchr(plain, *s) != NULL)
			slu_buf_addc(b, *s);
		else
			slu_buf_addf(b, "%%%02X", (unsigned char)*s);
	}
}
