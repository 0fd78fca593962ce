/* cmd_hook.c: `sluice hook`: what came in at a hook and was refused. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static void print_hook(const struct cli *cli, const struct json *h)
{
	static const struct table_column columns[] = {
	    {"TIME", false, false, false},
	    {"FROM", false, true, false},
	    {"STATUS", true, false, false},
	    {"REASON", false, true, false},
	};
	struct text_table *t = table_new(columns, 4);
	printf("%s  scheme %s  accepted %lld  refused %lld\n", json_get_str(h, "name", ""),
	    json_get_str(h, "scheme", ""), (long long)json_get_i64(h, "accepted", 0),
	    (long long)json_get_i64(h, "refused", 0));
	for (const struct json *r = json_first(json_get(h, "last_refused")); r; r = json_next(r)) {
		table_time(t, json_get_str(r, "time", NULL));
		table_cell(t, json_get_str(r, "from", ""));
		table_int(t, json_get_i64(r, "status", 0));
		table_cell(t, json_get_str(r, "reason", ""));
	}
	table_print(t, cli, "nothing was refused since the daemon started");
}

static int run(struct cli *cli, const struct args *a)
{
	struct json *h;
	if (!args_expect(a, 2, 2))
		return EXIT_USAGE;
	if (!str_eq(a->pos[0], "show"))
		return cli_error(EXIT_USAGE, "hook knows `show NAME`, not \"%s\"", a->pos[0]);
	char *path = cli_path("/v1/hooks/", a->pos[1], "");
	int rc = cli_ask(cli, "GET", path, NULL, &h);
	if (h)
		print_hook(cli, h);
	mem_free(path);
	json_free(h);
	return rc;
}

const struct command cmd_hook = {
    .name = "hook",
    .synopsis = "show NAME",
    .summary = "Show a webhook: counts and the last refused requests",
    .help = "What fails authentication is counted and kept for a while, never stored as an event.\n"
	    "\nExamples:\n  sluice hook show shop-ingest",
    .opts = opts,
    .run = run,
};
