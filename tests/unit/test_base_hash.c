/* Digests, random bytes, and bytes as text. */
#include "core/base/hash.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *hex(const void *p, size_t n)
{
	static char text[200];

	hash_to_hex(p, n, text);
	return text;
}

Test(base_hash, sha256_gives_the_published_values)
{
	uint8_t out[HASH_SHA256_BYTES];

	hash_sha256("abc", 3, out);
	cr_assert_str_eq(
	    hex(out, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_sha256(NULL, 0, out);
	cr_assert_str_eq(
	    hex(out, 32), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	LEAK_CHECK();
}

/* RFC 4231, cases 1, 2 and 6. */
Test(base_hash, hmac_gives_the_values_of_its_rfc)
{
	uint8_t out[HASH_SHA256_BYTES], key[131];

	memset(key, 0x0b, 20);
	hash_hmac_sha256(key, 20, "Hi There", 8, out);
	cr_assert_str_eq(
	    hex(out, 32), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hash_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
	cr_assert_str_eq(
	    hex(out, 32), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hash_hmac_sha256(
	    key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
	cr_assert_str_eq(
	    hex(out, 32), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	LEAK_CHECK();
}

Test(base_hash, an_empty_hmac_key_is_not_the_key_of_the_last_call)
{
	uint8_t a[HASH_SHA256_BYTES], b[HASH_SHA256_BYTES];

	hash_hmac_sha256("", 0, "x", 1, a);
	hash_hmac_sha256("other", 5, "x", 1, b);
	hash_hmac_sha256(NULL, 0, "x", 1, b);
	cr_assert_arr_eq(a, b, sizeof(a));
	LEAK_CHECK();
}

Test(base_hash, pieces_make_the_same_digest)
{
	uint8_t a[HASH_SHA256_BYTES], b[HASH_SHA256_BYTES];
	struct hash *h = hash_new();

	hash_add(h, "ab", 2);
	hash_add(h, NULL, 0);
	hash_add_text(h, "c");
	hash_end(h, a);
	hash_sha256("abc", 4, b);
	cr_assert_arr_eq(a, b, sizeof(a));
	LEAK_CHECK();
}

Test(base_hash, fields_of_an_id_cannot_run_together)
{
	const char *one[] = {"ab", "c"}, *two[] = {"a", "bc"}, *three[] = {"ab", "c", ""};
	uint8_t a[HASH_ID_BYTES], b[HASH_ID_BYTES], c[HASH_ID_BYTES], again[HASH_ID_BYTES];

	hash_id(a, one, 2);
	hash_id(b, two, 2);
	hash_id(c, three, 3);
	hash_id(again, one, 2);
	cr_assert(memcmp(a, b, sizeof(a)) != 0);
	cr_assert(memcmp(a, c, sizeof(a)) != 0);
	cr_assert_arr_eq(a, again, sizeof(a));
	LEAK_CHECK();
}

/* Run ids are stored and shown: the same cause must give the same id in every version. */
Test(base_hash, ids_are_the_same_for_ever)
{
	const char *parts[] = {"shop", "time:nightly", "2026-11-21", "0"};
	uint8_t id[HASH_ID_BYTES], want[HASH_SHA256_BYTES];
	/* each part preceded by its length, 8 bytes, lowest first */
	static const char bytes[] = "\4\0\0\0\0\0\0\0shop"
				    "\14\0\0\0\0\0\0\0time:nightly"
				    "\12\0\0\0\0\0\0\0"
				    "2026-11-21"
				    "\1\0\0\0\0\0\0\0"
				    "0";

	hash_id(id, parts, 4);
	hash_sha256(bytes, sizeof(bytes) - 1, want);
	cr_assert_arr_eq(id, want, HASH_ID_BYTES);
	LEAK_CHECK();
}

Test(base_hash, random_bytes_differ)
{
	uint8_t a[64], b[64];

	hash_random(a, sizeof(a));
	hash_random(b, sizeof(b));
	hash_random(NULL, 0);
	cr_assert(memcmp(a, b, sizeof(a)) != 0);
	LEAK_CHECK();
}

Test(base_hash, compares_and_wipes)
{
	char a[] = "secret", b[] = "secreu";

	cr_assert(hash_equal(a, a, 6));
	cr_assert(!hash_equal(a, b, 6));
	cr_assert(hash_equal(a, b, 5));
	cr_assert(hash_equal(a, b, 0));
	hash_wipe(a, 6);
	cr_assert_arr_eq(a, "\0\0\0\0\0\0", 6);
	LEAK_CHECK();
}

Test(base_hash, hex_goes_both_ways)
{
	uint8_t out[3] = {9, 9, 9};

	cr_assert_str_eq(hex("\x00\xfa\x7f", 3), "00fa7f");
	cr_assert_eq(hash_from_hex("00Fa7F", out, 3), 0);
	cr_assert_arr_eq(out, "\x00\xfa\x7f", 3);
	LEAK_CHECK();
}

Test(base_hash, refuses_bad_hex_and_leaves_the_output)
{
	static const char *const rows[] = {
	    "", "00", "0011", "001122ff", "00112g", "0x1122", "00 122"};
	uint8_t out[3] = {9, 9, 9};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(hash_from_hex(rows[i], out, 3), ERR_PARSE, "%s", rows[i]);
	cr_assert_eq(hash_from_hex(NULL, out, 3), ERR_PARSE);
	cr_assert_arr_eq(out, "\x09\x09\x09", 3);
	LEAK_CHECK();
}

Test(base_hash, base32_goes_both_ways)
{
	uint8_t id[HASH_ID_BYTES], back[HASH_ID_BYTES];
	char text[HASH_ID_TEXT], lower[HASH_ID_TEXT];
	int round, i;

	for (round = 0; round < 500; round++) {
		hash_random(id, sizeof(id));
		hash_to_base32(id, text);
		cr_assert_eq(strlen(text), 26);
		cr_assert_eq(strspn(text, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
		cr_assert_eq(hash_from_base32(text, back), 0);
		cr_assert_arr_eq(id, back, sizeof(id));
		for (i = 0; i < HASH_ID_TEXT; i++)
			lower[i] = (char)(text[i] >= 'A' ? text[i] + 32 : text[i]);
		cr_assert_eq(hash_from_base32(lower, back), 0);
		cr_assert_arr_eq(id, back, sizeof(id));
	}
	LEAK_CHECK();
}

Test(base_hash, base32_has_fixed_ends)
{
	uint8_t id[HASH_ID_BYTES];
	char text[HASH_ID_TEXT];

	memset(id, 0, sizeof(id));
	hash_to_base32(id, text);
	cr_assert_str_eq(text, "00000000000000000000000000");
	memset(id, 0xff, sizeof(id));
	hash_to_base32(id, text);
	cr_assert_str_eq(text, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
	LEAK_CHECK();
}

Test(base_hash, refuses_bad_base32)
{
	static const char *const rows[] = {"", "0", "0000000000000000000000000",
	    "000000000000000000000000000", "80000000000000000000000000",
	    "0000000000000000000000000I", "0000000000000000000000000L",
	    "0000000000000000000000000O", "0000000000000000000000000U",
	    "000000000000 0000000000000", "0000000000000000000000000-"};
	uint8_t id[HASH_ID_BYTES];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(hash_from_base32(rows[i], id), ERR_PARSE, "%s", rows[i]);
	cr_assert_eq(hash_from_base32(NULL, id), ERR_PARSE);
	LEAK_CHECK();
}

/* RFC 4648, section 10. */
Test(base_hash, base64_gives_the_values_of_its_rfc)
{
	static const char *const rows[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
	    {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
	    {"\xfb\xff", "+/8="}};
	char text[32], back[32];
	size_t i, n, len;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		len = strlen(rows[i][0]);
		hash_to_base64(rows[i][0], len, text);
		cr_assert_str_eq(text, rows[i][1]);
		cr_assert_eq(hash_base64_len(len), strlen(text) + 1);
		cr_assert_eq(hash_from_base64(text, strlen(text), back, len, &n), 0);
		cr_assert_eq(n, len);
		cr_assert_arr_eq(back, rows[i][0], len);
	}
	LEAK_CHECK();
}

Test(base_hash, base64_is_strict)
{
	static const char *const rows[] = {"Z", "Zg",
	    "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "Zm8=Zm9v", "Zm9v\n", "Zm-v", "Zm_v",
	    " Zm9", "Zm=v"};
	char out[32];
	size_t i, n = 77;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(hash_from_base64(rows[i], strlen(rows[i]), out, sizeof(out), &n),
		    ERR_PARSE, "%s", rows[i]);
	cr_assert_eq(hash_from_base64("Zm9v", 4, out, 2, &n), ERR_LIMIT);
	cr_assert_eq(n, 77);
	LEAK_CHECK();
}
