/* cmd_check.c: `sluice check`: errors of DAG files with their place and cure; needs neither daemon
 * nor sluice.yaml. */
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/base/vec.h"
#include "core/cli/cli.h"

#include <string.h>
#include <unistd.h>

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static void print_diagnostic(
    const struct cli *cli, const char *path, const char *kind, const struct json *d)
{
	struct str b, text;
	str_init(&b, 1 << 16);
	str_init(&text, 1 << 16);
	str_addf(&b, "%s:%lld:%lld: ", path, (long long)json_get_i64(d, "line", 1),
	    (long long)json_get_i64(d, "column", 1));
	size_t place = text_width(str_peek(&b));
	text_paint(cli, &b, str_eq(kind, "error") ? PAINT_BAD : PAINT_WARN, kind);
	const char *key = json_get_str(d, "key", "");
	str_addf(&text, ": %s%s%s", key, key[0] ? ": " : "", json_get_str(d, "message", ""));
	text_wrap(&b, str_peek(&text), place + strlen(kind), 2, text_columns(cli));
	const char *hint = json_get_str(d, "hint", "");
	if (hint[0]) {
		str_add(&b, "\n    ");
		text_wrap(&b, hint, 4, 4, text_columns(cli));
	}
	puts(str_peek(&b));
	str_done(&text);
	str_done(&b);
}

static void print_file(const struct cli *cli, const struct json *file)
{
	const char *path = json_get_str(file, "path", "");
	for (const struct json *e = json_first(json_get(file, "errors")); e; e = json_next(e))
		print_diagnostic(cli, path, "error", e);
	for (const struct json *w = json_first(json_get(file, "warnings")); w; w = json_next(w))
		print_diagnostic(cli, path, "warning", w);
	if (json_len(json_get(file, "errors")) > 0)
		return;
	struct str b;
	str_init(&b, 1 << 16);
	str_addf(&b, "%s: ", path);
	text_paint(cli, &b, PAINT_GOOD, "ok");
	const char *dag = json_get_str(file, "dag", "");
	str_addf(&b, "  %s", dag[0] ? dag : "a list for foreach");
	if (dag[0] && json_get_str(file, "promise", NULL))
		str_addf(&b, "  promise %s", json_get_str(file, "promise", ""));
	const char *next = json_str(json_at(json_get(file, "next"), 0), NULL);
	if (next) {
		str_add(&b, "  next ");
		text_time(&b, next);
	}
	puts(str_peek(&b));
	str_done(&b);
}

static int compile(const struct cli *cli, const struct args *a, struct json **ret)
{
	VEC(char *) argv = {0};
	char *config = cli_config_path(cli);
	struct str out;
	struct err err = {0};
	int status = 0;
	VEC_ADD(&argv, mem_strdup("sluice-worker"));
	if (config) {
		VEC_ADD(&argv, mem_strdup("--config"));
		VEC_ADD(&argv, config);
	}
	VEC_ADD(&argv, mem_strdup("--compile"));
	for (size_t i = 0; i < a->n_pos; i++)
		VEC_ADD(&argv, mem_strdup(a->pos[i]));
	VEC_ADD(&argv, NULL);
	str_init(&out, 256u << 20);
	int rc = exec_collect(path_of(PATH_WORKER), argv.v, 256u << 20, &out, &status, &err);
	if (rc == 0)
		rc = cli_parse(cli, str_peek(&out), out.len, 256u << 20, ret, &err);
	for (size_t i = 0; i < argv.n; i++)
		mem_free(argv.v[i]);
	VEC_DONE(&argv);
	str_done(&out);
	if (rc == 0)
		return EXIT_OK;
	/* The worker has said on standard error what was wrong with the call. */
	return status == EXIT_USAGE || status == EXIT_NOT_FOUND
		   ? status
		   : cli_error(EXIT_INTERNAL, "%s", err.text);
}

/* The report names sluice.yaml only where it is wrong. */
static void print_config_ok(const struct cli *cli, const struct json *files)
{
	char *config = cli_config_path(cli);
	struct str b;
	bool listed = config == NULL;
	for (const struct json *f = json_first(files); f && !listed; f = json_next(f))
		listed = str_eq(json_get_str(f, "path", ""), config);
	str_init(&b, 1 << 16);
	if (!listed) {
		str_addf(&b, "%s: ", config);
		text_paint(cli, &b, PAINT_GOOD, "ok");
		puts(str_peek(&b));
	}
	str_done(&b);
	mem_free(config);
}

static int run(struct cli *cli, const struct args *a)
{
	struct json *report = NULL;
	if (a->n_pos == 0 && !cli->config && access("sluice.yaml", F_OK) != 0 &&
	    access("dags", F_OK) != 0)
		return cli_error(EXIT_USAGE,
		    "nothing to check here: name files or folders, or go to a project's folder");
	int rc = compile(cli, a, &report);
	if (rc != EXIT_OK)
		return rc;
	const struct json *files = json_get(report, "files");
	if (cli->output != OUTPUT_TEXT)
		cli_print_json(cli, report, "files");
	for (const struct json *f = json_first(files); f && cli->output == OUTPUT_TEXT;
	     f = json_next(f))
		print_file(cli, f);
	if (cli->output == OUTPUT_TEXT && a->n_pos == 0)
		print_config_ok(cli, files);
	rc = json_get_bool(report, "ok", false) ? EXIT_OK : EXIT_USAGE;
	if (json_len(files) == 0 && cli->output == OUTPUT_TEXT)
		puts("no DAG files found");
	json_free(report);
	return rc;
}

const struct command cmd_check = {
    .name = "check",
    .synopsis = "[PATH...]",
    .summary = "Check DAG files: every error with its place and its cure",
    .help =
	"PATH is a file or a folder; without one, the DAG folder of sluice.yaml and sluice.yaml\n"
	"itself. Needs no daemon; without sluice.yaml the names of connections are not checked.\n"
	"Exit status: 0 all files compile, 2 one does not.\n"
	"\nExamples:\n"
	"  sluice check\n"
	"  sluice check dags/shop.yaml -o json",
    .opts = opts,
    .run = run,
};
