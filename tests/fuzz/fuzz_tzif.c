/* Files of zones: what is taken answers every question, and its answers agree. */
#include "core/time/tz.h"
#include "tests/fuzz/fuzz.h"

static void check_change(const struct tz *zone, const struct tz_change *c)
{
	struct tz_change back;
	struct tz_fitting f;

	FUZZ_DEMAND(c->before_s != c->after_s);
	FUZZ_DEMAND(tz_offset(zone, c->at) == c->after_s);
	FUZZ_DEMAND(tz_offset(zone, c->at - 1) == c->before_s);
	FUZZ_DEMAND(tz_last_change(zone, c->at, &back) && back.at == c->at);
	tz_fit(zone, tz_to_civil(zone, c->at), &f);
	FUZZ_DEMAND(f.fit != TZ_GAP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct tz_change c = {.at = -INT64_C(8000000000) * US_PER_S};
	struct tz *zone = NULL;
	char text[TZ_TEXT_MAX];
	wall_us last = c.at;
	int i;

	if (n > TZ_FILE_MAX || tz_parse("fuzz", data, n, &zone, NULL) != 0)
		return 0;
	for (i = 0; i < 3000 && tz_next_change(zone, last, &c); i++) {
		FUZZ_DEMAND(c.at > last);
		last = c.at;
		if (last > INT64_C(40000000000) * US_PER_S)
			break;
		check_change(zone, &c);
		tz_format(zone, last, text);
		FUZZ_DEMAND(tz_abbreviation(zone, last) != NULL);
	}
	tz_free(zone);
	return 0;
}
