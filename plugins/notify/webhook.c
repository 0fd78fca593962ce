/* webhook.c: one request as Standard Webhooks has it: id, time and body are signed together. */
#include "plugins/notify/notify.h"

#include "sluice/kit/hash.h"
#include "sluice/kit/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define KEY_MAX 64

slu_rc notify_post(const struct endpoint *e, struct message *m, const slu_buf *body,
    const char *const *headers, uint32_t n, slu_err *err)
{
	slu_http_request q = {.size = sizeof(q),
	    .url = e->url,
	    .headers = headers,
	    .n_headers = n,
	    .body = slu_buf_text(body),
	    .body_n = body->len};
	slu_http_reply r = {0};
	slu_rc rc;

	if (body->failed)
		return slu_fail(err, SLU_E_DATA, "NOTIFY.TOO_LONG",
		    "the message is longer than %u bytes", NOTIFY_MESSAGE_MAX);
	rc = slu_http_do(m->http, &q, &r, err);
	if (rc == SLU_OK) {
		slu_logf(m->host, m->run, SLU_LOG_INFO, "NOTIFY.ANSWER",
		    "%s: answered %d in %lld ms", m->id, (int)r.status, (long long)r.time_ms);
		rc = slu_http_judge(&r, "the endpoint", err);
	}
	slu_http_reply_done(&r);
	return rc;
}

slu_rc webhook_sign(const char *secret, const char *id, int64_t at_s, const slu_buf *body,
    char *out, size_t n, slu_err *err)
{
	const char *text = strncmp(secret, "whsec_", 6) == 0 ? secret + 6 : secret;
	uint8_t key[KEY_MAX], mac[32];
	slu_buf all;
	size_t key_n = 0;

	if (slu_base64_get(text, strlen(text), key, sizeof(key), &key_n) != NULL || key_n < 24)
		return slu_fail_field(err, SLU_E_CONFIG, "NOTIFY.KEY", "secret",
		    "what \"secret\" holds is no key: whsec_ and base64 of 24 to 64 bytes");
	slu_buf_init(&all, NOTIFY_MESSAGE_MAX + 256);
	slu_buf_addf(&all, "%s.%lld.", id, (long long)at_s);
	slu_buf_addn(&all, slu_buf_text(body), body->len);
	slu_hmac_sha256(key, key_n, slu_buf_text(&all), all.len, mac);
	slu_buf_done(&all);
	slu_wipe(key, sizeof(key));
	if (n < 3 + slu_base64_len(sizeof(mac)) + 1)
		return slu_fail(err, SLU_E_INTERNAL, "NOTIFY.KEY", "no room for the signature");
	memcpy(out, "v1,", 3);
	slu_base64_put(mac, sizeof(mac), out + 3);
	out[3 + slu_base64_len(sizeof(mac))] = 0;
	return SLU_OK;
}

static void member(slu_buf *b, const char *name, const char *text)
{
	slu_buf_addf(b, "\"%s\":", name);
	slu_buf_add_json(b, text, strlen(text));
}

static void body_write(const struct message *m, slu_buf *out)
{
	char at[SLU_TEXT_MAX];

	(void)slu_text_from_timestamp(m->at_us / 1000 * 1000, 1, 0, at);
	slu_buf_addc(out, '{');
	member(out, "type", m->event);
	slu_buf_addc(out, ',');
	member(out, "timestamp", at);
	slu_buf_addc(out, ',');
	member(out, "deployment", m->host->attempt(m->run)->deployment);
	slu_buf_addc(out, ',');
	member(out, "title", slu_buf_text(&m->title));
	slu_buf_addc(out, ',');
	member(out, "text", slu_buf_text(&m->text));
	slu_buf_addc(out, ',');
	if (m->link.len > 0) {
		member(out, "link", slu_buf_text(&m->link));
		slu_buf_addc(out, ',');
	}
	slu_buf_add(out, "\"data\":");
	if (m->data != NULL)
		slu_json_print(m->data, out);
	else
		slu_buf_add(out, "{}");
	slu_buf_addc(out, '}');
}

slu_rc webhook_send(const struct endpoint *e, struct message *m, slu_err *err)
{
	char id[160], at[64], signature[160], mac[128], token[9000];
	const char *headers[5] = {"Content-Type: application/json", id, at};
	int64_t now = (int64_t)time(NULL);
	uint32_t n = 3;
	slu_rc rc = SLU_OK;
	slu_buf body;

	slu_buf_init(&body, NOTIFY_MESSAGE_MAX);
	body_write(m, &body);
	(void)snprintf(id, sizeof(id), "webhook-id: %s", m->id);
	(void)snprintf(at, sizeof(at), "webhook-timestamp: %lld", (long long)now);
	if (e->secret != NULL) {
		rc = webhook_sign(e->secret, m->id, now, &body, mac, sizeof(mac), err);
		(void)snprintf(signature, sizeof(signature), "webhook-signature: %s", mac);
		headers[n++] = signature;
	}
	if (e->token != NULL) {
		(void)snprintf(token, sizeof(token), "Authorization: Bearer %s", e->token);
		headers[n++] = token;
	}
	if (rc == SLU_OK)
		rc = notify_post(e, m, &body, headers, n, err);
	slu_wipe(token, sizeof(token));
	slu_buf_done(&body);
	return rc;
}
