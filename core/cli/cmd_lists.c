/* cmd_lists.c: `sluice dags | runs | events | datasets | pools`: the lists, one table each.
 * `datasets` also shows one data set and acts on it. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <string.h>

#define LIST_OPTIONS                                                                               \
	{"limit", "N", "At most N rows (100, at most 1000).", 'n'},                                \
	{                                                                                          \
		"after", "NEXT", "The page behind this one: the `next` of the JSON output.", 0     \
	}

static void cell_time(struct text_table *t, const struct json *j, const char *key)
{
	struct str b;
	str_init(&b, 128);
	text_time(&b, json_get_str(j, key, NULL));
	table_cell(t, str_peek(&b));
	str_done(&b);
}

static void print_more(const struct json *page)
{
	if (json_get_str(page, "next", NULL))
		printf("more: --after %s\n", json_get_str(page, "next", ""));
}

/* ---- dags ---- */

static void print_note(const struct cli *cli, const char *what, const char *why)
{
	struct str b;
	str_init(&b, 1 << 16);
	text_paint(cli, &b, PAINT_BAD, "!");
	str_addf(&b, " %s\n    %s", what, why);
	puts(str_peek(&b));
	str_done(&b);
}

/* A DAG whose file does not compile any more, and where. */
static void print_broken(const struct cli *cli, const struct json *d)
{
	const struct json *e = json_first(json_get(d, "errors"));
	struct str what, why;
	if (!str_eq(json_get_str(d, "state", ""), "broken"))
		return;
	str_init(&what, 1024);
	str_init(&why, 1 << 16);
	str_addf(&what,
	    "%s: its last good plan runs; its file does not compile:", json_get_str(d, "dag", ""));
	str_addf(&why, "%s:%lld:%lld: %s", json_get_str(d, "file", ""),
	    (long long)json_get_i64(e, "line", 1), (long long)json_get_i64(e, "column", 1),
	    json_get_str(e, "message", "see: sluice plan"));
	print_note(cli, str_peek(&what), str_peek(&why));
	str_done(&what);
	str_done(&why);
}

static int run_dags(struct cli *cli, const struct args *a)
{
	static const struct table_column columns[] = {
	    {"DAG", false, true, false},
	    {"STATE", false, false, true},
	    {"NEXT", false, false, false},
	    {"LAST RUN", false, false, true},
	    {"FILE", false, true, false},
	};
	struct json *page;
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	int rc = cli_list(cli, a, "/v1/dags", "dags", &page);
	if (!page)
		return rc;
	struct text_table *t = table_new(columns, 5);
	for (const struct json *d = json_first(json_get(page, "dags")); d; d = json_next(d)) {
		table_cell(t, json_get_str(d, "dag", json_get_str(d, "name", "")));
		table_cell(
		    t, json_get_bool(d, "paused", false) ? "paused" : json_get_str(d, "state", ""));
		cell_time(t, d, "next");
		table_cell(t, json_get_str(json_get(d, "last_run"), "state", ""));
		table_cell(t, json_get_str(d, "file", ""));
	}
	table_print(t, cli, "no DAGs; put files into the DAG folder and run: sluice apply");
	for (const struct json *d = json_first(json_get(page, "dags")); d; d = json_next(d))
		print_broken(cli, d);
	if (json_get_str(page, "configuration_error", NULL))
		print_note(cli, "the old configuration is in force",
		    json_get_str(page, "configuration_error", ""));
	print_more(page);
	json_free(page);
	return rc;
}

static const struct cli_opt dags_opts[] = {
    LIST_OPTIONS,
    {NULL, NULL, NULL, 0},
};
const struct command cmd_dags = {
    .name = "dags",
    .synopsis = "[--limit N] [--after NEXT]",
    .summary = "List the DAGs: state, next start, last run",
    .help = "Examples:\n  sluice dags\n  sluice dags -o json",
    .opts = dags_opts,
    .run = run_dags,
};

/* ---- runs ---- */

static int run_runs(struct cli *cli, const struct args *a)
{
	static const struct table_column columns[] = {
	    {"RUN", false, false, false},
	    {"DAG", false, true, false},
	    {"KEY", false, true, false},
	    {"STATE", false, false, true},
	    {"QUEUED", false, false, false},
	};
	struct json *page;
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	int rc = cli_list(cli, a, "/v1/runs", "runs", &page);
	if (!page)
		return rc;
	struct text_table *t = table_new(columns, 5);
	for (const struct json *r = json_first(json_get(page, "runs")); r; r = json_next(r)) {
		table_cellf(t, "%.10s", json_get_str(r, "id", ""));
		table_cell(t, json_get_str(r, "dag", ""));
		table_cell(t, json_get_str(r, "key", ""));
		table_cell(t, json_get_str(r, "state", ""));
		cell_time(t, r, "queued_at");
	}
	table_print(t, cli, "no runs yet; start one: sluice run DAG");
	print_more(page);
	json_free(page);
	return rc;
}

static const struct cli_opt runs_opts[] = {
    {"dag", "DAG", "Only runs of this DAG.", 0},
    {"state", "STATE", "Only runs in this state: queued running succeeded failed cancelled.", 0},
    {"since", "TIME", "Only runs queued at or after this time; 2h: that long ago.", 0},
    LIST_OPTIONS,
    {NULL, NULL, NULL, 0},
};
const struct command cmd_runs = {
    .name = "runs",
    .synopsis = "[--dag DAG] [--state STATE] [--since TIME] [--limit N] [--after NEXT]",
    .summary = "List runs, newest first",
    .help = "A run may be named by the first characters of its id (six or more).\n"
	    "\nExamples:\n  sluice runs --state failed\n  sluice runs --dag shop_nightly -o ndjson",
    .opts = runs_opts,
    .run = run_runs,
};

/* ---- events ---- */

static int replay(struct cli *cli, const char *id)
{
	struct str path;
	struct json *reply = NULL;
	str_init(&path, 1024);
	str_add(&path, "/v1/events/");
	cli_add_segment(&path, str_starts(id, "event:") ? id + 6 : id);
	str_add(&path, "/replay");
	int rc = cli_request(cli, "POST", str_peek(&path), "{}", &reply, NULL);
	str_done(&path);
	if (rc == EXIT_OK && cli->output != OUTPUT_TEXT)
		cli_print_json(cli, reply, NULL);
	else if (rc == EXIT_OK)
		printf("event %s %s %s\n", json_get_str(reply, "event", ""),
		    json_get_str(reply, "verdict", ""),
		    json_str(json_at(json_get(reply, "runs"), 0), ""));
	json_free(reply);
	return rc;
}

static int run_events(struct cli *cli, const struct args *a)
{
	static const struct table_column columns[] = {
	    {"EVENT", true, false, false},
	    {"SOURCE", false, true, false},
	    {"RECEIVED", false, false, false},
	    {"VERDICT", false, false, true},
	    {"DETAIL", false, true, false},
	};
	struct json *page;
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	if (args_get(a, "replay", NULL))
		return replay(cli, args_get(a, "replay", NULL));
	int rc = cli_list(cli, a, "/v1/events", "events", &page);
	if (!page)
		return rc;
	struct text_table *t = table_new(columns, 5);
	for (const struct json *e = json_first(json_get(page, "events")); e; e = json_next(e)) {
		const char *run = json_str(json_at(json_get(e, "runs"), 0), NULL);
		table_cell(t, json_get_str(e, "id", ""));
		table_cell(t, json_get_str(e, "source", ""));
		cell_time(t, e, "received_at");
		table_cell(t, json_get_str(e, "verdict", ""));
		if (run && !json_get_str(e, "detail", "")[0])
			table_cellf(t, "run %.10s", run);
		else
			table_cell(t, json_get_str(e, "detail", ""));
	}
	table_print(t, cli, "no events");
	print_more(page);
	json_free(page);
	return rc;
}

static const struct cli_opt events_opts[] = {
    {"unmatched", NULL, "Only events that matched nothing or were rejected.", 0},
    {"since", "TIME", "Only events received at or after this time; 2h: that long ago.", 0},
    {"dag", "DAG", "Only events that started runs of this DAG.", 0},
    {"replay", "ID", "Take this event in again as a new one.", 0},
    LIST_OPTIONS,
    {NULL, NULL, NULL, 0},
};
const struct command cmd_events = {
    .name = "events",
    .synopsis = "[--unmatched] [--since TIME] [--dag DAG] [--replay ID]",
    .summary = "List events with what became of them",
    .help = "Examples:\n  sluice events --unmatched\n  sluice events --replay 1042\n  sluice why "
	    "event:1042",
    .opts = events_opts,
    .run = run_events,
};

/* ---- pools ---- */

static int run_pools(struct cli *cli, const struct args *a)
{
	static const struct table_column columns[] = {
	    {"POOL", false, true, false},
	    {"SIZE", true, false, false},
	    {"USED", true, false, false},
	    {"WAITING", true, false, false},
	};
	struct json *page;
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	int rc = cli_list(cli, a, "/v1/pools", "pools", &page);
	if (!page)
		return rc;
	struct text_table *t = table_new(columns, 4);
	for (const struct json *p = json_first(json_get(page, "pools")); p; p = json_next(p)) {
		table_cell(t, json_get_str(p, "name", ""));
		table_cellf(t, "%lld", (long long)json_get_i64(p, "size", 0));
		table_cellf(t, "%lld", (long long)json_get_i64(p, "used", 0));
		table_cellf(t, "%lld", (long long)json_get_i64(p, "waiting", 0));
	}
	table_print(t, cli, "no pools");
	json_free(page);
	return rc;
}

static const struct cli_opt pools_opts[] = {
    {NULL, NULL, NULL, 0},
};
const struct command cmd_pools = {
    .name = "pools",
    .synopsis = "",
    .summary = "List slots and pools with what uses them",
    .help = "",
    .opts = pools_opts,
    .run = run_pools,
};
