/* host_mark.c: where an extract stands: the stored cursor, marks between batches, the explicit end.
 */
#include "core/worker/host.h"

#include <string.h>

/* The stored mark as the job gives it; its text lives as long as the job. */
const slu_mark *host_cursor_load(slu_run *run)
{
	const struct json *c = run->at->job->cursor;

	if (run->at->job->full_refresh || !json_is(c, JSON_OBJECT))
		return NULL;
	memset(&run->loaded, 0, sizeof(run->loaded));
	run->loaded.size = sizeof(run->loaded);
	run->loaded.cursor_json = json_get_str(c, "json", NULL);
	if (run->loaded.cursor_json == NULL) /* a first range is read again: it had no lower end */
		return NULL;
	if (json_is(json_get(c, "complete_us"), JSON_NULL))
		return &run->loaded;
	run->loaded.flags = SLU_MARK_COMPLETE;
	run->loaded.complete_us = json_get_i64(c, "complete_us", 0);
	return &run->loaded;
}

slu_rc host_mark(slu_run *run, const slu_mark *mark)
{
	if (mark == NULL)
		return SLU_E_INTERNAL;
	mark_set(&run->mark, mark);
	if (hooks != NULL)
		hooks->mark(run, mark);
	return SLU_OK;
}

slu_rc host_end(slu_run *run, const slu_end *end)
{
	if (end == NULL || !TABLE_HAS(end, rows))
		return SLU_E_INTERNAL;
	run->end.rows = end->rows;
	run->end.batches = TABLE_HAS(end, batches) ? end->batches : 0;
	run->end.rejected = TABLE_HAS(end, rejected) ? end->rejected : 0;
	if (end->size >= offsetof(slu_end, mark) + offsetof(slu_mark, cursor_json))
		mark_set(&run->end_mark, &end->mark);
	run->ended = true;
	return SLU_OK;
}
