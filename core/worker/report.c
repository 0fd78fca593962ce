/* report.c: what an attempt says of itself when it has ended (core/README.md §6). */
#include "core/worker/attempt.h"

#include "core/base/mem.h"
#include "core/pool/frame.h"
#include "core/worker/reject.h"

#include <string.h>

const char *attempt_class(slu_rc rc)
{
	static const char *const names[] = {[SLU_OK] = "ok",
	    [SLU_E_CONFIG] = "config",
	    [SLU_E_AUTH] = "auth",
	    [SLU_E_DATA] = "data",
	    [SLU_E_SCHEMA] = "schema",
	    [SLU_E_TRANSIENT] = "transient",
	    [SLU_E_QUOTA] = "quota",
	    [SLU_E_CANCELLED] = "cancelled",
	    [SLU_E_TIMEOUT] = "timeout",
	    [SLU_E_NOT_FOUND] = "data",
	    [SLU_E_UNSUPPORTED] = "config",
	    [SLU_E_INTERNAL] = "internal"};

	return rc >= 0 && rc <= SLU_E_INTERNAL ? names[rc] : "internal";
}

/* After a cancel a failure is its consequence; a step that ended well in spite of it has ended well
 * (rule 19). */
static slu_rc final_rc(const struct attempt *at)
{
	if (!at->failed)
		return SLU_OK;
	return attempt_cancelled(at) ? SLU_E_CANCELLED : at->failure.rc;
}

uint32_t attempt_outcome(struct attempt *at)
{
	return final_rc(at) == SLU_OK ? OUT_OK : OUT_FAILED;
}

void attempt_note_plugin(struct attempt *at, const char *name, const char *sha)
{
	pthread_mutex_lock(&at->lock);
	if (at->plugin_sha.len == 0 || strstr(str_peek(&at->plugin_sha), sha) == NULL)
		str_addf(&at->plugin_sha, "%s%s:%s", at->plugin_sha.len ? " " : "", name, sha);
	pthread_mutex_unlock(&at->lock);
}

static struct json *time_or_null(const struct mark *m, uint32_t flag, int64_t v)
{
	return m != NULL && m->set && (m->flags & flag) ? json_new_i64(v) : json_new_null();
}

void attempt_dataset(struct attempt *at, const char *name, const char *partition, bool changed,
    const struct mark *mark, int64_t rows)
{
	struct json *d = json_new_object();

	json_put(d, "name", json_new_str(name));
	json_put(d, "partition", json_new_str(partition != NULL ? partition : ""));
	json_put(d, "changed", json_new_bool(changed));
	json_put(d, "complete_us",
	    time_or_null(mark, SLU_MARK_COMPLETE, mark != NULL ? mark->complete_us : 0));
	json_put(d, "max_event_us",
	    time_or_null(mark, SLU_MARK_MAX_EVENT, mark != NULL ? mark->max_event_us : 0));
	json_put(d, "rows", json_new_i64(rows));
	pthread_mutex_lock(&at->lock);
	json_push(at->datasets, d);
	pthread_mutex_unlock(&at->lock);
}

static void write_cursor(struct jw *w, const struct attempt *at)
{
	jw_key(w, "cursor");
	if (!at->job->cursor_step || !at->mark.set || at->mark.cursor_json == NULL) {
		jw_null(w);
		return;
	}
	jw_object(w);
	jw_kstr(w, "json", at->mark.cursor_json);
	jw_key(w, "complete_us");
	if (at->mark.flags & SLU_MARK_COMPLETE)
		jw_i64(w, at->mark.complete_us);
	else
		jw_null(w);
	jw_end_object(w);
}

static void write_failure(struct jw *w, const struct attempt *at, slu_rc rc)
{
	const slu_err *e = &at->failure;
	struct str message;

	str_init(&message, sizeof(e->message) * 8);
	if (rc == SLU_E_CANCELLED && e->rc != SLU_E_CANCELLED)
		str_add(&message, "cancelled");
	else if (rc != SLU_OK)
		str_add_visible(&message, e->message, strlen(e->message));
	if (rc != SLU_OK && rc != SLU_E_CANCELLED && e->field[0] != '\0' &&
	    strstr(e->message, e->field) == NULL)
		str_addf(&message, " (%s)", e->field);
	secrets_mask(at->job->secrets, &message);
	jw_kstr(w, "class", attempt_class(rc));
	jw_kstr(w, "code", rc != SLU_OK ? e->code : "");
	jw_kstr(w, "message", str_peek(&message));
	jw_ki64(w, "retry_after_ms",
	    rc == SLU_E_QUOTA && e->retry_after_ms > 0 ? e->retry_after_ms : 0);
	str_done(&message);
}

static void write_outputs(struct jw *w, const struct attempt *at)
{
	struct str text;

	str_init(&text, OUTPUTS_MAX_BYTES * 8);
	json_print(at->outputs, &text);
	secrets_mask(at->job->secrets, &text);
	jw_key(w, "outputs");
	jw_raw(w, text.failed || text.len == 0 ? "{}" : text.s);
	str_done(&text);
}

static void write_remote(struct jw *w, const struct attempt *at, slu_rc rc)
{
	if (rc == SLU_OK && at->handle != NULL) {
		jw_key(w, "submitted");
		jw_object(w);
		jw_kstr(w, "handle", at->handle);
		jw_ki64(w, "poll_after_ms", at->poll_after_ms);
		jw_end_object(w);
	}
	if (at->remote_ended)
		jw_kbool(w, "remote_ended", true);
}

static void write_body(struct jw *w, const struct attempt *at, slu_rc rc)
{
	jw_object(w);
	write_failure(w, at, rc);
	jw_ki64(w, "rows_in", atomic_load(&at->rows_in));
	jw_ki64(w, "rows_out", atomic_load(&at->rows_out));
	jw_ki64(w, "rows_rejected", atomic_load(&at->rows_rejected));
	jw_ki64(w, "bytes", atomic_load(&at->bytes));
	write_outputs(w, at);
	jw_kstr(w, "ledger", at->ledger_found ? "found" : "new");
	jw_key(w, "datasets");
	if (rc == SLU_OK)
		jw_json(w, at->datasets);
	else
		jw_raw(w, "[]");
	if (rc == SLU_OK)
		write_cursor(w, at);
	if (rc == SLU_OK && json_len(at->positions) > 0) {
		jw_key(w, "positions");
		jw_json(w, at->positions);
	}
	if (rejects_path(at->rejects) != NULL)
		jw_kstr(w, "reject_file", rejects_path(at->rejects));
	write_remote(w, at, rc);
	jw_kstr(w, "plugin_sha", str_peek(&at->plugin_sha));
	jw_end_object(w);
}

void attempt_report(struct attempt *at, struct str *out)
{
	slu_rc rc = final_rc(at);
	struct jw w;

	jw_init(&w, out);
	write_body(&w, at, rc);
	if (!out->failed && out->len <= FRAME_REPORT_MAX)
		return;
	/* Only thousands of partitions or outputs at their limit come here. */
	str_reset(out);
	jw_init(&w, out);
	jw_object(&w);
	jw_kstr(&w, "class", "data");
	jw_kstr(&w, "code", "HOST.REPORT");
	jw_kstr(&w, "message",
	    "the step's report is over 128 KiB: it names too many partitions or outputs; publish "
	    "fewer at once");
	jw_end_object(&w);
}
