/* conf.c: the compiled configuration (core/README.md §4) as structs. The compiler has filled every
 * default; the fallbacks here are the same and serve tests. */
#include "core/dag/conf.h"

#include "core/base/hash.h"
#include "core/base/mem.h"

#include <string.h>

#define CONF_MAX_BYTES (4u << 20)
#define DAY_MS INT64_C(86400000)

static int missing(struct err *err, const char *key)
{
	return err_set(
	    err, ERR_CONFIG, "the compiled configuration lacks \"%s\": compile it again", key);
}

static int read_hooks(struct conf *c, struct err *err)
{
	const struct json *hooks = json_get(c->root, "hooks");

	if (json_len(hooks) == 0)
		return 0;
	c->hooks = mem_calloc(json_len(hooks), sizeof(*c->hooks));
	for (const struct json *j = json_first(hooks); j != NULL; j = json_next(j)) {
		struct conf_hook *h = &c->hooks[c->n_hooks++];

		h->json = j;
		h->scheme = json_get_str(j, "scheme", NULL);
		h->is_public = json_get_bool(j, "public", false);
		if (h->scheme == NULL || !str_copy(h->name, sizeof(h->name), json_key(j)))
			return missing(err, "hooks");
	}
	return 0;
}

static int read_pools(struct conf *c, struct err *err)
{
	const struct json *pools = json_get(c->root, "pools");

	if (json_len(pools) == 0)
		return 0;
	c->pools = mem_calloc(json_len(pools), sizeof(*c->pools));
	for (const struct json *j = json_first(pools); j != NULL; j = json_next(j)) {
		struct conf_pool *p = &c->pools[c->n_pools++];
		int64_t size = json_i64(j, 0);

		if (size < 1 || size > INT32_MAX ||
		    !str_copy(p->name, sizeof(p->name), json_key(j)))
			return missing(err, "pools");
		p->size = (uint32_t)size;
	}
	return 0;
}

static int read_on_term(struct conf *c, struct err *err)
{
	const char *s = json_get_str(c->root, "on_term", "leave");

	if (str_eq(s, "leave"))
		c->on_term = ON_TERM_LEAVE;
	else if (str_eq(s, "drain"))
		c->on_term = ON_TERM_DRAIN;
	else if (str_eq(s, "cancel"))
		c->on_term = ON_TERM_CANCEL;
	else
		return missing(err, "on_term");
	return 0;
}

static void read_limits(struct conf *c)
{
	const struct json *keep = json_get(c->root, "retention"),
			  *lim = json_get(c->root, "limits");

	c->retain_runs_ms = json_get_i64(keep, "runs_ms", 90 * DAY_MS);
	c->retain_events_ms = json_get_i64(keep, "events_ms", 30 * DAY_MS);
	c->retain_logs_ms = json_get_i64(keep, "logs_ms", 30 * DAY_MS);
	c->logs_max_bytes = (uint64_t)json_get_i64(keep, "logs_bytes", INT64_C(5) << 30);
	c->store_max_bytes = (uint64_t)json_get_i64(lim, "store_bytes", INT64_C(2) << 30);
	c->event_body_max_bytes = (uint64_t)json_get_i64(lim, "event_body_bytes", 1 << 20);
	c->grace_ms = json_get_i64(c->root, "grace_ms", 10000);
}

static int read_conf(struct conf *c, struct err *err)
{
	const struct json *r = c->root, *http = json_get(r, "http");
	int64_t workers = json_get_i64(r, "workers", 1);

	if (json_get_i64(r, "v", 0) != 1)
		return missing(err, "v");
	c->file = json_get_str(r, "file", "");
	c->deployment = json_get_str(r, "deployment", NULL);
	c->state_dir = json_get_str(r, "state", NULL);
	c->dags_dir = json_get_str(r, "dags", NULL);
	c->unix_path = json_get_str(http, "unix", NULL);
	c->listen = json_get_str(http, "listen", NULL);
	c->hosts = json_get(http, "hosts");
	c->plugin_dirs = json_get(r, "plugins");
	c->connections = json_get(r, "connections");
	c->notify = json_get(r, "notify");
	c->secrets = json_get(r, "secrets");
	c->sources = json_get(r, "sources");
	c->defaults = json_get(r, "defaults");
	c->run_user = json_get_str(r, "run_user", NULL);
	if (c->deployment == NULL || c->deployment[0] == 0)
		return missing(err, "deployment");
	if (c->state_dir == NULL)
		return missing(err, "state");
	if (workers < 1 || workers > 4096)
		return missing(err, "workers");
	c->workers = (uint32_t)workers;
	c->watch = json_get_bool(r, "watch", false);
	read_limits(c);
	return read_on_term(c, err);
}

int conf_parse(const char *text, size_t n, struct conf **ret, struct err *err)
{
	struct conf *c = MEM_NEW(struct conf);
	uint8_t sha[HASH_SHA256_BYTES];
	struct str print;
	int rc = json_parse(text, n, CONF_MAX_BYTES, &c->root, err);

	if (rc == 0) {
		/* Of what it says, not of how it was printed: one worker ends its text with a line
		 * feed, another does not. */
		str_init(&print, CONF_MAX_BYTES);
		json_print(c->root, &print);
		hash_sha256(str_peek(&print), print.len, sha);
		str_done(&print);
		hash_to_hex(sha, sizeof(sha), c->sha);
		rc = read_conf(c, err);
	}
	if (rc == 0)
		rc = read_hooks(c, err);
	if (rc == 0)
		rc = read_pools(c, err);
	if (rc != 0) {
		conf_free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	mem_free(c->hooks);
	mem_free(c->pools);
	json_free(c->root);
	mem_free(c);
}

const struct conf_hook *conf_hook_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_hooks; i++) {
		if (strcmp(c->hooks[i].name, name) == 0)
			return &c->hooks[i];
	}
	return NULL;
}
