/* sluice.yaml: defaults, absolute paths, references to secrets, and what is refused. */
#include "core/dag/conf.h"
#include "core/dagfile/config.h"
#include "tests/unit/dagfile_rig.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <string.h>

static struct config_output *compile(const char *text, const struct catalog *catalog)
{
	struct config_input in = {.path = "/etc/x/sluice.yaml",
	    .text = text,
	    .n = strlen(text),
	    .catalog = catalog,
	    .cpus = 3};

	return config_compile(&in);
}

Test(dagfile_config, fills_in_every_default)
{
	struct config_output *out = compile("deployment: prod\n", NULL);
	struct conf *c = NULL;
	struct err err = {0};

	cr_assert(out->ok);
	cr_assert(conf_parse(out->json, out->n, &c, &err) == 0, "%s", err.text);
	cr_expect_str_eq(c->state_dir, "/etc/x/state");
	cr_expect_str_eq(c->dags_dir, "/etc/x/dags");
	cr_expect_str_eq(c->unix_path, "/etc/x/state/sluice.sock");
	cr_expect(
	    c->listen == NULL && c->workers == 3 && c->grace_ms == 10000 && c->run_user == NULL);
	cr_expect(
	    c->retain_runs_ms == INT64_C(90) * 86400000 && c->store_max_bytes == UINT64_C(2) << 30);
	conf_free(c);
	config_output_free(out);
	LEAK_CHECK();
}

Test(dagfile_config, compiles_connections_and_hooks)
{
	struct catalog *catalog = rig_catalog();
	struct config_output *out =
	    compile("deployment: prod\nstate: /var/lib/sluice\nplugins: [more]\nhttp: {listen: "
		    "\"localhost:0\"}\npools: {db: 2}\n"
		    "connections:\n  shop: {plugin: sqlite, path: shop.db, password: {file: "
		    "secrets/shop}, zone: UTC, rate: 100/s}\n"
		    "hooks:\n  h: {scheme: hmac, header: X-Sig, secrets: [{file: k}, {env: K}], "
		    "dedupe: {body: 10m}}\n"
		    "secrets: {pii: {credential: pii}}\ndefaults: {timezone: Asia/Tokyo}\n",
		catalog);
	struct json *j = NULL;
	const struct json *shop, *h;

	cr_assert(out->ok, "%s", out->diags.list.n > 0 ? out->diags.list.v[0].message : "");
	cr_assert(json_parse(out->json, out->n, 1u << 20, &j, NULL) == 0);
	shop = json_path(j, "connections.shop");
	cr_expect_str_eq(json_get_str(shop, "path", ""), "/etc/x/shop.db");
	cr_expect_str_eq(json_str(json_path(shop, "password.file"), ""), "/etc/x/secrets/shop");
	cr_expect_str_eq(json_get_str(shop, "busy", ""), "5s", "the option's default");
	cr_expect_str_eq(json_get_str(shop, "rate", ""), "100/s");
	h = json_path(j, "hooks.h");
	cr_expect_str_eq(
	    json_str(json_path(json_at(json_get(h, "secrets"), 0), "file"), ""), "/etc/x/k");
	cr_expect_str_eq(json_get_str(h, "encoding", ""), "hex");
	cr_expect(json_i64(json_path(h, "dedupe.body_ms"), 0) == 600000);
	cr_expect_str_eq(json_str(json_path(j, "http.unix"), ""), "/var/lib/sluice/sluice.sock");
	cr_expect_str_eq(json_str(json_path(j, "http.listen"), ""), "localhost:0");
	cr_expect_str_eq(json_str(json_at(json_get(j, "plugins"), 0), ""), "/etc/x/more");
	cr_expect(json_i64(json_path(j, "pools.db"), 0) == 2);
	json_free(j);
	config_output_free(out);
	catalog_free(catalog);
	LEAK_CHECK();
}

struct bad {
	const char *text;
	unsigned line, column;
	const char *code;
};

Test(dagfile_config, refuses_at_the_place)
{
	static const struct bad ROWS[] = {
	    {"state: x\n", 1, 1, "missing-key"},
	    {"deployment: Prod\n", 1, 13, "bad-name"},
	    {"deployment: p\nworker: 4\n", 2, 1, "unknown-key"},
	    {"deployment: p\nworkers: 0\n", 2, 10, "out-of-range"},
	    {"deployment: p\nhttp: {listen: \"0.0.0.0:80\"}\n", 2, 16, "not-yet"},
	    {"deployment: p\nhttp: {listen: \"db.internal:80\"}\n", 2, 16, "not-yet"},
	    {"deployment: p\nhttp: {listen: \"127.0.0.1\"}\n", 2, 16, "bad-address"},
	    {"deployment: p\nhttp: {listen: \"127.0.0.1:99999\"}\n", 2, 16, "bad-address"},
	    {"deployment: p\nhttp: {tls: {certificate: a, key: b}}\n", 2, 8, "not-yet"},
	    {"deployment: p\nsecrets: {pii: hunter22}\n", 2, 16, "literal-secret"},
	    {"deployment: p\nsecrets: {pii: {file: a, env: B}}\n", 2, 16, "bad-secret"},
	    {"deployment: p\nconnections: {s: {plugin: sqlite, path: a, password: hunter22}}\n", 2,
		54, "literal-secret"},
	    {"deployment: p\nconnections: {s: {plugin: sqlite, path: \"pg://u:secret@h/d\"}}\n", 2,
		41, "literal-secret"},
	    {"deployment: p\nconnections: {s: {plugin: sqlit, path: a}}\n", 2, 27,
		"unknown-plugin"},
	    {"deployment: p\nconnections: {s: {plugin: csv}}\n", 2, 27, "wrong-role"},
	    {"deployment: p\nconnections: {s: {plugin: sqlite}}\n", 2, 18, "missing-key"},
	    {"deployment: p\nconnections: {s: {plugin: sqlite, paht: a}}\n", 2, 18, "missing-key"},
	    {"deployment: p\nconnections: {s: {plugin: sqlite, path: a, busy: 2m}}\n", 2, 50,
		"out-of-range"},
	    {"deployment: p\nconnections: {s: {path: a}}\n", 2, 18, "missing-key"},
	    {"deployment: p\nhooks: {h: {scheme: github}}\n", 2, 21, "not-yet"},
	    {"deployment: p\nhooks: {h: {scheme: basic}}\n", 2, 21, "bad-choice"},
	    {"deployment: p\nhooks: {h: {scheme: bearer}}\n", 2, 12, "missing-key"},
	    {"deployment: p\nhooks: {h: {scheme: hmac, secrets: [{env: A}]}}\n", 2, 12,
		"missing-key"},
	    {"deployment: p\nhooks: {h: {scheme: none, header: X}}\n", 2, 27, "conflicting-keys"},
	    {"deployment: p\nhooks: {h: {scheme: none, id_header: \"X Y\"}}\n", 2, 38, "bad-name"},
	    {"deployment: p\nhooks: {h: {scheme: standard-webhooks, secrets: [whsec_x]}}\n", 2, 50,
		"literal-secret"},
	    {"deployment: p\nsources: {s: {plugin: exec}}\n", 2, 1, "not-yet"},
	    {"deployment: p\nnotify: {ops: {plugin: exec}}\n", 2, 24, "wrong-role"},
	    {"deployment: p\nnotify: {ops: {plugin: nofity}}\n", 2, 24, "unknown-plugin"},
	    {"deployment: p\ndefaults: {on_failure: [ops]}\n", 2, 25, "unknown-notify"},
	    {"deployment: p\nretention: {runs: 90}\n", 2, 19, "wrong-type"},
	    {"deployment: p\nlimits: {store: 2 GB}\n", 2, 17, "bad-size"},
	    {"deployment: p\non_term: stop\n", 2, 10, "bad-choice"},
	    {"- a\n", 1, 1, "wrong-type"},
	};
	struct catalog *catalog = rig_catalog();
	size_t i;

	for (i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		struct config_output *out = compile(ROWS[i].text, catalog);
		const struct diag *d = out->diags.list.n > 0 ? &out->diags.list.v[0] : NULL;

		cr_expect(!out->ok && out->json == NULL, "%s", ROWS[i].text);
		cr_assert(d != NULL, "%s", ROWS[i].text);
		cr_expect(d->line == ROWS[i].line && d->column == ROWS[i].column &&
			      strcmp(d->code, ROWS[i].code) == 0,
		    "%s: %u:%u %s %s", ROWS[i].text, d->line, d->column, d->code, d->message);
		config_output_free(out);
	}
	catalog_free(catalog);
	LEAK_CHECK();
}

Test(dagfile_config, never_repeats_a_secret)
{
	struct catalog *catalog = rig_catalog();
	struct config_output *out = compile("deployment: p\nconnections: {s: {plugin: sqlite, "
					    "path: \"x://u:hunter22@h\", password: hunter22}}\n",
	    catalog);
	size_t i;

	cr_assert(out->diags.list.n == 2);
	for (i = 0; i < out->diags.list.n; i++)
		cr_expect(strstr(out->diags.list.v[i].message, "hunter22") == NULL);
	config_output_free(out);
	catalog_free(catalog);
	LEAK_CHECK();
}
