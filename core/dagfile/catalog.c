/* catalog.c: see catalog.h. */
#include "core/dagfile/catalog.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <string.h>

struct catalog {
	struct json *root; /* owned */
};

int catalog_parse(const char *text, size_t n, struct catalog **ret, struct err *err)
{
	struct catalog *c;
	struct json *root = NULL;
	int rc;

	if (text == NULL || n == 0) {
		root = json_new_object();
	} else {
		rc = json_parse(text, n, CATALOG_MAX_BYTES, &root, err);
		if (rc != 0) {
			err_prefix(err, "the plugins' descriptions");
			return rc;
		}
	}
	c = MEM_NEW(struct catalog);
	c->root = root;
	*ret = c;
	return 0;
}

void catalog_free(struct catalog *c)
{
	if (c == NULL)
		return;
	json_free(c->root);
	mem_free(c);
}

const struct json *catalog_plugin(const struct catalog *c, const char *plugin)
{
	const struct json *p;

	for (p = json_first(json_get(c->root, "plugins")); p != NULL; p = json_next(p))
		if (str_eq(json_get_str(p, "name", ""), plugin))
			return p;
	return NULL;
}

const char *catalog_plugin_at(const struct catalog *c, size_t i)
{
	const struct json *p = json_at(json_get(c->root, "plugins"), i);

	return p != NULL ? json_get_str(p, "name", "") : NULL;
}

const char *catalog_problem(const struct catalog *c, const char *plugin)
{
	size_t n = strlen(plugin), len;
	const struct json *p;
	const char *file;

	for (p = json_first(json_get(c->root, "problems")); p != NULL; p = json_next(p)) {
		file = json_get_str(p, "file", "");
		len = strlen(file);
		if (str_ends(file, ".so") && len >= n + 4 && file[len - n - 4] == '/' &&
		    memcmp(file + len - n - 3, plugin, n) == 0)
			return json_get_str(p, "message", "");
	}
	return NULL;
}

bool catalog_is_late(const struct catalog *c)
{
	const struct json *p;

	for (p = json_first(json_get(c->root, "problems")); p != NULL; p = json_next(p))
		if (json_get_bool(p, "late", false))
			return true;
	return false;
}

const struct json *catalog_plugin_kinds(const struct json *plugin)
{
	return json_get(plugin, "kinds");
}

const struct json *catalog_kind_role(const struct json *kind, const char *role)
{
	const struct json *r = json_get(json_get(kind, "roles"), role);

	return json_is(r, JSON_OBJECT) ? r : NULL;
}

enum catalog_found catalog_find(const struct catalog *c, const char *plugin, const char *type,
    const char *role, const struct json **ret_kind, const struct json **ret_role)
{
	const struct json *p = catalog_plugin(c, plugin), *k, *found = NULL;
	bool any_type = false;
	size_t n = 0;

	*ret_kind = *ret_role = NULL;
	if (p == NULL)
		return CATALOG_NO_PLUGIN;
	for (k = json_first(json_get(p, "kinds")); k != NULL; k = json_next(k)) {
		const char *name = catalog_kind_type(k);

		if (type != NULL && strcmp(name, type) != 0)
			continue;
		any_type = true;
		if (catalog_kind_role(k, role) == NULL)
			continue;
		/* the kind that is called like the plugin wins over its siblings */
		if (found == NULL || strcmp(name, plugin) == 0)
			found = k;
		n++;
	}
	if (!any_type)
		return CATALOG_NO_TYPE;
	if (found == NULL)
		return CATALOG_NO_ROLE;
	if (n > 1 && strcmp(catalog_kind_type(found), plugin) != 0)
		return CATALOG_AMBIGUOUS;
	*ret_kind = found;
	*ret_role = catalog_kind_role(found, role);
	return CATALOG_OK;
}

const char *catalog_kind_type(const struct json *kind)
{
	return json_get_str(kind, "type", "");
}

unsigned catalog_kind_needs(const struct json *kind)
{
	return (unsigned)json_get_i64(kind, "needs", 0);
}

uint32_t catalog_role_caps(const struct json *role)
{
	return (uint32_t)json_get_i64(role, "caps", 0);
}

const struct json *catalog_role_options(const struct json *role)
{
	const struct json *o = json_get(role, "options");

	return json_is(o, JSON_ARRAY) ? o : NULL;
}

const char *catalog_role_promise(const struct json *role, const char *mode)
{
	return json_get_str(json_get(role, "promise"), mode, NULL);
}
