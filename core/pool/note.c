/* note.c: reads the note of a job. Owner: pool. */
#include "core/pool/note.h"

#include "core/base/json.h"
#include "core/base/mem.h"

#include <string.h>

#define GRACE_DEFAULT_MS 10000
#define PATH_MAX_BYTES 1024

/* Relative, without empty, "." and ".." members: it stays below its folder. */
static bool path_is_inside(const char *path)
{
	const char *at = path, *end;
	size_t n;

	if (strlen(path) > PATH_MAX_BYTES)
		return false;
	do {
		end = strchrnul(at, '/');
		n = (size_t)(end - at);
		if (n == 0 || (n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.'))
			return false;
		at = end + 1;
	} while (*end != '\0');
	return true;
}

static int take_path(const struct json *j, const char *key, char **ret, struct err *err)
{
	const char *path = json_get_str(j, key, NULL);

	if (path == NULL || path[0] == '\0')
		return 0;
	if (!path_is_inside(path))
		return err_set(
		    err, ERR_PARSE, "the note's %s is no path below its folder: \"%s\"", key, path);
	*ret = mem_strdup(path);
	return 0;
}

static int take_masks(const struct json *list, struct mask **ret, struct err *err)
{
	const struct json *at;
	const char *value;
	int rc;

	if (json_len(list) == 0)
		return 0;
	*ret = mask_new();
	for (at = json_first(list); at != NULL; at = json_next(at)) {
		value = json_str(at, "");
		rc = mask_add(*ret, value, strlen(value), err);
		if (rc != 0)
			return rc;
	}
	mask_ready(*ret);
	return 0;
}

int note_parse(const char *text, size_t n, struct note *ret, struct err *err)
{
	struct note note = {0};
	struct json *j = NULL;
	int64_t workers;
	int rc;

	rc = json_parse(text, n, NOTE_MAX, &j, err);
	if (rc != 0)
		return err_prefix(err, "note of a job"), ERR_PARSE;
	str_copy(note.slug, sizeof(note.slug), json_get_str(j, "slug", ""));
	note.deadline_ms = json_get_i64(j, "deadline_ms", -1);
	note.grace_ms = json_get_i64(j, "grace_ms", GRACE_DEFAULT_MS);
	if (note.grace_ms < 0)
		note.grace_ms = 0;
	note.fresh = json_get_bool(j, "fresh", false);
	note.keep_scratch = json_get_bool(j, "keep_scratch", false);
	workers = json_get_i64(j, "workers", 0);
	note.workers = workers > 0 && workers < 4096 ? (uint32_t)workers : 0;
	if (!str_copy(note.key, sizeof(note.key), json_get_str(j, "key", "")))
		rc = err_set(err, ERR_PARSE, "the note's key is longer than %d", NOTE_KEY_MAX - 1);
	if (rc == 0)
		rc = take_path(j, "log", &note.log, err);
	if (rc == 0)
		rc = take_path(j, "scratch", &note.scratch, err);
	if (rc == 0)
		rc = take_masks(json_get(j, "masks"), &note.mask, err);
	json_free(j);
	if (rc != 0) {
		note_done(&note);
		return rc;
	}
	*ret = note;
	return 0;
}

void note_done(struct note *note)
{
	mem_free(note->log);
	mem_free(note->scratch);
	mask_free(note->mask);
	memset(note, 0, sizeof(*note));
}
