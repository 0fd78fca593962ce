/* cmd_audit.c: `sluice audit`: who did what; --verify follows the chain of hashes to its start. */
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"

#include <string.h>

static void row(struct text_table *t, const struct json *j)
{
	table_time(t, json_get_str(j, "time", NULL));
	table_cell(t, json_get_str(j, "actor", ""));
	table_cell(t, json_get_str(j, "verb", ""));
	table_cell(t, json_get_str(j, "object", ""));
	table_cell(t, json_get_str(j, "detail", ""));
}

static const struct table_column columns[] = {
    {"TIME", false, false, false},
    {"ACTOR", false, true, false},
    {"VERB", false, false, false},
    {"OBJECT", false, true, false},
    {"DETAIL", false, true, false},
};
static const struct list records = {
    "/v1/audit", "audit", columns, 5, row, "nobody has done anything yet", NULL};

/* ---- verify ---- */

struct chain {
	int64_t n, seq;			      /* records seen; number of the last one */
	char prev[2 * HASH_SHA256_BYTES + 1]; /* what that one says of the one before it */
	char head[2 * HASH_SHA256_BYTES + 1]; /* of the newest */
	char wrong[128];
};

/* As sluice-api(7) says: the members as lines. */
static void hash_of(const struct json *j, char *hex)
{
	uint8_t hash[HASH_SHA256_BYTES];
	struct str text;
	str_init(&text, 1 << 16);
	str_addf(&text, "%lld\n%s\n%s\n%s\n%s\n%s\n%s\n", (long long)json_get_i64(j, "seq", 0),
	    json_get_str(j, "time", ""), json_get_str(j, "actor", ""), json_get_str(j, "verb", ""),
	    json_get_str(j, "object", ""), json_get_str(j, "detail", ""),
	    json_get_str(j, "prev", ""));
	hash_sha256(str_peek(&text), text.len, hash);
	hash_to_hex(hash, sizeof(hash), hex);
	str_done(&text);
}

/* Newest first: each must be the one that the one after it names. */
static bool follow(void *ctx, const struct json *j)
{
	struct chain *c = ctx;
	char hex[2 * HASH_SHA256_BYTES + 1];
	int64_t seq = json_get_i64(j, "seq", 0);
	hash_of(j, hex);
	if (c->n == 0)
		str_copy(c->head, sizeof(c->head), hex);
	if (!str_eq(hex, json_get_str(j, "hash", "")))
		snprintf(c->wrong, sizeof(c->wrong), "the hash of record %lld is not its own",
		    (long long)seq);
	else if (c->n > 0 && seq != c->seq - 1)
		snprintf(
		    c->wrong, sizeof(c->wrong), "record %lld is missing", (long long)c->seq - 1);
	else if (c->n > 0 && !str_eq(hex, c->prev))
		snprintf(c->wrong, sizeof(c->wrong), "record %lld was changed after it was written",
		    (long long)seq);
	c->n++;
	c->seq = seq;
	str_copy(c->prev, sizeof(c->prev), json_get_str(j, "prev", ""));
	return !c->wrong[0];
}

static int verify(struct cli *cli)
{
	struct chain c = {0};
	int rc = cli_each(cli, "/v1/audit", "audit", follow, &c);
	if (rc != EXIT_OK)
		return rc;
	if (!c.wrong[0] && c.n > 0 && (c.seq != 1 || strspn(c.prev, "0") != strlen(c.prev)))
		snprintf(c.wrong, sizeof(c.wrong), "the first records are missing");
	if (cli->output != OUTPUT_TEXT) {
		struct json *j = json_new_object();
		json_put(j, "ok", json_new_bool(!c.wrong[0]));
		json_put(j, "records", json_new_i64(c.n));
		json_put(j, "head", c.n ? json_new_str(c.head) : json_new_null());
		json_put(j, "problem", c.wrong[0] ? json_new_str(c.wrong) : json_new_null());
		cli_print_json(cli, j, NULL);
		json_free(j);
	} else if (!c.wrong[0]) {
		printf("%lld records, the chain is whole; newest %s\n", (long long)c.n,
		    c.n ? c.head : "-");
	}
	if (c.wrong[0] && cli->output == OUTPUT_TEXT)
		return cli_error(EXIT_RUN_FAILED, "%s", c.wrong);
	return c.wrong[0] ? EXIT_RUN_FAILED : EXIT_OK;
}

static int run(struct cli *cli, const struct args *a)
{
	if (!args_expect(a, 0, 0))
		return EXIT_USAGE;
	return args_has(a, "verify") ? verify(cli) : cli_list(cli, a, &records);
}

static const struct cli_opt opts[] = {
    {"since", "TIME", "Only what was done at or after this time; 2h: that long ago.", 0},
    {"verify", NULL, "Follow the chain of hashes through all records; exit 1 where it breaks.", 0},
    {"limit", "N", "At most N rows (100, at most 1000).", 'n'},
    {"after", "NEXT", "The page behind this one: the `next` of the JSON output.", 0},
    {NULL, NULL, NULL, 0},
};
const struct command cmd_audit = {
    .name = "audit",
    .synopsis = "[--since TIME] [--verify] [--limit N] [--after NEXT]",
    .summary = "List who did what, newest first, or verify that nothing was changed",
    .help = "Each record holds the hash of the one before it. Records are kept for ever: no "
	    "retention\ncuts the chain. The hash of the newest, noted elsewhere, proves all before "
	    "it.\n"
	    "\nExamples:\n  sluice audit --since 1d\n  sluice audit --verify",
    .opts = opts,
    .run = run,
};
