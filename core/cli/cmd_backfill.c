/* cmd_backfill.c: `sluice backfill`: runs for windows that have passed, a few at a time; list,
 * show, pause, resume and cancel. `sluice backfills` is the list. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <string.h>

static void add_time(struct str *b, const char *label, const struct json *j, const char *key)
{
	if (!json_get_str(j, key, NULL))
		return;
	str_add(b, label);
	text_time(b, json_get_str(j, key, NULL));
}

/* "120 of 365 (32 %)" */
static void progress(struct str *b, const struct json *j)
{
	int64_t done = json_get_i64(j, "done", 0), total = json_get_i64(j, "total", 0);
	text_count(b, done);
	str_add(b, " of ");
	text_count(b, total);
	if (json_get_bool(j, "counting", false))
		str_add(b, " or more");
	else if (total > 0)
		str_addf(b, " (%lld %%)", (long long)(done * 100 / total));
}

/* ---- list ---- */

static void row(struct text_table *t, const struct json *j)
{
	struct str done;
	str_init(&done, 256);
	progress(&done, j);
	table_cell(t, json_get_str(j, "id", ""));
	table_cell(t, json_get_str(j, "dag", ""));
	table_cell(t, json_get_str(j, "from", ""));
	table_cell(t, json_get_str(j, "to", ""));
	table_cell(t, json_get_str(j, "state", ""));
	table_cell(t, str_peek(&done));
	table_int(t, json_get_i64(j, "failed", 0) + json_get_i64(j, "rejected", 0));
	str_done(&done);
}

static const struct table_column columns[] = {
    {"ID", true, false, false},
    {"DAG", false, true, false},
    {"FROM", false, true, false},
    {"TO", false, true, false},
    {"STATE", false, false, true},
    {"DONE", false, false, false},
    {"FAILED", true, false, false},
};
static const struct list backfills = {"/v1/backfills", "backfills", columns, 7, row,
    "no backfills; start one: sluice backfill DAG --from DAY --to DAY", NULL};

/* ---- show ---- */

static void add_count(struct str *b, const struct json *j, const char *key, const char *words)
{
	if (json_get_i64(j, key, 0) == 0)
		return;
	str_add(b, ", ");
	text_count(b, json_get_i64(j, key, 0));
	str_addf(b, " %s", words);
}

static void print_runs(const struct cli *cli, const struct json *j, const char *member)
{
	static const struct table_column of_runs[] = {
	    {"KEY", false, true, false},
	    {"STATE", false, false, true},
	    {"RUN", false, false, false},
	    {"MESSAGE", false, true, false},
	};
	const struct json *runs = json_get(j, member);
	struct text_table *t;
	if (json_len(runs) == 0)
		return;
	t = table_new(of_runs, 4);
	for (const struct json *r = json_first(runs); r; r = json_next(r)) {
		table_cell(t, json_get_str(r, "key", ""));
		table_cell(t, json_get_str(r, "state", ""));
		table_cellf(t, "%.10s", json_get_str(r, "run", ""));
		table_cell(t, json_get_str(r, "message", ""));
	}
	putchar('\n');
	table_print(t, cli, "");
}

static void print_one(const struct cli *cli, const struct json *j)
{
	struct str b;
	const char *message = json_get_str(j, "message", "");
	str_init(&b, 1 << 16);
	str_addf(&b, "backfill %s  %s/%s  ", json_get_str(j, "id", ""), json_get_str(j, "dag", ""),
	    json_get_str(j, "trigger", ""));
	text_paint(
	    cli, &b, text_state_paint(json_get_str(j, "state", "")), json_get_str(j, "state", ""));
	str_addf(&b, "\n%s to %s, %s first, %lld at a time, downstream %s%s\n",
	    json_get_str(j, "from", ""), json_get_str(j, "to", ""), json_get_str(j, "order", ""),
	    (long long)json_get_i64(j, "max_parallel", 1), json_get_str(j, "downstream", ""),
	    json_get_bool(j, "reprocess", false) ? ", reprocess" : "");
	progress(&b, j);
	add_count(&b, j, "open", "open");
	add_count(&b, j, "succeeded", "succeeded");
	add_count(&b, j, "failed", "failed");
	add_count(&b, j, "cancelled", "cancelled");
	add_count(&b, j, "existing", "kept");
	add_count(&b, j, "rejected", "refused by the trigger's params");
	add_count(&b, j, "taken", "taken over by a later backfill");
	if (json_get_str(j, "next_key", NULL))
		str_addf(&b, "; next %s", json_get_str(j, "next_key", ""));
	str_addf(&b, "\nby %s", json_get_str(j, "actor", ""));
	add_time(&b, ", ", j, "created_at");
	add_time(&b, ", ended ", j, "ended_at");
	str_addc(&b, '\n');
	if (message[0])
		str_addf(&b, "%s\n", message);
	fputs(str_peek(&b), stdout);
	str_done(&b);
	print_runs(cli, j, "open_runs");
	print_runs(cli, j, "failed_runs");
}

static int request_one(struct cli *cli, const char *id, const char *verb, struct json **ret)
{
	const char *no = str_starts(id, "backfill:") ? id + 9 : id;
	struct str path;
	uint64_t n;
	if (str_to_u64(no, &n) != 0 || n == 0)
		return cli_error(
		    EXIT_USAGE, "\"%s\" is no backfill: it is a number, see: sluice backfills", id);
	str_init(&path, 4096);
	str_add(&path, "/v1/backfills/");
	cli_add_segment(&path, no);
	if (verb)
		str_addf(&path, "/%s", verb);
	int rc =
	    cli_request(cli, verb ? "POST" : "GET", str_peek(&path), verb ? "{}" : NULL, ret, NULL);
	str_done(&path);
	if (rc == EXIT_OK && cli->output != OUTPUT_TEXT)
		cli_print_json(cli, *ret, NULL);
	return rc;
}

static int show(struct cli *cli, const char *id)
{
	struct json *j = NULL;
	int rc = request_one(cli, id, NULL, &j);
	if (rc == EXIT_OK && cli->output == OUTPUT_TEXT)
		print_one(cli, j);
	json_free(j);
	return rc;
}

static int change(struct cli *cli, const char *id, const char *verb)
{
	struct json *j = NULL;
	int rc = request_one(cli, id, verb, &j);
	if (rc == EXIT_OK && cli->output == OUTPUT_TEXT) {
		struct str b;
		str_init(&b, 256);
		progress(&b, j);
		printf("backfill %s is %s, %s done, %lld open\n", json_get_str(j, "id", ""),
		    json_get_str(j, "state", ""), str_peek(&b),
		    (long long)json_get_i64(j, "open", 0));
		str_done(&b);
	}
	json_free(j);
	return rc;
}

/* ---- a new one ---- */

static void print_plan(const struct cli *cli, const struct json *j)
{
	static const struct table_column of_plan[] = {
	    {"KEY", false, true, false},
	    {"WOULD", false, false, false},
	    {"RUN", false, false, false},
	    {"STATE", false, false, true},
	};
	struct text_table *t = table_new(of_plan, 4);
	for (const struct json *r = json_first(json_get(j, "targets")); r; r = json_next(r)) {
		table_cell(t, json_get_str(r, "key", ""));
		table_cell(t, json_get_str(r, "do", ""));
		table_cellf(t, "%.10s", json_get_str(r, "run", ""));
		table_cell(t, json_get_str(r, "state", ""));
	}
	table_print(t, cli, "no windows");
	printf("%s%lld to make, %lld to run again, %lld as a new revision, %lld to keep; "
	       "nothing was written\n",
	    json_get_bool(j, "whole", true) ? "" : "of the first 5,000: ",
	    (long long)json_get_i64(j, "make", 0), (long long)json_get_i64(j, "rerun", 0),
	    (long long)json_get_i64(j, "revise", 0), (long long)json_get_i64(j, "keep", 0));
}

static int make_body(const struct args *a, struct json *body)
{
	static const char *const texts[] = {"from", "to", "trigger", "order", "downstream"};
	const char *parallel = args_get(a, "max-parallel", NULL);
	int64_t n;
	json_put(body, "dag", json_new_str(a->pos[0]));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (args_get(a, texts[i], NULL))
			json_put(body, texts[i], json_new_str(args_get(a, texts[i], NULL)));
	if (parallel && (str_to_i64(parallel, &n) != 0 || n < 1))
		return cli_error(
		    EXIT_USAGE, "--max-parallel is a number from 1 to 1000, not \"%s\"", parallel);
	if (parallel)
		json_put(body, "max_parallel", json_new_i64(n));
	if (args_has(a, "reprocess"))
		json_put(body, "reprocess", json_new_bool(true));
	if (args_has(a, "dry-run"))
		json_put(body, "dry_run", json_new_bool(true));
	return EXIT_OK;
}

static int make(struct cli *cli, const struct args *a)
{
	struct json *body = json_new_object(), *j = NULL;
	struct str text;
	if (!args_has(a, "from") || !args_has(a, "to")) {
		json_free(body);
		return cli_error(EXIT_USAGE, "a backfill needs --from and --to, both inclusive: a "
					     "day (2026-11-01), an hour, "
					     "a week, a month or a time");
	}
	str_init(&text, 1 << 16);
	int rc = make_body(a, body);
	json_print(body, &text);
	if (rc == EXIT_OK)
		rc = cli_request(cli, "POST", "/v1/backfills", str_peek(&text), &j, NULL);
	if (rc == EXIT_OK && cli->output != OUTPUT_TEXT)
		cli_print_json(cli, j, NULL);
	else if (rc == EXIT_OK && args_has(a, "dry-run"))
		print_plan(cli, j);
	else if (rc == EXIT_OK)
		printf("backfill %s: %lld%s windows of %s/%s, %lld at a time; see: sluice backfill "
		       "show %s\n",
		    json_get_str(j, "id", ""), (long long)json_get_i64(j, "total", 0),
		    json_get_bool(j, "counting", false) ? " or more" : "",
		    json_get_str(j, "dag", ""), json_get_str(j, "trigger", ""),
		    (long long)json_get_i64(j, "max_parallel", 1), json_get_str(j, "id", ""));
	str_done(&text);
	json_free(body);
	json_free(j);
	return rc;
}

/* A DAG may be called like a verb: then --from tells. */
static int run(struct cli *cli, const struct args *a)
{
	static const char *const verbs[] = {"show", "pause", "resume", "cancel"};
	if (!args_expect(a, 1, 2))
		return EXIT_USAGE;
	if (a->n_pos == 1 && (args_has(a, "from") || args_has(a, "to")))
		return make(cli, a);
	if (str_eq(a->pos[0], "list") && a->n_pos == 1)
		return cli_list(cli, a, &backfills);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!str_eq(a->pos[0], verbs[i]))
			continue;
		if (a->n_pos == 1)
			return cli_error(EXIT_USAGE,
			    "`backfill %s` needs the number of a backfill: sluice backfills",
			    verbs[i]);
		return i == 0 ? show(cli, a->pos[1]) : change(cli, a->pos[1], verbs[i]);
	}
	if (a->n_pos == 2)
		return cli_error(EXIT_USAGE,
		    "backfill knows list, show, pause, resume and cancel, not \"%s\"", a->pos[0]);
	return make(cli, a);
}

#define LIST_OPTIONS                                                                               \
	{"dag", "DAG", "With list: only backfills of this DAG.", 0},                               \
	    {"state", "running|paused|succeeded|failed|cancelled",                                 \
		"With list: only those in this state.", 0},                                        \
	    {"limit", "N", "With list: at most N rows (100, at most 1000).", 'n'},                 \
	{                                                                                          \
		"after", "NEXT", "With list: the page behind this one.", 0                         \
	}

static const struct cli_opt opts[] = {
    {"from", "KEY|TIME", "The first window: a day, hour, week or month, or a time; inclusive.", 0},
    {"to", "KEY|TIME", "The last window; inclusive. What has not come yet is left out.", 0},
    {"trigger", "NAME", "The schedule; needed where the DAG has several.", 0},
    {"order", "oldest|newest", "Which window comes first (oldest).", 0},
    {"max-parallel", "N", "At most N runs open at a time (1); max_runs and pools hold besides.", 0},
    {"reprocess", NULL, "Make a new revision of windows that have a run already.", 0},
    {"downstream", "each|once|none",
	"Whether DAGs that follow start: each time, once at the end (default), or not.", 0},
    {"dry-run", NULL, "Say what would be made, kept and run again; write nothing.", 0},
    LIST_OPTIONS,
    {NULL, NULL, NULL, 0},
};
const struct command cmd_backfill = {
    .name = "backfill",
    .synopsis = "DAG --from KEY --to KEY [OPTIONS] | list | show|pause|resume|cancel ID",
    .summary = "Fill windows of a schedule that have passed, a few at a time",
    .help = "A window that succeeded is kept; one that failed or was cancelled runs its failed "
	    "steps\nagain, as the DAG is now. A run that fails does not stop the others.\n"
	    "\nExamples:\n"
	    "  sluice backfill shop --from 2026-01-01 --to 2026-12-31 --dry-run\n"
	    "  sluice backfill shop --from 2026-01 --to 2026-03 --max-parallel 4\n"
	    "  sluice backfill show 3",
    .opts = opts,
    .run = run,
};

static int run_list(struct cli *cli, const struct args *a)
{
	return args_expect(a, 0, 0) ? cli_list(cli, a, &backfills) : EXIT_USAGE;
}

static const struct cli_opt list_opts[] = {
    {"dag", "DAG", "Only backfills of this DAG.", 0},
    {"state", "running|paused|succeeded|failed|cancelled", "Only those in this state.", 0},
    {"limit", "N", "At most N rows (100, at most 1000).", 'n'},
    {"after", "NEXT", "The page behind this one: the `next` of the JSON output.", 0},
    {NULL, NULL, NULL, 0},
};
const struct command cmd_backfills = {
    .name = "backfills",
    .synopsis = "[--dag DAG] [--state STATE] [--limit N] [--after NEXT]",
    .summary = "List backfills, newest first",
    .help = "Examples:\n  sluice backfills --state running",
    .opts = list_opts,
    .run = run_list,
};
