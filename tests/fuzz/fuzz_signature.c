/* The header webhook-signature: a request is taken exactly where an independent reading finds the
 * right signature among at most eight of version v1. Input: the header's value, a line end, the
 * body; "@@" in the value stands for the right signature. */
#include "core/http/hook.h"

#include "core/base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define NOW (INT64_C(1614265330) * US_PER_S)
#define VALUE_MAX 4096

static const char key[] = "0123456789abcdef0123456789abcdef";

static void sign(const uint8_t *body, size_t n, char b64[64])
{
	uint8_t mac[HASH_SHA256_BYTES];
	struct str t;

	str_init(&t, 1u << 20);
	str_add(&t, "id-1.1614265330.");
	str_addn(&t, body, n);
	hash_hmac_sha256(key, sizeof(key) - 1, t.s, t.len, mac);
	hash_to_base64(mac, sizeof(mac), b64);
	str_done(&t);
}

/* The value with every "@@" replaced. */
static void expand(const uint8_t *data, size_t n, const char *b64, struct str *out)
{
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && data[i] == '@' && data[i + 1] == '@') {
			str_add(out, b64);
			i++;
		} else {
			str_addc(out, (char)data[i]);
		}
	}
}

/* The reference: words between single blanks; those that begin with "v1," and hold 44 characters of
 * base64 count. */
static bool expected(const struct str *value, const char *b64)
{
	const char *p = str_peek(value), *end = p + value->len;
	unsigned n = 0;
	bool good = false;

	while (p < end) {
		const char *stop = p;
		while (stop < end && *stop != ' ')
			stop++;
		if (stop - p > 3 && memcmp(p, "v1,", 3) == 0 && n == HOOK_SIGNATURES_MAX)
			return false;
		uint8_t mac[HASH_SHA256_BYTES];
		size_t got = 0;
		if (stop - p == 3 + 44 && memcmp(p, "v1,", 3) == 0 &&
		    hash_from_base64(p + 3, 44, mac, sizeof(mac), &got) == 0 &&
		    got == sizeof(mac)) {
			n++;
			good |= memcmp(p + 3, b64, 44) == 0;
		}
		p = stop + 1;
	}
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct http_req q;
	struct hook k = {.name = "a", .scheme = &hook_standard};
	const uint8_t *nl = n > 0 ? memchr(data, '\n', n) : NULL;
	struct hook_fact fact = {.time = TIME_NONE};
	struct str value, scratch;
	struct err err;
	char b64[64];

	if (nl == NULL || nl - data > VALUE_MAX)
		return 0;
	const uint8_t *body = nl + 1;
	size_t body_n = n - (size_t)(body - data);
	sign(body, body_n, b64);
	str_init(&value, 1u << 20);
	str_init(&scratch, 1u << 20);
	expand(data, (size_t)(nl - data), b64, &value);
	k.secrets[0].p = mem_dup(key, sizeof(key) - 1);
	k.secrets[0].n = sizeof(key) - 1;
	k.n_secrets = 1;
	memset(&q, 0, sizeof(q));
	q.headers[0] = (struct header){"webhook-id", "id-1", 10, 4};
	q.headers[1] = (struct header){"webhook-timestamp", "1614265330", 17, 10};
	q.headers[2] =
	    (struct header){"Webhook-Signature", str_peek(&value), 17, (uint32_t)value.len};
	q.n_headers = 3;
	q.body = (const char *)body;
	q.body_n = body_n;
	int rc = hook_standard.verify(&k, &q, NOW, &scratch, &fact, &err);
	FUZZ_DEMAND(rc == 0 || rc == ERR_AUTH);
	FUZZ_DEMAND((rc == 0) == expected(&value, b64));
	FUZZ_DEMAND(rc != 0 || strcmp(fact.id, "id-1") == 0);
	mem_free(k.secrets[0].p);
	str_done(&value);
	str_done(&scratch);
	return 0;
}
