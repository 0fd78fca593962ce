/* client.c: HTTP to the daemon by libcurl: unix socket or TCP, keep-alive within one command. */
#include "core/cli/client.h"

#include "core/base/io.h"
#include "core/base/mem.h"

#include <curl/curl.h>
#include <string.h>
#include <unistd.h>

#define REPLY_MAX (64u << 20)

struct client {
	CURL *curl;	  /* owned */
	char *unix_path;  /* owned, or NULL */
	char *base;	  /* owned: http://host[:port] */
	char *where;	  /* owned */
	char *token_line; /* owned: Authorization header, or NULL */
};

static int read_token(struct client *c, const char *file, struct err *err)
{
	struct str text;
	str_init(&text, 4096);
	int rc = io_read_file(file, 4096, &text, err);
	if (rc == 0) {
		struct str line;
		str_init(&line, 8192);
		size_t n = text.len;
		while (n > 0 && (text.s[n - 1] == '\n' || text.s[n - 1] == '\r'))
			n--;
		str_addf(&line, "Authorization: Bearer %.*s", (int)n, str_peek(&text));
		c->token_line = str_take(&line);
	}
	str_done(&text);
	return rc;
}

static int use_url(struct client *c, const char *url, struct err *err)
{
	c->where = mem_strdup(url);
	if (str_starts(url, "unix:")) {
		c->unix_path = mem_strdup(url + 5);
		c->base = mem_strdup("http://localhost");
		return 0;
	}
	if (!str_starts(url, "http://") && !str_starts(url, "https://"))
		return err_set(err, ERR_USAGE,
		    "\"%s\" is no address; write unix:/path or http://host:port", url);
	c->base = mem_strdup(url);
	size_t n = strlen(c->base);
	while (n > 0 && c->base[n - 1] == '/')
		c->base[--n] = 0;
	return 0;
}

/* A wrong sluice.yaml must not keep anybody from the daemon that runs with the one before it. */
static int use_default_socket(struct client *c, const struct cli *cli, struct err *err)
{
	char *file = cli_config_path(cli), *dir = file ? io_path_dir(file) : NULL;
	char *path = dir ? io_path_join(dir, "state/sluice.sock") : NULL;
	struct err why = *err;
	struct str url;
	int rc = path && access(path, F_OK) == 0 ? 0 : ERR_NOT_FOUND;
	if (rc == 0) {
		str_init(&url, 8192);
		str_addf(&url, "unix:%s", path);
		rc = use_url(c, str_peek(&url), err);
		str_done(&url);
		cli_error(0, "%s\nsluice: asking the daemon at %s, which has the file before it",
		    why.text, path);
	}
	mem_free(file);
	mem_free(dir);
	mem_free(path);
	return rc;
}

static int use_config(struct client *c, const struct cli *cli, struct err *err)
{
	struct json *conf = NULL;
	int rc = cli_config_load(cli, &conf, err);
	if (rc == ERR_CONFIG && use_default_socket(c, cli, err) == 0)
		return 0;
	if (rc)
		return rc;
	struct str url;
	str_init(&url, 8192);
	str_addf(&url, "unix:%s", json_str(json_path(conf, "http.unix"), ""));
	rc = use_url(c, str_peek(&url), err);
	str_done(&url);
	json_free(conf);
	return rc;
}

int client_new(const struct cli *cli, struct client **ret, struct err *err)
{
	struct client *c = MEM_NEW(struct client);
	int rc = cli->url ? use_url(c, cli->url, err) : use_config(c, cli, err);
	if (rc == 0 && cli->token_file && !c->unix_path)
		rc = read_token(c, cli->token_file, err);
	if (rc == 0 && !(c->curl = curl_easy_init()))
		rc = err_set(err, ERR_NOMEM, "libcurl does not start");
	if (rc) {
		client_free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	if (c->curl)
		curl_easy_cleanup(c->curl);
	mem_free(c->unix_path);
	mem_free(c->base);
	mem_free(c->where);
	mem_free(c->token_line);
	mem_free(c);
}

const char *client_where(const struct client *c)
{
	return c->where;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct str *out = arg;
	str_addn(out, p, size * n);
	return out->failed ? 0 : size * n;
}

static void prepare(struct client *c, const char *url, struct curl_slist *headers)
{
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	if (c->unix_path)
		curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->unix_path);
}

static int perform(struct client *c, int *ret_status, struct err *err)
{
	CURLcode rc = curl_easy_perform(c->curl);
	long status = 0;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	*ret_status = (int)status;
	if (rc == CURLE_OK || rc == CURLE_ABORTED_BY_CALLBACK)
		return 0;
	if (rc == CURLE_WRITE_ERROR && status != 0)
		return err_set(err, ERR_LIMIT, "the reply of %s is too long", c->where);
	if (rc == CURLE_COULDNT_CONNECT)
		return err_set(err, ERR_UNREACHABLE,
		    "no daemon answers at %s; start it with: sluiced -c sluice.yaml", c->where);
	return err_set(err, ERR_UNREACHABLE, "the daemon at %s did not answer: %s", c->where,
	    curl_easy_strerror(rc));
}

static struct curl_slist *headers_new(const struct client *c, bool has_body)
{
	struct curl_slist *headers = NULL;
	if (c->token_line)
		headers = curl_slist_append(headers, c->token_line);
	if (has_body)
		headers = curl_slist_append(headers, "Content-Type: application/json");
	return curl_slist_append(headers, "Expect:");
}

int client_exchange(struct client *c, const char *method, const char *path, const char *body,
    int *ret_status, struct str *out, struct err *err)
{
	struct str url;
	struct curl_slist *headers = headers_new(c, body != NULL);
	str_init(&url, 1 << 16);
	str_addf(&url, "%s%s", c->base, path);
	prepare(c, str_peek(&url), headers);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, out);
	if (str_eq(method, "POST")) {
		curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body ? body : "");
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)(body ? strlen(body) : 0));
	} else if (!str_eq(method, "GET")) {
		curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	}
	int rc = perform(c, ret_status, err);
	curl_slist_free_all(headers);
	str_done(&url);
	return rc;
}

/* ---- streams ---- */

struct stream_state {
	struct client *client;
	const struct client_stream *handler;
	struct str *problem;
	bool stopped;
};

static size_t on_piece(char *p, size_t size, size_t n, void *arg)
{
	struct stream_state *s = arg;
	long status = 0;
	curl_easy_getinfo(s->client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 300) {
		str_addn(s->problem, p, size * n);
		return size * n;
	}
	if (s->handler->piece(s->handler->arg, p, size * n))
		return size * n;
	s->stopped = true;
	return 0;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t x, curl_off_t y)
{
	struct stream_state *s = arg;
	(void)a, (void)b, (void)x, (void)y;
	if (s->handler->tick && !s->handler->tick(s->handler->arg))
		s->stopped = true;
	return s->stopped ? 1 : 0;
}

int client_stream(struct client *c, const char *path, const struct client_stream *handler,
    int *ret_status, struct str *problem, struct err *err)
{
	struct stream_state s = {.client = c, .handler = handler, .problem = problem};
	struct str url;
	struct curl_slist *headers = headers_new(c, false);
	str_init(&url, 1 << 16);
	str_addf(&url, "%s%s", c->base, path);
	prepare(c, str_peek(&url), headers);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_piece);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &s);
	curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, &s);
	int rc = perform(c, ret_status, err);
	if (s.stopped) {
		err_clear(err);
		rc = 0;
	}
	curl_slist_free_all(headers);
	str_done(&url);
	return rc;
}
