/* hook_bearer.c: a token of the hook's own in Authorization. The texts are compared by their
 * digests, so that neither their length nor a common prefix shows in the time. */
#include "core/http/hook.h"

#include <string.h>

static int load(struct hook *k, struct err *err)
{
	for (size_t i = 0; i < k->n_secrets; i++) {
		if (k->secrets[i].n < 16)
			return err_set(err, ERR_CONFIG,
			    "hooks.%s: token %zu is shorter than 16 characters", k->name, i + 1);
	}
	return 0;
}

static int verify(const struct hook *k, const struct http_req *q, wall_us now, struct str *scratch,
    struct hook_fact *ret, struct err *err)
{
	uint8_t given[HASH_SHA256_BYTES], known[HASH_SHA256_BYTES];
	bool good = false;
	size_t n;
	const char *v = request_header(q, "authorization", &n);

	(void)now;
	(void)scratch;
	if (v == NULL || n <= 7 || !vet_name_is(v, 7, "bearer "))
		return err_set(err, ERR_AUTH, "there is no Authorization: Bearer TOKEN");
	hash_sha256(v + 7, n - 7, given);
	for (size_t i = 0; i < k->n_secrets; i++) {
		hash_sha256(k->secrets[i].p, k->secrets[i].n, known);
		good |= hash_equal(given, known, sizeof(given));
	}
	if (!good)
		return err_set(err, ERR_AUTH, "the token is not one of the hook's");
	if (k->id_header[0] != '\0')
		return hook_need_header(q, k->id_header, ret->id, sizeof(ret->id), err);
	return 0;
}

const struct hook_scheme hook_bearer = {
    .name = "bearer", .load = load, .verify = verify, .secrets_key = "tokens"};
