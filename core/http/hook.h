/* hook.h: webhooks: what a hook is once its configuration and secrets are read, and what a scheme
 * does. Private to the folder.
 *
 * A scheme judges raw bytes before anything is parsed, in constant time. What it refuses is counted
 * and kept in a ring of heads; it never reaches the store, because strangers must not fill it. */
#ifndef CORE_HTTP_HOOK_H
#define CORE_HTTP_HOOK_H

#include "core/base/hash.h"
#include "core/http/server.h"

#define HOOK_TOLERANCE_US (300 * US_PER_S) /* a signed time may differ by this much */
#define HOOK_ID_MAX 256			   /* with terminator: event_rec.external_id */
#define HOOK_SECRETS_MAX 8
#define HOOK_SIGNATURES_MAX 8

struct hook_secret {
	uint8_t *p; /* owned, wiped */
	size_t n;
};
struct hook_refusal;

struct hook {
	char name[PLAN_NAME_MAX];
	char source[PLAN_NAME_MAX + 8]; /* "hook:NAME" */
	const struct hook_scheme *scheme;
	struct hook_secret secrets[HOOK_SECRETS_MAX];
	size_t n_secrets;
	mono_us looked_at; /* when the files of the secrets were looked at last */
	char header[64], prefix[32], timestamp_header[64], id_header[64]; /* lower case; "" none */
	bool base64;
	int64_t dedupe_body_ms; /* 0: no repeats by body */
	bool is_public;
	uint64_t max_body;
	uint64_t accepted, repeated, refused;
	struct hook_refusal *ring; /* owned, made at the first refusal */
	size_t ring_at;
};

/* What the scheme learnt of a request that it accepts. */
struct hook_fact {
	char id[HOOK_ID_MAX]; /* "" : no id, no repeats */
	wall_us time;	      /* signed time, or TIME_NONE */
	int64_t dedupe_ms;    /* the id is remembered for so long; 0: as usual */
};

struct hook_scheme {
	const char *name;
	/* Checks the hook's settings and reads its secrets' texts into what verify needs. */
	int (*load)(struct hook *k, struct err *err);
	/* 0, or ERR_AUTH (401), ERR_PARSE (400). scratch is free for use. */
	int (*verify)(const struct hook *k, const struct http_req *q, wall_us now,
	    struct str *scratch, struct hook_fact *ret, struct err *err);
	const char *secrets_key; /* "secrets", "tokens", or NULL: it has none */
};
extern const struct hook_scheme hook_standard, hook_hmac, hook_bearer, hook_none;

/* All hooks of a configuration; counts and rings are carried over from `old` (may be NULL), which
 * is left intact. */
int hooks_new(struct http *h, const struct conf *conf, struct hooks *old, struct hooks **ret,
    struct err *err) CHECK_RESULT;
void hooks_free(struct hooks *k);
size_t hooks_count(const struct hooks *k);
struct hook *hooks_at(struct hooks *k, size_t i);
struct hook *hooks_find(struct hooks *k, const char *name, size_t n);
void hook_free(struct hook *k);
/* Takes secrets whose files have changed, looking at most once a second; where they cannot be read
 * or are wrong the old ones stay, and the log says so. */
void hook_refresh(struct http *h, struct hook *k);
/* Members of the object of GET /v1/hooks/NAME. */
void hook_show(const struct hook *k, struct jw *w);

/* ---- serve.c calls these for /hooks/… ---- */
bool hook_head(struct http_req *q);    /* as serve_head */
void hook_request(struct http_req *q); /* as serve_request */

/* ---- shared by schemes ---- */
/* The named header of 1 to size - 1 visible characters; ERR_AUTH names it otherwise. */
int hook_need_header(const struct http_req *q, const char *name, char *to, size_t size,
    struct err *err) CHECK_RESULT;
/* Decimal seconds within the tolerance of now. */
int hook_check_time(const char *seconds, wall_us now, wall_us *ret, struct err *err) CHECK_RESULT;

#endif
