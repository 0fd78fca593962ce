/* Cron: the first 4 bytes choose instant, zone and rules, the rest is the expression. The next
 * instant is later, and no instant lies between. */
#include "core/time/cron.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const char *const zones[] = {
    "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/St_Johns"};

static void check_next(const struct cron *c, const struct tz *zone, wall_us after,
    enum cron_gap gap, enum cron_overlap overlap)
{
	wall_us next, again, middle;

	if (cron_next(c, zone, after, gap, overlap, &next) != 0)
		return;
	FUZZ_DEMAND(next > after && next % US_PER_S == 0);
	middle = after + (next - after) / 2;
	FUZZ_DEMAND(cron_next(c, zone, middle, gap, overlap, &again) == 0 && again == next);
	FUZZ_DEMAND(cron_next(c, zone, next - 1, gap, overlap, &again) == 0 && again == next);
	cron_note(c, zone, next, gap, overlap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char text[1200];
	const struct tz *zone;
	struct err e = {0};
	struct cron c;
	wall_us after;

	if (n < 4 || n - 4 >= sizeof(text))
		return 0;
	memcpy(text, data + 4, n - 4);
	text[n - 4] = '\0';
	if (cron_parse(text, &c, &e) != 0) {
		FUZZ_DEMAND(e.text[0] != '\0');
		return 0;
	}
	FUZZ_DEMAND(c.minutes != 0 && c.hours != 0 && c.months != 0);
	FUZZ_DEMAND(tz_load(zones[data[0] % 5], &zone, NULL) == 0);
	/* 1990 to 2080, in steps of 12 hours */
	after = (INT64_C(631152000) + (data[1] * 256 + data[2]) * INT64_C(43200)) * US_PER_S;
	check_next(&c, zone, after, data[3] % 3, data[3] / 3 % 3);
	return 0;
}
