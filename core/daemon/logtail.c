/* logtail.c: see logtail.h and core/pool/logfile.h: the newest part, and of it the end. */
#include "core/daemon/logtail.h"

#include "core/pool/logfile.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define TAIL_BYTES 16384
#define LINE_MAX_BYTES 2000

static int64_t part_size(const struct str *path, uint64_t part)
{
	struct str name;
	struct stat st;
	int64_t n = -1;

	str_init(&name, 8192);
	str_add(&name, str_peek(path));
	if (part > 0)
		str_addf(&name, ".%" PRIu64, part);
	if (stat(str_peek(&name), &st) == 0)
		n = st.st_size;
	str_done(&name);
	return n;
}

/* Where the end begins; -1: there is no log. */
static int64_t tail_offset(const struct str *path)
{
	struct logfile_piece piece;
	uint64_t part = 0;
	int64_t n = part_size(path, 0);
	char c;

	if (n < 0)
		return -1;
	if (n >= LOGFILE_PART &&
	    logfile_read(str_peek(path), LOGFILE_PART, &c, 1, &piece, NULL) == 0 && piece.n > 0) {
		part = piece.offset / LOGFILE_PART;
		while (part_size(path, part + 1) >= 0)
			part++;
		n = part_size(path, part);
	}
	return (int64_t)(part * LOGFILE_PART) + (n > TAIL_BYTES ? n - TAIL_BYTES : 0);
}

static struct json *split(const char *p, size_t n, bool cut, int lines)
{
	struct json *list = json_new_array();
	const char *end = p + n, *at, *eol;
	struct str line;
	int left = lines;

	if (n > 0 && end[-1] == '\n')
		end--;
	for (at = end; at > p && left > 0; at--)
		left -= at[-1] == '\n';
	if (left == 0)
		at++; /* behind the line end that was one too many */
	else if (cut && (eol = memchr(p, '\n', (size_t)(end - p))) != NULL)
		at = eol + 1; /* the first line is half a one */
	str_init(&line, (size_t)LINE_MAX_BYTES * 4 + 16);
	for (; at < end; at = eol + 1) {
		eol = memchr(at, '\n', (size_t)(end - at));
		if (eol == NULL)
			eol = end;
		str_reset(&line);
		str_add_visible(&line, at,
		    (size_t)(eol - at) < LINE_MAX_BYTES ? (size_t)(eol - at) : LINE_MAX_BYTES);
		json_push(list, json_new_str(str_peek(&line)));
	}
	str_done(&line);
	return list;
}

struct json *log_tail(
    const char *state, const char *dag, const char *run, const struct json *step, int lines)
{
	int64_t item = json_get_i64(step, "item_no", 0), at;
	struct logfile_piece piece = {.n = 0};
	struct json *list = NULL;
	char buf[TAIL_BYTES];
	struct str path;

	str_init(&path, 4096);
	str_addf(&path, "%s/logs/%s/%s/%s", state, dag, run, json_get_str(step, "name", "?"));
	if (item > 0)
		str_addf(&path, ".%" PRId64, item);
	str_addf(&path, ".%" PRId64 ".log", json_get_i64(step, "attempt", 0));
	at = path.failed ? -1 : tail_offset(&path);
	if (at >= 0 &&
	    logfile_read(str_peek(&path), (uint64_t)at, buf, sizeof(buf), &piece, NULL) == 0 &&
	    piece.n > 0)
		list = split(buf, piece.n, at % LOGFILE_PART != 0, lines);
	str_done(&path);
	return list;
}
