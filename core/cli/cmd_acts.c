/* cmd_acts.c: `sluice cancel | rerun | mark | pause | resume`: one request each, its answer in a
 * sentence. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <string.h>

/* The reply counts runs of the object. */
static void say_count(const char *object, int64_t n)
{
	if (n == 0)
		printf("%s: no run is open\n", object);
	else
		printf("%s: %lld run%s being cancelled\n", object, (long long)n,
		    n == 1 ? " is" : "s are");
}

/* POSTs and prints the reply: JSON as asked, else the sentence (NULL: what it counts). Frees body.
 */
static int act(
    struct cli *cli, const char *path, struct json *body, const char *sentence, const char *object)
{
	struct json *reply;
	int rc = cli_ask(cli, "POST", path, body, &reply);
	if (reply && sentence == NULL)
		say_count(object, json_get_i64(reply, "count", 0));
	else if (reply)
		printf("%s %s\n", object, sentence);
	json_free(reply);
	return rc;
}

/* NULL where it cannot be had: what is said by it is a help, no more. */
static struct json *get_quietly(struct cli *cli, const char *prefix, const char *name)
{
	struct json *j = NULL;
	int status = 0;
	char *path = cli_path(prefix, name, "");
	int rc = cli_try(cli, "GET", path, NULL, &j, &status);
	mem_free(path);
	if (rc == EXIT_OK)
		return j;
	json_free(j);
	return NULL;
}

/* ---- cancel ---- */

static struct json *cancel_body(bool hard)
{
	struct json *body = json_new_object();
	if (hard)
		json_put(body, "hard", json_new_bool(true));
	return body;
}

static int cancel_all(struct cli *cli, const char *dag, bool hard)
{
	struct json *body = cancel_body(hard);
	if (dag)
		json_put(body, "dag", json_new_str(dag));
	else
		json_put(body, "all", json_new_bool(true));
	return act(cli, "/v1/cancel", body, NULL, dag ? dag : "all");
}

static int run_cancel(struct cli *cli, const struct args *a)
{
	const char *dag = args_get(a, "dag", NULL);
	bool hard = args_has(a, "hard");
	if (dag && args_has(a, "all"))
		return cli_error(EXIT_USAGE, "--dag and --all exclude each other");
	if (dag || args_has(a, "all")) {
		if (!args_expect(a, 0, 0))
			return EXIT_USAGE;
		return cancel_all(cli, dag, hard);
	}
	if (!args_expect(a, 1, 1))
		return EXIT_USAGE;
	char *path = cli_path("/v1/runs/", a->pos[0], "/cancel");
	int rc = act(cli, path, cancel_body(hard), "is being cancelled", a->pos[0]);
	mem_free(path);
	return rc;
}

static const struct cli_opt cancel_opts[] = {
    {"dag", "DAG", "Cancel every run of this DAG that has not ended.", 0},
    {"all", NULL, "Cancel every run that has not ended.", 0},
    {"hard", NULL, "Kill what runs at once, also where its grace is running.", 0},
    {NULL, NULL, NULL, 0},
};
const struct command cmd_cancel = {
    .name = "cancel",
    .synopsis = "RUN | --dag DAG | --all [--hard]",
    .summary = "Cancel a run: waiting steps at once, running ones after their grace",
    .help = "A step that ends well before its grace is over counts as succeeded.\n"
	    "--dag and --all mean the runs that are open now. Thousands end in small steps,\n"
	    "also after a restart of the daemon, and none of them starts meanwhile.\n"
	    "\nExamples:\n  sluice cancel shop_nightly\n  sluice cancel --dag shop_nightly --hard",
    .opts = cancel_opts,
    .run = run_cancel,
};

/* ---- rerun ---- */

/* Who has mended the file before a rerun mostly means it. */
static void tell_changed(struct cli *cli, const char *name)
{
	struct json *run = get_quietly(cli, "/v1/runs/", name);
	struct json *dag = run ? get_quietly(cli, "/v1/dags/", json_get_str(run, "dag", "")) : NULL;
	const char *now = json_get_str(dag, "plan", NULL);
	if (now && !str_eq(json_get_str(dag, "state", ""), "gone") &&
	    !str_eq(json_get_str(run, "plan", now), now))
		printf("with the plan that it had; DAG %s has changed since: --plan latest\n",
		    json_get_str(run, "dag", ""));
	json_free(run);
	json_free(dag);
}

static int run_rerun(struct cli *cli, const struct args *a)
{
	struct json *body;
	const char *step;
	if (!args_expect(a, 1, 1))
		return EXIT_USAGE;
	body = json_new_object();
	if (args_has(a, "step")) {
		struct json *steps = json_new_array();
		for (size_t i = 0; (step = args_nth(a, "step", i)); i++)
			json_push(steps, json_new_str(step));
		json_put(body, "steps", steps);
	}
	if (args_has(a, "failed"))
		json_put(body, "failed", json_new_bool(true));
	if (args_get(a, "downstream", NULL))
		json_put(body, "downstream", json_new_str(args_get(a, "downstream", NULL)));
	if (args_get(a, "plan", NULL))
		json_put(body, "plan", json_new_str(args_get(a, "plan", NULL)));
	char *path = cli_path("/v1/runs/", a->pos[0], "/rerun");
	int rc = act(cli, path, body, "runs again", a->pos[0]);
	mem_free(path);
	if (rc == EXIT_OK && cli->output == OUTPUT_TEXT && !args_get(a, "plan", NULL))
		tell_changed(cli, a->pos[0]);
	if (rc == EXIT_OK && args_has(a, "wait"))
		rc = follow_run(cli, a->pos[0]);
	return rc;
}

static const struct cli_opt rerun_opts[] = {
    {"step", "STEP", "Run this step again, and what depends on it. May be repeated.", 0},
    {"failed", NULL,
	"Run the failed steps again, and what waited for them (the default after a failure).", 0},
    {"downstream", "each|once|none",
	"What follows in other DAGs: each publication, each DAG once at the end (the default), "
	"nothing.",
	0},
    {"plan", "pinned|latest",
	"Which plan: the run's own (the default), or the one that its DAG has now.", 0},
    {"wait", NULL, "Watch the run to its end.", 'w'},
    {NULL, NULL, NULL, 0},
};
const struct command cmd_rerun = {
    .name = "rerun",
    .synopsis = "RUN [--step STEP]... [--failed] [--downstream each|once|none] "
		"[--plan pinned|latest] [--wait]",
    .summary = "Run a run's steps again: the failed ones, some, or all",
    .help = "The same run is opened again; what succeeded is kept unless it is named. With\n"
	    "--plan latest new steps run too; a step that is gone, or is of another kind\n"
	    "now, refuses it. STEP[ITEM] names one item of a foreach.\n"
	    "\nExamples:\n  sluice rerun shop_nightly\n  sluice rerun shop_nightly@2026-11-21 "
	    "--step orders --wait",
    .opts = rerun_opts,
    .run = run_rerun,
};

/* ---- mark ---- */

static int run_mark(struct cli *cli, const struct args *a)
{
	struct str path;
	const char *state = args_get(a, "state", NULL);
	if (!args_expect(a, 2, 2))
		return EXIT_USAGE;
	if (!state)
		return cli_error(EXIT_USAGE, "mark needs --state succeeded, skipped or failed");
	struct json *body = json_new_object();
	json_put(body, "state", json_new_str(state));
	str_init(&path, 1 << 16);
	str_add(&path, "/v1/runs/");
	cli_add_segment(&path, a->pos[0]);
	str_add(&path, "/steps/");
	cli_add_segment(&path, a->pos[1]);
	str_add(&path, "/mark");
	int rc = act(cli, str_peek(&path), body, state, a->pos[1]);
	str_done(&path);
	return rc;
}

static const struct cli_opt mark_opts[] = {
    {"state", "succeeded|skipped|failed", "How it is to have ended.", 0},
    {NULL, NULL, NULL, 0},
};
const struct command cmd_mark = {
    .name = "mark",
    .synopsis = "RUN STEP --state succeeded|skipped|failed",
    .summary = "Set the state of a step that does not run",
    .help = "Steps that wait for it go on. Those that never ran because of how it ended are\n"
	    "judged again, and open an ended run; what has run stays: see rerun.\n"
	    "A mark is refused while a step runs that would have to wait for one of those.\n"
	    "STEP[ITEM] marks one item of a foreach, and its step is judged again.\n"
	    "\nExamples:\n  sluice mark shop_nightly orders --state succeeded\n"
	    "  sluice mark shop_nightly 'tables[users]' --state skipped",
    .opts = mark_opts,
    .run = run_mark,
};

/* ---- pause, resume ---- */

static int pause_or_resume(
    struct cli *cli, const struct args *a, const char *verb, const char *sentence)
{
	char *path;
	int rc;
	if (args_has(a, "all")) {
		path = cli_path("/v1/", verb, "");
	} else {
		if (!args_expect(a, 1, 1))
			return EXIT_USAGE;
		struct str suffix;
		str_init(&suffix, 64);
		str_addf(&suffix, "/%s", verb);
		path = cli_path("/v1/dags/", a->pos[0], str_peek(&suffix));
		str_done(&suffix);
	}
	rc = act(cli, path, json_new_object(), sentence, a->n_pos ? a->pos[0] : "everything");
	mem_free(path);
	return rc;
}

static int run_pause(struct cli *cli, const struct args *a)
{
	struct str sentence;
	str_init(&sentence, 1 << 16);
	str_addf(&sentence, "paused: nothing new starts until: sluice resume %s",
	    a->n_pos && !args_has(a, "all") ? a->pos[0] : "--all");
	int rc = pause_or_resume(cli, a, "pause", str_peek(&sentence));
	str_done(&sentence);
	return rc;
}

/* The pause of all DAGs goes before that of one. */
static int run_resume(struct cli *cli, const struct args *a)
{
	int rc = pause_or_resume(cli, a, "resume", "resumed");
	if (rc != EXIT_OK || cli->output != OUTPUT_TEXT || a->n_pos != 1)
		return rc;
	struct json *dag = get_quietly(cli, "/v1/dags/", a->pos[0]);
	if (json_get_bool(dag, "paused", false))
		printf("all DAGs are paused, %s too, until: sluice resume --all\n", a->pos[0]);
	json_free(dag);
	return rc;
}

static const struct cli_opt pause_opts[] = {
    {"all", NULL, "All DAGs.", 0},
    {NULL, NULL, NULL, 0},
};
const struct command cmd_pause = {
    .name = "pause",
    .synopsis = "DAG | --all",
    .summary = "Start no new runs of a DAG; what runs goes on",
    .help = "Examples:\n  sluice pause shop_nightly",
    .opts = pause_opts,
    .run = run_pause,
};
const struct command cmd_resume = {
    .name = "resume",
    .synopsis = "DAG | --all",
    .summary = "Take back a pause",
    .help = "Examples:\n  sluice resume shop_nightly",
    .opts = pause_opts,
    .run = run_resume,
};
