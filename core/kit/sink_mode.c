/* sink_mode.c: the statements of each mode, from the stage into the table, and the checks on the
 * stage. Runs inside of the publishing transaction. T is the target, S the stage. */
#include "core/kit/sink.h"

#include "sluice/kit/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

slu_rc sink_exec(slu_sink *s, const char *const *params, uint32_t n, int64_t *rows, slu_err *err)
{
	if (s->q.failed)
		return slu_fail(
		    err, SLU_E_INTERNAL, "SINK.SQL", "a statement is longer than 4 MiB");
	return s->sql.exec(s->sql.ctx, slu_buf_text(&s->q), params, n, rows, err);
}

static slu_rc keep_number(void *arg, const char *const *cells)
{
	*(int64_t *)arg = cells[0] ? strtoll(cells[0], NULL, 10) : 0;
	return SLU_OK;
}

slu_rc sink_number(slu_sink *s, const char *const *params, uint32_t n, int64_t *ret, slu_err *err)
{
	*ret = 0;
	if (s->q.failed)
		return slu_fail(
		    err, SLU_E_INTERNAL, "SINK.SQL", "a statement is longer than 4 MiB");
	return s->sql.query(s->sql.ctx, slu_buf_text(&s->q), params, n, keep_number, ret, err);
}

void sink_column(slu_sink *s, const char *alias, size_t col)
{
	slu_buf_add(&s->q, alias);
	slu_buf_add_quoted(&s->q, s->fields.v[col].name, s->sql.dialect->quote);
}

/* The op column says what to do and is no data. */
static bool is_data(const slu_sink *s, size_t col)
{
	return (int)col != s->op;
}

void sink_columns(slu_sink *s, const char *alias)
{
	bool first = true;
	size_t i;

	for (i = 0; i < s->fields.n; i++) {
		if (!is_data(s, i))
			continue;
		if (!first)
			slu_buf_add(&s->q, ", ");
		first = false;
		sink_column(s, alias, i);
	}
}

static bool is_key(const slu_sink *s, size_t col)
{
	uint32_t k;

	for (k = 0; k < s->work->n_key; k++)
		if (s->keys[k] == (int)col)
			return true;
	return false;
}

/* T.k = S.k for all columns of the key; neither is NULL. */
static void key_match(slu_sink *s, const char *t)
{
	uint32_t k;

	for (k = 0; k < s->work->n_key; k++) {
		slu_buf_add(&s->q, k ? " AND " : "");
		sink_column(s, t, (size_t)s->keys[k]);
		slu_buf_add(&s->q, " = ");
		sink_column(s, "s.", (size_t)s->keys[k]);
	}
}

static void key_list(slu_sink *s, const char *alias)
{
	uint32_t k;

	for (k = 0; k < s->work->n_key; k++) {
		slu_buf_add(&s->q, k ? ", " : "");
		sink_column(s, alias, (size_t)s->keys[k]);
	}
}

/* ---- the table ---- */
static slu_rc add_type(slu_sink *s, const slu_field *f, slu_err *err)
{
	char buf[96];
	const char *type = s->sql.dialect->type_name(f, buf);

	if (!type)
		return slu_fail_field(err, SLU_E_UNSUPPORTED, "SINK.TYPE", f->name,
		    "column \"%s\" is %s, which this database cannot hold: cast it", f->name,
		    slu_type_text(f, buf));
	slu_buf_add_quoted(&s->q, f->name, s->sql.dialect->quote);
	slu_buf_addf(&s->q, " %s", type);
	return SLU_OK;
}

static slu_rc create_table(slu_sink *s, slu_err *err)
{
	bool first = true;
	slu_rc rc = SLU_OK;
	size_t i;

	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q, "CREATE TABLE %s (", s->table);
	for (i = 0; i < s->fields.n && rc == SLU_OK; i++) {
		if (!is_data(s, i))
			continue;
		slu_buf_add(&s->q, first ? "" : ", ");
		first = false;
		rc = add_type(s, &s->fields.v[i], err);
	}
	if (s->work->flags & SLU_WK_STAMP)
		slu_buf_addf(&s->q, ", " SINK_RUN " %s, " SINK_STEP " %s", s->sql.dialect->key_type,
		    s->sql.dialect->key_type);
	if (s->work->mode == SLU_M_MERGE) {
		slu_buf_add(&s->q, ", PRIMARY KEY (");
		key_list(s, "");
		slu_buf_addc(&s->q, ')');
	}
	slu_buf_addc(&s->q, ')');
	return rc == SLU_OK ? sink_exec(s, NULL, 0, NULL, err) : rc;
}

static slu_rc add_column(slu_sink *s, const slu_field *f, slu_err *err)
{
	slu_rc rc;

	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q, "ALTER TABLE %s ADD COLUMN ", s->table);
	rc = add_type(s, f, err);
	return rc == SLU_OK ? sink_exec(s, NULL, 0, NULL, err) : rc;
}

/* Looked at again inside of the transaction: four runs may create one table. */
static slu_rc make_table(slu_sink *s, slu_err *err)
{
	slu_field stamp = {.type = SLU_UTF8};
	slu_rc rc;
	size_t i;

	slu_fields_done(&s->have);
	rc = s->sql.columns(s->sql.ctx, s->work->table, &s->have, &s->there, err);
	if (rc == SLU_OK && !s->there)
		return create_table(s, err);
	for (i = 0; i < s->fields.n && rc == SLU_OK; i++)
		if (is_data(s, i) && slu_fields_find(&s->have, s->fields.v[i].name) < 0)
			rc = add_column(s, &s->fields.v[i], err);
	if (!(s->work->flags & SLU_WK_STAMP))
		return rc;
	memcpy(stamp.name, SINK_RUN, sizeof(SINK_RUN));
	if (rc == SLU_OK && slu_fields_find(&s->have, SINK_RUN) < 0)
		rc = add_column(s, &stamp, err);
	memcpy(stamp.name, SINK_STEP, sizeof(SINK_STEP));
	if (rc == SLU_OK && slu_fields_find(&s->have, SINK_STEP) < 0)
		rc = add_column(s, &stamp, err);
	return rc;
}

/* ---- insert ---- */
static slu_rc insert_where(slu_sink *s, const char *where, const char *const *params, uint32_t n,
    int64_t *rows, slu_err *err)
{
	const slu_attempt *a = s->host->attempt(s->run);
	const char *all[8];
	char step[512];
	uint32_t i, at = 0;

	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q, "INSERT INTO %s (", s->table);
	sink_columns(s, "");
	if (s->work->flags & SLU_WK_STAMP) {
		slu_buf_add(&s->q, ", " SINK_RUN ", " SINK_STEP);
		(void)snprintf(step, sizeof(step), a->item && *a->item ? "%s[%s]" : "%s%s", a->step,
		    a->item ? a->item : "");
		all[at++] = s->work->run;
		all[at++] = step;
	}
	slu_buf_add(&s->q, ") SELECT ");
	sink_columns(s, "s.");
	if (at)
		slu_buf_add(&s->q, ", ?, ?");
	slu_buf_addf(&s->q, " FROM %s s%s ORDER BY s._sl_n", s->stage, where);
	for (i = 0; i < n; i++)
		all[at++] = params[i];
	return sink_exec(s, all, at, rows, err);
}

static slu_rc mode_append(slu_sink *s, struct sink_count *n, slu_err *err)
{
	const slu_attempt *a = s->host->attempt(s->run);
	char step[512];
	const char *params[2] = {s->work->run, step};
	slu_rc rc = SLU_OK;

	if (s->work->flags & SLU_WK_RERUN) {
		(void)snprintf(step, sizeof(step), a->item && *a->item ? "%s[%s]" : "%s%s", a->step,
		    a->item ? a->item : "");
		slu_buf_reset(&s->q);
		slu_buf_addf(
		    &s->q, "DELETE FROM %s WHERE " SINK_RUN " = ? AND " SINK_STEP " = ?", s->table);
		rc = sink_exec(s, params, 2, &n->deleted, err);
	}
	if (rc == SLU_OK)
		rc = insert_where(s, "", NULL, 0, &n->inserted, err);
	n->unchanged = n->inserted + n->deleted == 0;
	return rc;
}

/* ---- replace, whole or by partition ---- */
/* Rows of T where; and whether S where is the same multiset. */
static slu_rc compare(slu_sink *s, const char *where, const char *const *params, uint32_t n,
    int64_t *ret_old, int64_t *ret_new, bool *ret_same, slu_err *err)
{
	const char *twice[4];
	int64_t differ = 0;
	slu_rc rc;
	uint32_t i;

	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q, "SELECT count(*) FROM %s s%s", s->table, where);
	rc = sink_number(s, params, n, ret_old, err);
	if (rc != SLU_OK)
		return rc;
	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q, "SELECT count(*) FROM %s s%s", s->stage, where);
	rc = sink_number(s, params, n, ret_new, err);
	*ret_same = rc == SLU_OK && *ret_old == *ret_new;
	if (!*ret_same || *ret_new == 0)
		return rc;
	for (i = 0; i < n; i++)
		twice[i] = twice[n + i] = params[i];
	slu_buf_reset(&s->q);
	slu_buf_add(&s->q, "SELECT count(*) FROM (SELECT ");
	sink_columns(s, "s.");
	slu_buf_addf(&s->q, ", count(*) FROM %s s%s GROUP BY ", s->stage, where);
	sink_columns(s, "s.");
	slu_buf_add(&s->q, " EXCEPT SELECT ");
	sink_columns(s, "s.");
	slu_buf_addf(&s->q, ", count(*) FROM %s s%s GROUP BY ", s->table, where);
	sink_columns(s, "s.");
	slu_buf_add(&s->q, ") x");
	rc = sink_number(s, twice, 2 * n, &differ, err);
	*ret_same = rc == SLU_OK && differ == 0;
	return rc;
}

static slu_rc check_shrink(slu_sink *s, int64_t old, int64_t now, slu_err *err)
{
	if (s->shrink < 0 || (double)now >= (double)old * (1 - s->shrink))
		return SLU_OK;
	return slu_fail_field(err, SLU_E_DATA, "SINK.SHRINK", "guard.shrink",
	    "%" PRId64 " rows would become %" PRId64 ": more than guard.shrink allows", old, now);
}

static slu_rc replace_where(slu_sink *s, const char *where, const char *const *params, uint32_t n,
    struct sink_count *c, bool *ret_changed, int64_t *ret_rows, slu_err *err)
{
	int64_t old, now, deleted = 0, inserted = 0;
	bool same = false;
	slu_rc rc = compare(s, where, params, n, &old, &now, &same, err);

	*ret_rows = now;
	*ret_changed = !same;
	if (rc != SLU_OK || same)
		return rc;
	rc = check_shrink(s, old, now, err);
	if (rc != SLU_OK)
		return rc;
	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q, "DELETE FROM %s AS s%s", s->table, where);
	if (!n) /* no alias: some databases empty the table at once then */
		slu_buf_reset(&s->q), slu_buf_addf(&s->q, "DELETE FROM %s", s->table);
	rc = sink_exec(s, params, n, &deleted, err);
	if (rc == SLU_OK)
		rc = insert_where(s, where, params, n, &inserted, err);
	c->deleted += old;
	c->inserted += inserted;
	return rc;
}

static slu_rc mode_replace(slu_sink *s, struct sink_count *n, slu_err *err)
{
	int64_t rows;
	bool changed;
	slu_rc rc = replace_where(s, "", NULL, 0, n, &changed, &rows, err);

	n->unchanged = !changed;
	return rc;
}

static slu_rc replace_part(slu_sink *s, uint32_t i, struct sink_count *n, slu_err *err)
{
	const slu_part *p = (const slu_part *)(const void *)((const char *)s->work->parts.v +
							     (size_t)i * s->work->parts.stride);
	const slu_field *f = &s->fields.v[s->part_col];
	char from[SLU_TEXT_MAX], to[SLU_TEXT_MAX];
	const char *params[2] = {
	    s->sql.instant(f, s->spans[2 * i], from), s->sql.instant(f, s->spans[2 * i + 1], to)};
	bool changed = false;
	int64_t rows = 0;
	slu_buf where;
	slu_rc rc;

	slu_buf_reset(&s->q);
	sink_column(s, "s.", (size_t)s->part_col);
	slu_buf_init(&where, 4096);
	slu_buf_addf(&where, " WHERE %s >= ? AND ", slu_buf_text(&s->q));
	slu_buf_addf(&where, "%s < ?", slu_buf_text(&s->q));
	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q, "SELECT count(*) FROM %s s%s", s->stage, slu_buf_text(&where));
	rc = sink_number(s, params, 2, &rows, err);
	if (rc == SLU_OK && rows == 0 &&
	    !(s->work->flags & (SLU_WK_EMPTY_REPLACE | SLU_WK_EMPTY_KEEP)))
		rc = slu_fail_field(err, SLU_E_DATA, "SINK.EMPTY", "empty",
		    "the partition %s got no rows: say `empty: replace` to take that for the "
		    "truth, or `empty: keep`",
		    p->key);
	if (rc == SLU_OK && (rows > 0 || (s->work->flags & SLU_WK_EMPTY_REPLACE)))
		rc = replace_where(s, slu_buf_text(&where), params, 2, n, &changed, &rows, err);
	slu_buf_add(&s->parts, s->parts.len > 1 ? "," : "");
	slu_buf_add(&s->parts, "{\"partition\":");
	slu_buf_add_json(&s->parts, p->key, strlen(p->key));
	slu_buf_addf(
	    &s->parts, ",\"rows\":%" PRId64 ",\"changed\":%s}", rows, changed ? "true" : "false");
	n->unchanged = n->unchanged && !changed;
	slu_buf_done(&where);
	return rc;
}

static slu_rc mode_partition(slu_sink *s, struct sink_count *n, slu_err *err)
{
	slu_rc rc = SLU_OK;
	uint32_t i;

	n->unchanged = true;
	slu_buf_reset(&s->parts);
	slu_buf_addc(&s->parts, '[');
	for (i = 0; i < s->work->parts.n && rc == SLU_OK; i++)
		rc = replace_part(s, i, n, err);
	slu_buf_addc(&s->parts, ']');
	return rc;
}

/* ---- merge ---- */
static slu_rc drop_older(slu_sink *s, slu_err *err)
{
	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q,
	    "DELETE FROM %s WHERE _sl_n NOT IN (SELECT n FROM (SELECT _sl_n AS n, row_number() "
	    "OVER (PARTITION BY ",
	    s->stage);
	key_list(s, "");
	slu_buf_add(&s->q, " ORDER BY ");
	sink_column(s, "", (size_t)s->version);
	slu_buf_add(&s->q, " IS NULL, ");
	sink_column(s, "", (size_t)s->version);
	slu_buf_add(&s->q, " DESC, _sl_n DESC) AS r FROM ");
	slu_buf_addf(&s->q, "%s) x WHERE r = 1)", s->stage);
	return sink_exec(s, NULL, 0, NULL, err);
}

static slu_rc merge_duplicates(slu_sink *s, slu_err *err)
{
	int64_t twice;
	slu_rc rc;

	slu_buf_reset(&s->q);
	slu_buf_add(&s->q, "SELECT count(*) FROM (SELECT ");
	key_list(s, "");
	slu_buf_addf(&s->q, " FROM %s GROUP BY ", s->stage);
	key_list(s, "");
	slu_buf_add(&s->q, " HAVING count(*) > 1) x");
	rc = sink_number(s, NULL, 0, &twice, err);
	if (rc != SLU_OK || twice == 0)
		return rc;
	if (s->work->flags & SLU_WK_LATEST)
		return drop_older(s, err);
	return slu_fail_field(err, SLU_E_DATA, "SINK.DUPLICATES", "key",
	    "%" PRId64 " keys occur more than once in the rows: say `duplicates: latest` with "
	    "`version`, or make the key complete",
	    twice);
}

/* Never an older version over a newer one. */
static void version_guard(slu_sink *s, const char *t)
{
	if (s->version < 0)
		return;
	slu_buf_add(&s->q, " AND (");
	sink_column(s, t, (size_t)s->version);
	slu_buf_add(&s->q, " IS NULL OR ");
	sink_column(s, "s.", (size_t)s->version);
	slu_buf_add(&s->q, " >= ");
	sink_column(s, t, (size_t)s->version);
	slu_buf_addc(&s->q, ')');
}

static void op_guard(slu_sink *s, const char *is)
{
	if (s->op < 0)
		return;
	slu_buf_add(&s->q, " AND coalesce(");
	sink_column(s, "s.", (size_t)s->op);
	slu_buf_addf(&s->q, ", 'i') %s 'd'", is);
}

static slu_rc merge_update(slu_sink *s, int64_t *rows, slu_err *err)
{
	bool first = true;
	size_t i;

	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q, "UPDATE %s AS t SET ", s->table);
	for (i = 0; i < s->fields.n; i++) {
		if (!is_data(s, i) || is_key(s, i))
			continue;
		slu_buf_add(&s->q, first ? "" : ", ");
		first = false;
		sink_column(s, "", i);
		slu_buf_add(&s->q, " = ");
		sink_column(s, "s.", i);
	}
	if (first)
		return SLU_OK; /* the key is all there is */
	slu_buf_addf(&s->q, " FROM %s s WHERE ", s->stage);
	key_match(s, "t.");
	version_guard(s, "t.");
	op_guard(s, "<>");
	slu_buf_add(&s->q, " AND NOT (");
	for (i = 0, first = true; i < s->fields.n; i++) {
		if (!is_data(s, i) || is_key(s, i))
			continue;
		slu_buf_add(&s->q, first ? "" : " AND ");
		first = false;
		sink_column(s, "t.", i);
		slu_buf_addf(&s->q, " %s ", s->sql.dialect->same);
		sink_column(s, "s.", i);
	}
	slu_buf_addc(&s->q, ')');
	return sink_exec(s, NULL, 0, rows, err);
}

static slu_rc merge_delete(slu_sink *s, int64_t *rows, slu_err *err)
{
	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q, "DELETE FROM %s AS t WHERE EXISTS (SELECT 1 FROM %s s WHERE ", s->table,
	    s->stage);
	key_match(s, "t.");
	if (s->work->mode == SLU_M_MERGE) {
		version_guard(s, "t.");
		op_guard(s, "=");
	}
	slu_buf_addc(&s->q, ')');
	return sink_exec(s, NULL, 0, rows, err);
}

static slu_rc merge_insert(slu_sink *s, int64_t *rows, slu_err *err)
{
	slu_buf where;
	slu_rc rc;

	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q, " WHERE NOT EXISTS (SELECT 1 FROM %s t WHERE ", s->table);
	key_match(s, "t.");
	slu_buf_addc(&s->q, ')');
	op_guard(s, "<>");
	slu_buf_init(&where, SINK_TEXT_MAX);
	slu_buf_add(&where, slu_buf_text(&s->q));
	rc = insert_where(s, slu_buf_text(&where), NULL, 0, rows, err);
	slu_buf_done(&where);
	return rc;
}

static slu_rc key_index(slu_sink *s, slu_err *err)
{
	/* The stage's own; the table's where somebody else made it without one. */
	slu_buf_reset(&s->q);
	slu_buf_add(&s->q, "CREATE INDEX IF NOT EXISTS ");
	slu_buf_reset(&s->parts);
	slu_buf_addf(&s->parts, "_sl_key_%s", s->work->table);
	slu_buf_add_quoted(&s->q, slu_buf_text(&s->parts), s->sql.dialect->quote);
	slu_buf_reset(&s->parts);
	slu_buf_addf(&s->q, " ON %s (", s->table);
	key_list(s, "");
	slu_buf_addc(&s->q, ')');
	return sink_exec(s, NULL, 0, NULL, err);
}

static slu_rc mode_merge(slu_sink *s, struct sink_count *n, slu_err *err)
{
	bool ours = !s->there;
	slu_rc rc = merge_duplicates(s, err);

	if (rc == SLU_OK && !ours && s->sql.has_index &&
	    !s->sql.has_index(s->sql.ctx, s->work->table, s->work->key, s->work->n_key))
		rc = key_index(s, err);
	if (rc == SLU_OK && s->op >= 0)
		rc = merge_delete(s, &n->deleted, err);
	if (rc == SLU_OK)
		rc = merge_update(s, &n->updated, err);
	if (rc == SLU_OK)
		rc = merge_insert(s, &n->inserted, err);
	n->unchanged = n->inserted + n->updated + n->deleted == 0;
	return rc;
}

static slu_rc mode_delete_insert(slu_sink *s, struct sink_count *n, slu_err *err)
{
	slu_rc rc = merge_delete(s, &n->deleted, err);

	if (rc == SLU_OK)
		rc = insert_where(s, "", NULL, 0, &n->inserted, err);
	n->unchanged = n->inserted + n->deleted == 0;
	return rc;
}

slu_rc sink_mode(slu_sink *s, struct sink_count *n, slu_err *err)
{
	static slu_rc (*const modes[])(slu_sink *, struct sink_count *, slu_err *) = {
	    [SLU_M_APPEND] = mode_append,
	    [SLU_M_REPLACE] = mode_replace,
	    [SLU_M_MERGE] = mode_merge,
	    [SLU_M_REPLACE_PARTITION] = mode_partition,
	    [SLU_M_DELETE_INSERT] = mode_delete_insert};
	slu_rc rc = make_table(s, err);

	if (rc == SLU_OK && s->work->n_key && s->sql.stage_index)
		rc = s->sql.stage_index(s->sql.ctx, s->work->key, s->work->n_key, err);
	if (rc == SLU_OK)
		rc = modes[s->work->mode](s, n, err);
	n->unchanged = n->unchanged &&
		       s->there; /* a table that was just made is a change, with or without rows */
	return rc;
}

/* ---- checks on the stage ---- */
static slu_rc probe_columns(
    slu_sink *s, const slu_json *list, bool unique, int64_t *failing, slu_err *err)
{
	const slu_json *c;
	slu_buf cols;
	int col;

	slu_buf_init(&cols, SINK_TEXT_MAX);
	for (c = slu_json_first(list); c; c = slu_json_next(c)) {
		col = slu_fields_find(&s->fields, slu_json_str(c, ""));
		if (col < 0) {
			slu_buf_done(&cols);
			return slu_fail_field(err, SLU_E_CONFIG, "SINK.CHECK", "checks",
			    "checks: the rows have no column \"%s\"", slu_json_str(c, ""));
		}
		slu_buf_add(&cols, cols.len ? (unique ? ", " : " OR ") : "");
		slu_buf_add_quoted(&cols, s->fields.v[col].name, s->sql.dialect->quote);
		slu_buf_add(&cols, unique ? "" : " IS NULL");
	}
	slu_buf_reset(&s->q);
	if (unique)
		slu_buf_addf(&s->q,
		    "SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM %s GROUP BY %s "
		    "HAVING count(*) > 1) x",
		    s->stage, slu_buf_text(&cols));
	else
		slu_buf_addf(
		    &s->q, "SELECT count(*) FROM %s WHERE %s", s->stage, slu_buf_text(&cols));
	slu_buf_done(&cols);
	return sink_number(s, NULL, 0, failing, err);
}

slu_rc slu_sink_probe(slu_sink *s, const char *check_json, int64_t *failing, slu_err *err)
{
	const slu_json *c;
	slu_json *check;
	slu_rc rc = slu_json_parse(check_json, "checks", &check, err);

	*failing = 0;
	if (rc == SLU_OK)
		rc = s->sql.stage_end(s->sql.ctx, err);
	if (rc == SLU_OK && (c = slu_json_get(check, "not_null"))) {
		rc = probe_columns(s, c, false, failing, err);
	} else if (rc == SLU_OK && (c = slu_json_get(check, "unique"))) {
		rc = probe_columns(s, c, true, failing, err);
	} else if (rc == SLU_OK && (c = slu_json_get(check, "rows"))) {
		if (s->written < slu_json_get_i64(c, "min", 0))
			*failing = slu_json_get_i64(c, "min", 0) - s->written;
		if (s->written > slu_json_get_i64(c, "max", INT64_MAX))
			*failing = s->written - slu_json_get_i64(c, "max", INT64_MAX);
	} else if (rc == SLU_OK) {
		rc = slu_fail_field(err, SLU_E_UNSUPPORTED, "SINK.CHECK", "checks",
		    "this check is none of not_null, unique, rows");
	}
	slu_json_free(check);
	return rc;
}
