/* cmd_shutdown.c: `sluice shutdown`: stops daemon and pool; with no daemon it speaks to the pool.
 */
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cli/client.h"
#include "core/cli/pool_stop.h"

#include <time.h>

#define POOL_END_MS 1000 /* for a pool in which nothing runs */

static const struct cli_opt opts[] = {
    {"drain", "[=TIME]", "Wait for what runs, at most TIME (10m).", 0},
    {"cancel", NULL, "Cancel what runs.", 0},
    {NULL, NULL, NULL, 0},
};

/* Waits until nobody answers any more, so that the next command finds the store free. */
static int wait_gone(struct cli *cli, int64_t limit_ms)
{
	mono_us end = clock_mono() + limit_ms * US_PER_MS;
	struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
	while (clock_mono() < end) {
		struct str out;
		struct err err = {0};
		int status = 0;
		str_init(&out, 1 << 20);
		int rc = client_exchange(cli->client, "GET", "/livez", NULL, &status, &out, &err);
		str_done(&out);
		if (rc)
			return EXIT_OK;
		nanosleep(&nap, NULL);
	}
	return cli_error(EXIT_TRY_AGAIN,
	    "the daemon still answers; what runs may need longer: sluice runs --state running");
}

static bool pool_ends(const char *state, int64_t limit_ms)
{
	struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
	mono_us end = clock_mono() + limit_ms * US_PER_MS;
	bool lives = pool_lives(state);

	for (; lives && clock_mono() < end; lives = pool_lives(state))
		nanosleep(&nap, NULL);
	return !lives;
}

/* A daemon that was told to leave has let go of the pool: it ends too, when what runs has ended. */
static int tell_end(struct cli *cli, bool leave)
{
	struct json *conf = NULL;
	if (cli->url || cli_config_load(cli, &conf, &(struct err){0}) != 0) {
		puts("the daemon has stopped");
		return EXIT_OK;
	}
	const char *state = json_get_str(conf, "state", "");
	bool told = !leave || pool_stop(state, false, &(struct err){0}) == 0;
	bool ended = pool_ends(state, told ? POOL_END_MS : 0);
	puts(ended ? "daemon and pool have stopped"
		   : "the daemon has stopped; what runs goes on in the pool, which ends after it; "
		     "the next daemon takes it over");
	json_free(conf);
	return EXIT_OK;
}

static int without_daemon(struct cli *cli, bool cancel)
{
	struct json *conf = NULL;
	struct err err = {0};
	bool ended = false;
	int rc = cli_config_load(cli, &conf, &err);
	if (rc == 0)
		rc = pool_stop(json_get_str(conf, "state", ""), cancel, &err);
	if (rc == 0)
		ended = pool_ends(json_get_str(conf, "state", ""), POOL_END_MS);
	json_free(conf);
	if (rc == ERR_NOT_FOUND)
		return cli_error(EXIT_UNREACHABLE, "neither daemon nor pool is running");
	if (rc)
		return cli_error(EXIT_INTERNAL, "%s", err.text);
	printf("no daemon; the pool %s\n",
	    ended ? "has stopped"
		  : (cancel ? "cancels what runs and keeps the outcomes for the next daemon"
			    : "ends when what runs has ended and a daemon took the outcomes"));
	return EXIT_OK;
}

static int run(struct cli *cli, const struct args *a)
{
	int64_t drain_ms = 600000;
	struct err err = {0};
	struct str body;
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	bool drain = args_has(a, "drain"), cancel = args_has(a, "cancel");
	const char *time = args_get(a, "drain", NULL);
	if (drain && cancel)
		return cli_error(EXIT_USAGE, "--drain and --cancel exclude each other");
	if (time && str_to_duration_ms(time, &drain_ms) != 0)
		return cli_error(EXIT_USAGE, "--drain takes a time such as 10m, not \"%s\"", time);
	if (client_new(cli, &cli->client, &err) != 0)
		return cli_error(EXIT_USAGE, "%s", err.text);
	str_init(&body, 256);
	str_addf(&body, "{\"how\":\"%s\",\"drain_ms\":%lld}",
	    cancel  ? "cancel"
	    : drain ? "drain"
		    : "leave",
	    (long long)drain_ms);
	struct str out;
	int status = 0, rc;
	str_init(&out, 1 << 20);
	rc = client_exchange(
	    cli->client, "POST", "/v1/shutdown", str_peek(&body), &status, &out, &err);
	bool answered = rc == 0 && status < 300;
	if (rc == ERR_UNREACHABLE && !cli->url)
		rc = without_daemon(cli, cancel);
	else if (rc)
		rc = cli_error(EXIT_UNREACHABLE, "%s", err.text);
	else if (status >= 300)
		rc = cli_error(
		    EXIT_REFUSED, "the daemon refused to stop (%d): %s", status, str_peek(&out));
	else
		rc = wait_gone(cli, drain || cancel ? drain_ms + 30000 : 30000);
	if (rc == EXIT_OK && answered)
		rc = tell_end(cli, !drain && !cancel);
	str_done(&out);
	str_done(&body);
	return rc;
}

const struct command cmd_shutdown = {
    .name = "shutdown",
    .synopsis = "[--drain[=TIME] | --cancel]",
    .summary = "Stop the daemon and the pool",
    .help = "Without an option the daemon stops at once; what runs goes on in the pool, which ends "
	    "after\n"
	    "it, and the next daemon takes the outcome. With no daemon it speaks to the pool.\n"
	    "\nExamples:\n  sluice shutdown --drain=10m\n  sluice shutdown --cancel",
    .opts = opts,
    .run = run,
};
