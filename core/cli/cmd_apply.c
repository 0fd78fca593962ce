/* cmd_apply.c: `sluice plan | apply`: what the daemon's DAG folder would change, and doing it. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static void print_names(const struct cli *cli, const struct json *list, const char *sign,
    const char *word, enum paint paint)
{
	for (const struct json *d = json_first(list); d; d = json_next(d)) {
		const char *name = json_is(d, JSON_STRING)
				       ? json_str(d, "")
				       : json_get_str(d, "dag", json_get_str(d, "name", ""));
		struct str b;
		str_init(&b, 4096);
		text_paint(cli, &b, paint, sign);
		str_addf(&b, " %s %s", name, word);
		puts(str_peek(&b));
		str_done(&b);
	}
}

static void print_errors(const struct cli *cli, const struct json *errors)
{
	for (const struct json *e = json_first(errors); e; e = json_next(e)) {
		struct str b;
		str_init(&b, 1 << 16);
		text_paint(cli, &b, PAINT_BAD, "!");
		str_addf(&b, " %s:%lld:%lld: %s", json_get_str(e, "path", ""),
		    (long long)json_get_i64(e, "line", 1), (long long)json_get_i64(e, "column", 1),
		    json_get_str(e, "message", json_str(e, "")));
		if (json_get_str(e, "hint", "")[0])
			str_addf(&b, "\n    %s", json_get_str(e, "hint", ""));
		puts(str_peek(&b));
		str_done(&b);
	}
}

static int plan_or_apply(struct cli *cli, const struct args *a, const char *path, bool done)
{
	struct json *r = NULL;
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	int rc = cli_request(cli, "POST", path, "{}", &r, NULL);
	if (rc != EXIT_OK)
		return rc;
	if (cli->output != OUTPUT_TEXT) {
		cli_print_json(cli, r, NULL);
	} else {
		print_names(
		    cli, json_get(r, "add"), "+", done ? "added" : "would be added", PAINT_GOOD);
		print_names(
		    cli, json_get(r, "change"), "~", done ? "changed" : "would change", PAINT_WARN);
		print_names(cli, json_get(r, "remove"), "-", done ? "removed" : "would be removed",
		    PAINT_BAD);
		print_errors(cli, json_get(r, "errors"));
		printf("%lld unchanged\n", (long long)json_get_i64(r, "same", 0));
	}
	rc = json_len(json_get(r, "errors")) > 0 ? EXIT_USAGE : EXIT_OK;
	json_free(r);
	return rc;
}

static int run_plan(struct cli *cli, const struct args *a)
{
	return plan_or_apply(cli, a, "/v1/plan", false);
}

static int run_apply(struct cli *cli, const struct args *a)
{
	return plan_or_apply(cli, a, "/v1/apply", true);
}

const struct command cmd_plan = {
    .name = "plan",
    .synopsis = "",
    .summary = "Say what apply would change",
    .help = "Compiles the DAG folder of the daemon and compares; changes nothing.\n"
	    "Exit status 2 when a file does not compile.\n"
	    "\nExamples:\n  sluice plan\n  sluice plan -o json",
    .opts = opts,
    .run = run_plan,
};
const struct command cmd_apply = {
    .name = "apply",
    .synopsis = "",
    .summary = "Take in the DAG files of the daemon's folder",
    .help = "A file that does not compile changes nothing: its last good plan goes on running.\n"
	    "\nExamples:\n  sluice check && sluice apply",
    .opts = opts,
    .run = run_apply,
};
