/* cmd_datasets.c: `sluice datasets`: list data sets, show one, or report that one was updated from
 * outside. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {"partition", "KEY", "With touch: the partition that was updated.", 0},
    {"complete-through", "TIME", "With touch: everything up to this time is there.", 0},
    {"limit", "N", "At most N rows (100, at most 1000).", 'n'},
    {"after", "NEXT", "The page behind this one: the `next` of the JSON output.", 0},
    {NULL, NULL, NULL, 0},
};

static void row(struct text_table *t, const struct json *d)
{
	table_cell(t, json_get_str(d, "name", ""));
	table_int(t, json_get_i64(d, "version", 0));
	table_time(t, json_get_str(d, "complete_through", NULL));
	table_time(t, json_get_str(d, "visible_at", NULL));
}

static const struct table_column columns[] = {
    {"DATA SET", false, true, false},
    {"VERSION", true, false, false},
    {"COMPLETE THROUGH", false, false, false},
    {"VISIBLE", false, false, false},
};
static const struct list datasets = {"/v1/datasets", "datasets", columns, 4, row,
    "no data sets yet; a load or a step's `publishes` makes them", NULL};

static void print_one(const struct cli *cli, const struct json *d)
{
	static const struct table_column of_versions[] = {
	    {"VERSION", true, false, false},
	    {"PARTITION", false, true, false},
	    {"ROWS", true, false, false},
	    {"VISIBLE", false, false, false},
	    {"RUN", false, false, false},
	};
	struct text_table *t = table_new(of_versions, 5);
	printf("%s  version %lld  owner %s\n", json_get_str(d, "name", ""),
	    (long long)json_get_i64(d, "version", 0), json_get_str(d, "dag", "-"));
	for (const struct json *v = json_first(json_get(d, "versions")); v; v = json_next(v)) {
		struct str rows;
		str_init(&rows, 64);
		text_count(&rows, json_get_i64(v, "rows", 0));
		table_int(t, json_get_i64(v, "version", 0));
		table_cell(t, json_get_str(v, "partition", ""));
		table_cell(t, str_peek(&rows));
		table_time(t, json_get_str(v, "visible_at", NULL));
		table_cellf(t, "%.10s", json_get_str(v, "run", ""));
		str_done(&rows);
	}
	table_print(t, cli, "never published");
}

static int show(struct cli *cli, const char *name)
{
	struct json *d;
	char *path = cli_path("/v1/datasets/", name, "");
	int rc = cli_ask(cli, "GET", path, NULL, &d);
	if (d)
		print_one(cli, d);
	mem_free(path);
	json_free(d);
	return rc;
}

static int touch(struct cli *cli, const struct args *a)
{
	struct json *body = json_new_object(), *reply;
	char *path = cli_path("/v1/datasets/", a->pos[1], "/touch");
	if (args_get(a, "partition", NULL))
		json_put(body, "partition", json_new_str(args_get(a, "partition", NULL)));
	if (args_get(a, "complete-through", NULL))
		json_put(
		    body, "complete_through", json_new_str(args_get(a, "complete-through", NULL)));
	int rc = cli_ask(cli, "POST", path, body, &reply);
	if (reply)
		printf("%s touched\n", a->pos[1]);
	mem_free(path);
	json_free(reply);
	return rc;
}

static int run(struct cli *cli, const struct args *a)
{
	if (!args_expect(a, 0, 2))
		return EXIT_USAGE;
	if (a->n_pos == 0)
		return cli_list(cli, a, &datasets);
	if (a->n_pos == 1)
		return show(cli, a->pos[0]);
	if (str_eq(a->pos[0], "touch"))
		return touch(cli, a);
	return cli_error(EXIT_USAGE, "datasets knows `touch NAME`, not \"%s\"", a->pos[0]);
}

const struct command cmd_datasets = {
    .name = "datasets",
    .synopsis = "[NAME | touch NAME [--partition KEY] [--complete-through TIME]]",
    .summary = "List data sets, show one with its versions, or touch one",
    .help = "`touch` says that a data set was updated outside Sluice; what waits for it starts.\n"
	    "\nExamples:\n"
	    "  sluice datasets\n"
	    "  sluice datasets lake/shop.orders\n"
	    "  sluice datasets touch lake/shop.orders --partition day=2026-11-21",
    .opts = opts,
    .run = run,
};
