/* hook_standard.c: Standard Webhooks 1.0, symmetric signatures (v1).
 *
 * Signed text: ID.TIMESTAMP.BODY with the three as received. Several secrets may be valid at once,
 * for rotation, and a request may carry several signatures; all pairs are compared, whatever the
 * first ones gave. */
#include "core/http/hook.h"

#include "core/base/mem.h"

#include <string.h>

#define SECRET_MIN 24
#define SECRET_MAX 64

static int load(struct hook *k, struct err *err)
{
	for (size_t i = 0; i < k->n_secrets; i++) {
		struct hook_secret *s = &k->secrets[i];
		uint8_t key[SECRET_MAX];
		size_t n;
		const char *text = (const char *)s->p;

		if (s->n < 6 || memcmp(text, "whsec_", 6) != 0 ||
		    hash_from_base64(text + 6, s->n - 6, key, sizeof(key), &n) != 0 ||
		    n < SECRET_MIN)
			return err_set(err, ERR_CONFIG,
			    "hooks.%s: secret %zu is not whsec_ and the base64 of 24 to 64 bytes: "
			    "make one with "
			    "`printf whsec_; head -c 32 /dev/urandom | base64`",
			    k->name, i + 1);
		hash_wipe(s->p, s->n);
		memcpy(s->p, key, n);
		s->n = n;
		hash_wipe(key, sizeof(key));
	}
	return 0;
}

struct signatures {
	uint8_t mac[HOOK_SIGNATURES_MAX][HASH_SHA256_BYTES];
	size_t n;
};

/* "v1,BASE64 v1,BASE64 v1a,…": other versions are passed over, more than the maximum is refused. */
static int read_signatures(const char *s, size_t n, struct signatures *ret, struct err *err)
{
	const char *end = s + n;

	ret->n = 0;
	while (s < end) {
		const char *blank = memchr(s, ' ', (size_t)(end - s));
		const char *stop = blank != NULL ? blank : end;
		size_t got = 0;
		if (stop - s > 3 && memcmp(s, "v1,", 3) == 0) {
			if (ret->n == HOOK_SIGNATURES_MAX)
				return err_set(err, ERR_AUTH,
				    "webhook-signature holds more than %d signatures",
				    HOOK_SIGNATURES_MAX);
			if (hash_from_base64(s + 3, (size_t)(stop - s - 3), ret->mac[ret->n],
				HASH_SHA256_BYTES, &got) == 0 &&
			    got == HASH_SHA256_BYTES)
				ret->n++;
		}
		s = blank != NULL ? blank + 1 : end;
	}
	return ret->n > 0
		   ? 0
		   : err_set(err, ERR_AUTH, "webhook-signature holds no signature of version v1");
}

static int verify(const struct hook *k, const struct http_req *q, wall_us now, struct str *scratch,
    struct hook_fact *ret, struct err *err)
{
	struct signatures sigs;
	char id[HOOK_ID_MAX], seconds[24];
	uint8_t mac[HASH_SHA256_BYTES];
	size_t n;
	bool good = false;
	wall_us at;

	int rc = hook_need_header(q, "webhook-id", id, sizeof(id), err);
	if (rc == 0)
		rc = hook_need_header(q, "webhook-timestamp", seconds, sizeof(seconds), err);
	if (rc != 0)
		return rc;
	const char *text = request_header(q, "webhook-signature", &n);
	if (text == NULL)
		return err_set(err, ERR_AUTH, "there is no webhook-signature");
	rc = read_signatures(text, n, &sigs, err);
	if (rc == 0)
		rc = hook_check_time(seconds, now, &at, err);
	if (rc != 0)
		return rc;
	str_reset(scratch);
	str_add(scratch, id);
	str_addc(scratch, '.');
	str_add(scratch, seconds);
	str_addc(scratch, '.');
	str_addn(scratch, q->body, q->body_n);
	if (scratch->failed)
		return err_set(err, ERR_AUTH, "the body is too large to verify");
	for (size_t i = 0; i < k->n_secrets; i++) {
		hash_hmac_sha256(k->secrets[i].p, k->secrets[i].n, scratch->s, scratch->len, mac);
		for (size_t j = 0; j < sigs.n; j++)
			good |= hash_equal(mac, sigs.mac[j], sizeof(mac));
	}
	if (!good)
		return err_set(
		    err, ERR_AUTH, "no signature fits: another secret, or the body was changed");
	memcpy(ret->id, id, sizeof(id));
	ret->time = at;
	return 0;
}

const struct hook_scheme hook_standard = {
    .name = "standard-webhooks", .load = load, .verify = verify, .secrets_key = "secrets"};
