/* compile_int.h: a compilation under way; for compile*.c alone. */
#ifndef CORE_DAEMON_COMPILE_INT_H
#define CORE_DAEMON_COMPILE_INT_H

#include "core/base/hash.h"
#include "core/base/vec.h"
#include "core/daemon/daemon.h"
#include "core/daemon/planview.h"
#include "core/daemon/scan.h"

#define COMPILE_CHUNK 32 /* files that the compiler is asked about at once */
#define COMPILE_REPLY_MAX (16u << 20)

struct request {
	bool apply;
	char actor[ACTOR_MAX]; /* who applies; "": the daemon itself */
	char *single;	       /* owned: one file, else the folder */
	struct conf *conf;     /* owned: what a plan is made with, NULL: what is in force */
	compile_done done;
	void *arg;
	struct request *next;
};

/* Files i..i+n of the changed ones. */
struct chunk {
	struct compile *c;
	size_t first, n;
	unsigned tries;
	bool busy, ended;
};

/* What OP_PLANS points to; it outlives the request. */
struct plans {
	VEC(struct op_file) files;
	VEC(char *) texts;
};

struct compile {
	struct daemon *d; /* borrowed */
	struct request *head;
	struct event *kick; /* owned: begins the next request, never inside the call that made it */
	bool working, done_once;
	/* of the request at the head: */
	struct scan scan;
	char *dir; /* owned */
	uint8_t signature[HASH_SHA256_BYTES];
	uint64_t compiled;   /* files so far, of all requests */
	VEC(size_t) changed; /* indexes into scan.files */
	VEC(char *) gone;    /* owned paths of the store's files that vanished */
	VEC(struct chunk *) chunks;
	size_t in_flight, left, storing;
	int rc; /* the first failure to store */
	struct err err;
	bool trim;	     /* memory of a large request is still to be given back */
	struct plans *plans; /* owned until submitted */
	struct plan_view view;
};

/* ---- compile.c ---- */
void compile_advance(struct compile *c); /* asks on, or ends the request */
const struct conf *compile_conf(const struct compile *c);
const char *compile_keep_text(struct plans *p, char *take);

/* ---- compile_result.c ---- */
int compile_find_changes(struct compile *c, struct err *err);
/* One object of the compiler's answer. again: what is wrong with it may be right the next time. */
void compile_take_file(
    struct compile *c, const struct scan_file *f, const struct json *j, bool again);
/* A file that the compiler did not find fault with, but this side of it does. */
void compile_take_failure(struct compile *c, const struct scan_file *f, const char *code,
    const char *why, const char *hint);

/* ---- compile_chunk.c ---- */
void compile_make_chunks(struct compile *c);
void compile_send_chunks(struct compile *c);

#endif
