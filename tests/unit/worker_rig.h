/* worker_rig.h: a job in a few words, run in this process or by a real worker, and its report. */
#ifndef TESTS_UNIT_WORKER_RIG_H
#define TESTS_UNIT_WORKER_RIG_H

#include "core/base/json.h"
#include "core/base/str.h"
#include "core/worker/attempt.h"

struct rig {
	char dir[256];	     /* a folder of its own, removed by rig_done */
	struct json *job;    /* owned: to be changed before rig_run */
	struct json *report; /* owned, after a run */
	struct str log;	     /* what the attempt wrote */
	int killed_by;	     /* signal that ended rig_run_child's process, 0 */
	int cancel_after_ms; /* -1: never */
	int64_t cancel_took_us;
};

/* step: the step's plan as JSON text with ' for ". */
void rig_init(struct rig *r, const char *step);
void rig_done(struct rig *r);
/* Sets a member of the job from JSON text with ' for ". */
void rig_set(struct rig *r, const char *key, const char *json);
/* In this process. Every call is a new attempt with fresh lanes. */
void rig_run(struct rig *r);
/* In a child, which may be killed by the step. */
void rig_run_child(struct rig *r);
const char *rig_class(const struct rig *r);
const char *rig_message(const struct rig *r);
bool rig_logged(const struct rig *r, const char *text);
/* Content of DIR/name, or NULL; the caller frees. */
char *rig_file(const struct rig *r, const char *name);
struct json *rig_json(const char *text);

#define PROBE_LOAD                                                                                 \
	"'load':{'plugin':'probe','type':'probe','connection':'store','dataset':'store/"           \
	"t','table':'t','mode':'replace'"
#define PROBE_EXTRACT "'extract':{'plugin':'probe','type':'probe'"

#endif
