/* cmd_why.c: `sluice why`: in sentences, what something waits for or why it ended as it did. */
#include "core/base/mem.h"
#include "core/cli/cli.h"

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

static void print(const struct cli *cli, const struct json *reply)
{
	const char *state = json_get_str(reply, "state", "");
	struct str b, text;
	str_init(&b, 1 << 20);
	text_paint(cli, &b, text_state_paint(state), state);
	for (const struct json *r = json_first(json_get(reply, "reasons")); r; r = json_next(r)) {
		str_init(&text, 1 << 16);
		text_local(&text, json_get_str(r, "text", ""));
		str_add(&b, "\n  ");
		text_wrap(&b, str_peek(&text), 2, 4, text_columns(cli));
		str_done(&text);
	}
	puts(str_peek(&b));
	str_done(&b);
}

static int run(struct cli *cli, const struct args *a)
{
	struct str path;
	struct json *reply = NULL;
	if (!args_expect(a, 1, 2))
		return EXIT_USAGE;
	str_init(&path, 8192);
	str_add(&path, "/v1/why");
	cli_add_query(&path, "subject", a->pos[0]);
	if (a->n_pos == 2)
		cli_add_query(&path, "step", a->pos[1]);
	int rc = cli_request(cli, "GET", str_peek(&path), NULL, &reply, NULL);
	str_done(&path);
	if (rc == EXIT_OK && cli->output != OUTPUT_TEXT) {
		cli_print_json(cli, reply, "reasons");
	} else if (rc == EXIT_OK) {
		print(cli, reply);
	}
	json_free(reply);
	return rc;
}

const struct command cmd_why = {
    .name = "why",
    .synopsis = "RUN [STEP] | DAG | event:ID | dataset:NAME",
    .summary = "Say what something waits for, or why it ended so",
    .help = "Examples:\n"
	    "  sluice why shop_nightly\n"
	    "  sluice why shop_nightly@2026-11-21 orders_dwh\n"
	    "  sluice why event:1042\n"
	    "  sluice why dataset:lake/shop.orders",
    .opts = opts,
    .run = run,
};
