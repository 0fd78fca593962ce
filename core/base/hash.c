/* hash.c: digests and random bytes by OpenSSL and the kernel, CRC32C, and texts of bytes. */
#include "core/base/hash.h"

#include "core/base/mem.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct hash {
	EVP_MD_CTX *ctx; /* owned */
};

/* OpenSSL fails here only without memory or with a broken installation: nothing to go on with. */
static void demand(int ok)
{
	if (ok != 1)
		abort();
}

void hash_sha256(const void *p, size_t n, uint8_t out[HASH_SHA256_BYTES])
{
	struct hash *h = hash_new();

	hash_add(h, p, n);
	hash_end(h, out);
}

void hash_hmac_sha256(
    const void *key, size_t key_n, const void *p, size_t n, uint8_t out[HASH_SHA256_BYTES])
{
	unsigned len = HASH_SHA256_BYTES;
	/* A NULL key would mean "the key of the last call". */
	const void *k = key == NULL ? "" : key;

	demand(key_n <= INT32_MAX);
	demand(HMAC(EVP_sha256(), k, (int)key_n, p, n, out, &len) != NULL);
}

/* EVP_sha256() costs a look-up at each init; the fetched one does not. */
static EVP_MD *sha256_md;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void free_md(void)
{
	EVP_MD_free(sha256_md);
	sha256_md = NULL;
}

static void fetch_md(void)
{
	sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
	demand(sha256_md != NULL);
	demand(atexit(free_md) == 0);
}

struct hash *hash_new(void)
{
	struct hash *h = MEM_NEW(struct hash);

	pthread_once(&sha256_once, fetch_md);
	h->ctx = EVP_MD_CTX_new();
	demand(h->ctx != NULL);
	demand(EVP_DigestInit_ex2(h->ctx, sha256_md, NULL));
	return h;
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	if (n > 0)
		demand(EVP_DigestUpdate(h->ctx, p, n));
}

void hash_add_text(struct hash *h, const char *s)
{
	hash_add(h, s, strlen(s) + 1);
}

void hash_end(struct hash *h, uint8_t out[HASH_SHA256_BYTES])
{
	unsigned len = HASH_SHA256_BYTES;

	demand(EVP_DigestFinal_ex(h->ctx, out, &len));
	EVP_MD_CTX_free(h->ctx);
	mem_free(h);
}

void hash_id(uint8_t out[HASH_ID_BYTES], const char *const *parts, size_t n)
{
	uint8_t full[HASH_SHA256_BYTES], length[8];
	struct hash *h = hash_new();
	size_t i, len;
	int b;

	for (i = 0; i < n; i++) {
		len = strlen(parts[i]);
		for (b = 0; b < 8; b++)
			length[b] = (uint8_t)((uint64_t)len >> (8 * b));
		hash_add(h, length, sizeof(length));
		hash_add(h, parts[i], len);
	}
	hash_end(h, full);
	memcpy(out, full, HASH_ID_BYTES);
}

void hash_random(void *p, size_t n)
{
	unsigned char *at = p;
	ssize_t got;

	while (n > 0) {
		got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort();
		at += got;
		n -= (size_t)got;
	}
}

bool hash_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}

void hash_wipe(void *p, size_t n)
{
	if (n > 0)
		OPENSSL_cleanse(p, n);
}

void hash_to_hex(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;
	size_t i;

	for (i = 0; i < n; i++) {
		*out++ = digits[b[i] >> 4];
		*out++ = digits[b[i] & 15];
	}
	*out = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hash_from_hex(const char *s, void *out, size_t n)
{
	uint8_t *b = out;
	size_t i;

	if (s == NULL || strnlen(s, 2 * n + 1) != 2 * n)
		return ERR_PARSE;
	for (i = 0; i < 2 * n; i++)
		if (hex_digit(s[i]) < 0)
			return ERR_PARSE;
	for (i = 0; i < n; i++)
		b[i] = (uint8_t)(hex_digit(s[2 * i]) << 4 | hex_digit(s[2 * i + 1]));
	return 0;
}

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void hash_to_base32(const uint8_t id[HASH_ID_BYTES], char out[HASH_ID_TEXT])
{
	unsigned bits = 0, held = 2; /* 128 bits in 26 digits: two zero bits in front */
	size_t i, o = 0;

	for (i = 0; i < HASH_ID_BYTES; i++) {
		bits = (bits << 8 | id[i]) & 0xfff;
		for (held += 8; held >= 5; held -= 5)
			out[o++] = crockford[bits >> (held - 5) & 31];
	}
	out[o] = '\0';
}

static int base32_digit(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	at = c == '\0' ? NULL : strchr(crockford, c);
	return at == NULL ? -1 : (int)(at - crockford);
}

int hash_from_base32(const char *s, uint8_t id[HASH_ID_BYTES])
{
	uint8_t bytes[HASH_ID_BYTES];
	unsigned bits = 0, held = 0;
	size_t i, o = 0;
	int d;

	if (s == NULL || strnlen(s, HASH_ID_TEXT) != HASH_ID_TEXT - 1)
		return ERR_PARSE;
	for (i = 0; i < HASH_ID_TEXT - 1; i++) {
		d = base32_digit(s[i]);
		if (d < 0 || (i == 0 && d > 7))
			return ERR_PARSE;
		bits = (bits << 5 | (unsigned)d) & 0xfff;
		held += i == 0 ? 3 : 5;
		if (held >= 8) {
			held -= 8;
			bytes[o++] = (uint8_t)(bits >> held);
		}
	}
	memcpy(id, bytes, sizeof(bytes));
	return 0;
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t hash_base64_len(size_t n)
{
	return (n + 2) / 3 * 4 + 1;
}

void hash_to_base64(const void *p, size_t n, char *out)
{
	const uint8_t *b = p;
	unsigned v;
	size_t i;

	for (i = 0; i < n; i += 3) {
		v = (unsigned)b[i] << 16;
		v |= i + 1 < n ? (unsigned)b[i + 1] << 8 : 0;
		v |= i + 2 < n ? b[i + 2] : 0;
		*out++ = base64[v >> 18];
		*out++ = base64[v >> 12 & 63];
		*out++ = i + 1 < n ? base64[v >> 6 & 63] : '=';
		*out++ = i + 2 < n ? base64[v & 63] : '=';
	}
	*out = '\0';
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Digits of a quantum: 4, or 2 or 3 where it is the last and padded; 0 where it is wrong. */
static int quantum(const char *s, bool last, unsigned *ret_v)
{
	int n = 4, i, d;
	unsigned v = 0;

	if (last && s[3] == '=')
		n = s[2] == '=' ? 2 : 3;
	for (i = 0; i < 4; i++) {
		d = i < n ? base64_digit(s[i]) : 0;
		if (d < 0)
			return 0;
		v = v << 6 | (unsigned)d;
	}
	/* Bits behind the last byte must be zero: one text for one value. */
	if ((n == 2 && (v & 0xffff) != 0) || (n == 3 && (v & 0xff) != 0))
		return 0;
	*ret_v = v;
	return n;
}

int hash_from_base64(const char *s, size_t s_n, void *out, size_t cap, size_t *ret_n)
{
	uint8_t *b = out;
	size_t i, o = 0, total;
	unsigned v;
	int n, k;

	if (s_n % 4 != 0)
		return ERR_PARSE;
	total = s_n / 4 * 3;
	if (s_n > 0)
		total -= (size_t)(s[s_n - 1] == '=') + (s[s_n - 2] == '=');
	if (total > cap)
		return ERR_LIMIT;
	for (i = 0; i < s_n; i += 4)
		if (quantum(s + i, i + 4 == s_n, &v) == 0)
			return ERR_PARSE;
	for (i = 0; i < s_n; i += 4) {
		n = quantum(s + i, i + 4 == s_n, &v);
		for (k = 0; k < n - 1; k++)
			b[o++] = (uint8_t)(v >> (16 - 8 * k));
	}
	*ret_n = o;
	return 0;
}
