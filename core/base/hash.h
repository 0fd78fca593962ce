/* hash.h: digests (OpenSSL), CRC32C, random bytes, constant-time compare, base64, hex and Crockford
 * base 32. */
#ifndef CORE_BASE_HASH_H
#define CORE_BASE_HASH_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_SHA256_BYTES 32
#define HASH_ID_BYTES 16
#define HASH_ID_TEXT 27 /* 26 characters of Crockford base 32 and the terminator */

void hash_sha256(const void *p, size_t n, uint8_t out[HASH_SHA256_BYTES]);
void hash_hmac_sha256(
    const void *key, size_t key_n, const void *p, size_t n, uint8_t out[HASH_SHA256_BYTES]);
/* Incremental SHA-256. */
struct hash;
struct hash *hash_new(void);
void hash_add(struct hash *h, const void *p, size_t n);
void hash_add_text(
    struct hash *h, const char *s); /* with its terminator, so that fields cannot run together */
void hash_end(struct hash *h, uint8_t out[HASH_SHA256_BYTES]); /* frees h */
/* First 16 bytes of SHA-256 over the parts, each preceded by its length: the H128 of the key table.
 */
void hash_id(uint8_t out[HASH_ID_BYTES], const char *const *parts, size_t n);
uint32_t hash_crc32c(
    uint32_t crc, const void *p, size_t n); /* start with 0; SSE4.2 where the CPU has it */
/* The same without the CPU's help; for the tests. */
uint32_t hash_crc32c_portable(uint32_t crc, const void *p, size_t n);
void hash_random(void *p, size_t n); /* getrandom; aborts if the kernel refuses */
bool hash_equal(const void *a, const void *b, size_t n); /* constant time */
void hash_wipe(void *p, size_t n);			 /* not optimised away */

void hash_to_hex(const void *p, size_t n, char *out); /* 2n+1 bytes, lower case */
int hash_from_hex(const char *s, void *out, size_t n) CHECK_RESULT;
/* 16 bytes -> 26 characters 0-9A-HJKMNP-TV-Z, and back (upper or lower case accepted). */
void hash_to_base32(const uint8_t id[HASH_ID_BYTES], char out[HASH_ID_TEXT]);
int hash_from_base32(const char *s, uint8_t id[HASH_ID_BYTES]) CHECK_RESULT;
size_t hash_base64_len(size_t n); /* with terminator */
void hash_to_base64(const void *p, size_t n, char *out);
/* Strict RFC 4648 with padding; *ret_n at most cap. */
int hash_from_base64(const char *s, size_t s_n, void *out, size_t cap, size_t *ret_n) CHECK_RESULT;

#endif
