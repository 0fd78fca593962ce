/* list.c: lists of the daemon: one page as a table, or all of them element by element. */
#include "core/cli/cli.h"

static void print_page(const struct cli *cli, const struct list *l, const struct json *page)
{
	if (cli->output != OUTPUT_TEXT) {
		cli_print_json(cli, page, l->noun);
		return;
	}
	struct text_table *t = table_new(l->columns, l->n_columns);
	for (const struct json *j = json_first(json_get(page, l->noun)); j; j = json_next(j))
		l->row(t, j);
	table_print(t, cli, l->empty);
	if (l->foot)
		l->foot(cli, page);
	if (json_get_str(page, "next", NULL))
		printf("more: --after %s\n", json_get_str(page, "next", ""));
}

int cli_list(struct cli *cli, const struct args *a, const struct list *l)
{
	static const char *const filters[] = {"limit", "after", "dag", "state", "since"};
	struct str url;
	struct json *page = NULL;
	str_init(&url, 1 << 16);
	str_add(&url, l->path);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		cli_add_query(&url, filters[i], args_get(a, filters[i], NULL));
	if (args_has(a, "unmatched"))
		cli_add_query(&url, "unmatched", "true");
	int rc = cli_request(cli, "GET", str_peek(&url), NULL, &page, NULL);
	str_done(&url);
	if (rc == EXIT_OK)
		print_page(cli, l, page);
	json_free(page);
	return rc;
}

int cli_each(struct cli *cli, const char *path, const char *noun,
    bool (*each)(void *ctx, const struct json *j), void *ctx)
{
	char next[256] = "";
	bool more = true;
	int rc;
	do {
		struct json *page = NULL;
		struct str url;
		str_init(&url, 8192);
		str_add(&url, path);
		cli_add_query(&url, "limit", "1000");
		cli_add_query(&url, "after", next[0] ? next : NULL);
		rc = cli_request(cli, "GET", str_peek(&url), NULL, &page, NULL);
		str_done(&url);
		for (const struct json *j = json_first(json_get(page, noun)); j && more;
		     j = json_next(j))
			more = each(ctx, j);
		str_copy(next, sizeof(next), json_get_str(page, "next", ""));
		json_free(page);
	} while (rc == EXIT_OK && next[0] && more);
	return rc;
}
