/* request.c: one request to the daemon with its errors told to the user. */
#include "core/base/mem.h"
#include "core/cli/client.h"

#include <ctype.h>
#include <string.h>

static int exit_for_error(int code)
{
	switch (code) {
	case ERR_UNREACHABLE:
		return EXIT_UNREACHABLE;
	case ERR_USAGE:
	case ERR_CONFIG:
	case ERR_NOT_FOUND:
	case ERR_PARSE:
		return EXIT_USAGE;
	default:
		return EXIT_INTERNAL;
	}
}

static int exit_for_status(int status)
{
	if (status < 300)
		return EXIT_OK;
	if (status == 400 || status == 422 || status == 415)
		return EXIT_USAGE;
	if (status == 404)
		return EXIT_NOT_FOUND;
	if (status == 429 || status == 503)
		return EXIT_TRY_AGAIN;
	return status < 500 ? EXIT_REFUSED : EXIT_INTERNAL;
}

int cli_problem(const struct json *problem, int status)
{
	const char *detail = json_get_str(problem, "detail", NULL);
	if (!detail)
		detail = json_get_str(problem, "title", NULL);
	int code = exit_for_status(status);
	if (str_eq(json_get_str(problem, "code", ""), "over-quota"))
		code = EXIT_REFUSED;
	if (!detail)
		return cli_error(code, "the daemon answered %d", status);
	const struct json *line = json_get(problem, "line");
	if (line)
		return cli_error(code, "%lld:%lld: %s", (long long)json_i64(line, 1),
		    (long long)json_get_i64(problem, "column", 1), detail);
	return cli_error(code, "%s", detail);
}

int cli_try(struct cli *cli, const char *method, const char *path, const char *body,
    struct json **ret, int *ret_status)
{
	struct err err = {0};
	struct str out;
	struct json *j = NULL;
	int status = 0, rc = 0;
	str_init(&out, 64u << 20);
	if (!cli->client)
		rc = client_new(cli, &cli->client, &err);
	if (rc == 0)
		rc = client_exchange(cli->client, method, path, body, &status, &out, &err);
	/* /readyz and /livez answer in plain text. */
	if (rc == 0 && (str_peek(&out)[0] == '{' || str_peek(&out)[0] == '['))
		rc = cli_parse(cli, str_peek(&out), out.len, 64u << 20, &j, &err);
	str_done(&out);
	if (rc)
		return cli_error(exit_for_error(rc), "%s", err.text);
	if (ret)
		*ret = j;
	else
		json_free(j);
	if (ret_status)
		*ret_status = status;
	return exit_for_status(status);
}

int cli_request(struct cli *cli, const char *method, const char *path, const char *body,
    struct json **ret, int *ret_status)
{
	struct json *j = NULL;
	int status = 0;
	int rc = cli_try(cli, method, path, body, &j, &status);
	if (status >= 300) {
		rc = cli_problem(j, status);
		json_free(j);
		j = NULL;
	}
	if (ret)
		*ret = j;
	else
		json_free(j);
	if (ret_status)
		*ret_status = status;
	return rc;
}

void cli_add_segment(struct str *b, const char *text)
{
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (isalnum(c) || strchr("-._~", c))
			str_addc(b, *p);
		else
			str_addf(b, "%%%02X", c);
	}
}

void cli_add_query(struct str *b, const char *name, const char *value)
{
	if (!value)
		return;
	str_addc(b, strchr(str_peek(b), '?') ? '&' : '?');
	str_addf(b, "%s=", name);
	cli_add_segment(b, value);
}

static void print_line(const struct json *j)
{
	struct str out;
	str_init(&out, 256u << 20);
	json_print(j, &out);
	str_addc(&out, '\n');
	fwrite(str_peek(&out), 1, out.len, stdout);
	str_done(&out);
}

void cli_print_json(const struct cli *cli, const struct json *j, const char *list)
{
	const struct json *items = list ? json_get(j, list) : NULL;
	if (cli->output != OUTPUT_NDJSON || !items) {
		print_line(j);
		return;
	}
	for (const struct json *i = json_first(items); i; i = json_next(i))
		print_line(i);
}

char *cli_path(const char *prefix, const char *name, const char *suffix)
{
	struct str b;
	str_init(&b, 1 << 16);
	str_add(&b, prefix);
	cli_add_segment(&b, name);
	str_add(&b, suffix);
	return str_take(&b);
}

int cli_ask(
    struct cli *cli, const char *method, const char *path, struct json *body, struct json **ret)
{
	struct json *reply = NULL;
	struct str text;
	*ret = NULL;
	str_init(&text, 1 << 20);
	if (body)
		json_print(body, &text);
	int rc = cli_request(cli, method, path, body ? str_peek(&text) : NULL, &reply, NULL);
	str_done(&text);
	json_free(body);
	if (rc == EXIT_OK && cli->output == OUTPUT_TEXT) {
		*ret = reply;
		return rc;
	}
	if (rc == EXIT_OK)
		cli_print_json(cli, reply, NULL);
	json_free(reply);
	return rc;
}
