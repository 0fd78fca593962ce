/* cmd_logs.c: `sluice logs`: the output of a run's steps. */
#include "core/base/mem.h"
#include "core/cli/client.h"

#include <string.h>

static const struct cli_opt opts[] = {
    {"follow", NULL, "Print what comes until the attempt ends.", 'f'},
    {"attempt", "N", "This attempt; without it the newest.", 0},
    {NULL, NULL, NULL, 0},
};

static bool on_piece(void *arg, const char *p, size_t n)
{
	bool *line_open = arg;
	fwrite(p, 1, n, stdout);
	fflush(stdout);
	if (n > 0)
		*line_open = p[n - 1] != '\n';
	return true;
}

static int print_log(
    struct cli *cli, const struct args *a, const char *run, const char *step, bool required)
{
	struct str path, problem;
	struct err err = {0};
	struct json *j = NULL;
	bool line_open = false;
	int status = 0, code = EXIT_OK;
	str_init(&path, 1 << 16);
	str_init(&problem, 1 << 20);
	str_add(&path, "/v1/runs/");
	cli_add_segment(&path, run);
	str_add(&path, "/steps/");
	cli_add_segment(&path, step);
	str_add(&path, "/log");
	cli_add_query(&path, "attempt", args_get(a, "attempt", NULL));
	if (args_has(a, "follow"))
		cli_add_query(&path, "follow", "true");
	struct client_stream handler = {.piece = on_piece, .arg = &line_open};
	int rc = client_stream(cli->client, str_peek(&path), &handler, &status, &problem, &err);
	if (rc)
		code = cli_error(
		    rc == ERR_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_INTERNAL, "%s", err.text);
	else if (status >= 300 && required) {
		if (cli_parse(cli, str_peek(&problem), problem.len, 1 << 20, &j, NULL) != 0)
			j = NULL;
		code = cli_problem(j, status);
		json_free(j);
	}
	if (line_open && cli->tty)
		putchar('\n');
	str_done(&path);
	str_done(&problem);
	return code;
}

/* Every step that has begun, in order, under a heading. */
static int print_all(struct cli *cli, const struct args *a, const struct json *run)
{
	int rc = EXIT_OK;
	for (const struct json *s = json_first(json_get(run, "steps")); s && rc == EXIT_OK;
	     s = json_next(s)) {
		const char *item = json_get_str(s, "item", NULL),
			   *name = json_get_str(s, "name", "");
		struct str step, title;
		if (json_get_i64(s, "attempt", 0) == 0)
			continue;
		str_init(&step, 4096);
		str_init(&title, 8192);
		str_addf(&step, item ? "%s[%s]" : "%s", name, item);
		str_add(&title, "==> ");
		str_add_visible(&title, str_peek(&step), step.len);
		str_addf(&title, "  attempt %lld  %s <==", (long long)json_get_i64(s, "attempt", 1),
		    json_get_str(s, "state", ""));
		struct str painted;
		str_init(&painted, 1 << 14);
		text_paint(cli, &painted, PAINT_BOLD, str_peek(&title));
		puts(str_peek(&painted));
		fflush(stdout);
		rc = print_log(cli, a, json_get_str(run, "id", ""), str_peek(&step), false);
		str_done(&painted);
		str_done(&title);
		str_done(&step);
	}
	return rc;
}

static int run(struct cli *cli, const struct args *a)
{
	struct json *r = NULL;
	if (!args_expect(a, 1, 2))
		return EXIT_USAGE;
	char *path = cli_path("/v1/runs/", a->pos[0], "");
	enum output shown = cli->output;
	cli->output = OUTPUT_JSON; /* an item is asked for by its key as it is */
	int rc = cli_request(cli, "GET", path, NULL, &r, NULL);
	cli->output = shown;
	mem_free(path);
	if (rc != EXIT_OK)
		return rc;
	rc = a->n_pos == 2 ? print_log(cli, a, json_get_str(r, "id", a->pos[0]), a->pos[1], true)
			   : print_all(cli, a, r);
	json_free(r);
	return rc;
}

const struct command cmd_logs = {
    .name = "logs",
    .synopsis = "RUN [STEP] [-f] [--attempt N]",
    .summary = "Print what a run's steps wrote",
    .help = "STEP is a step, or STEP[ITEM] for one item of a foreach. Secrets are masked.\n"
	    "\nExamples:\n  sluice logs shop_nightly\n  sluice logs shop_nightly orders -f",
    .opts = opts,
    .run = run,
};
