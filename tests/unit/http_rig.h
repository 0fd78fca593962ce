/* http_rig.h: the HTTP server on one socketpair, over a store of a few fixed records and a writer
 * that answers when told. For the tests of core/http. */
#ifndef TESTS_UNIT_HTTP_RIG_H
#define TESTS_UNIT_HTTP_RIG_H

#include "core/http/server.h"

#define RIG_HOOK_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define RIG_NOW (INT64_C(1614265330) * US_PER_S)
#define RIG_ADMIN "sl_admin"
#define RIG_READ "sl_read"
#define RIG_RUN "sl_run"       /* run:shop */
#define RIG_INGEST "sl_ingest" /* ingest:open */

struct rig_row {
	enum table table;
	uint8_t key[64];
	size_t key_n;
	uint8_t value[4096];
	size_t value_n;
};

struct rig {
	struct event_base *base;
	struct http *h;
	struct conf conf;
	struct conf_hook hooks[8];
	struct json *hooks_json, *hosts;
	struct view view;
	bool view_open;
	struct rig_row rows[32];
	struct plan *plan; /* of every run */
	uint8_t run_id[HASH_ID_BYTES];
	size_t n_rows;
	int fd;	  /* the client's end */
	bool eof; /* the server closed */
	struct str got;
	/* the writer */
	struct writer_op *first, **last;
	bool hold;		 /* ops wait for rig_deliver */
	int submit_rc;		 /* of the next submits */
	struct op_result result; /* given to the next ops; event counts up by itself */
	unsigned n_ops;
	struct str ops; /* what was submitted, a line each */
	wall_us now;
	enum http_stop stopped;
	bool stop_called;
};

enum rig_peer { RIG_UNIX, RIG_UNIX_STRANGER, RIG_TCP };
/* limits may be NULL. */
void rig_init(struct rig *r, const struct http_limits *limits);
void rig_connect(struct rig *r, enum rig_peer peer); /* closes the one before */
void rig_done(struct rig *r);
/* Sends all, turns the loop until nothing more comes; what came is in r->got (reset before). */
const char *rig_ask(struct rig *r, const char *text);
const char *rig_askn(struct rig *r, const char *p, size_t n);
void rig_turn(struct rig *r);		  /* turns the loop and collects, without reset */
void rig_wait_eof(struct rig *r, int ms); /* at most that long */
void rig_deliver(struct rig *r);
void rig_add_token(
    struct rig *r, const char *token, const char *name, uint32_t scopes, const char *object);
/* A run of DAG "shop" (number 1) with its one step "load" and its plan; again: the same with other
 * states. */
void rig_put_run(
    struct rig *r, uint64_t run, enum run_state state, enum step_state step, uint32_t attempt);
void rig_effect_run(struct rig *r, uint64_t run, enum run_state state);
void rig_effect_step(struct rig *r, uint64_t run, enum step_state state);
/* Status of the n-th reply in got (from 0), 0 where there is none. Replies are parted by their
 * Content-Length. */
int rig_status(const struct rig *r, size_t n);
size_t rig_replies(const struct rig *r);
const char *rig_body(
    const struct rig *r, size_t n); /* of the n-th reply; valid until the next call */

#endif
