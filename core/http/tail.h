/* tail.h: reading the log of an attempt while it grows (layout: core/pool/logfile.h). Private to
 * the folder. */
#ifndef CORE_HTTP_TAIL_H
#define CORE_HTTP_TAIL_H

#include "core/http/server.h"

#define TAIL_POLL_MS 200 /* between two looks at a log that grows */
#define TAIL_PIECE 16384

struct tail {
	struct step_ref ref;
	uint32_t attempt; /* 0: none has begun */
	bool fixed;	  /* this attempt only; else later ones follow */
	uint64_t offset;  /* of the next byte */
	char dag[PLAN_NAME_MAX], run_id[HASH_ID_TEXT], step[PLAN_NAME_MAX];
};

enum tail_state {
	TAIL_MORE, /* this attempt may still write */
	TAIL_NEXT, /* it is over; `attempt` + 1 has begun or may begin */
	TAIL_OVER
};

/* attempt 0: the newest. ERR_NOT_FOUND where the run, the step or its plan is gone. */
int tail_open(const struct view *v, const struct step_ref *ref, uint32_t attempt,
    struct tail *ret) CHECK_RESULT;
/* What the store says now; follows into the next attempt's number by tail_next. */
enum tail_state tail_look(const struct view *v, const struct tail *t);
void tail_next(struct tail *t);
/* The next piece, at most TAIL_PIECE bytes of log behind a line that names a gap; 0 bytes: no more
 * for now. Appends to out. */
int tail_read(struct http *h, struct tail *t, struct str *out, uint64_t *ret_offset,
    struct err *err) CHECK_RESULT;

#endif
