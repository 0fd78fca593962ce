/* hook_hmac.c: the generic scheme: HMAC-SHA256 in a header of any name.
 *
 * Signed text: the body, or, where timestamp_header is named, TIMESTAMP.BODY, and then the time is
 * held to the tolerance. The id is the named header; else, where the time is signed, the time and
 * the SHA-256 of the body. */
#include "core/http/hook.h"

#include <stdio.h>
#include <string.h>

#define SIGNATURE_TEXT_MAX 128

static int load(struct hook *k, struct err *err)
{
	if (k->header[0] == '\0')
		return err_set(err, ERR_CONFIG,
		    "hooks.%s: header is missing: the name of the header with the signature",
		    k->name);
	return 0;
}

/* The signature's 32 bytes behind the prefix. */
static int read_signature(
    const struct hook *k, const struct http_req *q, uint8_t mac[HASH_SHA256_BYTES], struct err *err)
{
	char text[SIGNATURE_TEXT_MAX];
	size_t skip = strlen(k->prefix), got = 0;
	int rc = hook_need_header(q, k->header, text, sizeof(text), err);

	if (rc != 0)
		return rc;
	if (!str_starts(text, k->prefix))
		return err_set(
		    err, ERR_AUTH, "%s does not begin with \"%s\"", k->header, k->prefix);
	const char *s = text + skip;
	if (k->base64)
		rc = hash_from_base64(s, strlen(s), mac, HASH_SHA256_BYTES, &got);
	else if (strlen(s) == 2 * HASH_SHA256_BYTES)
		rc = hash_from_hex(s, mac, got = HASH_SHA256_BYTES);
	if (rc != 0 || got != HASH_SHA256_BYTES)
		return err_set(err, ERR_AUTH, "%s holds no %s of 32 bytes", k->header,
		    k->base64 ? "base64" : "hex");
	return 0;
}

static int make_id(const struct hook *k, const struct http_req *q, const char *seconds,
    struct hook_fact *ret, struct err *err)
{
	uint8_t sha[HASH_SHA256_BYTES];
	char hex[2 * HASH_SHA256_BYTES + 1];

	if (k->id_header[0] != '\0')
		return hook_need_header(q, k->id_header, ret->id, sizeof(ret->id), err);
	if (seconds[0] == '\0')
		return 0;
	hash_sha256(q->body, q->body_n, sha);
	hash_to_hex(sha, sizeof(sha), hex);
	snprintf(ret->id, sizeof(ret->id), "%s.%s", seconds, hex);
	return 0;
}

static int verify(const struct hook *k, const struct http_req *q, wall_us now, struct str *scratch,
    struct hook_fact *ret, struct err *err)
{
	uint8_t want[HASH_SHA256_BYTES], mac[HASH_SHA256_BYTES];
	char seconds[24] = "";
	const char *text = q->body;
	size_t n = q->body_n;
	bool good = false;
	int rc = read_signature(k, q, want, err);

	if (rc == 0 && k->timestamp_header[0] != '\0') {
		rc = hook_need_header(q, k->timestamp_header, seconds, sizeof(seconds), err);
		if (rc == 0)
			rc = hook_check_time(seconds, now, &ret->time, err);
		str_reset(scratch);
		str_addf(scratch, "%s.", seconds);
		str_addn(scratch, q->body, q->body_n);
		text = str_peek(scratch);
		n = scratch->len;
	}
	if (rc != 0)
		return rc;
	if (scratch->failed)
		return err_set(err, ERR_AUTH, "the body is too large to verify");
	for (size_t i = 0; i < k->n_secrets; i++) {
		hash_hmac_sha256(k->secrets[i].p, k->secrets[i].n, text, n, mac);
		good |= hash_equal(mac, want, sizeof(mac));
	}
	if (!good)
		return err_set(err, ERR_AUTH,
		    "the signature does not fit: another secret, or the body was changed");
	return make_id(k, q, seconds, ret, err);
}

const struct hook_scheme hook_hmac = {
    .name = "hmac", .load = load, .verify = verify, .secrets_key = "secrets"};
