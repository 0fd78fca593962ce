/* query.c: rows of a statement as batches. */
#include "plugins/sqlite/sqlite.h"

#include "sluice/kit/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An expression has no declared type: its first value says what it is. */
static void type_of_value(sqlite3_stmt *st, int i, slu_field *f)
{
	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER:
		f->type = SLU_INT64;
		break;
	case SQLITE_FLOAT:
		f->type = SLU_FLOAT64;
		break;
	case SQLITE_BLOB:
		f->type = SLU_BINARY;
		break;
	default:
		f->type = SLU_UTF8;
	}
}

static slu_rc find_fields(struct query *q, const slu_fields *declared, slu_err *err)
{
	int i;

	for (i = 0; i < sqlite3_column_count(q->st); i++) {
		const char *name = sqlite3_column_name(q->st, i),
			   *type = sqlite3_column_decltype(q->st, i);
		slu_field *f = slu_fields_add(&q->fields, name ? name : "", SLU_UTF8, err);
		int d = declared && name ? slu_fields_find(declared, name) : -1;

		if (!f)
			return SLU_E_SCHEMA;
		if (d >= 0)
			*f = declared->v[d];
		else if (type)
			type_read(type, f);
		else if (q->first)
			type_of_value(q->st, i, f);
	}
	for (i = 0; declared && i < (int)declared->n; i++)
		if (slu_fields_find(&q->fields, declared->v[i].name) < 0)
			return slu_fail_field(err, SLU_E_SCHEMA, "SQLITE.MISSING",
			    declared->v[i].name,
			    "the source has no column \"%s\", which is declared",
			    declared->v[i].name);
	return SLU_OK;
}

slu_rc query_begin(
    struct query *q, struct conn *c, sqlite3_stmt *st, const slu_fields *declared, slu_err *err)
{
	int rc;

	memset(&q->fields, 0, sizeof(q->fields));
	q->c = c;
	q->st = st;
	q->done = false;
	rc = sqlite3_step(st);
	q->first = rc == SQLITE_ROW;
	q->done = rc == SQLITE_DONE;
	if (!q->first && !q->done)
		return db_fail(c, rc, "query", err);
	return find_fields(q, declared, err);
}

void query_end(struct query *q)
{
	(void)sqlite3_finalize(q->st);
	q->st = NULL;
	slu_fields_done(&q->fields);
}

static slu_rc put_row(struct query *q, slu_builder *b, slu_rejects *rejects, slu_err *err)
{
	size_t i;

	for (i = 0; i < q->fields.n; i++) {
		const slu_field *f = &q->fields.v[i];
		const char *why = type_put(q->st, (int)i, f, b, i);

		if (!why)
			continue;
		slu_row_drop(b);
		if (rejects)
			return slu_reject_text(rejects, NULL, 0, f->name, "SQLITE.VALUE", why, err);
		return slu_fail_field(err, SLU_E_DATA, "SQLITE.VALUE", f->name,
		    "column \"%s\": a value %s", f->name, why);
	}
	return slu_row_end(b, err);
}

slu_rc query_fill(
    struct query *q, slu_builder *b, slu_rejects *rejects, int *ret_done, slu_err *err)
{
	slu_rc out = SLU_OK;
	int rc;

	while (!q->done && !slu_builder_full(b)) {
		if (!q->first) {
			rc = sqlite3_step(q->st);
			if (rc == SQLITE_DONE) {
				q->done = true;
				break;
			}
			if (rc != SQLITE_ROW)
				return db_fail(q->c, rc, "query", err);
		}
		q->first = false;
		out = put_row(q, b, rejects, err);
		if (out != SLU_OK)
			return out;
	}
	*ret_done = q->done;
	return SLU_OK;
}
