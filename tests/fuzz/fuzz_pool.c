/* What comes over the pool's sockets: a frame's bytes, the payload of a job, its note; and masks
 * over any text. Promises: no descriptor stays open, a note's paths stay inside, a masked text does
 * not hold the secret. */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/pool/frame.h"
#include "core/pool/mask.h"
#include "core/pool/note.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_MAX (1u << 20)

static void try_frame(const uint8_t *data, size_t n)
{
	struct frame h;
	struct str in;
	int pair[2], extra = 0;

	if (n == 0 || n > 4096 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) != 0)
		return;
	str_init(&in, FRAME_PAYLOAD_MAX);
	FUZZ_DEMAND(send(pair[0], data, n, 0) == (ssize_t)n);
	if (frame_recv(pair[1], &h, &in, NULL, 0, &extra, NULL) == 0)
		FUZZ_DEMAND(in.len == h.len && h.magic == FRAME_MAGIC && extra == 0);
	str_done(&in);
	close(pair[0]);
	close(pair[1]);
}

static void try_path(const char *path)
{
	if (path == NULL)
		return;
	FUZZ_DEMAND(path[0] != '/' && strstr(path, "/../") == NULL && !str_starts(path, "../") &&
		    strcmp(path, "..") != 0 && !str_ends(path, "/.."));
}

static void try_note(const char *text, size_t n)
{
	struct note note;

	if (note_parse(text, n, &note, NULL) != 0)
		return;
	try_path(note.log);
	try_path(note.scratch);
	FUZZ_DEMAND(note.grace_ms >= 0 && note.workers < 4096);
	note_done(&note);
}

/* First half secret, the whole text: in reads of every third length. */
static void try_mask(const char *text, size_t n)
{
	struct mask *m = mask_new();
	struct mask_stream s = {0};
	struct str out;
	size_t at, k, half = n / 2;

	str_init(&out, TEXT_MAX * 4);
	if (n <= 2048 && mask_add(m, text, half, NULL) == 0) {
		if (text[half - 1] == '\n')
			half--;
		mask_ready(m);
		for (at = 0; at < n; at += k) {
			k = n - at < at % 7 + 1 ? n - at : at % 7 + 1;
			mask_feed(m, &s, text + at, k, false, &out);
		}
		mask_feed(m, &s, "", 0, true, &out);
		FUZZ_DEMAND(out.len >= 3 && memcmp(out.s, MASK_TEXT, 3) == 0);
		/* The mask's own stars and what follows may look like a secret that holds some. */
		FUZZ_DEMAND(half <= 3 * sizeof(MASK_TEXT) || memchr(text, '*', half) != NULL ||
			    memmem(out.s, out.len, text, half) == NULL);
	}
	mask_stream_done(&s);
	str_done(&out);
	mask_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *note, *job;
	size_t note_n, job_n;

	try_frame(data, n);
	if (frame_job_split((const char *)data, n, &note, &note_n, &job, &job_n, NULL) == 0)
		try_note(note, note_n);
	try_note((const char *)data, n);
	try_mask((const char *)data, n);
	return 0;
}
