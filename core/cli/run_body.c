/* run_body.c: parameters and body of a run by hand. */
#include "core/cli/run_body.h"

#include "core/base/mem.h"

#include <string.h>

struct json *run_params(const struct args *a)
{
	struct json *params = json_new_object();
	const char *given;
	for (size_t i = 0; (given = args_nth(a, "param", i)); i++) {
		const char *eq = strchr(given, '=');
		if (!eq || eq == given) {
			cli_error(EXIT_USAGE, "--param is NAME=VALUE, not \"%s\"", given);
			json_free(params);
			return NULL;
		}
		char *name = mem_strndup(given, (size_t)(eq - given));
		struct json *value = NULL;
		if (json_parse(eq + 1, strlen(eq + 1), 1 << 20, &value, NULL) != 0)
			value = json_new_str(eq + 1);
		json_put(params, name, value);
		mem_free(name);
	}
	return params;
}

int run_post(struct cli *cli, const struct args *a, const char *dag, struct json **ret)
{
	struct json *params = run_params(a), *body;
	if (!params)
		return EXIT_USAGE;
	body = json_new_object();
	json_put(body, "params", params);
	if (args_get(a, "at", NULL))
		json_put(body, "logical_time", json_new_str(args_get(a, "at", NULL)));
	if (args_get(a, "key", NULL))
		json_put(body, "key", json_new_str(args_get(a, "key", NULL)));
	if (args_get(a, "trigger", NULL))
		json_put(body, "trigger", json_new_str(args_get(a, "trigger", NULL)));
	if (args_has(a, "only")) {
		struct json *only = json_new_array();
		const char *step;
		for (size_t i = 0; (step = args_nth(a, "only", i)); i++)
			json_push(only, json_new_str(step));
		json_put(body, "only", only);
	}
	char *path = cli_path("/v1/dags/", dag, "/runs");
	struct str text;
	str_init(&text, 4u << 20);
	json_print(body, &text);
	int rc = cli_request(cli, "POST", path, str_peek(&text), ret, NULL);
	mem_free(path);
	str_done(&text);
	json_free(body);
	return rc;
}
