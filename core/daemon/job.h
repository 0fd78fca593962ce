/* job.h: the JOB payload of an attempt (core/README.md §6), made from a snapshot that is as new as
 * the DISPATCH commit. job.c writes it; jobpart.c keeps what is the same for every attempt of a
 * plan's step. */
#ifndef CORE_DAEMON_JOB_H
#define CORE_DAEMON_JOB_H

#include "core/base/vec.h"
#include "core/daemon/secret.h"
#include "core/sched/op.h"

struct job_builder;
struct job_builder *job_builder_new(struct secret_cache *secrets); /* borrowed */
void job_builder_free(struct job_builder *b);
/* A new configuration (borrowed): fragments made from the old one are dropped. */
void job_builder_conf(struct job_builder *b, const struct conf *conf);
/* `sluiced --once`: rows to preview instead of publishing, 0: a real run. */
void job_builder_preview(struct job_builder *b, uint32_t rows);
/* out is reset, then holds note and job. ERR_NOT_FOUND: the attempt is not current any more
 * (UNLEASE it); any other error is the attempt's own failure of class config, with its message in
 * err. */
int job_build(struct job_builder *b, const struct view *v, const struct effect *e, struct str *out,
    struct err *err) CHECK_RESULT;
/* What a step needs of secrets must be wiped from out once it is sent. */

/* ---- jobpart.c ---- */

struct job_secret {
	char *text;		/* owned: "file:PATH" …, "name:KEY" */
	const struct json *ref; /* borrowed from the configuration, or from root */
};
/* Everything of a job that only depends on (plan, step, configuration). */
struct job_part {
	uint8_t sha[HASH_SHA256_BYTES];
	uint16_t step;
	bool wants_outputs; /* a template names steps.… */
	bool has_cursor;
	char *step_json; /* owned text, as are the next three */
	char *datasets_json;
	char *connections_json;
	char key_text[2 * HASH_ID_BYTES + 1]; /* the worker's key, where no secrets are in it */
	char *key_base; /* plugins, connections, sandbox: hashed together with the secrets' versions
			 */
	struct json *secret_root; /* owned: references found in the step */
	VEC(struct job_secret) secrets;
	VEC(uint16_t) ancestors;
	struct job_part *next;
};
struct job_parts;
struct job_parts *job_parts_new(void);
void job_parts_free(struct job_parts *p);
void job_parts_clear(struct job_parts *p);
const struct job_part *job_part_get(
    struct job_parts *p, const struct conf *conf, const struct plan *plan, uint16_t step);

#endif
