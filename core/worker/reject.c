/* reject.c: the reject file. */
#include "core/worker/reject.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/worker/arrow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REJECT_LINE_MAX (1u << 20)

struct rejects {
	int fd;
	char *path;			 /* owned */
	uint8_t salt[HASH_SHA256_BYTES]; /* masked keys of one file can be compared with each other,
					    of two files not */
	int64_t n, max;
};

static int open_file(struct rejects *r, const char *path, struct err *err)
{
	char *dir = io_path_dir(path);
	int rc = io_mkdirs(dir, 0700, err);

	mem_free(dir);
	if (rc != 0)
		return rc;
	r->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd < 0)
		return err_errno(err, ERR_IO, errno, "cannot write the reject file %s", path);
	r->path = mem_strdup(path);
	return 0;
}

static struct rejects *rejects_of(struct attempt *at)
{
	struct err err;

	if (at->rejects != NULL)
		return at->rejects;
	at->rejects = MEM_NEW(struct rejects);
	at->rejects->fd = -1;
	at->rejects->max =
	    json_i64(json_path(json_get(at->job->rendered, "load"), "reject.max_rows"), 0);
	hash_random(at->rejects->salt, sizeof(at->rejects->salt));
	if (at->rejects->max > 0 && at->job->reject_file[0] != '\0' &&
	    open_file(at->rejects, at->job->reject_file, &err) != 0)
		(void)err; /* the counts stand in the report all the same */
	return at->rejects;
}

void rejects_free(struct rejects *r)
{
	if (r == NULL)
		return;
	io_close(&r->fd);
	mem_free(r->path);
	mem_free(r);
}

const char *rejects_path(const struct rejects *r)
{
	return r != NULL && r->n > 0 ? r->path : NULL;
}

/* Index of the last transform that masks, -2 where none does: then nothing is hidden. */
static int last_mask(const struct attempt *at)
{
	const struct json *t = json_first(json_get(at->job->rendered, "transform"));
	int i, found = -2;

	for (i = 0; t != NULL; t = json_next(t), i++)
		if (json_get(json_get(t, "options"), "mask") != NULL)
			found = i;
	return found;
}

static void write_masked(struct jw *w, const struct rejects *r, const struct ArrowSchema *schema,
    const struct ArrowArray *array, int64_t row)
{
	uint8_t mac[HASH_SHA256_BYTES];
	char hex[17];
	struct str value;
	struct jw vw;

	str_init(&value, REJECT_LINE_MAX);
	jw_init(&vw, &value);
	arrow_write_value(&vw, schema, array, row);
	hash_hmac_sha256(r->salt, sizeof(r->salt), str_peek(&value), value.len, mac);
	hash_to_hex(mac, 8, hex);
	jw_str(w, hex);
	str_done(&value);
}

static bool is_key(const struct ArrowSchema *field)
{
	char role[32];

	return arrow_metadata(field, SLU_META_ROLE, role, sizeof(role)) && strcmp(role, "key") == 0;
}

static void write_row(struct jw *w, const struct rejects *r, bool open,
    const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row)
{
	int64_t i;

	jw_key(w, open ? "row" : "key");
	jw_object(w);
	for (i = 0; i < schema->n_children && i < array->n_children; i++) {
		const struct ArrowSchema *field = schema->children[i];

		if (!open && !is_key(field))
			continue;
		jw_key(w, field->name != NULL ? field->name : "");
		if (open)
			arrow_write_value(w, field, array->children[i], array->offset + row);
		else
			write_masked(w, r, field, array->children[i], array->offset + row);
	}
	jw_end_object(w);
}

struct note {
	const struct ArrowSchema *schema;
	const struct ArrowArray *array;
	int64_t row;
	const char *column, *code, *msg;
};

static void write_line(const slu_run *run, struct rejects *r, const struct note *n)
{
	bool open = run->index > last_mask(run->at);
	struct str line;
	struct jw w;

	str_init(&line, REJECT_LINE_MAX);
	jw_init(&w, &line);
	jw_object(&w);
	jw_kstr(&w, "role", run->role);
	jw_ki64(&w, "batch_row", n->row);
	jw_kstr(&w, "column", n->column != NULL ? n->column : "");
	jw_kstr(&w, "code", n->code != NULL ? n->code : "");
	jw_kstr(&w, "reason", open && n->msg != NULL ? n->msg : "");
	if (n->schema != NULL && n->array != NULL && n->row >= 0 && n->row < n->array->length)
		write_row(&w, r, open, n->schema, n->array, n->row);
	jw_end_object(&w);
	str_addc(&line, '\n');
	if (!line.failed)
		(void)!io_write_all(r->fd, line.s, line.len, NULL);
	str_done(&line);
}

/* Before the last mask the host does not pass on what the plugin says of a row. */
static void fail_of_rejected(const struct slu_run *run, const struct note *n, uint64_t max)
{
	slu_err e = {.size = sizeof(e), .rc = SLU_E_DATA, .row = -1};
	bool told = run->index > last_mask(run->at) && n->msg != NULL;
	const char *column = n->column != NULL ? n->column : "";

	snprintf(
	    e.code, sizeof(e.code), "%s", n->code != NULL && n->code[0] ? n->code : "HOST.REJECT");
	snprintf(e.field, sizeof(e.field), "%s", column);
	snprintf(e.message, sizeof(e.message), "column \"%.63s\": %.200s%s; %s", column,
	    told ? n->msg : "the row cannot be used",
	    max > 0 ? " (more rejected rows than reject.max_rows allows)" : "",
	    "mend the source, or let rows pass with `reject: {max_rows: N}` in the load");
	if (told)
		attempt_fail(run->at, &e);
	else
		attempt_fail_vague(run->at, &e);
}

slu_rc reject_row(struct slu_run *run, const struct ArrowSchema *schema,
    const struct ArrowArray *array, int64_t row, const char *column, const char *code,
    const char *msg)
{
	struct note note = {schema, array, row, column, code, msg};
	struct attempt *at = run->at;
	struct rejects *r;
	bool over;

	atomic_fetch_add(&run->rejected, 1);
	atomic_fetch_add(&at->rows_rejected, 1);
	pthread_mutex_lock(&at->lock);
	r = rejects_of(at);
	r->n++;
	over = r->n > r->max;
	if (!over && r->fd >= 0)
		write_line(run, r, &note);
	pthread_mutex_unlock(&at->lock);
	if (!over)
		return SLU_OK;
	fail_of_rejected(run, &note, r->max);
	return SLU_E_DATA;
}
