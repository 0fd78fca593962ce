/* stream.c: checked streams. */
#include "core/worker/stream.h"

#include "core/worker/arrow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static slu_rc class_of_errno(int e)
{
	switch (e) {
	case ECANCELED:
		return SLU_E_CANCELLED;
	case EINVAL:
	case EILSEQ:
	case ERANGE:
		return SLU_E_DATA;
	case EACCES:
	case EPERM:
		return SLU_E_AUTH;
	case ENOENT:
		return SLU_E_NOT_FOUND;
	case ETIMEDOUT:
		return SLU_E_TIMEOUT;
	case EIO:
	case ECONNRESET:
	case EPIPE:
	case EAGAIN:
	case ENOSPC:
	case ENOMEM:
		return SLU_E_TRANSIENT;
	default:
		return SLU_E_INTERNAL;
	}
}

/* A plugin that called fail() has given the class already; the errno is all that others leave. */
static int fail_inner(struct stream *s, int e)
{
	const char *text = s->in.get_last_error != NULL ? s->in.get_last_error(&s->in) : NULL;

	snprintf(s->error, sizeof(s->error), "%s", text != NULL ? text : strerror(e));
	attempt_failf(s->run->at, class_of_errno(e), "STREAM", "%s: %s", s->run->role, s->error);
	return e;
}

static int fail_check(struct stream *s, const char *what)
{
	snprintf(s->error, sizeof(s->error), "%s", what);
	attempt_failf(s->run->at, SLU_E_INTERNAL, "STREAM.BATCH",
	    "%s: the plugin handed out a bad batch: %s; this is a bug in the plugin", s->run->role,
	    what);
	return EIO;
}

static bool is_stopped(const struct stream *s)
{
	return attempt_cancelled(s->run->at) || atomic_load(&s->run->at->stopped);
}

const struct ArrowSchema *stream_schema(struct stream *s)
{
	int e;

	if (s->has_schema)
		return &s->schema;
	memset(&s->schema, 0, sizeof(s->schema));
	if (s->in.get_schema == NULL) {
		(void)fail_check(s, "no get_schema");
		return NULL;
	}
	e = s->in.get_schema(&s->in, &s->schema);
	if (e != 0) {
		(void)fail_inner(s, e);
		return NULL;
	}
	if (s->schema.release == NULL || s->schema.format == NULL ||
	    strcmp(s->schema.format, "+s") != 0) {
		(void)fail_check(s, "the schema is no struct");
		return NULL;
	}
	s->has_schema = true;
	return &s->schema;
}

static int hull_schema(struct ArrowArrayStream *hull, struct ArrowSchema *out)
{
	struct stream *s = hull->private_data;
	const struct ArrowSchema *schema = stream_schema(s);

	if (schema == NULL)
		return EIO;
	arrow_schema_copy(schema, out);
	return 0;
}

static int check_batch(struct stream *s, struct ArrowArray *out)
{
	struct err err;
	int64_t bytes;

	if (arrow_check(&s->schema, out, &err) != 0)
		return fail_check(s, err.text);
	bytes = arrow_bytes(&s->schema, out);
	if (bytes > BATCH_MAX_BYTES && out->length > 1) {
		char text[96];

		snprintf(text, sizeof(text),
		    "%" PRId64 " MiB in %" PRId64 " rows, batches are bounded by 16 MiB",
		    bytes >> 20, out->length);
		return fail_check(s, text);
	}
	s->rows += out->length;
	s->batches++;
	s->bytes += bytes;
	s->last_bytes = bytes;
	if (hooks != NULL)
		hooks->batch(s->run, &s->schema, out);
	return 0;
}

static int pull(struct stream *s, struct ArrowArray *out)
{
	int e;

	do {
		if (is_stopped(s))
			return ECANCELED;
		e = s->in.get_next(&s->in, out);
		if (e != 0)
			return is_stopped(s) ? e : fail_inner(s, e);
		if (out->release == NULL) {
			s->ended = true;
			return 0;
		}
		e = check_batch(s, out);
		if (e == 0 && out->length > 0)
			return 0;
		out->release(out); /* an empty batch says nothing: ask again */
		out->release = NULL;
	} while (e == 0);
	return e;
}

static int hull_next(struct ArrowArrayStream *hull, struct ArrowArray *out)
{
	struct stream *s = hull->private_data;
	int e;

	memset(out, 0, sizeof(*out));
	if (s->ended)
		return 0;
	if (stream_schema(s) == NULL || s->in.get_next == NULL)
		return EIO;
	e = pull(s, out);
	if (e != 0)
		memset(out, 0, sizeof(*out));
	return e;
}

static const char *hull_error(struct ArrowArrayStream *hull)
{
	const struct stream *s = hull->private_data;

	return s->error[0] != '\0' ? s->error : NULL;
}

static void release_inner(struct stream *s)
{
	if (s->in.release == NULL)
		return;
	s->in.release(&s->in);
	if (s->in.release != NULL) {
		attempt_logf(s->run->at, SLU_LOG_WARN,
		    "%s: the stream's release does not set itself to NULL: a bug in the plugin",
		    s->run->role);
		s->in.release = NULL;
	}
}

static void hull_release(struct ArrowArrayStream *hull)
{
	struct stream *s = hull->private_data;

	s->releases++;
	release_inner(s);
	hull->release = NULL;
}

void stream_wrap(struct stream *s, struct slu_run *run, struct ArrowArrayStream *inner,
    struct ArrowArrayStream *outer)
{
	memset(s, 0, sizeof(*s));
	s->in = *inner;
	inner->release = NULL;
	s->run = run;
	memset(outer, 0, sizeof(*outer));
	outer->get_schema = hull_schema;
	outer->get_next = hull_next;
	outer->get_last_error = hull_error;
	outer->release = hull_release;
	outer->private_data = s;
}

void stream_done(struct stream *s)
{
	release_inner(s);
	if (s->releases > 1)
		attempt_logf(s->run->at, SLU_LOG_WARN,
		    "%s: its stream was released %u times: a bug in the plugin behind it",
		    s->run->role, s->releases);
	if (s->has_schema && s->schema.release != NULL)
		s->schema.release(&s->schema);
	s->has_schema = false;
}
