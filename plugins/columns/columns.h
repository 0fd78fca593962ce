/* columns.h: what the files of the columns plugin share. */
#ifndef PLUGINS_COLUMNS_COLUMNS_H
#define PLUGINS_COLUMNS_COLUMNS_H

#include "sluice/kit/batch.h"
#include "sluice/kit/json.h"
#include "sluice/plugin.h"

#include <stdbool.h>

enum column_do { COLUMN_PASS, COLUMN_CAST, COLUMN_HMAC, COLUMN_REDACT };
#define KEY_MAX_BYTES 4096
#define CACHE_SLOTS 1024
#define CACHE_TEXT 48

struct cached {	    /* a value masked before; columns of few values are the rule */
	uint32_t n; /* bytes + 1; 0: empty slot */
	char text[CACHE_TEXT], hex[33];
};

struct column { /* of the output */
	enum column_do what;
	size_t in;		 /* column of the input */
	int built;		 /* column of the builder, or -1 where the input's array passes */
	char key[KEY_MAX_BYTES]; /* of hmac; wiped at close */
	size_t key_n;
	struct cached *cache; /* owned, or NULL */
};

struct columns {
	const slu_host *host;		       /* borrowed */
	slu_run *run;			       /* borrowed */
	slu_json *keep, *rename, *cast, *mask; /* owned, or NULL */
	enum { UNLISTED_REFUSE, UNLISTED_KEEP, UNLISTED_DROP } unlisted;
	slu_fields in, out, built;    /* owned */
	struct column *v;	      /* owned; out.n */
	struct ArrowSchema in_schema; /* owned; for rejects */
};

/* ---- plan.c: which columns come out and how ---- */
slu_rc plan_columns(struct columns *c, const struct ArrowSchema *in, slu_err *err) SLU_CHECK;
void plan_done(struct columns *c);

/* ---- apply.c ---- */
slu_rc apply_stream(struct columns *c, struct ArrowArrayStream *in, struct ArrowArrayStream *out,
    slu_err *err) SLU_CHECK;

#endif
