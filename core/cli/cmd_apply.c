/* cmd_apply.c: `sluice plan | apply`: what the daemon's DAG folder would change, and doing it. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <string.h>

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

/* Names with their sign, wrapped where the terminal ends; `title` stands before the first line. */
static void print_group(const struct cli *cli, const char *title, const struct json *group)
{
	static const struct {
		const char *key, *sign;
		enum paint paint;
	} kinds[] = {
	    {"add", "+", PAINT_GOOD}, {"change", "~", PAINT_WARN}, {"remove", "-", PAINT_BAD}};
	size_t at = 0, width;
	struct str b;
	str_init(&b, 1 << 20);
	for (size_t k = 0; k < 3; k++) {
		for (const struct json *n = json_first(json_get(group, kinds[k].key)); n;
		     n = json_next(n)) {
			width = text_width(json_str(n, "")) + 4;
			if (at == 0 || at + width > (size_t)cli->width) {
				str_addf(&b, "%s    %-10s", at ? "\n" : "", at ? "" : title);
				at = 14;
			}
			str_add(&b, at > 14 ? "  " : " ");
			text_paint(cli, &b, kinds[k].paint, kinds[k].sign);
			str_add(&b, " ");
			str_add_visible(&b, json_str(n, ""), strlen(json_str(n, "")));
			at += width;
		}
	}
	if (b.len)
		puts(str_peek(&b));
	str_done(&b);
}

/* Settings have no sign: they are there in both plans. */
static void print_settings(const struct json *list)
{
	struct str b;
	str_init(&b, 1 << 16);
	for (const struct json *n = json_first(list); n; n = json_next(n))
		str_addf(&b, "%s%s", b.len ? ", " : "", json_str(n, ""));
	if (b.len)
		printf("    %-10s %s\n", "settings", str_peek(&b));
	str_done(&b);
}

static void print_dag(const struct cli *cli, const char *name, const struct json *detail,
    const char *sign, enum paint paint)
{
	struct str b;
	str_init(&b, 1 << 16);
	text_paint(cli, &b, paint, sign);
	str_add(&b, " ");
	text_paint(cli, &b, PAINT_BOLD, name);
	str_addf(&b, "  %s", json_get_str(detail, "file", ""));
	if (json_get_str(detail, "next", NULL)) {
		str_add(&b, "  next ");
		text_time(&b, json_get_str(detail, "next", NULL));
	}
	puts(str_peek(&b));
	str_done(&b);
	print_group(cli, "triggers", json_get(detail, "triggers"));
	print_group(cli, "steps", json_get(detail, "steps"));
	print_group(cli, "data sets", json_get(detail, "datasets"));
	print_settings(json_get(detail, "settings"));
}

static void print_dags(const struct cli *cli, const struct json *r, const char *list,
    const char *sign, enum paint paint)
{
	const struct json *details = json_get(r, "details");
	for (const struct json *d = json_first(json_get(r, list)); d; d = json_next(d))
		print_dag(cli, json_str(d, ""), json_get(details, json_str(d, "")), sign, paint);
}

/* sluice.yaml, where there is something to say of it. */
static void print_configuration(const struct cli *cli, const struct json *c, bool done)
{
	const char *result = json_get_str(c, "result", "same");
	const char *file = json_get_str(c, "file", "sluice.yaml"), *name = strrchr(file, '/');
	struct str b;
	name = name ? name + 1 : file;
	str_init(&b, 4096);
	if (str_eq(result, "changed")) {
		text_paint(cli, &b, PAINT_WARN, "~");
		str_addf(&b, " %s  %s\n", name, done ? "in force" : "the configuration");
	} else if (str_eq(result, "refused")) {
		text_paint(cli, &b, PAINT_BAD, "!");
		str_addf(&b, " %s is wrong: the old configuration stays in force\n", name);
	}
	for (const struct json *k = json_first(json_get(c, "needs_restart")); k; k = json_next(k)) {
		text_paint(cli, &b, PAINT_WARN, "!");
		str_addf(&b, " %s: %s changes only when the daemon is started again\n", name,
		    json_str(k, ""));
	}
	fputs(str_peek(&b), stdout);
	str_done(&b);
}

static void print_errors(const struct cli *cli, const struct json *errors)
{
	for (const struct json *e = json_first(errors); e; e = json_next(e)) {
		struct str b, text;
		str_init(&b, 1 << 16);
		str_init(&text, 1 << 16);
		text_paint(cli, &b, PAINT_BAD, "!");
		str_addf(&text, "%s:%lld:%lld: %s", json_get_str(e, "path", ""),
		    (long long)json_get_i64(e, "line", 1), (long long)json_get_i64(e, "column", 1),
		    json_get_str(e, "message", json_str(e, "")));
		str_addc(&b, ' ');
		text_wrap(&b, str_peek(&text), 2, 2, text_columns(cli));
		if (json_get_str(e, "hint", "")[0]) {
			str_add(&b, "\n    ");
			text_wrap(&b, json_get_str(e, "hint", ""), 4, 4, text_columns(cli));
		}
		puts(str_peek(&b));
		str_done(&text);
		str_done(&b);
	}
}

static void print_answer(const struct cli *cli, const struct json *r, bool done)
{
	size_t add = json_len(json_get(r, "add")), change = json_len(json_get(r, "change")),
	       gone = json_len(json_get(r, "remove")), errors = json_len(json_get(r, "errors"));
	print_configuration(cli, json_get(r, "configuration"), done);
	print_dags(cli, r, "add", "+", PAINT_GOOD);
	print_dags(cli, r, "change", "~", PAINT_WARN);
	print_dags(cli, r, "remove", "-", PAINT_BAD);
	print_errors(cli, json_get(r, "errors"));
	printf("%s%zu added, %zu changed, %zu removed, %lld unchanged",
	    done ? "" : "would be: ", add, change, gone, (long long)json_get_i64(r, "same", 0));
	if (errors)
		printf(", %zu error%s", errors, errors == 1 ? "" : "s");
	putchar('\n');
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
		print_answer(cli, r, done);
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
    .help =
	"Compiles the daemon's sluice.yaml and DAG folder and compares; changes nothing. Shown\n"
	"are DAGs added (+), changed (~) and removed (-), and in each its triggers, steps and\n"
	"data sets.\n"
	"Exit status 2 when a file does not compile.\n"
	"\nExamples:\n  sluice plan\n  sluice plan -o json",
    .opts = opts,
    .run = run_plan,
};
const struct command cmd_apply = {
    .name = "apply",
    .synopsis = "",
    .summary = "Take in sluice.yaml and the DAG files of the daemon",
    .help =
	"Reads sluice.yaml again, then the DAG folder. A file that does not compile changes\n"
	"nothing: the configuration or plan before it stays in force. What only a new start of\n"
	"the daemon changes (state, http.unix) is named.\n"
	"\nExamples:\n  sluice check && sluice apply",
    .opts = opts,
    .run = run_apply,
};
