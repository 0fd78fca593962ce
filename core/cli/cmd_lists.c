/* cmd_lists.c: `sluice dags | runs | events | pools`: the lists, one table each. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <string.h>

#define LIST_OPTIONS                                                                               \
	{"limit", "N", "At most N rows (100, at most 1000).", 'n'},                                \
	{                                                                                          \
		"after", "NEXT", "The page behind this one: the `next` of the JSON output.", 0     \
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

static void dag_row(struct text_table *t, const struct json *d)
{
	bool paused = json_get_bool(d, "paused", false);
	table_cell(t, json_get_str(d, "dag", json_get_str(d, "name", "")));
	table_cell(t, paused ? "paused" : json_get_str(d, "state", ""));
	table_time(t, json_get_str(d, "next", NULL));
	table_cell(t, json_get_str(json_get(d, "last_run"), "state", ""));
	table_cell(t, json_get_str(d, "file", ""));
}

static void dag_notes(const struct cli *cli, const struct json *page)
{
	for (const struct json *d = json_first(json_get(page, "dags")); d; d = json_next(d))
		print_broken(cli, d);
	if (json_get_str(page, "configuration_error", NULL))
		print_note(cli, "the old configuration is in force",
		    json_get_str(page, "configuration_error", ""));
}

static const struct table_column dag_columns[] = {
    {"DAG", false, true, false},
    {"STATE", false, false, true},
    {"NEXT", false, false, false},
    {"LAST RUN", false, false, true},
    {"FILE", false, true, false},
};
static const struct list dags = {"/v1/dags", "dags", dag_columns, 5, dag_row,
    "no DAGs; put files into the DAG folder and run: sluice apply", dag_notes};

static int run_dags(struct cli *cli, const struct args *a)
{
	return args_expect(a, 0, 0) ? cli_list(cli, a, &dags) : EXIT_USAGE;
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

static void run_row(struct text_table *t, const struct json *r)
{
	table_cellf(t, "%.10s", json_get_str(r, "id", ""));
	table_cell(t, json_get_str(r, "dag", ""));
	table_cell(t, json_get_str(r, "key", ""));
	table_cell(t, json_get_str(r, "state", ""));
	table_time(t, json_get_str(r, "queued_at", NULL));
}

static const struct table_column run_columns[] = {
    {"RUN", false, false, false},
    {"DAG", false, true, false},
    {"KEY", false, true, false},
    {"STATE", false, false, true},
    {"QUEUED", false, false, false},
};
static const struct list runs = {
    "/v1/runs", "runs", run_columns, 5, run_row, "no runs yet; start one: sluice run DAG", NULL};

static int run_runs(struct cli *cli, const struct args *a)
{
	return args_expect(a, 0, 0) ? cli_list(cli, a, &runs) : EXIT_USAGE;
}

static const struct cli_opt runs_opts[] = {
    {"dag", "DAG", "Only runs of this DAG.", 0},
    {"state", "queued|running|succeeded|failed|cancelled", "Only runs in this state.", 0},
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
	const char *no = str_starts(id, "event:") ? id + 6 : id;
	struct json *reply;
	uint64_t seq;
	if (str_to_u64(no, &seq) != 0 || seq == 0)
		return cli_error(EXIT_USAGE,
		    "\"%s\" is no event: write its number, for example --replay 1042", id);
	char *path = cli_path("/v1/events/", no, "/replay");
	int rc = cli_ask(cli, "POST", path, json_new_object(), &reply);
	if (reply)
		printf("event %s %s %s\n", json_get_str(reply, "event", ""),
		    json_get_str(reply, "verdict", ""),
		    json_str(json_at(json_get(reply, "runs"), 0), ""));
	mem_free(path);
	json_free(reply);
	return rc;
}

static void event_row(struct text_table *t, const struct json *e)
{
	const char *run = json_str(json_at(json_get(e, "runs"), 0), NULL);
	table_cell(t, json_get_str(e, "id", ""));
	table_cell(t, json_get_str(e, "source", ""));
	table_time(t, json_get_str(e, "received_at", NULL));
	table_cell(t, json_get_str(e, "verdict", ""));
	if (run && !json_get_str(e, "detail", "")[0])
		table_cellf(t, "run %.10s", run);
	else
		table_cell(t, json_get_str(e, "detail", ""));
}

static const struct table_column event_columns[] = {
    {"EVENT", true, false, false},
    {"SOURCE", false, true, false},
    {"RECEIVED", false, false, false},
    {"VERDICT", false, false, true},
    {"DETAIL", false, true, false},
};
static const struct list events = {
    "/v1/events", "events", event_columns, 5, event_row, "no events", NULL};

static int run_events(struct cli *cli, const struct args *a)
{
	const char *id = args_get(a, "replay", NULL);
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	return id ? replay(cli, id) : cli_list(cli, a, &events);
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
    .synopsis = "[--unmatched] [--since TIME] [--dag DAG] [--limit N] [--after NEXT] | --replay ID",
    .summary = "List events with what became of them",
    .help = "Examples:\n  sluice events --unmatched\n  sluice events --replay 1042\n  sluice why "
	    "event:1042",
    .opts = events_opts,
    .run = run_events,
};

/* ---- pools ---- */

static void pool_row(struct text_table *t, const struct json *p)
{
	table_cell(t, json_get_str(p, "name", ""));
	table_int(t, json_get_i64(p, "size", 0));
	table_int(t, json_get_i64(p, "used", 0));
	table_int(t, json_get_i64(p, "waiting", 0));
}

static const struct table_column pool_columns[] = {
    {"POOL", false, true, false},
    {"SIZE", true, false, false},
    {"USED", true, false, false},
    {"WAITING", true, false, false},
};
static const struct list pools = {
    "/v1/pools", "pools", pool_columns, 4, pool_row, "no pools", NULL};

static int run_pools(struct cli *cli, const struct args *a)
{
	return args_expect(a, 0, 0) ? cli_list(cli, a, &pools) : EXIT_USAGE;
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
