/* plugin.c: columns: keep, rename, cast and mask columns. Fails closed: a column that nobody listed
 * is refused. */
#include "plugins/columns/columns.h"

#include "sluice/kit/plugin.h"

#include <stdlib.h>
#include <string.h>

static void columns_close(void *st)
{
	struct columns *c = st;

	plan_done(c);
	slu_json_free(c->keep);
	slu_json_free(c->rename);
	slu_json_free(c->cast);
	slu_json_free(c->mask);
	free(c);
}

static slu_rc columns_open(const slu_host *host, slu_run *run, void **st, slu_err *err)
{
	const char *unlisted = host->get_str(run, "unlisted");
	struct columns *c = calloc(1, sizeof(*c));
	slu_rc rc;

	if (!c)
		return slu_fail(err, SLU_E_TRANSIENT, "COLUMNS.MEMORY", "out of memory");
	c->host = host;
	c->run = run;
	c->unlisted = !unlisted || strcmp(unlisted, "refuse") == 0 ? UNLISTED_REFUSE
		      : strcmp(unlisted, "keep") == 0		   ? UNLISTED_KEEP
								   : UNLISTED_DROP;
	rc = slu_option_json(host, run, "keep", &c->keep, err);
	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "rename", &c->rename, err);
	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "cast", &c->cast, err);
	if (rc == SLU_OK)
		rc = slu_option_json(host, run, "mask", &c->mask, err);
	if (rc != SLU_OK) {
		columns_close(c);
		return rc;
	}
	*st = c;
	return SLU_OK;
}

static slu_rc columns_bind(
    void *st, const struct ArrowSchema *in, struct ArrowSchema *out, slu_err *err)
{
	struct columns *c = st;
	slu_rc rc = plan_columns(c, in, err);

	return rc == SLU_OK ? slu_schema_make(&c->out, out, err) : rc;
}

static slu_rc columns_wrap(
    void *st, struct ArrowArrayStream *in, struct ArrowArrayStream *out, slu_err *err)
{
	struct columns *c = st;
	struct ArrowSchema schema = {0};
	slu_rc rc = SLU_OK;

	if (!c->v) { /* a host that does not bind first */
		int e = in->get_schema(in, &schema);

		rc = e ? slu_fail(err, SLU_E_INTERNAL, "COLUMNS.SCHEMA", "the stream has no schema")
		       : plan_columns(c, &schema, err);
		if (schema.release)
			schema.release(&schema);
	}
	if (rc == SLU_OK)
		return apply_stream(c, in, out, err);
	in->release(in);
	memset(out, 0, sizeof(*out));
	return rc;
}

static const slu_opt name_of[] = {{.name = "name", .type = SLU_T_STRING, .doc = "The new name."}};
static const slu_opt type_of[] = {{.name = "type", .type = SLU_T_STRING, .doc = "The new type."}};
static const slu_opt mask_of[] = {
    {.name = "method",
	.type = SLU_T_ENUM,
	.flags = SLU_F_REQUIRED,
	.choices = "hmac|redact|drop",
	.doc = "hmac: a keyed hash, equal for equal values; redact: null or ***; drop: the column "
	       "does not come out."},
    {.name = "key", .type = SLU_T_SECRET, .doc = "Of hmac: at least 16 bytes."}};
static const slu_opt mask_element[] = {{.name = "mask",
    .type = SLU_T_OBJECT,
    .flags = SLU_F_SHORT,
    .doc = "How the column is masked; a method without key may stand alone.",
    .sub = {sizeof(mask_of) / sizeof(mask_of[0]), sizeof(slu_opt), mask_of}}};
static const slu_opt options[] = {
    {.name = "keep", .type = SLU_T_COLUMNS, .doc = "Columns that come out as they are."},
    {.name = "rename",
	.type = SLU_T_MAP,
	.sub = {1, sizeof(slu_opt), name_of},
	.doc = "New names: {old: new}."},
    {.name = "cast",
	.type = SLU_T_MAP,
	.sub = {1, sizeof(slu_opt), type_of},
	.doc = "Other types: {column: type}; a value that does not fit exactly rejects its row."},
    {.name = "mask",
	.type = SLU_T_MAP,
	.sub = {1, sizeof(slu_opt), mask_element},
	.doc = "Masks: {column: drop}, {column: redact} or {column: {method: hmac, key: NAME}} "
	       "with a secret of sluice.yaml."},
    {.name = "unlisted",
	.type = SLU_T_ENUM,
	.def = "refuse",
	.choices = "refuse|keep|drop",
	.doc = "Columns that no other option names."}};

static const slu_transform transform = {.size = sizeof(transform),
    .caps = SLU_TR_ROWWISE | SLU_TR_ALL_ROWS,
    .options = {sizeof(options) / sizeof(options[0]), sizeof(slu_opt), options},
    .open = columns_open,
    .bind = columns_bind,
    .wrap = columns_wrap,
    .close = columns_close};

static const slu_kind kinds[] = {{.type = "columns",
    .doc = "Keeps, renames, casts and masks columns.",
    .transform = &transform}};

SLU_PLUGIN("columns", "0.1.0", "same as Sluice", kinds)
