/* jobpart.c: the parts of a job that do not change from attempt to attempt, as JSON text. Owner:
 * struct job_builder. Dropped as a whole when the configuration changes or PARTS_MAX is reached. */
#define LOG_AT "daemon"
#include "core/daemon/job.h"

#include "core/base/mem.h"

#include <string.h>

#define PARTS_MAX 2048
#define BUCKETS 256
#define PART_TEXT_MAX (8u << 20)

struct job_parts {
	struct job_part *bucket[BUCKETS];
	size_t n;
};

static void part_free(struct job_part *p)
{
	for (size_t i = 0; i < p->secrets.n; i++)
		mem_free(p->secrets.v[i].text);
	VEC_DONE(&p->secrets);
	VEC_DONE(&p->ancestors);
	mem_free(p->step_json);
	mem_free(p->datasets_json);
	mem_free(p->connections_json);
	mem_free(p->key_base);
	json_free(p->secret_root);
	mem_free(p);
}

struct job_parts *job_parts_new(void)
{
	return MEM_NEW(struct job_parts);
}

void job_parts_clear(struct job_parts *p)
{
	struct job_part *at, *next;

	for (size_t i = 0; i < BUCKETS; i++) {
		for (at = p->bucket[i]; at; at = next) {
			next = at->next;
			part_free(at);
		}
		p->bucket[i] = NULL;
	}
	p->n = 0;
}

void job_parts_free(struct job_parts *p)
{
	if (!p)
		return;
	job_parts_clear(p);
	mem_free(p);
}

static char *json_text(const struct json *j, const char *otherwise)
{
	struct str out;

	if (!j)
		return mem_strdup(otherwise);
	str_init(&out, PART_TEXT_MAX);
	json_print(j, &out);
	return out.failed ? (str_done(&out), mem_strdup(otherwise)) : str_take(&out);
}

static void secret_add(struct job_part *p, const char *text, const struct json *ref)
{
	struct job_secret s;

	for (size_t i = 0; i < p->secrets.n; i++) {
		if (str_eq(p->secrets.v[i].text, text))
			return;
	}
	s = (struct job_secret){mem_strdup(text), ref};
	VEC_ADD(&p->secrets, s);
}

static void secret_add_ref(struct job_part *p, const struct json *ref)
{
	struct str text;

	str_init(&text, 8192);
	if (secret_is_ref(ref, &text) && !text.failed)
		secret_add(p, str_peek(&text), ref);
	str_done(&text);
}

/* References anywhere below j, and texts that are the name of a key under `secrets:`. */
static void secrets_find(struct job_part *p, const struct conf *conf, const struct json *j)
{
	const struct json *named;
	struct str text;

	if (secret_is_ref(j, NULL)) {
		secret_add_ref(p, j);
		return;
	}
	if (json_is(j, JSON_STRING) && (named = json_get(conf->secrets, json_str(j, "")))) {
		str_init(&text, 256);
		str_addf(&text, "name:%s", json_str(j, ""));
		secret_add(p, str_peek(&text), named);
		str_done(&text);
		return;
	}
	for (const struct json *c = json_first(j); c; c = json_next(c))
		secrets_find(p, conf, c);
}

static void connections_write(
    struct job_part *p, const struct conf *conf, const struct plan_step *step)
{
	const struct json *config;
	struct str out;
	struct jw w;

	str_init(&out, PART_TEXT_MAX);
	jw_init(&w, &out);
	jw_object(&w);
	for (const struct json *c = json_first(json_get(step->json, "connections")); c;
	     c = json_next(c)) {
		config = json_get(conf->connections, json_str(c, ""));
		if (!config)
			continue; /* the worker says what is missing, with the step's place */
		jw_key(&w, json_str(c, ""));
		jw_json(&w, config);
		secrets_find(p, conf, config);
	}
	jw_end_object(&w);
	p->connections_json = str_take(&out);
}

/* A kept worker is used again only for the same plugins, connections and sandbox (and secrets). */
static void key_write(struct job_part *p, const struct plan_step *step)
{
	uint8_t digest[HASH_SHA256_BYTES];
	struct hash *key = hash_new();
	struct str out;

	str_init(&out, PART_TEXT_MAX);
	json_print(json_get(step->json, "plugins"), &out);
	str_add(&out, p->connections_json);
	str_addf(&out, "%lld %d", (long long)json_get_i64(step->json, "needs_mask", 0),
	    step->keep_privileges);
	p->key_base = str_take(&out);
	hash_add_text(key, p->key_base);
	hash_end(key, digest);
	hash_to_hex(digest, HASH_ID_BYTES, p->key_text);
}

static void ancestors_find(struct job_part *p, const struct plan *plan)
{
	bool *in = mem_calloc(plan->n_steps, sizeof(bool));
	const struct plan_step *s;

	in[p->step] = true;
	for (size_t i = (size_t)p->step + 1; i-- > 0;) { /* topological order: needs stand before */
		if (!in[i])
			continue;
		s = &plan->steps[i];
		for (size_t k = 0; k < s->n_needs; k++)
			in[s->needs[k].step] = true;
		if (i != p->step)
			VEC_ADD(&p->ancestors, (uint16_t)i);
	}
	mem_free(in);
}

static struct job_part *part_make(const struct conf *conf, const struct plan *plan, uint16_t step)
{
	struct job_part *p = MEM_NEW(struct job_part);
	const struct plan_step *s = &plan->steps[step];

	memcpy(p->sha, plan->sha, sizeof(p->sha));
	p->step = step;
	p->secret_root = json_dup(s->json);
	p->step_json = json_text(s->json, "{}");
	p->datasets_json = json_text(plan->datasets, "{}");
	p->wants_outputs =
	    strstr(p->step_json, "steps.") != NULL && strstr(p->step_json, "${") != NULL;
	p->has_cursor = json_is(json_path(s->json, "extract.cursor"), JSON_OBJECT);
	secrets_find(p, conf, p->secret_root);
	connections_write(p, conf, s);
	key_write(p, s);
	if (p->wants_outputs)
		ancestors_find(p, plan);
	return p;
}

const struct job_part *job_part_get(
    struct job_parts *p, const struct conf *conf, const struct plan *plan, uint16_t step)
{
	struct job_part **bucket = &p->bucket[(plan->sha[0] + step) % BUCKETS], *at;

	for (at = *bucket; at; at = at->next) {
		if (at->step == step && memcmp(at->sha, plan->sha, sizeof(at->sha)) == 0)
			return at;
	}
	if (p->n >= PARTS_MAX)
		job_parts_clear(p);
	at = part_make(conf, plan, step);
	at->next = *bucket;
	*bucket = at;
	p->n++;
	return at;
}
