/* Every row of tests/data/dagfile/bad.txt gives its number of errors, and its first one at the
 * place, with the code and key that the row says. */
#include "tests/unit/dagfile_rig.h"
#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct row {
	char name[100], code[64], key[128];
	unsigned errors, line, column;
	char *text; /* borrowed */
};

/* The row at *at; false at the end. The text is terminated in place. */
static bool next_row(char **at, struct row *r)
{
	char *head = strstr(*at, "=== "), *end;
	int n;

	if (head == NULL)
		return false;
	r->key[0] = '\0';
	n = sscanf(head, "=== %99[^|]| %u | %u:%u | %63s |%127[^\n]", r->name, &r->errors, &r->line,
	    &r->column, r->code, r->key);
	cr_assert(n >= 5, "a broken row: %.60s", head);
	r->text = strchr(head, '\n') + 1;
	end = strstr(r->text, "=== ");
	*at = end != NULL ? end : r->text + strlen(r->text);
	if (end != NULL)
		end[-1] = '\0'; /* the line break before the next row */
	return true;
}

static void check_row(const struct row *r, const struct catalog *catalog, const struct json *config)
{
	struct compile_file file = {"x.yaml", r->text, strlen(r->text), NULL};
	struct compile_input in = {
	    .files = &file, .n_files = 1, .config = config, .catalog = catalog, .now = TIME_NONE};
	struct compile_output *out = compile_set(&in);
	const struct compile_result *c = &out->v[0];
	const struct diag *d = NULL;
	size_t i;

	for (i = 0; i < c->diags.list.n && d == NULL; i++)
		if (!c->diags.list.v[i].warning)
			d = &c->diags.list.v[i];
	cr_expect(!c->ok && c->plan == NULL, "%s: it must not compile", r->name);
	cr_expect(c->diags.n_errors == r->errors, "%s: %zu errors", r->name, c->diags.n_errors);
	cr_assert(d != NULL, "%s: no error", r->name);
	cr_expect(
	    d->line == r->line && d->column == r->column, "%s: %u:%u", r->name, d->line, d->column);
	cr_expect(strcmp(d->code, r->code) == 0, "%s: %s", r->name, d->code);
	cr_expect(strcmp(d->key, r->key + (r->key[0] == ' ')) == 0, "%s: %s", r->name, d->key);
	cr_expect(d->message[0] != '\0');
	compile_output_free(out);
}

Test(dagfile_bad, every_row_is_refused_at_its_place)
{
	struct catalog *catalog = rig_catalog();
	struct json *config = rig_config();
	struct str text;
	struct row r;
	char *at;
	size_t n = 0;

	rig_read("bad.txt", &text);
	/* the last text ends like the others, without its line break */
	text.s[text.len - 1] = '\0';
	at = text.s;
	while (next_row(&at, &r)) {
		check_row(&r, catalog, config);
		n++;
	}
	cr_expect(n >= 120, "%zu rows", n);
	str_done(&text);
	json_free(config);
	catalog_free(catalog);
	LEAK_CHECK();
}
