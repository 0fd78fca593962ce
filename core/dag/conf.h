/* conf.h: sluice.yaml, compiled to JSON by a worker and read into structs here. Const after load; a
 * reload makes a new one. Paths are absolute. Secrets are references; nobody but daemon/secret
 * reads them. */
#ifndef CORE_DAG_CONF_H
#define CORE_DAG_CONF_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "core/dag/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_hook {
	char name[PLAN_NAME_MAX];
	const char *scheme;	 /* standard-webhooks hmac bearer none; others are refused by the
				    compiler until they come */
	const struct json *json; /* the whole hook: secrets, header, prefix, encoding,
				    timestamp_header, id_header, dedupe … */
	bool is_public;
};
struct conf_pool {
	char name[PLAN_NAME_MAX];
	uint32_t size;
};
enum conf_on_term { ON_TERM_LEAVE, ON_TERM_DRAIN, ON_TERM_CANCEL };

struct conf {
	struct json *root; /* owned; schema in core/README.md §4 */
	char sha[65];	   /* hex of SHA-256 over the JSON: part of the plan cache's key */
	const char *file;  /* absolute path of sluice.yaml */
	const char *deployment;
	const char *state_dir, *dags_dir, *unix_path;
	const char *listen; /* host:port or NULL */
	const struct json *hosts, *plugin_dirs, *connections, *notify, *secrets, *sources,
	    *defaults;
	uint32_t workers;
	struct conf_hook *hooks;
	size_t n_hooks;
	struct conf_pool *pools;
	size_t n_pools;
	enum conf_on_term on_term;
	bool watch; /* the DAG folder is watched for changes */
	int64_t grace_ms;
	uint64_t store_max_bytes, event_body_max_bytes, logs_max_bytes;
	int64_t retain_runs_ms, retain_events_ms, retain_logs_ms;
	const char *run_user; /* user of pool and workers, or NULL: one-user mode */
};

int conf_parse(const char *text, size_t n, struct conf **ret, struct err *err) CHECK_RESULT;
void conf_free(struct conf *c);
const struct conf_hook *conf_hook_find(const struct conf *c, const char *name);

#endif
