/* CRC32C against published values and against a bit-by-bit oracle. */
#include "core/base/hash.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>

static uint32_t by_bits(uint32_t crc, const uint8_t *p, size_t n)
{
	size_t i;
	int k;

	crc = ~crc;
	for (i = 0; i < n; i++) {
		crc ^= p[i];
		for (k = 0; k < 8; k++)
			crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

Test(base_crc, gives_the_published_check_values)
{
	uint8_t zeros[32] = {0};

	cr_assert_eq(hash_crc32c(0, "123456789", 9), 0xe3069283u);
	cr_assert_eq(hash_crc32c(0, zeros, 32), 0x8a9136aau);
	cr_assert_eq(hash_crc32c(0, "", 0), 0u);
	LEAK_CHECK();
}

Test(base_crc, cpu_and_tables_agree_with_the_oracle_at_every_length_and_offset)
{
	uint8_t buf[300];
	size_t off, n;

	hash_random(buf, sizeof(buf));
	for (off = 0; off < 9; off++)
		for (n = 0; n < 280; n += 1 + n / 40) {
			uint32_t want = by_bits(7, buf + off, n);

			cr_assert_eq(hash_crc32c(7, buf + off, n), want);
			cr_assert_eq(hash_crc32c_portable(7, buf + off, n), want);
		}
	LEAK_CHECK();
}

Test(base_crc, may_be_taken_in_pieces)
{
	const char text[] = "the quick brown fox jumps over the lazy dog";
	uint32_t whole = hash_crc32c(0, text, sizeof(text));
	size_t cut;

	for (cut = 0; cut <= sizeof(text); cut++)
		cr_assert_eq(
		    hash_crc32c(hash_crc32c(0, text, cut), text + cut, sizeof(text) - cut), whole);
	LEAK_CHECK();
}
