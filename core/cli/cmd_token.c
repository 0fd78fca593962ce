/* cmd_token.c: `sluice token`: access over TCP. A token is shown once; the store keeps its hash. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {"scope", "SCOPE", "With new: read, admin, run:DAG or ingest:HOOK. May be repeated.", 0},
    {NULL, NULL, NULL, 0},
};

static int list(struct cli *cli)
{
	static const struct table_column columns[] = {
	    {"TOKEN", false, true, false},
	    {"SCOPES", false, true, false},
	    {"CREATED", false, false, false},
	};
	struct json *page = NULL;
	int rc = cli_request(cli, "GET", "/v1/tokens", NULL, &page, NULL);
	if (rc != EXIT_OK)
		return rc;
	if (cli->output != OUTPUT_TEXT) {
		cli_print_json(cli, page, "tokens");
		json_free(page);
		return rc;
	}
	struct text_table *t = table_new(columns, 3);
	for (const struct json *k = json_first(json_get(page, "tokens")); k; k = json_next(k)) {
		struct str scopes, time;
		str_init(&scopes, 4096);
		str_init(&time, 128);
		for (const struct json *s = json_first(json_get(k, "scopes")); s; s = json_next(s))
			str_addf(&scopes, "%s%s", scopes.len ? " " : "", json_str(s, ""));
		text_time(&time, json_get_str(k, "created_at", NULL));
		table_cell(t, json_get_str(k, "name", ""));
		table_cell(t, str_peek(&scopes));
		table_cell(t, str_peek(&time));
		str_done(&scopes);
		str_done(&time);
	}
	table_print(t, cli, "no tokens; make one: sluice token new NAME --scope read");
	json_free(page);
	return rc;
}

static int new_token(struct cli *cli, const struct args *a, const char *name)
{
	struct json *body = json_new_object(), *scopes = json_new_array(), *reply = NULL;
	const char *scope;
	struct str text;
	for (size_t i = 0; (scope = args_nth(a, "scope", i)); i++)
		json_push(scopes, json_new_str(scope));
	json_put(body, "name", json_new_str(name));
	json_put(body, "scopes", scopes);
	str_init(&text, 1 << 16);
	json_print(body, &text);
	int rc = cli_request(cli, "POST", "/v1/tokens", str_peek(&text), &reply, NULL);
	if (rc == EXIT_OK && cli->output != OUTPUT_TEXT) {
		cli_print_json(cli, reply, NULL);
	} else if (rc == EXIT_OK) {
		puts(json_get_str(reply, "token", ""));
		fprintf(stderr, "This is shown once. Keep it in a file of mode 0600 and name that "
				"in SLUICE_TOKEN_FILE.\n");
	}
	str_done(&text);
	json_free(body);
	json_free(reply);
	return rc;
}

static int revoke(struct cli *cli, const char *name)
{
	struct str path;
	struct json *reply = NULL;
	str_init(&path, 4096);
	str_add(&path, "/v1/tokens/");
	cli_add_segment(&path, name);
	int rc = cli_request(cli, "DELETE", str_peek(&path), NULL, &reply, NULL);
	str_done(&path);
	if (rc == EXIT_OK && cli->output != OUTPUT_TEXT)
		cli_print_json(cli, reply, NULL);
	else if (rc == EXIT_OK)
		printf("token %s revoked\n", name);
	json_free(reply);
	return rc;
}

static int run(struct cli *cli, const struct args *a)
{
	if (!args_expect(a, 1, 2))
		return EXIT_USAGE;
	if (str_eq(a->pos[0], "list") && a->n_pos == 1)
		return list(cli);
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
