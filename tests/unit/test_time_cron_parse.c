/* The text of an expression. */
#include "core/time/cron.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

Test(time_cron_parse, equal_texts_give_equal_masks)
{
	static const char *const rows[][2] = {
	    {"*/15 * * * *", "0,15,30,45 * * * *"},
	    {"5/20 * * * *", "5,25,45 * * * *"},
	    {"10-30/10 * * * *", "10,20,30 * * * *"},
	    {"0 0 1 jan-mar *", "0 0 1 1,2,3 *"},
	    {"0 0 1 JAN,Mar *", "0 0 1 1,3 *"},
	    {"0 0 1 * mon-fri", "0 0 1 * 1-5"},
	    {"0 0 1 * 7", "0 0 1 * 0"},
	    {"0 0 1 * 5-7", "0 0 1 * 0,5,6"},
	    {"0 0 1 * fri-sun", "0 0 1 * 0,5,6"},
	    {"0 0 1 * 0-7", "0 0 1 * 0-6"},
	    {"0 0 1 * 7#2", "0 0 1 * sun#2"},
	    {"0 0 1 * 7L", "0 0 1 * sunl"},
	    {"0 0 ? * ?", "0 0 * * *"},
	    {"0 0 l * *", "0 0 L * *"},
	    {"0 0 L-0 * *", "0 0 L * *"},
	    {"0 0 lw,1w * *", "0 0 1W,LW * *"},
	    {"\t 0  0\t1 1 * ", "0 0 1 1 *"},
	    {"@yearly", "0 0 1 1 *"},
	    {"@annually", "@Yearly"},
	    {"@monthly", "0 0 1 * *"},
	    {"@weekly", "0 0 * * 0"},
	    {"@daily", "0 0 * * *"},
	    {"@midnight", "@daily"},
	    {"@hourly", "0 * * * *"},
	    {"0 0-23 * * *", "0 * * * *"},
	    {"0 0,1-23 * * *", "0 * * * *"},
	    {"0 */24 * * *", "0 0 * * *"},
	    {"0 0 1 * 1/2", "0 0 1 * 1,3,5"},
	};
	struct cron a, b;
	struct err e = {0};
	size_t i;

	for (i = 0; i < N(rows); i++) {
		memset(&a, 0xaa, sizeof(a));
		memset(&b, 0xaa, sizeof(b));
		cr_assert_eq(cron_parse(rows[i][0], &a, &e), 0, "%s: %s", rows[i][0], e.text);
		cr_assert_eq(cron_parse(rows[i][1], &b, &e), 0, "%s: %s", rows[i][1], e.text);
		cr_assert_eq(a.minutes, b.minutes, "%s", rows[i][0]);
		cr_assert_eq(a.hours, b.hours, "%s", rows[i][0]);
		cr_assert_eq(a.days, b.days, "%s", rows[i][0]);
		cr_assert_eq(a.days_from_last, b.days_from_last, "%s", rows[i][0]);
		cr_assert_eq(a.days_weekday, b.days_weekday, "%s", rows[i][0]);
		cr_assert_eq(a.months, b.months, "%s", rows[i][0]);
		cr_assert_eq(a.weekdays, b.weekdays, "%s", rows[i][0]);
		cr_assert_eq(a.weekdays_last, b.weekdays_last, "%s", rows[i][0]);
		cr_assert_arr_eq(a.weekdays_nth, b.weekdays_nth, sizeof(a.weekdays_nth));
		cr_assert_eq(a.both_days, b.both_days, "%s", rows[i][0]);
		cr_assert_eq(a.elapsed, b.elapsed, "%s", rows[i][0]);
	}
	LEAK_CHECK();
}

Test(time_cron_parse, knows_what_follows_elapsed_time)
{
	static const struct {
		const char *text;
		bool elapsed, both;
	} rows[] = {{"0 * * * *", true, true}, {"0 */1 1 * 1", true, false},
	    {"0 0-23 1 * *", true, true}, {"0 */2 1 * 1", false, false},
	    {"0 0-22 */2 * 1", false, true}, {"0 5 1 * ?", false, true},
	    {"0 5 1,* * 1", false, false}};
	struct cron c;
	size_t i;

	for (i = 0; i < N(rows); i++) {
		cr_assert_eq(cron_parse(rows[i].text, &c, NULL), 0);
		cr_assert_eq(c.elapsed, rows[i].elapsed, "%s", rows[i].text);
		cr_assert_eq(c.both_days, rows[i].both, "%s", rows[i].text);
	}
	LEAK_CHECK();
}

Test(time_cron_parse, refuses_what_is_wrong_and_says_where)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
	    {"", "minute field is missing"},
	    {"  ", "minute field is missing"},
	    {"* * * *", "day-of-week field is missing"},
	    {"0 0 * * * *", "behind the five fields"},
	    {"60 * * * *", "from 0 to 59"},
	    {"* 24 * * *", "from 0 to 23"},
	    {"* * 0 * *", "from 1 to 31"},
	    {"* * 32 * *", "from 1 to 31"},
	    {"* * * 0 *", "from 1 to 12"},
	    {"* * * 13 *", "from 1 to 12"},
	    {"* * * * 8", "from 0 to 7"},
	    {"-1 * * * *", "a number is needed"},
	    {"1, * * * *", "beside a comma"},
	    {",1 * * * *", "beside a comma"},
	    {"1,,2 * * * *", "beside a comma"},
	    {"30-10 * * * *", "backwards"},
	    {"* 22-2 * * *", "backwards"},
	    {"*/0 * * * *", "from 1 on"},
	    {"*/ * * * *", "from 1 on"},
	    {"*/61 * * * *", "larger than the field"},
	    {"* */25 * * *", "larger than the field"},
	    {"1-2-3 * * * *", "not understood"},
	    {"1x * * * *", "not understood"},
	    {"*5 * * * *", "not understood"},
	    {"* * * foo *", "a number or a name"},
	    {"* * * january *", "not understood"},
	    {"* * * * monday", "not understood"},
	    {"jan * * * *", "a number is needed"},
	    {"L * * * *", "a number is needed"},
	    {"* * * L *", "a number or a name"},
	    {"* * Lx * *", "L, L-n or LW"},
	    {"* * L-31 * *", "up to 30"},
	    {"* * L- * *", "up to 30"},
	    {"* * 32W * *", "from 1 to 31"},
	    {"* * 0W * *", "from 1 to 31"},
	    {"* * 1W3 * *", "from 1 to 31"},
	    {"* * W * *", "a number is needed"},
	    {"* * 1-5W * *", "not understood"},
	    {"* * * * 1#0", "from 1 to 5"},
	    {"* * * * 1#6", "from 1 to 5"},
	    {"* * * * 1#", "from 1 to 5"},
	    {"* * * * 8L", "from 0 to 7"},
	    {"* * * * L", "a number or a name"},
	    {"* * * * 5Lx", "ends with L"},
	    {"99999999999 * * * *", "from 0 to 59"},
	    {"@reboot", "is not known"},
	    {"@every 5m", "is not known"},
	    {"0 0 30 2 *", "never matches"},
	    {"0 0 31 2,4,6,9,11 *", "never matches"},
	    {"0 0 L-30 2,4 *", "never matches"},
	    {"0 0 31W 4 *", "never matches"},
	    {"0 0 */31 1 1#2", "never matches"},
	    {"\xff * * * *", "a number is needed"},
	};
	struct err e = {0};
	struct cron c;
	size_t i;

	memset(&c, 0x55, sizeof(c));
	for (i = 0; i < N(rows); i++) {
		cr_assert_eq(cron_parse(rows[i].text, &c, &e), ERR_PARSE, "%s", rows[i].text);
		cr_assert_not_null(strstr(e.text, rows[i].says), "%s: %s", rows[i].text, e.text);
		cr_assert_eq(c.hours, 0x55555555u, "output touched");
	}
	LEAK_CHECK();
}

Test(time_cron_parse, bounds_its_text)
{
	char big[2000];
	struct cron c;

	memset(big, '1', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	cr_assert_eq(cron_parse(big, &c, NULL), ERR_PARSE);
	memset(big, ' ', sizeof(big) - 1);
	cr_assert_eq(cron_parse(big, &c, NULL), ERR_PARSE);
	LEAK_CHECK();
}
