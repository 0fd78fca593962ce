/* compile_chunk.c: the compiler is asked through the pool's system lane, about some files at once.
 * One that dies on several files is asked about each alone, so that one bad file is found. */
#define LOG_AT "daemon"
#include "core/daemon/compile_int.h"

#include "core/base/io.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/pool/frame.h"

#include <unistd.h>

#define IN_FLIGHT 2 /* lanes of the pool for system jobs */
#define TRIES 3
#define SYSTEM_NOTE                                                                                \
	"{\"slug\":\"compile\",\"lane\":\"system\",\"key\":\"system\",\"log\":\"\",\"deadline_"    \
	"ms\":"                                                                                    \
	"120000,\"grace_ms\":1000,\"fresh\":false,\"keep\":false,\"needs\":0,\"masks\":[]}"

static void chunk_end(struct compile *c, struct chunk *k)
{
	k->ended = true;
	c->left--;
}

/* The chunk as chunks of one file each. */
static void chunk_split(struct compile *c, struct chunk *k)
{
	struct chunk *one;

	for (size_t i = 0; i < k->n; i++) {
		one = MEM_NEW(struct chunk);
		*one = (struct chunk){.c = c, .first = k->first + i, .n = 1};
		VEC_ADD(&c->chunks, one);
		c->left++;
	}
	chunk_end(c, k);
}

static void chunk_failed(struct compile *c, struct chunk *k, const char *why)
{
	if (k->n == 0) {
		log_warn("plugins cannot be described: %s", why);
		chunk_end(c, k);
	} else if (k->n > 1) {
		chunk_split(c, k);
	} else {
		compile_take_failure(c, &c->scan.files.v[c->changed.v[k->first]], "compiler", why,
		    "see the daemon's log; try: sluice check, then sluice apply");
		chunk_end(c, k);
	}
}

static char *catalog_path(const struct compile *c)
{
	return io_path_join(c->d->conf->state_dir, "plugins.json");
}

/* Option tables of plugins that the compiler had to ask: kept, so that the next one need not. */
static void take_catalog(struct compile *c, const struct json *catalog)
{
	char *path = catalog_path(c);
	struct err err = {0};
	struct str text;

	str_init(&text, COMPILE_REPLY_MAX);
	json_print(catalog, &text);
	if (io_write_file(path, str_peek(&text), text.len, 0640, &err) != 0)
		log_warn("plugins are described again each time: %s", err.text);
	str_done(&text);
	mem_free(path);
}

static void chunk_take(struct compile *c, struct chunk *k, const struct json *reply)
{
	const struct json *at = json_first(json_get(reply, "files"));
	bool late = json_get_bool(reply, "late", false);
	const char *why;
	size_t i = 0;

	if (json_len(json_get(reply, "files")) != k->n) {
		why = json_get_str(reply, "error", json_get_str(reply, "message", ""));
		if (!why[0])
			why = "the compiler gave no answer";
		if (k->n == 1 && ++k->tries < TRIES)
			log_warn("DAG files: no answer about one of them (%s): asked again", why);
		else
			chunk_failed(c, k, why);
		return;
	}
	if (json_is(json_get(reply, "catalog"), JSON_OBJECT))
		take_catalog(c, json_get(reply, "catalog"));
	if (late)
		log_warn("a plugin cannot be described now: sluice plan names it; what it is "
			 "missing for is compiled again by apply");
	for (; at; at = json_next(at), i++)
		compile_take_file(c, &c->scan.files.v[c->changed.v[k->first + i]], at, late);
	c->compiled += k->n;
	chunk_end(c, k);
}

static void on_compiled(void *arg, int rc, const char *report, size_t n)
{
	struct chunk *k = arg;
	struct compile *c = k->c;
	struct json *reply = NULL;
	struct err err = {0};

	loop_enter(&c->d->loop, "compiled");
	k->busy = false;
	c->in_flight--;
	if (rc == 0)
		rc = json_parse(report, n, FRAME_PAYLOAD_MAX, &reply, &err);
	if (rc == ERR_CLOSED && ++k->tries < TRIES)
		return; /* the pool went away: asked again when it is back */
	if (rc != 0)
		chunk_failed(c, k, rc == ERR_CLOSED ? "the compiler died" : err.text);
	else
		chunk_take(c, k, reply);
	json_free(reply);
	compile_advance(c);
}

static void job_write(struct compile *c, const struct chunk *k, struct str *out)
{
	const struct conf *conf = compile_conf(c);
	char *path;
	struct jw w;

	jw_init(&w, out);
	jw_object(&w);
	jw_ki64(&w, "v", 1);
	jw_kstr(&w, "kind", "compile");
	jw_key(&w, "files");
	jw_array(&w);
	for (size_t i = 0; i < k->n; i++) {
		path = io_path_join(c->dir, c->scan.files.v[c->changed.v[k->first + i]].path);
		jw_str(&w, path);
		mem_free(path);
	}
	jw_end_array(&w);
	jw_kstr(&w, "dags_dir", c->dir);
	jw_key(&w, "config");
	jw_json(&w, conf->root);
	jw_key(&w, "plugin_dirs");
	if (conf->plugin_dirs)
		jw_json(&w, conf->plugin_dirs);
	else
		jw_raw(&w, "[]");
	path = catalog_path(c);
	jw_kstr(&w, "catalog_cache", path);
	mem_free(path);
	jw_end_object(&w);
}

static bool send_chunk(struct compile *c, struct chunk *k)
{
	struct str job;
	int rc;

	str_init(&job, FRAME_PAYLOAD_MAX - 4096);
	job_write(c, k, &job);
	rc = job.failed ? ERR_LIMIT
			: pool_link_system(
			      c->d->pools, SYSTEM_NOTE, str_peek(&job), job.len, on_compiled, k);
	str_done(&job);
	if (rc == ERR_LIMIT)
		chunk_failed(c, k, "the configuration is too large to be sent to the compiler");
	if (rc != 0)
		return false;
	k->busy = true;
	c->in_flight++;
	return true;
}

void compile_send_chunks(struct compile *c)
{
	for (size_t i = 0; i < c->chunks.n && c->in_flight < IN_FLIGHT; i++) {
		struct chunk *k = c->chunks.v[i];

		if (!k->busy && !k->ended && !send_chunk(c, k) && !k->ended)
			return; /* no pool: compile_pool_changed asks again */
	}
}

static void chunk_add(struct compile *c, size_t first, size_t n)
{
	struct chunk *k = MEM_NEW(struct chunk);

	k->c = c;
	k->first = first;
	k->n = n;
	VEC_ADD(&c->chunks, k);
	c->left++;
}

/* Where nothing changed, the compiler is asked about no file at all, for the catalog alone. */
void compile_make_chunks(struct compile *c)
{
	char *path = catalog_path(c);
	bool described = access(path, F_OK) == 0;

	mem_free(path);
	if (c->changed.n == 0 && !described && !c->head->single)
		chunk_add(c, 0, 0);
	for (size_t i = 0; i < c->changed.n; i += COMPILE_CHUNK)
		chunk_add(
		    c, i, c->changed.n - i < COMPILE_CHUNK ? c->changed.n - i : COMPILE_CHUNK);
}
