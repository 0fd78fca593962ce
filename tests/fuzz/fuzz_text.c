/* The small parsers of base: instants, numbers, durations, sizes, base64, base32. What is taken
 * comes back. */
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/time/calendar.h"
#include "core/time/tz.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void check_times(const char *text)
{
	char buf[CLOCK_TEXT_MAX], key[CAL_KEY_MAX];
	enum cal_unit unit;
	wall_us t, again;

	if (clock_parse(text, &t) == 0)
		FUZZ_DEMAND(clock_parse(clock_format_us(t, buf), &again) != 0 || again == t);
	if (cal_key_unit(text, &unit) == 0 && cal_key_parse(unit, tz_utc(), text, &t, NULL) == 0)
		FUZZ_DEMAND(strcmp(cal_key(unit, tz_utc(), t, key), text) == 0);
}

static void check_numbers(const char *text)
{
	uint64_t u;
	int64_t i;

	if (str_to_u64(text, &u) == 0)
		FUZZ_DEMAND(strspn(text, "0123456789") == strlen(text));
	if (str_to_i64(text, &i) == 0)
		FUZZ_DEMAND((i < 0) == (text[0] == '-' && i != 0));
	if (str_to_duration_ms(text, &i) == 0)
		FUZZ_DEMAND(i >= 0 && i <= INT64_MAX / 1000);
	if (str_to_bytes(text, &u) == 0)
		FUZZ_DEMAND(text[0] >= '0' && text[0] <= '9');
	FUZZ_DEMAND(!str_is_ident(text) || strlen(text) <= 63);
	FUZZ_DEMAND(!str_is_name(text) || strlen(text) <= 63);
	FUZZ_DEMAND(!str_is_dataset(text) || strchr(text, '/') != NULL);
}

static void check_bytes(const char *text, size_t n)
{
	char *back = mem_alloc(hash_base64_len(n)), base32[HASH_ID_TEXT];
	uint8_t *bytes = mem_alloc(n), id[HASH_ID_BYTES], again[HASH_ID_BYTES];
	struct str b;
	size_t got;

	if (hash_from_base64(text, n, bytes, n, &got) == 0) {
		hash_to_base64(bytes, got, back);
		FUZZ_DEMAND(strlen(back) == n && memcmp(back, text, n) == 0);
	}
	if (hash_from_base32(text, id) == 0) {
		hash_to_base32(id, base32);
		FUZZ_DEMAND(hash_from_base32(base32, again) == 0);
		FUZZ_DEMAND(memcmp(id, again, sizeof(id)) == 0);
	}
	str_init(&b, 4 * n + 1);
	str_add_visible(&b, text, n);
	FUZZ_DEMAND(!b.failed && str_utf8_valid(str_peek(&b), b.len));
	str_done(&b);
	mem_free(bytes);
	mem_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const names[] = {"extract", "transform", "load"};
	char *text;

	if (n > 4096)
		return 0;
	text = mem_alloc(n + 1);
	memcpy(text, data, n);
	text[n] = '\0';
	check_bytes(text, n);
	check_times(text);
	check_numbers(text);
	str_nearest(text, names, 3);
	mem_free(text);
	return 0;
}
