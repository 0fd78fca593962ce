/* cmd_init.c: `sluice init`: a project's folder that works at once: sluice.yaml, one DAG, its test,
 * a README, an admin token. Overwrites nothing. */
#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static const char yaml[] =
    "# The deployment. All paths are relative to this file. Reference: man sluice.yaml\n"
    "deployment: dev            # part of every fence and ledger key at a target\n"
    "state: state               # the daemon's store, logs and socket\n"
    "dags: dags                 # one file, one DAG; take them in with: sluice apply\n"
    "\n"
    "# Take the # away from what you need; `sluice apply` takes it in.\n"
    "\n"
    "# Accounts on other systems, each named once:\n"
    "#connections:\n"
    "#  lake: {plugin: lake, root: lake}\n"
    "#  dwh: {plugin: sqlite, path: warehouse.db}\n"
    "\n"
    "# Keys for masks. A secret is never in this file: openssl rand -base64 32 >secrets/pii\n"
    "#secrets:\n"
    "#  pii: {file: secrets/pii}\n"
    "\n"
    "# Who is told when a run fails; try it: sluice notify test ops\n"
    "#notify:\n"
    "#  ops: {plugin: notify, kind: slack, url: {file: secrets/slack}}\n"
    "#defaults: {timezone: UTC, retry: {attempts: 3}, on_failure: [ops]}\n"
    "\n"
    "# POST /hooks/orders starts the DAGs whose trigger names it:\n"
    "#hooks:\n"
    "#  orders: {scheme: standard-webhooks, secrets: [{file: secrets/orders}]}\n"
    "\n"
    "# How much of something all DAGs share; a step takes of it by its own pools:\n"
    "#pools: {shop_db: 2}\n";

static const char dag[] = "dag: hello\n"
			  "description: The first DAG; change it and run it again\n"
			  "timezone: UTC\n"
			  "\n"
			  "params:\n"
			  "  name: {type: string, default: world}\n"
			  "\n"
			  "triggers:\n"
			  "  daily: {cron: \"0 6 * * *\"}\n"
			  "\n"
			  "steps:\n"
			  "  greet:\n"
			  "    task: {plugin: exec, command: [echo, \"hello, ${params.name}\"]}\n"
			  "  count:\n"
			  "    needs: [greet]\n"
			  "    task: {plugin: exec, shell: \"ls | wc -l\"}\n";

static const char script[] = "#!/bin/sh\n"
			     "# Tests of this project: every file compiles, and the first DAG does "
			     "what it says. Add yours.\n"
			     "set -eu\n"
			     "cd \"$(dirname \"$0\")/..\"\n"
			     "sluice check\n"
			     "log=$(mktemp)\n"
			     "trap 'rm -f \"$log\"' EXIT\n"
			     "sluice run dags/hello.yaml --param name=test -o json >\"$log\"\n"
			     "grep -q '\"state\":\"succeeded\"' \"$log\"\n"
			     "echo 'all tests passed'\n";

static const char readme[] =
    "# A Sluice project\n"
    "\n"
    "`sluice check` says what is wrong in `sluice.yaml` and `dags/`, with line and cure.\n"
    "`tests/run.sh` tests the project without a daemon; run it before each commit.\n"
    "`sluiced &` starts the daemon here; `sluice apply` takes changed files in, `sluice dags` "
    "lists "
    "them.\n"
    "Secrets are files in `secrets/` (mode 0700, not in git), named in sluice.yaml as "
    "`{file: secrets/NAME}`.\n"
    "`man sluice`, `man sluice.yaml` and `man sluice-dag` have the rest.\n";

static const char ignore[] = "/state/\n/secrets/\n/lake/\n*.db\n";

static int write_new(const char *dir, const char *name, const char *text, size_t n, mode_t mode,
    bool *ret_made, struct err *err)
{
	char *path = io_path_join(dir, name);
	int rc = 0, fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	*ret_made = fd >= 0;
	if (fd >= 0)
		rc = io_write_all(fd, text, n, err);
	else if (errno != EEXIST)
		rc = err_errno(err, ERR_IO, errno, "cannot write %s", path);
	io_close(&fd);
	if (rc == 0)
		printf("  %-22s %s\n", name, *ret_made ? "written" : "kept as it is");
	mem_free(path);
	return rc;
}

static int write_token(const char *dir, bool *ret_made, struct err *err)
{
	uint8_t random[32];
	char hex[65], text[80];
	hash_random(random, sizeof(random));
	hash_to_hex(random, sizeof(random), hex);
	int n = snprintf(text, sizeof(text), "sl_%s\n", hex);
	int rc = write_new(dir, "state/admin-token", text, (size_t)n, 0600, ret_made, err);
	hash_wipe(hex, sizeof(hex));
	hash_wipe(text, sizeof(text));
	hash_wipe(random, sizeof(random));
	return rc;
}

static int make_folders(const char *dir, struct err *err)
{
	static const struct {
		const char *name;
		mode_t mode;
	} folders[] = {{"dags", 0755}, {"tests", 0755}, {"secrets", 0700}, {"state", 0700}};
	int rc = io_mkdirs(dir, 0755, err);
	for (size_t i = 0; rc == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path = io_path_join(dir, folders[i].name);
		rc = io_mkdirs(path, folders[i].mode, err);
		mem_free(path);
	}
	return rc;
}

static int run(struct cli *cli, const struct args *a)
{
	struct err err = {0};
	bool made;
	(void)cli;
	if (!args_expect(a, 0, 1))
		return EXIT_USAGE;
	const char *dir = a->n_pos ? a->pos[0] : ".";
	int rc = make_folders(dir, &err);
	if (rc == 0)
		rc = write_new(dir, "sluice.yaml", yaml, sizeof(yaml) - 1, 0644, &made, &err);
	if (rc == 0)
		rc = write_new(dir, "dags/hello.yaml", dag, sizeof(dag) - 1, 0644, &made, &err);
	if (rc == 0)
		rc = write_new(dir, ".gitignore", ignore, sizeof(ignore) - 1, 0644, &made, &err);
	if (rc == 0)
		rc = write_new(dir, "tests/run.sh", script, sizeof(script) - 1, 0755, &made, &err);
	if (rc == 0)
		rc = write_new(dir, "README.md", readme, sizeof(readme) - 1, 0644, &made, &err);
	if (rc == 0)
		rc = write_token(dir, &made, &err);
	if (rc)
		return cli_error(EXIT_INTERNAL, "%s", err.text);
	printf("\nNext:\n");
	if (!str_eq(dir, "."))
		printf("  cd %s\n", dir);
	printf("  sluice check                        what is wrong, with line and cure\n"
	       "  sluice run dags/hello.yaml          run it here, without a daemon\n"
	       "  tests/run.sh                        test the project\n"
	       "  sluiced &                           start the daemon\n"
	       "  sluice run hello --param name=you   run it there\n");
	return EXIT_OK;
}

const struct command cmd_init = {
    .name = "init",
    .synopsis = "[DIR]",
    .summary = "Make a project: sluice.yaml, a first DAG, a test, an admin token",
    .help =
	"Writes only what is not there. The token (state/admin-token, mode 0600) is for TCP; the\n"
	"unix socket needs none.\n"
	"\nExamples:\n  sluice init my-data",
    .opts = opts,
    .run = run,
};
