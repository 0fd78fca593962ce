/* crc.c: CRC32C (Castagnoli), by the CPU's instruction where it has one, else by eight tables. */
#include "core/base/hash.h"

#include <pthread.h>
#include <string.h>

#define CRC_POLY 0x82f63b78u

static uint32_t tables[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
static bool have_instruction;

__attribute__((target("sse4.2"))) static uint32_t crc_cpu(
    uint32_t crc, const unsigned char *p, size_t n)
{
	uint64_t c = crc, word;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		c = __builtin_ia32_crc32di(c, word);
	}
	crc = (uint32_t)c;
	for (; n > 0; n--, p++)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}
#endif

static void make_tables(void)
{
	uint32_t c;
	int i, k;

	for (i = 0; i < 256; i++) {
		c = (uint32_t)i;
		for (k = 0; k < 8; k++)
			c = c >> 1 ^ (CRC_POLY & (0 - (c & 1)));
		tables[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (k = 1; k < 8; k++)
			tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 255];
#if defined(__x86_64__)
	have_instruction = __builtin_cpu_supports("sse4.2") != 0;
#endif
}

/* Eight bytes a turn; bytes are taken one by one, so byte order does not matter. */
static uint32_t crc_table(uint32_t crc, const unsigned char *p, size_t n)
{
	for (; n >= 8; n -= 8, p += 8)
		crc = tables[7][(crc ^ p[0]) & 255] ^ tables[6][(crc >> 8 ^ p[1]) & 255] ^
		      tables[5][(crc >> 16 ^ p[2]) & 255] ^ tables[4][(crc >> 24 ^ p[3]) & 255] ^
		      tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^ tables[0][p[7]];
	for (; n > 0; n--, p++)
		crc = crc >> 8 ^ tables[0][(crc ^ *p) & 255];
	return crc;
}

uint32_t hash_crc32c_portable(uint32_t crc, const void *p, size_t n)
{
	pthread_once(&once, make_tables);
	return ~crc_table(~crc, p, n);
}

uint32_t hash_crc32c(uint32_t crc, const void *p, size_t n)
{
	pthread_once(&once, make_tables);
#if defined(__x86_64__)
	if (have_instruction)
		return ~crc_cpu(~crc, p, n);
#endif
	return ~crc_table(~crc, p, n);
}
