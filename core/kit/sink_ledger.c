/* sink_ledger.c: owner, fence and ledger at the target. Tokens are stored as 20 digits, so that
 * texts compare as numbers. */
#include "core/kit/sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cell {
	bool there;
	slu_buf text;
};

static slu_rc keep_cell(void *arg, const char *const *cells)
{
	struct cell *c = arg;

	c->there = true;
	slu_buf_reset(&c->text);
	slu_buf_add(&c->text, cells[0] ? cells[0] : "");
	return SLU_OK;
}

static slu_rc query_cell(
    slu_sink *s, const char *sql, const char *key, struct cell *c, slu_err *err)
{
	slu_buf_init(&c->text, SINK_TEXT_MAX);
	c->there = false;
	return s->sql.query(s->sql.ctx, sql, &key, key ? 1 : 0, keep_cell, c, err);
}

static slu_rc meta_tables(slu_sink *s, slu_err *err)
{
	const slu_dialect *d = s->sql.dialect;
	slu_rc rc;

	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q,
	    "CREATE TABLE IF NOT EXISTS _sluice_owner (one %s NOT NULL PRIMARY KEY, deployment %s "
	    "NOT NULL)",
	    d->key_type, d->key_type);
	rc = sink_exec(s, NULL, 0, NULL, err);
	if (rc != SLU_OK)
		return rc;
	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q,
	    "CREATE TABLE IF NOT EXISTS _sluice_fence (fence_key %s NOT NULL PRIMARY KEY, token %s "
	    "NOT NULL)",
	    d->key_type, d->key_type);
	rc = sink_exec(s, NULL, 0, NULL, err);
	if (rc != SLU_OK)
		return rc;
	slu_buf_reset(&s->q);
	slu_buf_addf(&s->q,
	    "CREATE TABLE IF NOT EXISTS _sluice_ledger (ledger_key %s NOT NULL PRIMARY KEY, token "
	    "%s NOT NULL, target %s NOT NULL, "
	    "report %s NOT NULL)",
	    d->key_type, d->key_type, d->key_type, d->text_type);
	return sink_exec(s, NULL, 0, NULL, err);
}

static slu_rc owner_claim(slu_sink *s, slu_err *err)
{
	const char *mine = s->work->deployment ? s->work->deployment : "";
	struct cell c;
	slu_rc rc =
	    query_cell(s, "SELECT deployment FROM _sluice_owner WHERE one = '1'", NULL, &c, err);

	if (rc == SLU_OK && c.there && strcmp(slu_buf_text(&c.text), mine) != 0)
		rc = slu_fail(err, SLU_E_CONFIG, "SINK.OWNER",
		    "this database belongs to the deployment \"%s\", not to \"%s\": write to "
		    "another one, or delete the row of "
		    "_sluice_owner there to take it over",
		    slu_buf_text(&c.text), mine);
	if (rc == SLU_OK && !c.there)
		rc = s->sql.exec(s->sql.ctx,
		    "INSERT INTO _sluice_owner (one, deployment) VALUES ('1', ?)", &mine, 1, NULL,
		    err);
	slu_buf_done(&c.text);
	return rc;
}

static slu_rc fenced(const char *token, slu_err *err)
{
	return slu_fail(err, SLU_E_CANCELLED, "SINK.FENCED",
	    "a newer attempt (token %s) has taken this load over: nothing is written by this one",
	    token);
}

static void token_text(uint64_t token, char *buf)
{
	(void)snprintf(buf, 24, "%020" PRIu64, token);
}

static slu_rc fence_get(slu_sink *s, struct cell *c, slu_err *err)
{
	char sql[128];

	(void)snprintf(sql, sizeof(sql), "SELECT token FROM _sluice_fence WHERE fence_key = ?%s",
	    s->sql.dialect->for_update);
	return query_cell(s, sql, s->work->fence_key, c, err);
}

static slu_rc fence_claim(slu_sink *s, slu_err *err)
{
	char mine[24];
	const char *params[2] = {mine, s->work->fence_key};
	struct cell c;
	slu_rc rc = fence_get(s, &c, err);

	token_text(s->work->token, mine);
	if (rc == SLU_OK && c.there && strcmp(slu_buf_text(&c.text), mine) > 0)
		rc = fenced(slu_buf_text(&c.text), err);
	else if (rc == SLU_OK && c.there)
		rc = s->sql.exec(s->sql.ctx,
		    "UPDATE _sluice_fence SET token = ? WHERE fence_key = ?", params, 2, NULL, err);
	else if (rc == SLU_OK)
		rc = s->sql.exec(s->sql.ctx,
		    "INSERT INTO _sluice_fence (token, fence_key) VALUES (?, ?)", params, 2, NULL,
		    err);
	slu_buf_done(&c.text);
	return rc;
}

slu_rc sink_meta(slu_sink *s, slu_err *err)
{
	slu_rc rc = s->sql.begin(s->sql.ctx, err);

	if (rc != SLU_OK)
		return rc;
	rc = meta_tables(s, err);
	if (rc == SLU_OK)
		rc = owner_claim(s, err);
	if (rc == SLU_OK)
		rc = fence_claim(s, err);
	if (rc == SLU_OK)
		return s->sql.commit(s->sql.ctx, err);
	(void)s->sql.rollback(s->sql.ctx, NULL);
	return rc;
}

slu_rc sink_fence(slu_sink *s, slu_err *err)
{
	char mine[24];
	struct cell c;
	slu_rc rc = fence_get(s, &c, err);

	token_text(s->work->token, mine);
	if (rc == SLU_OK && (!c.there || strcmp(slu_buf_text(&c.text), mine) != 0))
		rc = fenced(c.there ? slu_buf_text(&c.text) : "?", err);
	slu_buf_done(&c.text);
	return rc;
}

/* ---- the ledger ---- */
static void found_report(slu_sink *s, slu_report *r, slu_mark *m)
{
	const slu_json *report = slu_json_get(s->found, "report"),
		       *mark = slu_json_get(s->found, "mark");

	r->flags = (uint32_t)slu_json_get_i64(report, "flags", 0);
	r->written = slu_json_get_i64(report, "written", 0);
	r->inserted = slu_json_get_i64(report, "inserted", 0);
	r->updated = slu_json_get_i64(report, "updated", 0);
	r->deleted = slu_json_get_i64(report, "deleted", 0);
	slu_buf_reset(&s->found_parts);
	if (slu_json_get(report, "parts")) {
		slu_json_print(slu_json_get(report, "parts"), &s->found_parts);
		r->parts_json = slu_buf_text(&s->found_parts);
	}
	m->flags = (uint32_t)slu_json_get_i64(mark, "flags", 0);
	m->complete_us = slu_json_get_i64(mark, "complete_us", 0);
	m->max_event_us = slu_json_get_i64(mark, "max_event_us", 0);
	m->cursor_json = slu_json_get_str(mark, "cursor", NULL);
}

slu_rc sink_found(slu_sink *s, int32_t *found, slu_report *report, slu_mark *mark, slu_err *err)
{
	struct cell c;
	slu_rc rc = query_cell(s, "SELECT report FROM _sluice_ledger WHERE ledger_key = ?",
	    s->work->ledger_key, &c, err);

	*found = 0;
	if (rc == SLU_OK && c.there) {
		slu_json_free(s->found);
		rc = slu_json_parse(slu_buf_text(&c.text), "_sluice_ledger.report", &s->found, err);
		if (rc == SLU_OK) {
			found_report(s, report, mark);
			*found = 1;
		}
	}
	slu_buf_done(&c.text);
	return rc;
}

slu_rc sink_note(slu_sink *s, const slu_mark *mark, const slu_report *r, slu_err *err)
{
	char mine[24];
	const char *params[4] = {s->work->ledger_key, mine, s->work->table, NULL};
	slu_buf b;
	slu_rc rc;

	token_text(s->work->token, mine);
	slu_buf_init(&b, SINK_TEXT_MAX);
	slu_buf_addf(&b,
	    "{\"v\":1,\"report\":{\"flags\":%" PRIu32 ",\"written\":%" PRId64
	    ",\"inserted\":%" PRId64 ",\"updated\":%" PRId64 ",\"deleted\":%" PRId64,
	    r->flags, r->written, r->inserted, r->updated, r->deleted);
	if (r->parts_json)
		slu_buf_addf(&b, ",\"parts\":%s", r->parts_json);
	/* 64-bit times as texts: JSON numbers are doubles to many readers */
	slu_buf_addf(&b,
	    "},\"mark\":{\"flags\":%" PRIu32 ",\"complete_us\":\"%" PRId64
	    "\",\"max_event_us\":\"%" PRId64 "\"",
	    mark->flags, mark->complete_us, mark->max_event_us);
	if (mark->cursor_json) {
		slu_buf_add(&b, ",\"cursor\":");
		slu_buf_add_json(&b, mark->cursor_json, strlen(mark->cursor_json));
	}
	slu_buf_add(&b, "}}");
	params[3] = slu_buf_text(&b);
	rc = b.failed
		 ? slu_fail(err, SLU_E_INTERNAL, "SINK.REPORT", "the report is larger than 4 MiB")
		 : s->sql.exec(s->sql.ctx,
		       "INSERT INTO _sluice_ledger (ledger_key, token, target, report) VALUES (?, "
		       "?, ?, ?)",
		       params, 4, NULL, err);
	slu_buf_done(&b);
	return rc;
}
