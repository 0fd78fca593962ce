/* main.c: the `sluice` command: finds the verb, its options, and runs it. */
#include "core/base/mem.h"
#include "core/cli/args.h"
#include "core/cli/client.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

const struct command *const commands[] = {
#define COMMAND_ENTRY(name) &cmd_##name,
    COMMAND_LIST(COMMAND_ENTRY)
#undef COMMAND_ENTRY
	NULL,
};

static void print_commands(FILE *to)
{
	fputs("usage: sluice COMMAND [ARGUMENTS]\n\n", to);
	for (const struct command *const *c = commands; *c; c++)
		fprintf(to, "  %-10s %s\n", (*c)->name, (*c)->summary);
	fputs("\nHelp and examples of one command: sluice COMMAND --help\n"
	      "A first project:                  sluice init my-data && cd my-data\n",
	    to);
}

static const struct command *find_command(const char *name)
{
	const char *names[64];
	size_t n = 0;
	for (const struct command *const *c = commands; *c; c++) {
		if (str_eq((*c)->name, name))
			return *c;
		if (n < 64)
			names[n++] = (*c)->name;
	}
	const char *near = str_nearest(name, names, n);
	if (near)
		cli_error(
		    EXIT_USAGE, "there is no command \"%s\"; did you mean \"%s\"?", name, near);
	else
		cli_error(EXIT_USAGE, "there is no command \"%s\"; see: sluice --help", name);
	return NULL;
}

static void cli_init(struct cli *cli)
{
	struct winsize ws;
	memset(cli, 0, sizeof(*cli));
	cli->config = getenv("SLUICE_CONFIG");
	cli->url = getenv("SLUICE_URL");
	cli->token_file = getenv("SLUICE_TOKEN_FILE");
	cli->tty = isatty(STDOUT_FILENO) == 1;
	const char *no_color = getenv("NO_COLOR");
	cli->color = cli->tty && !(no_color && no_color[0]);
	cli->width = 80;
	if (cli->tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col >= 20)
		cli->width = ws.ws_col;
}

static int take_globals(struct cli *cli, const struct args *a)
{
	const char *output = args_get(a, "output", NULL);
	cli->config = args_get(a, "config", cli->config);
	cli->url = args_get(a, "url", cli->url);
	cli->token_file = args_get(a, "token-file", cli->token_file);
	if (!output || str_eq(output, "text"))
		cli->output = OUTPUT_TEXT;
	else if (str_eq(output, "json"))
		cli->output = OUTPUT_JSON;
	else if (str_eq(output, "ndjson"))
		cli->output = OUTPUT_NDJSON;
	else
		return cli_error(EXIT_USAGE, "-o is text, json or ndjson, not \"%s\"", output);
	if (cli->output != OUTPUT_TEXT)
		cli->tty = cli->color = false;
	return 0;
}

int main(int argc, char **argv)
{
	struct cli cli;
	struct args args;
	setlocale(LC_CTYPE, "C.UTF-8");
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	cli_init(&cli);
	if (argc < 2) {
		print_commands(stderr);
		return EXIT_USAGE;
	}
	if (str_eq(argv[1], "help") && argc > 2) {
		const struct command *of = find_command(argv[2]);
		if (of)
			args_print_help(of);
		return of ? EXIT_OK : EXIT_USAGE;
	}
	if (str_eq(argv[1], "--help") || str_eq(argv[1], "-h") || str_eq(argv[1], "help")) {
		print_commands(stdout);
		return EXIT_OK;
	}
	if (str_eq(argv[1], "--version")) {
		printf("sluice %s\n", PACKAGE_VERSION);
		return EXIT_OK;
	}
	if (argv[1][0] == '-')
		return cli_error(EXIT_USAGE,
		    "options stand behind the command: sluice COMMAND %s ...; see: sluice --help",
		    argv[1]);
	const struct command *command = find_command(argv[1]);
	if (!command)
		return EXIT_USAGE;
	int rc = args_parse(&args, command, argc - 2, argv + 2);
	if (rc == 0 && args_has(&args, "help")) {
		args_print_help(command);
		return EXIT_OK;
	}
	if (rc == 0)
		rc = take_globals(&cli, &args);
	if (rc == 0)
		rc = command->run(&cli, &args);
	client_free(cli.client);
	if (fflush(stdout) != 0 && rc == EXIT_OK)
		rc = EXIT_INTERNAL;
	return rc;
}
