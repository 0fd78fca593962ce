/* tz_impl.h: inside of a zone; for tz*.c alone. */
#ifndef CORE_TIME_TZ_IMPL_H
#define CORE_TIME_TZ_IMPL_H

#include "core/time/tz.h"

#define TZ_TYPES_MAX 256
#define TZ_CHARS_MAX 512

struct tz_type {
	int32_t offset_s; /* seconds east of UTC */
	bool dst;
	uint16_t name; /* place in chars */
};

struct tz_trans {
	int64_t at_s; /* seconds since 1970, UTC */
	uint8_t type;
};

struct tz {
	char name[TZ_NAME_MAX];
	struct tz_type types[TZ_TYPES_MAX];
	size_t types_n;
	char chars[TZ_CHARS_MAX + 1];
	size_t chars_n;
	struct tz_trans *trans; /* owned; strictly ascending */
	size_t trans_n;
	/* The footer's rule repeats every 400 years, so its changes are written out up to this
	 * second and later instants are moved back by multiples of that. INT64_MAX where there is
	 * no rule. */
	int64_t wrap_s;
	struct tz *next; /* owned by the cache */
};

#define TZ_S_PER_400_YEARS (INT64_C(146097) * 86400)

/* The footer of a TZif file: a POSIX TZ text. */
enum tz_day_kind { TZ_DAY_JULIAN, TZ_DAY_ZERO, TZ_DAY_MONTH };
struct tz_day {
	enum tz_day_kind kind;
	int day;	 /* Jn: 1-365; n: 0-365; Mm.w.d: weekday 0-6 */
	int week, month; /* Mm.w.d alone */
	int32_t time_s;	 /* local seconds after midnight, may be negative or beyond a day */
};
struct tz_rule {
	int32_t std_s, dst_s; /* seconds east */
	bool has_dst;
	struct tz_day start, end;
	char std_name[16], dst_name[16];
};
int tz_rule_parse(const char *text, struct tz_rule *ret) CHECK_RESULT;
/* The seconds (UTC) at which summer time begins and ends in the year. */
void tz_rule_year(const struct tz_rule *rule, int64_t year, int64_t *ret_start, int64_t *ret_end);

/* Adds a type (or finds the same) and a change; ERR_LIMIT when the zone is full. */
int tz_add_type(
    struct tz *zone, int32_t offset_s, bool dst, const char *name, uint8_t *ret) CHECK_RESULT;

#endif
