/* hash.c: digests for plugins: the base library behind public names. */
#include "sluice/kit/hash.h"

#include "core/base/hash.h"

slu_hash *slu_hash_new(void)
{
	return (slu_hash *)(void *)hash_new();
}

void slu_hash_add(slu_hash *h, const void *p, size_t n)
{
	hash_add((struct hash *)(void *)h, p, n);
}

void slu_hash_end(slu_hash *h, uint8_t out[32])
{
	hash_end((struct hash *)(void *)h, out);
}

void slu_sha256(const void *p, size_t n, uint8_t out[32])
{
	hash_sha256(p, n, out);
}

void slu_hmac_sha256(const void *key, size_t key_n, const void *p, size_t n, uint8_t out[32])
{
	hash_hmac_sha256(key, key_n, p, n, out);
}

void slu_hex(const void *p, size_t n, char *out)
{
	hash_to_hex(p, n, out);
}

void slu_wipe(void *p, size_t n)
{
	hash_wipe(p, n);
}
