/* worker_probe.h: the parts of the probe plugin. */
#ifndef TESTS_UNIT_WORKER_PROBE_H
#define TESTS_UNIT_WORKER_PROBE_H

#include <sluice/arrow.h>
#include <sluice/plugin.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline slu_rc probe_fail(slu_err *err, slu_rc rc, const char *code, const char *message)
{
	err->rc = rc;
	snprintf(err->code, sizeof(err->code), "%s", code);
	snprintf(err->message, sizeof(err->message), "%s", message);
	return rc;
}

static inline int probe_is(const char *text, const char *want)
{
	return text != NULL && strcmp(text, want) == 0;
}

static inline void probe_say(const slu_host *host, slu_run *run, const char *text)
{
	host->log(run, SLU_LOG_INFO, NULL, text, strlen(text));
}

/* Rows: id (int64, the key) and name (utf8, every third null). */
void make_schema(struct ArrowSchema *s, const char *second); /* second: name of the second column */
void make_batch(struct ArrowArray *out, int64_t first, int64_t n);

extern const slu_task probe_task, probe_remote;

#endif
