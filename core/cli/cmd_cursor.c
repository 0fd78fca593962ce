/* cmd_cursor.c: `sluice cursor`: where steps read on: list, show, set, and lines that go out and
 * come back in. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- list, show ---- */

static void cell_json(struct text_table *t, const struct json *j)
{
	struct str b;
	str_init(&b, 1 << 20);
	json_print(j, &b);
	table_cell(t, str_peek(&b));
	str_done(&b);
}

static void row(struct text_table *t, const struct json *j)
{
	const char *item = json_get_str(j, "item", NULL);
	table_cell(t, json_get_str(j, "dag", ""));
	table_cellf(t, "%s%s%s%s", json_get_str(j, "step", ""), item ? "[" : "", item ? item : "",
	    item ? "]" : "");
	cell_json(t, json_get(j, "cursor"));
	table_time(t, json_get_str(j, "updated_at", NULL));
}

static const struct table_column columns[] = {
    {"DAG", false, true, false},
    {"STEP", false, true, false},
    {"CURSOR", false, true, false},
    {"UPDATED", false, false, false},
};
static const struct list cursors = {"/v1/cursors", "cursors", columns, 4, row,
    "no cursors yet; an extract with `cursor:` makes one", NULL};

static void add_path(struct str *path, const char *dag, const char *step, const char *item)
{
	str_add(path, "/v1/cursors/");
	cli_add_segment(path, dag);
	str_addc(path, '/');
	cli_add_segment(path, step);
	if (!item || !item[0])
		return;
	str_addc(path, '/');
	cli_add_segment(path, item);
}

static void print_one(const struct json *j)
{
	struct str text;
	str_init(&text, 1 << 20);
	json_print_pretty(json_get(j, "cursor"), &text);
	str_add(&text, "\nupdated ");
	text_time(&text, json_get_str(j, "updated_at", NULL));
	if (json_get_str(j, "run", NULL))
		str_addf(&text, " by run %s", json_get_str(j, "run", ""));
	else
		str_add(&text, " by hand");
	if (json_get_str(j, "complete_through", NULL)) {
		str_add(&text, ", complete through ");
		text_time(&text, json_get_str(j, "complete_through", NULL));
	}
	puts(str_peek(&text));
	str_done(&text);
}

static int show(struct cli *cli, const struct args *a)
{
	struct str path;
	struct json *j;
	str_init(&path, 8192);
	add_path(&path, a->pos[1], a->pos[2], a->n_pos > 3 ? a->pos[3] : NULL);
	int rc = cli_ask(cli, "GET", str_peek(&path), NULL, &j);
	if (j)
		print_one(j);
	str_done(&path);
	json_free(j);
	return rc;
}

/* ---- export ---- */

static bool print_export(void *ctx, const struct json *j)
{
	static const char *const members[] = {"dag", "step", "item", "cursor", "complete_through"};
	struct json *o = json_new_object();
	struct str line;
	(void)ctx;
	str_init(&line, 1 << 20);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		json_put(o, members[i], json_dup(json_get(j, members[i])));
	json_print(o, &line);
	puts(str_peek(&line));
	str_done(&line);
	json_free(o);
	return true;
}

static int export(struct cli *cli, const struct args *a)
{
	struct str path;
	cli->output = OUTPUT_JSON; /* what is read again stays as it is */
	str_init(&path, 8192);
	str_add(&path, "/v1/cursors");
	cli_add_query(&path, "dag", args_get(a, "dag", NULL));
	int rc = cli_each(cli, str_peek(&path), "cursors", print_export, NULL);
	str_done(&path);
	return rc;
}

/* ---- set ---- */

static int post(struct cli *cli, const struct json *j, struct json **ret)
{
	struct json *body = json_new_object();
	struct str path, text;
	str_init(&path, 8192);
	str_init(&text, 1 << 20);
	add_path(&path, json_get_str(j, "dag", ""), json_get_str(j, "step", ""),
	    json_get_str(j, "item", NULL));
	if (json_get(j, "cursor"))
		json_put(body, "cursor", json_dup(json_get(j, "cursor")));
	if (json_get_str(j, "complete_through", NULL))
		json_put(body, "complete_through", json_dup(json_get(j, "complete_through")));
	json_print(body, &text);
	int rc = cli_request(cli, "POST", str_peek(&path), str_peek(&text), ret, NULL);
	str_done(&path);
	str_done(&text);
	json_free(body);
	return rc;
}

static int set_one(struct cli *cli, const struct args *a)
{
	const char *value = args_get(a, "cursor", NULL),
		   *upto = args_get(a, "complete-through", NULL);
	struct json *cursor = NULL, *j, *reply = NULL;
	struct err err = {0};
	if (!value)
		return cli_error(EXIT_USAGE, "cursor set DAG STEP needs --cursor JSON");
	if (json_parse(value, strlen(value), 1 << 20, &cursor, &err) != 0)
		return cli_error(EXIT_USAGE, "--cursor is no JSON: %s", err.text);
	j = json_new_object();
	json_put(j, "dag", json_new_str(a->pos[1]));
	json_put(j, "step", json_new_str(a->pos[2]));
	json_put(j, "item", a->n_pos > 3 ? json_new_str(a->pos[3]) : json_new_null());
	json_put(j, "cursor", cursor);
	if (upto)
		json_put(j, "complete_through", json_new_str(upto));
	int rc = post(cli, j, &reply);
	if (rc == EXIT_OK && cli->output != OUTPUT_TEXT)
		cli_print_json(cli, reply, NULL);
	else if (rc == EXIT_OK)
		printf("cursor of step %s set\n", a->pos[2]);
	json_free(j);
	json_free(reply);
	return rc;
}

/* Lines as export prints them; stops at the first that is refused, and says which. */
static int set_lines(struct cli *cli)
{
	char *line = NULL;
	size_t cap = 0, at = 0, set = 0;
	ssize_t n;
	int rc = EXIT_OK;
	while (rc == EXIT_OK && (n = getline(&line, &cap, stdin)) > 0) {
		struct err err = {0};
		struct json *j = NULL;
		at++;
		if (strspn(line, " \t\r\n") == (size_t)n)
			continue;
		if (json_parse(line, (size_t)n, 1 << 20, &j, &err) != 0)
			rc = cli_error(EXIT_USAGE, "line %zu is no JSON: %s", at, err.text);
		else if (!json_get_str(j, "dag", NULL) || !json_get_str(j, "step", NULL))
			rc = cli_error(EXIT_USAGE, "line %zu names no dag and step", at);
		else
			rc = post(cli, j, NULL);
		set += rc == EXIT_OK;
		json_free(j);
	}
	free(line);
	if (rc != EXIT_OK)
		return cli_error(rc, "stopped at line %zu; %zu cursors were set", at, set);
	if (cli->output == OUTPUT_TEXT)
		printf("%zu cursors set\n", set);
	else
		printf("{\"ok\":true,\"count\":%zu}\n", set);
	return rc;
}

static int run(struct cli *cli, const struct args *a)
{
	if (!args_expect(a, 1, 4))
		return EXIT_USAGE;
	if (str_eq(a->pos[0], "list") && a->n_pos == 1)
		return cli_list(cli, a, &cursors);
	if (str_eq(a->pos[0], "export") && a->n_pos == 1)
		return export(cli, a);
	if (str_eq(a->pos[0], "set") && a->n_pos == 1)
		return set_lines(cli);
	if (a->n_pos < 3 && (str_eq(a->pos[0], "show") || str_eq(a->pos[0], "set")))
		return cli_error(EXIT_USAGE, "`cursor %s` needs DAG and STEP", a->pos[0]);
	if (str_eq(a->pos[0], "show"))
		return show(cli, a);
	if (str_eq(a->pos[0], "set"))
		return set_one(cli, a);
	return cli_error(
	    EXIT_USAGE, "cursor knows list, show, set and export, not \"%s\"", a->pos[0]);
}

static const struct cli_opt opts[] = {
    {"dag", "DAG", "With list and export: only cursors of this DAG.", 0},
    {"cursor", "JSON", "With set: the cursor as `show -o json` prints it.", 0},
    {"complete-through", "TIME", "With set: everything up to this time was read.", 0},
    {"limit", "N", "With list: at most N rows (100, at most 1000).", 'n'},
    {"after", "NEXT", "With list: the page behind this one.", 0},
    {NULL, NULL, NULL, 0},
};
const struct command cmd_cursor = {
    .name = "cursor",
    .synopsis = "list | show DAG STEP [ITEM] | set [DAG STEP [ITEM] --cursor JSON] | export",
    .summary = "List, show, set and export where steps read on",
    .help = "`export` prints a JSON object a line; `set` without a step reads such lines from "
	    "standard\ninput. A cursor is not set while its step runs.\n"
	    "\nExamples:\n"
	    "  sluice cursor list\n"
	    "  sluice cursor set shop orders --cursor '{\"updated_at\":\"2026-11-01T00:00:00Z\"}'\n"
	    "  sluice cursor export >cursors.ndjson; sluice cursor set <cursors.ndjson",
    .opts = opts,
    .run = run,
};
