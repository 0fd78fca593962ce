/* compile_load.c: extract and load: their core keys, and what the two must agree on. */
#include "core/dagfile/compile_int.h"

#include <stdio.h>
#include <string.h>

#include "sluice/plugin.h"

static bool has(const struct role_use *r, const char *key)
{
	return role_get(r, key) != NULL;
}

static void conflict(struct unit *u, const struct role_use *r, const char *key, const char *other)
{
	if (has(r, key) && has(r, other))
		diag_error_key(u->d, role_get(r, key), "conflicting-keys", "keep one of them",
		    "\"%s\" and \"%s\" exclude each other", other, key);
}

static void only_with(
    struct unit *u, const struct role_use *r, const char *key, bool fits, const char *with)
{
	char hint[120];

	if (!has(r, key) || fits)
		return;
	snprintf(hint, sizeof(hint), "it belongs to %s; leave it out", with);
	diag_error_key(
	    u->d, role_get(r, key), "conflicting-keys", hint, "\"%s\" means nothing here", key);
}

/* ---- extract ---- */
static void check_cap(struct unit *u, const struct role_use *r, const char *key, uint32_t cap)
{
	if (has(r, key) && r->offer != NULL && !(catalog_role_caps(r->offer) & cap))
		diag_error_key(u->d, role_get(r, key), "unsupported-key",
		    "leave it out, or choose another plugin", "the plugin \"%s\" cannot read by %s",
		    r->plugin, key);
}

/* The types that the kit's slu_type_parse knows, other spellings included. */
static bool is_column_type(const char *text)
{
	static const char *const names[] = {"bool", "int8", "int16", "int32", "int64", "uint8",
	    "uint16", "uint32", "uint64", "float32", "float64", "text", "binary", "date", "string",
	    "bytes", "utf8", "integer", "int", "number", "float", "double", "boolean", "date32",
	    "json", "timestamp", "timestamptz", "timestamp_local"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], text) == 0)
			return true;
	}
	return (str_starts(text, "decimal(") || str_starts(text, "timestamp(")) &&
	       str_ends(text, ")");
}

static void check_column_types(struct unit *u, const struct yaml_node *columns)
{
	const struct yaml_node *c;

	if (columns == NULL || columns->kind != YAML_MAP)
		return;
	for (c = columns->first; c != NULL; c = c->next) {
		if (c->kind != YAML_TEXT || strstr(c->text, "${") != NULL ||
		    is_column_type(c->text))
			continue;
		diag_error(u->d, c, "bad-column-type",
		    strcmp(c->text, "decimal") == 0
			? "say how many digits and how many of them behind the point: "
			  "\"decimal(12,2)\""
			: "there are bool, int8 to int64, uint8 to uint64, float32, float64, "
			  "\"decimal(12,2)\", text, json, binary, date, timestamp, "
			  "timestamp(ZONE), timestamp_local",
		    "\"%.80s\" is no type of a column", c->text);
	}
}

static void check_extract(struct unit *u, const struct role_use *r)
{
	const struct yaml_node *c;
	bool own = false;

	conflict(u, r, "query", "table");
	conflict(u, r, "dataset", "table");
	conflict(u, r, "dataset", "query");
	conflict(u, r, "cursor", "window");
	conflict(u, r, "window", "dataset");
	conflict(u, r, "cursor", "dataset");
	only_with(u, r, "read", has(r, "dataset"), "dataset");
	only_with(u, r, "rest", has(r, "columns"), "columns");
	check_column_types(u, role_get(r, "columns"));
	check_cap(u, r, "window", SLU_X_WINDOW);
	check_cap(u, r, "cursor", SLU_X_CURSOR);
	for (c = r->node->first; c != NULL; c = c->next)
		own = own || keys_find(r->core, c->key) == NULL;
	if (r->offer != NULL && r->connection[0] != '\0' && !own && !has(r, "table") &&
	    !has(r, "query") && !has(r, "dataset"))
		diag_error(u->d, r->node, "missing-key", "add table, query or dataset",
		    "the extract does not say what is read");
}

void extract_write(
    struct unit *u, const struct role_use *r, const struct expr_scope *scope, struct jw *w)
{
	static const char *const REST[] = {
	    "window", "cursor", "deletes", "columns", "rest", "expand"};
	size_t i;

	check_extract(u, r);
	jw_object(w);
	role_write_head(r, w);
	role_write_key(u, r, scope, "table", w);
	role_write_key(u, r, scope, "query", w);
	role_write_key(u, r, scope, "dataset", w);
	if (has(r, "dataset"))
		jw_kstr(w, "read", role_text(r, "read", "new"));
	for (i = 0; i < sizeof(REST) / sizeof(REST[0]); i++)
		role_write_key(u, r, scope, REST[i], w);
	role_write_options(u, r, scope, w);
	jw_end_object(w);
}

/* ---- load: mode and promise ---- */
static const char *const MODES[] = {
    "append", "replace", "merge", "replace_partition", "delete_insert"};
#define N_MODES (sizeof(MODES) / sizeof(MODES[0]))

static unsigned promise_rank(const char *promise)
{
	static const char *const NAMES[] = {"none", "at_least_once", "replace", "once"};
	unsigned i;

	for (i = 0; i < PROMISE_N && !str_eq(NAMES[i], promise); i++)
		;
	return i < PROMISE_N ? i : PROMISE_NONE;
}

static const char *find_mode(struct unit *u, const struct role_use *r)
{
	const char *mode = role_text(r, "mode", NULL), *only = NULL;
	struct str list;
	size_t i, n = 0;

	if (r->offer == NULL || (has(r, "mode") && mode == NULL))
		return mode;
	str_init(&list, 512);
	for (i = 0; i < N_MODES; i++) {
		if (catalog_role_promise(r->offer, MODES[i]) == NULL)
			continue;
		str_addf(&list, "%s%s", n++ > 0 ? ", " : "", MODES[i]);
		only = MODES[i];
	}
	if (mode == NULL && n == 1) {
		mode = only;
	} else if (mode == NULL) {
		diag_error(u->d, r->node, "missing-key", "say what happens to rows that are there",
		    "the load needs a mode: %s", str_peek(&list));
	} else if (catalog_role_promise(r->offer, mode) == NULL) {
		str_addf(&list, " %s", n > 0 ? "work" : "no mode works");
		diag_error(u->d, role_get(r, "mode"), "unsupported-mode", str_peek(&list),
		    "the load of plugin \"%s\" cannot %s", r->plugin, mode);
		mode = NULL;
	}
	str_done(&list);
	return mode;
}

static void count_promise(struct unit *u, const struct role_use *r, const char *mode)
{
	unsigned rank = promise_rank(catalog_role_promise(r->offer, mode));

	if (rank < u->promise)
		u->promise = rank;
}

/* ---- load: the data set ---- */
/* Its name in buf: as written, or CONNECTION/TABLE. */
static const char *find_dataset(struct unit *u, const struct role_use *r, char *buf, size_t size)
{
	const struct yaml_node *n = role_get(r, "dataset");
	const char *table = role_text(r, "table", NULL);
	size_t len = strlen(r->connection);
	char hint[120];

	if (n != NULL) {
		if (n->bad || n->kind != YAML_TEXT)
			return NULL;
		if (len > 0 &&
		    !(strncmp(n->text, r->connection, len) == 0 && n->text[len] == '/')) {
			snprintf(hint, sizeof(hint), "write %s/…", r->connection);
			diag_error(u->d, n, "bad-dataset", hint,
			    "the data set \"%.100s\" is not of the connection \"%s\"", n->text,
			    r->connection);
		}
		return n->text;
	}
	if (len == 0 || table == NULL) {
		diag_error(u->d, r->node, "missing-key",
		    "add dataset: CONNECTION/NAME, for example lake/shop.orders",
		    "the load does not say which data set it publishes");
		return NULL;
	}
	snprintf(buf, size, "%s/%s", r->connection, table);
	if (!expr_is_template(buf) && !str_is_dataset(buf)) {
		diag_error(u->d, role_get(r, "table"), "bad-dataset",
		    "add dataset: CONNECTION/NAME beside it", "\"%.100s\" cannot name a data set",
		    buf);
		return NULL;
	}
	return buf;
}

static const struct yaml_node *declared_partition(const struct unit *u, const char *dataset)
{
	return dataset != NULL
		   ? yaml_get(yaml_get(yaml_get(u->root, "datasets"), dataset), "partition")
		   : NULL;
}

void partition_write(const struct unit *u, const struct yaml_node *partition, struct jw *w)
{
	jw_key(w, "partition");
	jw_object(w);
	jw_kstr(w, "unit", node_text(partition, "unit", "day"));
	jw_kstr(w, "zone", node_text(partition, "zone", u->zone));
	if (node_text(partition, "column", NULL) != NULL)
		jw_kstr(w, "column", node_text(partition, "column", NULL));
	jw_end_object(w);
}

static bool same_partition(
    const struct unit *u, const struct yaml_node *a, const struct yaml_node *b)
{
	return str_eq(node_text(a, "unit", ""), node_text(b, "unit", "")) &&
	       str_eq(node_text(a, "zone", u->zone), node_text(b, "zone", u->zone)) &&
	       str_eq(node_text(a, "column", NULL), node_text(b, "column", NULL));
}

static const struct yaml_node *find_partition(
    struct unit *u, const struct role_use *r, const char *dataset)
{
	const struct yaml_node *own = role_get(r, "partition"),
			       *declared = declared_partition(u, dataset);

	if (own == NULL || own->bad)
		return declared;
	if (declared != NULL && !same_partition(u, own, declared))
		diag_error_key(u->d, own, "conflicting-keys", "keep the one under datasets:",
		    "\"%s\" is declared with another partition in line %u", dataset,
		    (unsigned)declared->line);
	return own;
}

/* ---- load: modes and their keys ---- */
static void needs_key(
    struct unit *u, const struct role_use *r, const char *mode, const char *key, bool there)
{
	char hint[160];

	if (there)
		return;
	snprintf(hint, sizeof(hint), "%s: %.120s", key, keys_find(r->core, key)->doc);
	diag_error(u->d, role_get(r, "mode") != NULL ? role_get(r, "mode") : r->node, "missing-key",
	    hint, "mode %s needs \"%s\"", mode, key);
}

static void check_mode(
    struct unit *u, const struct role_use *r, const char *mode, const struct yaml_node *partition)
{
	bool merge = strcmp(mode, "merge") == 0, parts = strcmp(mode, "replace_partition") == 0;

	if (merge || strcmp(mode, "delete_insert") == 0)
		needs_key(u, r, mode, "key", has(r, "key"));
	if (parts)
		needs_key(u, r, mode, "partition", partition != NULL);
	only_with(u, r, "version", merge, "mode merge");
	only_with(u, r, "duplicates", merge, "mode merge");
	only_with(u, r, "stray", parts, "mode replace_partition");
	only_with(u, r, "empty", parts, "mode replace_partition");
	only_with(u, r, "stamp", strcmp(mode, "append") == 0, "mode append");
	if (merge && strcmp(role_text(r, "duplicates", "refuse"), "latest") == 0 &&
	    !has(r, "version"))
		diag_error_key(u->d, role_get(r, "duplicates"), "missing-key",
		    "add version: COLUMN", "duplicates: latest needs \"version\"");
}

static void check_cursor(
    struct unit *u, const struct role_use *extract, const struct role_use *r, const char *mode)
{
	const struct yaml_node *cursor = extract != NULL ? role_get(extract, "cursor") : NULL;
	const struct yaml_node *overlap = yaml_get(cursor, "overlap");

	if (cursor == NULL)
		return;
	if (strcmp(mode, "replace_partition") == 0 || strcmp(mode, "replace") == 0)
		diag_error_key(u->d, role_get(r, "mode"), "conflicting-keys",
		    "use mode merge or append, or read by window",
		    "mode %s would replace what the cursor does not read again", mode);
	if (overlap != NULL && strcmp(mode, "merge") != 0)
		diag_error_key(u->d, overlap, "conflicting-keys", "use mode: merge with a key",
		    "overlap reads rows twice; mode %s would keep both", mode);
}

static void note_published(struct unit *u, const struct role_use *r,
    const struct yaml_node *partition, const char *dataset)
{
	struct named p = {.partition = partition};

	p.at = role_get(r, "dataset") != NULL ? role_get(r, "dataset") : role_get(r, "table");
	(void)str_copy(p.name, sizeof(p.name), dataset);
	if (p.at == NULL)
		return;
	VEC_ADD(&u->published, p);
}

void load_write(struct unit *u, const struct role_use *r, const struct role_use *extract,
    const struct expr_scope *scope, struct jw *w)
{
	static const char *const REST[] = {
	    "layout", "schema", "reject", "guard", "checks", "stamp", "checkpoint"};
	char buf[PLAN_DATASET_MAX * 2];
	const char *mode = find_mode(u, r), *dataset = find_dataset(u, r, buf, sizeof(buf));
	const struct yaml_node *partition = find_partition(u, r, dataset);
	size_t i;

	if (mode != NULL) {
		check_mode(u, r, mode, partition);
		check_cursor(u, extract, r, mode);
		if (r->offer != NULL)
			count_promise(u, r, mode);
	}
	if (dataset != NULL)
		note_published(u, r, partition, dataset);
	expr_check_tree(u->d, role_get(r, "dataset"), scope, WANT_TEXT);
	expr_check_tree(u->d, role_get(r, "partition"), scope, WANT_MAP);
	jw_object(w);
	role_write_head(r, w);
	jw_kstr(w, "dataset", dataset);
	role_write_key(u, r, scope, "table", w);
	jw_kstr(w, "mode", mode);
	role_write_key(u, r, scope, "key", w);
	role_write_key(u, r, scope, "version", w);
	role_write_key(u, r, scope, "duplicates", w);
	if (partition != NULL)
		partition_write(u, partition, w);
	role_write_key(u, r, scope, "stray", w);
	role_write_key(u, r, scope, "empty", w);
	for (i = 0; i < sizeof(REST) / sizeof(REST[0]); i++)
		role_write_key(u, r, scope, REST[i], w);
	role_write_options(u, r, scope, w);
	jw_end_object(w);
}
