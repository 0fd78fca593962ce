/* hash.h: SHA-256 and HMAC-SHA-256, for masks, names and comparing contents. */
#ifndef SLUICE_KIT_HASH_H
#define SLUICE_KIT_HASH_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct slu_hash slu_hash;
slu_hash *slu_hash_new(void);
void slu_hash_add(slu_hash *h, const void *p, size_t n);
void slu_hash_end(slu_hash *h, uint8_t out[32]); /* frees h */
void slu_sha256(const void *p, size_t n, uint8_t out[32]);
void slu_hmac_sha256(const void *key, size_t key_n, const void *p, size_t n, uint8_t out[32]);
void slu_hex(const void *p, size_t n, char *out); /* 2n+1 bytes */
void slu_wipe(void *p, size_t n);		  /* not optimised away */

#ifdef __cplusplus
}
#endif
#endif
