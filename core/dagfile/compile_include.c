/* compile_include.c: lists that stand in a file of their own: `foreach.in: {file: tables.yaml}`.
 * The list goes into the plan as if it were written in the DAG file, so that a change of it is a
 * change of the plan. What is wrong in it is told at the place that names the file, with the place
 * there. */
#include "core/dagfile/compile_int.h"

#include "core/base/io.h"
#include "core/base/mem.h"

#include <string.h>

struct include {
	char *path;	      /* owned: as opened */
	struct yaml_doc *doc; /* owned; NULL where it cannot be read */
	struct diags d;
};

void include_done(struct unit *u)
{
	size_t i;

	for (i = 0; i < u->includes.n; i++) {
		mem_free(u->includes.v[i]->path);
		yaml_doc_free(u->includes.v[i]->doc);
		diags_done(&u->includes.v[i]->d);
		mem_free(u->includes.v[i]);
	}
	VEC_DONE(&u->includes);
}

/* The folder's watch and the scan for DAG files look at these names alone. */
static bool is_list_name(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name != NULL ? name + 1 : path;
	return name[0] != '.' &&
	       (str_ends(name, ".yaml") || str_ends(name, ".yml") || str_ends(name, ".json"));
}

static void read_doc(struct unit *u, struct include *x)
{
	struct str text;
	struct err err = {0};

	str_init(&text, YAML_MAX_BYTES + 1);
	if (u->in->read == NULL)
		diag_at(&x->d, 1, 1, "", false, "unreadable", "write the list into the DAG file",
		    "no other file can be read here");
	else if (u->in->read(u->in->read_arg, x->path, &text, &err) != 0)
		diag_at(&x->d, 1, 1, "", false, "unreadable",
		    "check that it is there and may be read; its path begins at the DAG file's "
		    "folder",
		    "%s", err.text);
	else
		x->doc = yaml_doc_parse(str_peek(&text), text.len, &x->d);
	str_done(&text);
}

static struct include *include_open(struct unit *u, const struct yaml_node *at)
{
	char *path = io_path_join(u->folder, at->text);
	struct include *x;
	size_t i;

	for (i = 0; i < u->includes.n; i++) {
		if (strcmp(u->includes.v[i]->path, path) != 0)
			continue;
		mem_free(path);
		return u->includes.v[i];
	}
	x = MEM_NEW(struct include);
	x->path = path;
	diags_init(&x->d);
	read_doc(u, x);
	VEC_ADD(&u->includes, x);
	VEC_ADD(&u->out->inputs, mem_strdup(path));
	return x;
}

const struct yaml_node *include_list(struct unit *u, const struct yaml_node *at, struct diags **ret)
{
	const struct yaml_node *root;
	struct include *x;

	*ret = NULL;
	if (at->bad)
		return NULL;
	if (!is_list_name(at->text)) {
		diag_error(u->d, at, "bad-path", "name a file NAME.yaml, NAME.yml or NAME.json",
		    "a list is read from a YAML or JSON file, \"%.80s\" is not called like one",
		    at->text);
		return NULL;
	}
	x = include_open(u, at);
	*ret = &x->d;
	root = yaml_doc_root(x->doc);
	if (root == NULL || root->kind == YAML_LIST)
		return root;
	diag_error(&x->d, root, "wrong-type", "write one item a line: - NAME",
	    "the file of a foreach is a list, not %s", yaml_kind_name(root));
	return NULL;
}

void include_tell(struct unit *u, const struct yaml_node *at)
{
	struct include *x = at->bad || !is_list_name(at->text) ? NULL : include_open(u, at);
	size_t i;

	for (i = 0; x != NULL && i < x->d.list.n; i++) {
		const struct diag *d = &x->d.list.v[i];

		diag_error(u->d, at, d->code, d->hint, "%s:%u:%u: %s", x->path, d->line, d->column,
		    d->message);
	}
	if (x != NULL && x->d.n_dropped > 0)
		diag_error(u->d, at, "too-long", "mend these first", "%s: %zu more errors", x->path,
		    x->d.n_dropped);
}
