/* cmd_token.c: `sluice token`: access over TCP. A token is shown once; the store keeps its hash. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {"scope", "SCOPE", "With new: read, admin, run:DAG or ingest:HOOK. May be repeated.", 0},
    {NULL, NULL, NULL, 0},
};

static void row(struct text_table *t, const struct json *k)
{
	struct str scopes;
	str_init(&scopes, 4096);
	for (const struct json *s = json_first(json_get(k, "scopes")); s; s = json_next(s))
		str_addf(&scopes, "%s%s", scopes.len ? " " : "", json_str(s, ""));
	table_cell(t, json_get_str(k, "name", ""));
	table_cell(t, str_peek(&scopes));
	table_time(t, json_get_str(k, "created_at", NULL));
	str_done(&scopes);
}

static const struct table_column columns[] = {
    {"TOKEN", false, true, false},
    {"SCOPES", false, true, false},
    {"CREATED", false, false, false},
};
static const struct list tokens = {"/v1/tokens", "tokens", columns, 3, row,
    "no tokens; make one: sluice token new NAME --scope read", NULL};

static int new_token(struct cli *cli, const struct args *a, const char *name)
{
	struct json *body = json_new_object(), *scopes = json_new_array(), *reply;
	const char *scope;
	for (size_t i = 0; (scope = args_nth(a, "scope", i)); i++)
		json_push(scopes, json_new_str(scope));
	json_put(body, "name", json_new_str(name));
	json_put(body, "scopes", scopes);
	int rc = cli_ask(cli, "POST", "/v1/tokens", body, &reply);
	if (reply) {
		puts(json_get_str(reply, "token", ""));
		fprintf(stderr, "This is shown once. Keep it in a file of mode 0600 and name that "
				"in SLUICE_TOKEN_FILE.\n");
	}
	json_free(reply);
	return rc;
}

static int revoke(struct cli *cli, const char *name)
{
	struct json *reply;
	char *path = cli_path("/v1/tokens/", name, "");
	int rc = cli_ask(cli, "DELETE", path, NULL, &reply);
	if (reply)
		printf("token %s revoked\n", name);
	mem_free(path);
	json_free(reply);
	return rc;
}

static int run(struct cli *cli, const struct args *a)
{
	if (!args_expect(a, 1, 2))
		return EXIT_USAGE;
	if (str_eq(a->pos[0], "list") && a->n_pos == 1)
		return cli_list(cli, a, &tokens);
	if (a->n_pos == 1)
		return cli_error(EXIT_USAGE, "`token %s` needs a name", a->pos[0]);
	if (str_eq(a->pos[0], "new"))
		return args_has(a, "scope")
			   ? new_token(cli, a, a->pos[1])
			   : cli_error(EXIT_USAGE,
				 "token new needs --scope read, admin, run:DAG or ingest:HOOK");
	if (str_eq(a->pos[0], "revoke"))
		return revoke(cli, a->pos[1]);
	return cli_error(EXIT_USAGE, "token knows new, list and revoke, not \"%s\"", a->pos[0]);
}

const struct command cmd_token = {
    .name = "token",
    .synopsis = "new NAME --scope SCOPE... | list | revoke NAME",
    .summary = "Make, list and revoke tokens for access over TCP",
    .help = "The unix socket needs no token: there the system's user decides.\n"
	    "\nExamples:\n  sluice token new dashboard --scope read\n  sluice token new ci --scope "
	    "run:shop_nightly",
    .opts = opts,
    .run = run,
};
