/* plan.c: from the options and the incoming columns to what comes out. All options name incoming
 * columns; `unlisted` decides about those that none names, and refuses by default: a new personal
 * column must not slip through. */
#include "plugins/columns/columns.h"

#include "sluice/kit/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool in_list(const slu_json *list, const char *name)
{
	const slu_json *v;

	for (v = slu_json_first(list); v; v = slu_json_next(v))
		if (strcmp(slu_json_str(v, ""), name) == 0)
			return true;
	return false;
}

/* "drop", "hmac", "redact", or NULL where the column is not masked. */
static const char *mask_method(const struct columns *c, const char *name)
{
	const slu_json *m = slu_json_get(c->mask, name);

	return m ? slu_json_str(m, slu_json_get_str(m, "method", "")) : NULL;
}

static slu_rc known_names(
    struct columns *c, const slu_json *names, bool list, const char *option, slu_err *err)
{
	const slu_json *v;

	for (v = slu_json_first(names); v; v = slu_json_next(v)) {
		const char *name = list ? slu_json_str(v, "") : slu_json_key(v);

		if (slu_fields_find(&c->in, name) < 0)
			return slu_fail_field(err, SLU_E_SCHEMA, "COLUMNS.MISSING", name,
			    "%s: there is no column \"%s\" in what comes in", option, name);
	}
	return SLU_OK;
}

static slu_rc hmac_key(struct columns *c, struct column *v, const char *name, slu_err *err)
{
	char path[SLU_COLUMN_NAME_MAX + 32];
	slu_rc rc;

	(void)snprintf(path, sizeof(path), "mask.%s.key", name);
	v->key_n = sizeof(v->key);
	rc = c->host->get_secret(c->run, path, v->key, &v->key_n);
	if (rc != SLU_OK || v->key_n < 16) {
		v->key_n = 0;
		return slu_fail_field(err, SLU_E_CONFIG, "COLUMNS.KEY", path,
		    "mask.%s: method hmac needs `key`, the name of a secret of at least 16 bytes "
		    "under `secrets:` in sluice.yaml",
		    name);
	}
	v->cache = calloc(CACHE_SLOTS, sizeof(*v->cache));
	return v->cache ? SLU_OK
			: slu_fail(err, SLU_E_TRANSIENT, "COLUMNS.MEMORY", "out of memory");
}

static slu_rc masked(struct columns *c, struct column *v, slu_field *f, const char *name,
    const char *method, slu_err *err)
{
	if (slu_json_get(c->cast, name))
		return slu_fail_field(err, SLU_E_CONFIG, "COLUMNS.BOTH", name,
		    "column \"%s\" is masked and cast: only one is possible", name);
	if (strcmp(method, "redact") == 0) {
		v->what = COLUMN_REDACT;
		f->not_null = 0;
		f->json = 0;
		return SLU_OK;
	}
	if (strcmp(method, "hmac") != 0)
		return slu_fail_field(err, SLU_E_CONFIG, "COLUMNS.METHOD", name,
		    "mask.%s: \"%s\" is none of hmac, redact, drop", name, method);
	v->what = COLUMN_HMAC;
	f->type = SLU_UTF8;
	f->json = 0;
	f->zone[0] = '\0';
	return hmac_key(c, v, name, err);
}

static slu_rc add_column(struct columns *c, size_t in, const char *method, slu_err *err)
{
	const slu_field *from = &c->in.v[in];
	const char *name = slu_json_get_str(c->rename, from->name, from->name);
	const char *type = slu_json_get_str(c->cast, from->name, NULL);
	struct column *v = &c->v[c->out.n];
	slu_field *f = slu_fields_add(&c->out, name, from->type, err), plain;
	slu_rc rc = SLU_OK;

	if (!f)
		return SLU_E_SCHEMA;
	plain = *from;
	memcpy(plain.name, f->name, sizeof(plain.name));
	*f = plain;
	v->in = in;
	v->built = -1;
	if (method) {
		rc = masked(c, v, f, from->name, method, err);
	} else if (type) {
		v->what = COLUMN_CAST;
		rc = slu_type_parse(type, f, err);
	}
	if (rc != SLU_OK || v->what == COLUMN_PASS)
		return rc;
	v->built = (int)c->built.n;
	f = slu_fields_add(&c->built, name, f->type, err);
	if (!f)
		return SLU_E_SCHEMA;
	*f = c->out.v[c->out.n - 1];
	return SLU_OK;
}

static slu_rc each_column(struct columns *c, slu_err *err)
{
	slu_rc rc = SLU_OK;
	size_t i;

	for (i = 0; i < c->in.n && rc == SLU_OK; i++) {
		const char *name = c->in.v[i].name, *method = mask_method(c, name);
		bool listed = method || in_list(c->keep, name) || slu_json_get(c->rename, name) ||
			      slu_json_get(c->cast, name);

		if (!listed && c->unlisted == UNLISTED_REFUSE)
			return slu_fail_field(err, SLU_E_SCHEMA, "COLUMNS.UNLISTED", name,
			    "column \"%s\" is not listed: name it under keep or mask, or say "
			    "`unlisted: keep` or `drop`",
			    name);
		if ((!listed && c->unlisted == UNLISTED_DROP) ||
		    (method && strcmp(method, "drop") == 0))
			continue;
		rc = add_column(c, i, method, err);
	}
	return rc;
}

slu_rc plan_columns(struct columns *c, const struct ArrowSchema *in, slu_err *err)
{
	slu_rc rc = slu_schema_read(in, &c->in, err);

	if (rc == SLU_OK)
		rc = known_names(c, c->keep, true, "keep", err);
	if (rc == SLU_OK)
		rc = known_names(c, c->rename, false, "rename", err);
	if (rc == SLU_OK)
		rc = known_names(c, c->cast, false, "cast", err);
	if (rc == SLU_OK)
		rc = known_names(c, c->mask, false, "mask", err);
	if (rc == SLU_OK)
		rc = slu_schema_make(&c->in, &c->in_schema, err);
	if (rc != SLU_OK)
		return rc;
	c->v = calloc(c->in.n, sizeof(*c->v));
	if (!c->v)
		return slu_fail(err, SLU_E_TRANSIENT, "COLUMNS.MEMORY", "out of memory");
	rc = each_column(c, err);
	if (rc == SLU_OK && c->out.n == 0)
		rc = slu_fail(err, SLU_E_CONFIG, "COLUMNS.NONE", "no column is left");
	return rc;
}

void plan_done(struct columns *c)
{
	size_t i;

	for (i = 0; c->v && i < c->out.n; i++) {
		slu_wipe(c->v[i].key, sizeof(c->v[i].key));
		free(c->v[i].cache);
	}
	free(c->v);
	c->v = NULL;
	slu_fields_done(&c->in);
	slu_fields_done(&c->out);
	slu_fields_done(&c->built);
	if (c->in_schema.release)
		c->in_schema.release(&c->in_schema);
}
