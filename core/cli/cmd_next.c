/* cmd_next.c: `sluice next`: the next instants of an expression, which needs neither daemon nor
 * sluice.yaml, or of a DAG's time triggers, asked of the daemon. */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"
#include "core/time/cron.h"
#include "core/time/tz.h"

#include <string.h>

#define COUNT_DEFAULT 10
#define COUNT_MAX 1000 /* and where --to ends the list */

static const struct cli_opt opts[] = {
    {"cron", "EXPR", "The instants of this expression, without a DAG.", 0},
    {"timezone", "ZONE", "Of --cron: its IANA zone (UTC).", 0},
    {"gap", "RULE", "Of --cron: run_after, shift or skip.", 0},
    {"overlap", "RULE", "Of --cron: first, second or both.", 0},
    {"from", "TIME", "Later than this (now).", 0},
    {"to", "TIME", "Not later than this.", 0},
    {"count", "N", "At most N (10; 1000 with --to), at most 1000.", 'n'},
    {NULL, NULL, NULL, 0},
};

static int read_count(const struct args *a, int64_t *ret)
{
	const char *text = args_get(a, "count", NULL);

	*ret = args_has(a, "to") ? COUNT_MAX : COUNT_DEFAULT;
	if (text && (str_to_i64(text, ret) != 0 || *ret < 1 || *ret > COUNT_MAX))
		return cli_error(
		    EXIT_USAGE, "--count %s: give a number from 1 to %d", text, COUNT_MAX);
	return EXIT_OK;
}

/* ---- text ---- */

static bool is_whole_minute(const char *at)
{
	return strlen(at) < 19 || (strncmp(at + 16, ":00", 3) == 0 && at[19] != '.');
}

/* "2026-11-01T01:30:00-07:00" as "2026-11-01 01:30 -07:00"; seconds where any of the list has some.
 */
static void cell_at(struct text_table *t, const char *at, bool seconds)
{
	if (strlen(at) < 19)
		table_cell(t, at);
	else
		table_cellf(t, "%.10s %.*s %s", at, seconds ? 8 : 5, at + 11,
		    at + 11 + strcspn(at + 11, "+-Z"));
}

static void cell_utc(struct text_table *t, const char *utc)
{
	table_cellf(t, "%.10s %.8sZ", utc, strlen(utc) > 19 ? utc + 11 : "");
}

static void print_table(const struct cli *cli, const struct json *list, bool dag)
{
	static const struct table_column of_cron[] = {{"AT", false, false, false},
	    {"UTC", false, false, false}, {"NOTE", false, true, false}};
	static const struct table_column of_dag[] = {{"AT", false, false, false},
	    {"TRIGGER", false, true, false}, {"KEY", false, true, false},
	    {"NOTE", false, true, false}};
	struct text_table *t = dag ? table_new(of_dag, 4) : table_new(of_cron, 3);
	bool seconds = false;

	for (const struct json *i = json_first(list); i; i = json_next(i))
		seconds |= !is_whole_minute(json_get_str(i, "at", ""));
	for (const struct json *i = json_first(list); i; i = json_next(i)) {
		const char *utc = json_get_str(i, "utc", ""),
			   *start = json_get_str(i, "start", utc);
		const char *note = json_get_str(i, "note", NULL);

		cell_at(t, json_get_str(i, "at", ""), seconds);
		if (dag) {
			bool window = json_len(json_get(i, "window")) > 0;

			table_cell(t, json_get_str(i, "trigger", ""));
			table_cell(t, window ? json_get_str(i, "key", "") : "");
		} else {
			cell_utc(t, utc);
		}
		if (note || str_eq(utc, start))
			table_cell(t, note);
		else
			table_cellf(
			    t, "starts at %.8sZ (jitter)", strlen(start) > 19 ? start + 11 : "");
	}
	table_print(t, cli, "no instant in this range");
}

/* --to was not reached. */
static void print_more(const struct json *list)
{
	const struct json *last = json_at(list, json_len(list) - 1);

	if (last)
		printf("more: --from %s\n", json_get_str(last, "utc", ""));
}

/* CONTRACT's array; with ndjson one instant a line. */
static void print_list(const struct cli *cli, const struct json *list)
{
	if (cli->output == OUTPUT_JSON)
		cli_print_json(cli, list, NULL);
	for (const struct json *i = json_first(list); i && cli->output == OUTPUT_NDJSON;
	     i = json_next(i))
		cli_print_json(cli, i, NULL);
}

static void print_missed(const struct json *t)
{
	const struct json *m = json_get(t, "missed");
	struct str b;

	if (json_len(m) == 0)
		return;
	str_init(&b, 1024);
	str_addf(&b, "trigger %s makes up for missed times", json_get_str(t, "name", ""));
	if (json_get_str(m, "upto", NULL)) {
		str_add(&b, " up to ");
		text_time(&b, json_get_str(m, "upto", ""));
	}
	str_addf(&b, ", runs open: %lld of %lld", (long long)json_get_i64(m, "open", 0),
	    (long long)json_get_i64(json_get(t, "catchup"), "at_once", 1));
	puts(str_peek(&b));
	str_done(&b);
}

/* ---- an expression ---- */

struct cron_query {
	struct cron cron;
	const struct tz *zone;
	enum cron_gap gap;
	enum cron_overlap overlap;
	wall_us from, to;
	int64_t count;
};

static int read_time(const struct args *a, const char *name, const struct tz *zone, wall_us *ret)
{
	const char *text = args_get(a, name, NULL);
	enum tz_fit fit;

	if (text && tz_time_parse(zone, text, ret, &fit) != 0)
		return cli_error(EXIT_USAGE,
		    "--%s: \"%s\" is no time: write 2026-11-21T17:30:00Z, or 2026-11-21 or "
		    "2026-11-21T17:30 in %s",
		    name, text, tz_name(zone));
	return EXIT_OK;
}

static int read_query(const struct args *a, struct cron_query *q)
{
	const char *zone = args_get(a, "timezone", "UTC");
	struct err err = {0};

	q->from = clock_wall();
	q->to = INT64_MAX;
	if (cron_parse(args_get(a, "cron", ""), &q->cron, &err) != 0)
		return cli_error(EXIT_USAGE, "--%s", err.text);
	if (tz_load(zone, &q->zone, &err) != 0)
		return cli_error(EXIT_USAGE, "--timezone: %s", err.text);
	if (cron_gap_parse(args_get(a, "gap", "run_after"), &q->gap) != 0)
		return cli_error(
		    EXIT_USAGE, "--gap %s: give run_after, shift or skip", args_get(a, "gap", ""));
	if (cron_overlap_parse(args_get(a, "overlap", "first"), &q->overlap) != 0)
		return cli_error(EXIT_USAGE, "--overlap %s: give first, second or both",
		    args_get(a, "overlap", ""));
	int rc = read_time(a, "from", q->zone, &q->from);
	if (rc == EXIT_OK)
		rc = read_time(a, "to", q->zone, &q->to);
	return rc != EXIT_OK ? rc : read_count(a, &q->count);
}

/* q->from becomes the last one, q->count what was left of it. */
static struct json *list_cron(struct cron_query *q)
{
	struct json *list = json_new_array();
	char at[TZ_TEXT_MAX], utc[CLOCK_TEXT_MAX];
	wall_us t;

	while (q->count > 0 && cron_next(&q->cron, q->zone, q->from, q->gap, q->overlap, &t) == 0 &&
	       t <= q->to) {
		const char *note = cron_note(&q->cron, q->zone, t, q->gap, q->overlap);
		struct json *o = json_new_object();

		json_put(o, "at", json_new_str(tz_format(q->zone, t, at)));
		json_put(o, "utc", json_new_str(clock_format(t, utc)));
		json_put(o, "note", note ? json_new_str(note) : json_new_null());
		json_push(list, o);
		q->from = t;
		q->count--;
	}
	return list;
}

static int next_of_cron(const struct cli *cli, const struct args *a)
{
	struct json *list;
	struct cron_query q;
	wall_us t;
	int rc = read_query(a, &q);

	if (rc != EXIT_OK)
		return rc;
	list = list_cron(&q);
	if (cli->output == OUTPUT_TEXT)
		print_table(cli, list, false);
	else
		print_list(cli, list);
	if (cli->output == OUTPUT_TEXT && args_has(a, "to") && q.count == 0 &&
	    cron_next(&q.cron, q.zone, q.from, q.gap, q.overlap, &t) == 0 && t <= q.to)
		print_more(list);
	json_free(list);
	return EXIT_OK;
}

/* ---- a DAG ---- */

static void print_dag(const struct cli *cli, const struct json *reply, bool to)
{
	const struct json *triggers = json_get(reply, "triggers");

	if (json_len(triggers) == 0) {
		printf("DAG %s has no time trigger\n", json_get_str(reply, "dag", ""));
		return;
	}
	if (json_get_bool(reply, "paused", false))
		printf("DAG %s is paused: nothing starts until it is resumed\n",
		    json_get_str(reply, "dag", ""));
	print_table(cli, json_get(reply, "instants"), true);
	if (to && json_get_bool(reply, "more", false))
		print_more(json_get(reply, "instants"));
	for (const struct json *t = json_first(triggers); t; t = json_next(t))
		print_missed(t);
}

static int next_of_dag(struct cli *cli, const struct args *a)
{
	static const char *const of_cron[] = {"timezone", "gap", "overlap"};
	struct json *reply = NULL;
	struct str path;
	int64_t count;
	int rc = read_count(a, &count);

	for (size_t i = 0; i < 3 && rc == EXIT_OK; i++) {
		if (args_has(a, of_cron[i]))
			rc = cli_error(EXIT_USAGE,
			    "--%s goes with --cron: the triggers of a DAG say theirs", of_cron[i]);
	}
	if (rc != EXIT_OK)
		return rc;
	str_init(&path, 8192);
	str_add(&path, "/v1/dags/");
	cli_add_segment(&path, a->pos[0]);
	str_addf(&path, "/next?count=%lld", (long long)count);
	cli_add_query(&path, "from", args_get(a, "from", NULL));
	cli_add_query(&path, "to", args_get(a, "to", NULL));
	rc = cli_request(cli, "GET", str_peek(&path), NULL, &reply, NULL);
	str_done(&path);
	if (rc == EXIT_OK && cli->output == OUTPUT_TEXT)
		print_dag(cli, reply, args_has(a, "to"));
	else if (rc == EXIT_OK)
		print_list(cli, json_get(reply, "instants"));
	json_free(reply);
	return rc;
}

static int run(struct cli *cli, const struct args *a)
{
	if (args_has(a, "cron"))
		return args_expect(a, 0, 0) ? next_of_cron(cli, a) : EXIT_USAGE;
	if (a->n_pos == 0)
		return cli_error(EXIT_USAGE,
		    "say of what: sluice next DAG, or sluice next --cron EXPR --timezone ZONE");
	return args_expect(a, 1, 1) ? next_of_dag(cli, a) : EXIT_USAGE;
}

const struct command cmd_next = {
    .name = "next",
    .synopsis = "DAG | --cron EXPR [--timezone ZONE] [--from TIME] [--to TIME] [--count N]",
    .summary = "List the next times of a DAG or of a cron expression",
    .help =
	"A TIME without offset is one of the DAG's zone, or of ZONE. Where the clocks change, a\n"
	"note says what that does. --cron needs neither daemon nor sluice.yaml.\n"
	"\nExamples:\n"
	"  sluice next shop_nightly\n"
	"  sluice next --cron '30 2 * * *' --timezone Europe/Paris --from 2026-10-24",
    .opts = opts,
    .run = run,
};
