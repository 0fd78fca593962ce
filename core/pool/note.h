/* note.h: what the pool reads of a job (frame.h), checked. */
#ifndef CORE_POOL_NOTE_H
#define CORE_POOL_NOTE_H

#include "core/base/err.h"
#include "core/pool/mask.h"

#include <stdbool.h>
#include <stdint.h>

#define NOTE_MAX (1u << 20)
#define NOTE_KEY_MAX 129

struct note {
	char slug[192];		/* for log lines */
	char key[NOTE_KEY_MAX]; /* worker affinity */
	char *log;		/* owned; below state/logs; NULL: output is read and dropped */
	char *scratch;		/* owned; below state/scratch; NULL: none */
	int64_t deadline_ms;	/* -1: none */
	int64_t grace_ms;
	bool fresh, keep_scratch;
	uint32_t workers;  /* 0: not said */
	struct mask *mask; /* owned; NULL: no secrets */
};

/* ERR_PARSE for what is no note, ERR_REFUSED for a mask that is too short. */
int note_parse(const char *text, size_t n, struct note *ret, struct err *err) CHECK_RESULT;
void note_done(struct note *note);

#endif
