/* host.c: the table of host services, and the small ones of them. */
#include "core/worker/host.h"

#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/worker/reject.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static const slu_attempt *host_attempt(slu_run *run)
{
	return &run->at->pub;
}

static void host_log(slu_run *run, int32_t level, const char *code, const char *msg, size_t len)
{
	attempt_log(run->at, level, code, msg != NULL ? msg : "", msg != NULL ? len : 0);
}

static void host_progress(slu_run *run, int64_t done, int64_t total, const char *unit)
{
	attempt_progress(run->at, run->role, done, total, unit);
}

static int32_t host_cancelled(slu_run *run)
{
	struct attempt *at = run->at;

	return attempt_cancelled(at) || (run->index < INT16_MAX && atomic_load(&at->stopped));
}

static int32_t host_cancel_fd(slu_run *run)
{
	return run->at->cancel_fd;
}

slu_rc host_sleep_ms(slu_run *run, int64_t ms)
{
	struct pollfd p = {.fd = run->at->cancel_fd, .events = POLLIN};
	mono_us until = clock_mono() + ms * US_PER_MS, left;

	while (!attempt_cancelled(run->at)) {
		left = (until - clock_mono() + US_PER_MS - 1) / US_PER_MS;
		if (left <= 0)
			return SLU_OK;
		if (poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR)
			return SLU_E_INTERNAL;
	}
	return SLU_E_CANCELLED;
}

static void host_fail(slu_run *run, const slu_err *err)
{
	if (err != NULL)
		attempt_fail(run->at, err);
}

static slu_rc host_reject(slu_run *run, const struct ArrowSchema *schema,
    const struct ArrowArray *array, int64_t row, const char *column, const char *code,
    const char *msg)
{
	return reject_row(run, schema, array, row, column, code, msg);
}

/* ---- outputs ---- */

static slu_rc put_output(struct attempt *at, const char *key, struct json *value, size_t n)
{
	slu_rc rc = SLU_OK;

	pthread_mutex_lock(&at->lock);
	if (at->outputs_bytes + n > OUTPUTS_MAX_BYTES)
		rc = SLU_E_DATA;
	if (rc == SLU_OK) {
		at->outputs_bytes += n;
		json_put(at->outputs, key, value);
	}
	pthread_mutex_unlock(&at->lock);
	if (rc != SLU_OK)
		json_free(value);
	return rc;
}

static slu_rc host_output(slu_run *run, const char *key, const char *json)
{
	struct json *value;
	struct err err;
	size_t n;

	if (key == NULL || json == NULL || key[0] == '\0')
		return SLU_E_INTERNAL;
	n = strlen(json);
	if (json_parse(json, n, OUTPUTS_MAX_BYTES, &value, &err) != 0) {
		attempt_logf(run->at, SLU_LOG_ERROR, "output \"%.64s\": %s", key, err.text);
		return SLU_E_DATA;
	}
	return put_output(run->at, key, value, n + strlen(key));
}

/* ---- data sets of tasks and models ---- */

static bool is_published(const struct attempt *at, const char *name)
{
	const struct json *p = json_get(at->job->rendered, "publishes");

	for (p = json_first(p); p != NULL; p = json_next(p))
		if (str_eq(json_get_str(p, "dataset", ""), name))
			return true;
	return false;
}

static slu_rc host_dataset(
    slu_run *run, const char *name, const char *partition, const slu_mark *mark, int64_t rows)
{
	struct mark copy = {0};

	if (!run->may_publish || name == NULL) {
		attempt_logf(run->at, SLU_LOG_ERROR,
		    "%s: only tasks and models report data sets themselves", run->role);
		return SLU_E_CONFIG;
	}
	if (!is_published(run->at, name)) {
		attempt_logf(run->at, SLU_LOG_ERROR,
		    "data set \"%.200s\" is not in the step's `publishes`: add it there", name);
		return SLU_E_CONFIG;
	}
	mark_set(&copy, mark);
	attempt_dataset(run->at, name, partition, true, &copy, rows);
	mark_done(&copy);
	return SLU_OK;
}

static slu_rc host_scratch_dir(slu_run *run, char *buf, size_t n)
{
	struct attempt *at = run->at;
	struct err err;
	int rc = 0;

	if (at->job->scratch_dir[0] == '\0' || !str_copy(buf, n, at->job->scratch_dir))
		return SLU_E_INTERNAL;
	pthread_mutex_lock(&at->lock);
	if (!at->scratch_made)
		rc = io_mkdirs(at->job->scratch_dir, 0700, &err);
	at->scratch_made = rc == 0;
	pthread_mutex_unlock(&at->lock);
	if (rc == 0)
		return SLU_OK;
	attempt_logf(at, SLU_LOG_ERROR, "%s", err.text);
	return SLU_E_TRANSIENT;
}

const slu_host host_table = {
    .magic = SLU_MAGIC,
    .size = sizeof(slu_host),
    .abi_major = SLU_ABI_MAJOR,
    .abi_minor = SLU_ABI_MINOR,
    .attempt = host_attempt,
    .get_str = host_get_str,
    .get_i64 = host_get_i64,
    .get_f64 = host_get_f64,
    .get_bool = host_get_bool,
    .get_json = host_get_json,
    .get_secret = host_get_secret,
    .secret_put = host_secret_put,
    .log = host_log,
    .progress = host_progress,
    .cancelled = host_cancelled,
    .cancel_fd = host_cancel_fd,
    .sleep_ms = host_sleep_ms,
    .rate = host_rate,
    .fail = host_fail,
    .cursor_load = host_cursor_load,
    .mark = host_mark,
    .end = host_end,
    .reject = host_reject,
    .output = host_output,
    .dataset = host_dataset,
    .session = host_session,
    .scratch_dir = host_scratch_dir,
};
