/* endpoint.c: connections: where messages go. Read once; nothing is connected before there is a
 * message. */
#include "plugins/notify/notify.h"

#include "sluice/kit/file.h"
#include "sluice/kit/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_MAX 8192

static void endpoint_close(void *conn)
{
	struct endpoint *e = conn;

	if (e == NULL)
		return;
	for (size_t i = 0; i < e->n_to; i++)
		free(e->to[i]);
	for (size_t i = 0; e->command[i] != NULL; i++)
		free(e->command[i]);
	free(e->ca_file);
	free(e->link);
	free(e->from);
	free(e->host);
	free(e->user);
	free(e->tls);
	if (e->url != NULL)
		slu_wipe(e->url, strlen(e->url));
	if (e->secret != NULL)
		slu_wipe(e->secret, strlen(e->secret));
	if (e->token != NULL)
		slu_wipe(e->token, strlen(e->token));
	if (e->password != NULL)
		slu_wipe(e->password, strlen(e->password));
	free(e->url);
	free(e->secret);
	free(e->token);
	free(e->password);
	free(e);
}

static char *option(const slu_host *host, slu_run *run, const char *name)
{
	const char *s = host->get_str(run, name);

	return s != NULL && s[0] != 0 ? strdup(s) : NULL;
}

/* *ret stays NULL where the option is not given. */
static slu_rc secret_read(
    const slu_host *host, slu_run *run, const char *name, char **ret, slu_err *err)
{
	char buf[SECRET_MAX];
	size_t n = sizeof(buf) - 1;
	slu_rc rc = host->get_secret(run, name, buf, &n);

	if (rc == SLU_E_NOT_FOUND)
		return SLU_OK;
	if (rc != SLU_OK)
		return slu_fail_field(err, SLU_E_CONFIG, "NOTIFY.SECRET", name,
		    "the secret \"%s\" cannot be read, or is longer than %d bytes", name,
		    SECRET_MAX - 1);
	buf[n] = 0;
	*ret = strdup(buf);
	slu_wipe(buf, sizeof(buf));
	return SLU_OK;
}

static slu_rc common(
    struct endpoint *e, const slu_host *host, slu_run *run, enum notify_kind kind, slu_err *err)
{
	const char *p = host->get_str(run, "private"), *ca = host->get_str(run, "ca_file");
	char *path;

	e->kind = kind;
	e->private_ok = kind == NOTIFY_MAIL || (p != NULL && strcmp(p, "allow") == 0);
	e->timeout_ms = 30000;
	(void)host->get_i64(run, "timeout", &e->timeout_ms);
	e->link = option(host, run, "link");
	if (ca != NULL && ca[0] != 0) {
		path = slu_path(host, run, ca);
		e->ca_file = path != NULL ? strdup(path) : NULL;
		slu_free(path);
	}
	if (kind == NOTIFY_MAIL)
		return SLU_OK;
	return secret_read(host, run, "url", &e->url, err);
}

static slu_rc check_url(const struct endpoint *e, slu_err *err)
{
	if (e->url == NULL)
		return slu_fail_field(
		    err, SLU_E_CONFIG, "NOTIFY.URL", "url", "\"url\" is missing: {file: PATH}");
	if (strncmp(e->url, "https://", 8) != 0 && strncmp(e->url, "http://", 7) != 0)
		return slu_fail_field(err, SLU_E_CONFIG, "NOTIFY.URL", "url",
		    "what \"url\" holds does not begin with https:// or http://");
	return SLU_OK;
}

static slu_rc finish(struct endpoint *e, slu_rc rc, void **conn)
{
	if (rc == SLU_OK)
		*conn = e;
	else
		endpoint_close(e);
	return rc;
}

static slu_rc webhook_open(const slu_host *host, slu_run *run, void **conn, slu_err *err)
{
	struct endpoint *e = calloc(1, sizeof(*e));
	slu_rc rc;

	if (e == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "NOTIFY.MEMORY", "out of memory");
	rc = common(e, host, run, NOTIFY_WEBHOOK, err);
	if (rc == SLU_OK)
		rc = check_url(e, err);
	if (rc == SLU_OK)
		rc = secret_read(host, run, "secret", &e->secret, err);
	if (rc == SLU_OK)
		rc = secret_read(host, run, "token", &e->token, err);
	if (rc == SLU_OK && e->secret != NULL) { /* a bad key is known before there is a message */
		slu_buf empty = {.s = NULL};
		char text[128];

		rc = webhook_sign(e->secret, "x", 0, &empty, text, sizeof(text), err);
	}
	return finish(e, rc, conn);
}

static slu_rc slack_open(const slu_host *host, slu_run *run, void **conn, slu_err *err)
{
	struct endpoint *e = calloc(1, sizeof(*e));
	slu_rc rc;

	if (e == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "NOTIFY.MEMORY", "out of memory");
	rc = common(e, host, run, NOTIFY_SLACK, err);
	if (rc == SLU_OK)
		rc = check_url(e, err);
	return finish(e, rc, conn);
}

/* ---- mail ---- */

static slu_rc read_list(const slu_host *host, slu_run *run, const char *name, char **to, size_t max,
    size_t *ret_n, slu_err *err)
{
	slu_json *list = NULL;
	slu_rc rc = slu_option_json(host, run, name, &list, err);

	*ret_n = 0;
	for (const slu_json *j = slu_json_first(list); rc == SLU_OK && j != NULL;
	     j = slu_json_next(j)) {
		if (*ret_n >= max)
			rc = slu_fail_field(err, SLU_E_CONFIG, "NOTIFY.LIST", name,
			    "\"%s\" has more than %zu entries", name, max);
		else
			to[(*ret_n)++] = strdup(slu_json_str(j, ""));
	}
	slu_json_free(list);
	return rc;
}

/* One line of visible ASCII with an @: it stands in a header and in the protocol. */
static slu_rc check_address(const char *s, const char *name, slu_err *err)
{
	const char *at = strchr(s, '@');

	for (const char *c = s; *c != 0; c++) {
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			at = NULL;
	}
	if (at == NULL || at == s || at[1] == 0)
		return slu_fail_field(err, SLU_E_CONFIG, "NOTIFY.ADDRESS", name,
		    "an address in \"%s\" is none: write ops@example.jp or Ops <ops@example.jp>, "
		    "in "
		    "ASCII",
		    name);
	return SLU_OK;
}

static slu_rc check_mail(const struct endpoint *e, slu_err *err)
{
	slu_rc rc = SLU_OK;

	if (e->from == NULL || e->n_to == 0)
		return slu_fail_field(err, SLU_E_CONFIG, "NOTIFY.ADDRESS",
		    e->from == NULL ? "from" : "to", "a mail needs \"from\" and \"to\"");
	rc = check_address(e->from, "from", err);
	for (size_t i = 0; rc == SLU_OK && i < e->n_to; i++)
		rc = check_address(e->to[i], "to", err);
	if (rc == SLU_OK && e->command[0] == NULL && e->host == NULL)
		rc = slu_fail_field(err, SLU_E_CONFIG, "NOTIFY.HOST", "host",
		    "a mail needs \"host\" (SMTP) or \"command\" ([/usr/sbin/sendmail, -t, -i])");
	return rc;
}

static slu_rc mail_open(const slu_host *host, slu_run *run, void **conn, slu_err *err)
{
	struct endpoint *e = calloc(1, sizeof(*e));
	size_t n;
	slu_rc rc;

	if (e == NULL)
		return slu_fail(err, SLU_E_TRANSIENT, "NOTIFY.MEMORY", "out of memory");
	rc = common(e, host, run, NOTIFY_MAIL, err);
	e->from = option(host, run, "from");
	e->host = option(host, run, "host");
	e->user = option(host, run, "user");
	e->tls = option(host, run, "tls");
	(void)host->get_i64(run, "port", &e->port);
	if (rc == SLU_OK)
		rc = secret_read(host, run, "password", &e->password, err);
	if (rc == SLU_OK)
		rc = read_list(host, run, "to", e->to, NOTIFY_RCPT_MAX, &e->n_to, err);
	if (rc == SLU_OK)
		rc = read_list(host, run, "command", e->command, NOTIFY_ARG_MAX, &n, err);
	if (rc == SLU_OK)
		rc = check_mail(e, err);
	return finish(e, rc, conn);
}

/* ---- tables ---- */

#define TEXT_OPT(n, d)                                                                             \
	{                                                                                          \
		.name = (n), .type = SLU_T_STRING, .doc = (d)                                      \
	}
#define COMMON_OPTIONS                                                                             \
	{.name = "timeout",                                                                        \
	    .type = SLU_T_DURATION,                                                                \
	    .def = "30s",                                                                          \
	    .min = "1s",                                                                           \
	    .max = "30s",                                                                          \
	    .doc = "How long one try may take."},                                                  \
	    {.name = "link",                                                                       \
		.type = SLU_T_STRING,                                                              \
		.doc = "Where a person can see more; {run} and {dag} in it are replaced."},        \
	{                                                                                          \
		.name = "ca_file", .type = SLU_T_URI,                                              \
		.doc = "Certificates (PEM) to trust instead of the system's."                      \
	}
#define HTTP_OPTIONS                                                                               \
	{.name = "url",                                                                            \
	    .type = SLU_T_SECRET,                                                                  \
	    .flags = SLU_F_REQUIRED,                                                               \
	    .doc = "Where the message goes; a secret, because it often holds a key."},             \
	{                                                                                          \
		.name = "private", .type = SLU_T_ENUM, .def = "refuse", .choices = "refuse|allow", \
		.doc = "Whether the url may lead into the own network."                            \
	}

static const slu_opt webhook_options[] = {HTTP_OPTIONS,
    {.name = "secret",
	.type = SLU_T_SECRET,
	.doc = "The key of the signature: whsec_ and base64; without it nothing is signed."},
    {.name = "token", .type = SLU_T_SECRET, .doc = "A bearer token for the receiver."},
    COMMON_OPTIONS};
static const slu_opt slack_options[] = {HTTP_OPTIONS, COMMON_OPTIONS};
static const slu_opt address = TEXT_OPT("address", "One address.");
static const slu_opt argument = TEXT_OPT("argument", "One argument.");
static const slu_opt mail_options[] = {{.name = "from",
					   .type = SLU_T_STRING,
					   .flags = SLU_F_REQUIRED,
					   .doc = "Who it is from: an address."},
    {.name = "to",
	.type = SLU_T_LIST,
	.flags = SLU_F_REQUIRED,
	.sub = {1, sizeof(slu_opt), &address},
	.doc = "Who gets it: addresses."},
    {.name = "command",
	.type = SLU_T_LIST,
	.excludes = "host",
	.sub = {1, sizeof(slu_opt), &argument},
	.doc = "A program that reads the mail and sends it: [/usr/sbin/sendmail, -t, -i]."},
    {.name = "host", .type = SLU_T_STRING, .doc = "The SMTP server."},
    {.name = "port",
	.type = SLU_T_INT,
	.min = "1",
	.max = "65535",
	.doc = "Its port; without it 587, and 465 with tls: tls."},
    {.name = "tls",
	.type = SLU_T_ENUM,
	.def = "starttls",
	.choices = "starttls|tls|none",
	.doc = "How the line is encrypted; starttls is refused where the server cannot."},
    {.name = "user", .type = SLU_T_STRING, .needs = "password", .doc = "Who we are there."},
    {.name = "password", .type = SLU_T_SECRET, .needs = "user", .doc = "The password."},
    COMMON_OPTIONS};

#define N(a) (sizeof(a) / sizeof((a)[0]))
const slu_connection webhook_connection = {.size = sizeof(slu_connection),
    .options = {N(webhook_options), sizeof(slu_opt), webhook_options},
    .open = webhook_open,
    .close = endpoint_close};
const slu_connection slack_connection = {.size = sizeof(slu_connection),
    .options = {N(slack_options), sizeof(slu_opt), slack_options},
    .open = slack_open,
    .close = endpoint_close};
const slu_connection mail_connection = {.size = sizeof(slu_connection),
    .options = {N(mail_options), sizeof(slu_opt), mail_options},
    .open = mail_open,
    .close = endpoint_close};
