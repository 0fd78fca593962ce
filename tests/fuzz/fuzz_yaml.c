/* DAG files and sluice.yaml: whatever the bytes, there is a plan or an error with a place; what
 * compiles reads back. */
#include "core/dagfile/compile.h"
#include "core/dagfile/config.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const char CATALOG[] = "{\"plugins\":[{\"name\":\"exec\",\"kinds\":[{\"type\":\"exec\","
			      "\"needs\":4,\"roles\":{\"task\":{\"options\":["
			      "{\"name\":\"command\",\"type\":\"list\",\"sub\":[{\"name\":\"arg\","
			      "\"type\":\"string\",\"templated\":true}],\"excludes\":["
			      "\"shell\"]},{\"name\":\"shell\",\"type\":\"string\",\"templated\":"
			      "true},{\"name\":\"wait\",\"type\":\"duration\",\"max\":"
			      "\"1h\"}]},\"extract\":{\"caps\":3,\"options\":[]},\"load\":{"
			      "\"options\":[],\"promise\":{\"append\":\"once\",\"merge\":"
			      "\"once\"}},\"connection\":{\"options\":[{\"name\":\"path\",\"type\":"
			      "\"uri\"},{\"name\":\"password\",\"type\":"
			      "\"secret\"}]}}}]}]}";
static const char CONFIG[] =
    "{\"connections\":{\"c\":{\"plugin\":\"exec\",\"type\":\"exec\"}},\"hooks\":{\"h\":{}}}";

static struct catalog *catalog(void)
{
	static struct catalog *c;

	if (c == NULL)
		FUZZ_DEMAND(catalog_parse(CATALOG, strlen(CATALOG), &c, NULL) == 0);
	return c;
}

static void check_diags(const struct diags *d)
{
	size_t i;

	for (i = 0; i < d->list.n; i++) {
		FUZZ_DEMAND(d->list.v[i].line > 0 && d->list.v[i].column > 0);
		FUZZ_DEMAND(d->list.v[i].code != NULL && d->list.v[i].message[0] != '\0');
	}
}

static void try_dag(const char *text, size_t n, const struct json *config)
{
	struct compile_file file = {"/d/x.yaml", text, n, NULL};
	struct compile_input in = {
	    .files = &file, .n_files = 1, .config = config, .now = 0, .whole = true};
	struct compile_output *out;
	struct plan *p = NULL;

	in.catalog = catalog();
	out = compile_set(&in);
	check_diags(&out->v[0].diags);
	FUZZ_DEMAND(out->ok || out->v[0].diags.n_errors > 0);
	if (out->v[0].plan != NULL)
		FUZZ_DEMAND(plan_parse(out->v[0].plan, out->v[0].plan_n, &p, NULL) == 0);
	plan_free(p);
	compile_output_free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct config_input in = {
	    .path = "/d/sluice.yaml", .text = (const char *)data, .n = n, .cpus = 1};
	struct config_output *out;
	struct json *config = NULL;

	if (n > 1u << 16)
		return 0;
	FUZZ_DEMAND(json_parse(CONFIG, strlen(CONFIG), sizeof(CONFIG), &config, NULL) == 0);
	try_dag((const char *)data, n, config);
	try_dag((const char *)data, n, NULL);
	json_free(config);
	in.catalog = catalog();
	out = config_compile(&in);
	check_diags(&out->diags);
	FUZZ_DEMAND(out->ok == (out->json != NULL));
	if (out->ok) {
		FUZZ_DEMAND(json_parse(out->json, out->n, 1u << 24, &config, NULL) == 0);
		json_free(config);
	}
	config_output_free(out);
	return 0;
}
