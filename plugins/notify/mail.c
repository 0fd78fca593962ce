/* mail.c: a mail on its way: by SMTP, over libcurl, or to a sendmail command. */
#include "plugins/notify/notify.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct upload {
	const slu_buf *mail; /* borrowed */
	size_t at;
};

static size_t on_read(char *to, size_t size, size_t n, void *arg)
{
	struct upload *u = arg;
	size_t left = u->mail->len - u->at, take = size * n < left ? size * n : left;

	memcpy(to, slu_buf_text(u->mail) + u->at, take);
	u->at += take;
	return take;
}

/* "Ops <ops@example.jp>" -> "<ops@example.jp>" */
static void envelope(const char *address, char *out, size_t n)
{
	const char *open = strchr(address, '<');

	if (open != NULL)
		(void)snprintf(out, n, "%.*s>", (int)strcspn(open, ">"), open);
	else
		(void)snprintf(out, n, "<%s>", address);
}

static struct curl_slist *recipients(const struct endpoint *e)
{
	struct curl_slist *list = NULL, *next;
	char address[512];

	for (size_t i = 0; i < e->n_to; i++) {
		envelope(e->to[i], address, sizeof(address));
		next = curl_slist_append(list, address);
		if (next == NULL)
			break;
		list = next;
	}
	return list;
}

static void set_up(CURL *c, const struct endpoint *e)
{
	int implicit = e->tls != NULL && strcmp(e->tls, "tls") == 0;
	int none = e->tls != NULL && strcmp(e->tls, "none") == 0;
	long long port = e->port > 0 ? e->port : implicit ? 465 : 587;
	char url[512], from[512];

	(void)snprintf(
	    url, sizeof(url), "%s://%.300s:%lld", implicit ? "smtps" : "smtp", e->host, port);
	envelope(e->from, from, sizeof(from));
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	(void)curl_easy_setopt(c, CURLOPT_URL, url);
	(void)curl_easy_setopt(c, CURLOPT_USE_SSL, (long)(none ? CURLUSESSL_NONE : CURLUSESSL_ALL));
	(void)curl_easy_setopt(c, CURLOPT_MAIL_FROM, from);
	if (e->user != NULL) {
		(void)curl_easy_setopt(c, CURLOPT_USERNAME, e->user);
		(void)curl_easy_setopt(c, CURLOPT_PASSWORD, e->password != NULL ? e->password : "");
	}
	(void)curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
}

/* SMTP says more than libcurl's code does. */
static slu_rc judge(slu_rc rc, long code, slu_err *err)
{
	slu_rc by_code = rc;

	if (rc != SLU_E_TRANSIENT || code == 0)
		return rc;
	if (code == 530 || code == 534 || code == 535)
		by_code = SLU_E_AUTH;
	else if (code >= 500)
		by_code = SLU_E_DATA; /* it refuses the mail, or one of the addresses */
	if (err != NULL)
		err->rc = by_code;
	return by_code;
}

static slu_rc smtp_send(
    const struct endpoint *e, struct message *m, const slu_buf *mail, slu_err *err)
{
	struct upload u = {.mail = mail};
	struct curl_slist *to = recipients(e);
	CURL *c = slu_http_handle(m->http);
	long code = 0;
	slu_rc rc;

	if (c == NULL || to == NULL) {
		curl_slist_free_all(to);
		return slu_fail(err, SLU_E_TRANSIENT, "NOTIFY.MEMORY", "out of memory");
	}
	set_up(c, e);
	(void)curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to);
	(void)curl_easy_setopt(c, CURLOPT_READDATA, &u);
	(void)curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail->len);
	rc = slu_http_run(m->http, e->host, &code, err);
	(void)slu_http_handle(m->http); /* lets go of the list */
	curl_slist_free_all(to);
	return judge(rc, code, err);
}

slu_rc mail_send(const struct endpoint *e, struct message *m, slu_err *err)
{
	slu_buf mail;
	slu_rc rc;

	slu_buf_init(&mail, NOTIFY_MESSAGE_MAX);
	mime_message(e, m, (int64_t)time(NULL) * 1000000, &mail);
	if (mail.failed)
		rc = slu_fail(err, SLU_E_DATA, "NOTIFY.TOO_LONG",
		    "the message is longer than %u bytes", NOTIFY_MESSAGE_MAX);
	else if (e->command[0] != NULL)
		rc = command_send(e, m, &mail, err);
	else
		rc = smtp_send(e, m, &mail, err);
	if (rc == SLU_OK)
		slu_logf(m->host, m->run, SLU_LOG_INFO, "NOTIFY.MAIL", "%s: handed to %s", m->id,
		    e->command[0] != NULL ? e->command[0] : e->host);
	slu_buf_done(&mail);
	return rc;
}
