/* hook_load.c: reads hooks and their secrets from the configuration, and the secrets again when
 * their files change; a reload keeps counts and refused heads. */
#define LOG_AT "http"
#include "core/http/hook.h"

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/http/hook_ring.h"

#include <ctype.h>
#include <string.h>

#define SECRET_TEXT_MAX 4096
#define LOOK_EVERY_US US_PER_S

struct hooks {
	struct hook *v; /* owned */
	size_t n;
};

static const struct hook_scheme *const schemes[] = {
    &hook_standard, &hook_hmac, &hook_bearer, &hook_none};

void hook_free(struct hook *k)
{
	for (size_t i = 0; i < k->n_secrets; i++) {
		hash_wipe(k->secrets[i].p, k->secrets[i].n);
		mem_free(k->secrets[i].p);
	}
	k->n_secrets = 0;
	hook_ring_free(k);
}

void hooks_free(struct hooks *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n; i++)
		hook_free(&k->v[i]);
	mem_free(k->v);
	mem_free(k);
}

size_t hooks_count(const struct hooks *k)
{
	return k != NULL ? k->n : 0;
}

struct hook *hooks_at(struct hooks *k, size_t i)
{
	return &k->v[i];
}

struct hook *hooks_find(struct hooks *k, const char *name, size_t n)
{
	for (size_t i = 0; k != NULL && i < k->n; i++) {
		if (strlen(k->v[i].name) == n && memcmp(k->v[i].name, name, n) == 0)
			return &k->v[i];
	}
	return NULL;
}

static int copy_setting(struct hook *k, const struct json *j, const char *name, char *to,
    size_t size, bool lower, struct err *err)
{
	if (!str_copy(to, size, json_get_str(j, name, "")))
		return err_set(err, ERR_CONFIG, "hooks.%s: %s is longer than %zu characters",
		    k->name, name, size - 1);
	for (char *p = to; lower && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return 0;
}

static int load_secret(struct http *h, struct hook *k, const struct json *ref, struct err *err)
{
	struct str text;

	if (k->n_secrets == HOOK_SECRETS_MAX)
		return err_set(
		    err, ERR_CONFIG, "hooks.%s: more than %d secrets", k->name, HOOK_SECRETS_MAX);
	if (h->env.secret == NULL)
		return err_set(err, ERR_CONFIG, "hooks.%s: secrets cannot be read here", k->name);
	str_init(&text, SECRET_TEXT_MAX);
	int rc = h->env.secret(h->env.arg, ref, &text, err);
	if (rc == 0 && text.len == 0)
		rc = err_set(err, ERR_CONFIG, "the secret is empty");
	if (rc == 0) {
		struct hook_secret *s = &k->secrets[k->n_secrets++];
		s->p = mem_dup(text.s, text.len);
		s->n = text.len;
	} else {
		err_prefix(err, "hooks.%s", k->name);
	}
	if (text.s != NULL)
		hash_wipe(text.s, text.cap);
	str_done(&text);
	return rc;
}

static int load_secrets(struct http *h, struct hook *k, const struct json *conf, struct err *err)
{
	const struct json *list;
	int rc = 0;

	if (k->scheme->secrets_key == NULL)
		return 0;
	list = json_get(conf, k->scheme->secrets_key);
	for (const struct json *j = json_first(list); j != NULL && rc == 0; j = json_next(j))
		rc = load_secret(h, k, j, err);
	if (rc == 0 && k->n_secrets == 0)
		rc = err_set(err, ERR_CONFIG, "hooks.%s: %s is missing or empty", k->name,
		    k->scheme->secrets_key);
	return rc;
}

static int load_settings(struct hook *k, const struct json *j, struct err *err)
{
	const struct json *dedupe = json_get(j, "dedupe"), *body;
	int64_t ms = 0;
	int rc = copy_setting(k, j, "header", k->header, sizeof(k->header), true, err);

	if (rc == 0)
		rc = copy_setting(k, j, "prefix", k->prefix, sizeof(k->prefix), false, err);
	if (rc == 0)
		rc = copy_setting(k, j, "timestamp_header", k->timestamp_header,
		    sizeof(k->timestamp_header), true, err);
	if (rc == 0)
		rc = copy_setting(k, j, "id_header", k->id_header, sizeof(k->id_header), true, err);
	if (rc != 0)
		return rc;
	k->base64 = str_eq(json_get_str(j, "encoding", "hex"), "base64");
	/* compiled configurations hold integers with the unit in the name */
	body = json_get(dedupe, "body");
	if (body != NULL && str_to_duration_ms(json_str(body, ""), &ms) != 0)
		return err_set(
		    err, ERR_CONFIG, "hooks.%s: dedupe.body is no duration like 10m", k->name);
	k->dedupe_body_ms = json_get_i64(dedupe, "body_ms", ms);
	return 0;
}

static int load_hook(struct http *h, const struct conf *conf, const struct conf_hook *from,
    struct hook *k, struct err *err)
{
	str_copy(k->name, sizeof(k->name), from->name);
	str_copy(k->source, sizeof(k->source), "hook:");
	str_copy(k->source + 5, sizeof(k->source) - 5, from->name);
	k->is_public = from->is_public;
	k->max_body = conf->event_body_max_bytes > 0 ? conf->event_body_max_bytes : 1u << 20;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (str_eq(schemes[i]->name, from->scheme))
			k->scheme = schemes[i];
	}
	if (k->scheme == NULL)
		return err_set(err, ERR_UNSUPPORTED,
		    "hooks.%s: scheme \"%s\" is not supported by this release: use "
		    "standard-webhooks, hmac, bearer or none",
		    k->name, from->scheme != NULL ? from->scheme : "");
	int rc = load_settings(k, from->json, err);
	if (rc == 0)
		rc = load_secrets(h, k, from->json, err);
	return rc == 0 ? k->scheme->load(k, err) : rc;
}

static bool same_secrets(const struct hook *a, const struct hook *b)
{
	if (a->n_secrets != b->n_secrets)
		return false;
	for (size_t i = 0; i < a->n_secrets; i++) {
		if (a->secrets[i].n != b->secrets[i].n ||
		    memcmp(a->secrets[i].p, b->secrets[i].p, a->secrets[i].n) != 0)
			return false;
	}
	return true;
}

static void swap_secrets(struct hook *k, struct hook *fresh)
{
	struct hook_secret old;
	size_t n = k->n_secrets;

	for (size_t i = 0; i < HOOK_SECRETS_MAX; i++) {
		old = k->secrets[i];
		k->secrets[i] = fresh->secrets[i];
		fresh->secrets[i] = old;
	}
	k->n_secrets = fresh->n_secrets;
	fresh->n_secrets = n;
}

void hook_refresh(struct http *h, struct hook *k)
{
	const struct conf_hook *from = h->env.conf ? conf_hook_find(h->env.conf, k->name) : NULL;
	mono_us now = h->env.mono();
	struct hook fresh = {0};
	struct err err = {0};

	if (from == NULL || k->scheme->secrets_key == NULL || now - k->looked_at < LOOK_EVERY_US)
		return;
	k->looked_at = now;
	if (load_hook(h, h->env.conf, from, &fresh, &err) != 0) {
		log_warn("the hook keeps its old secrets: %s", err.text);
	} else if (!same_secrets(k, &fresh)) {
		swap_secrets(k, &fresh);
		log_info("hook %s has new secrets", k->name);
	}
	hook_free(&fresh);
}

static void carry_over(struct hook *k, struct hook *old)
{
	if (old == NULL)
		return;
	k->accepted = old->accepted;
	k->repeated = old->repeated;
	k->refused = old->refused;
	k->ring = old->ring;
	k->ring_at = old->ring_at;
	old->ring = NULL;
	old->ring_at = 0;
}

int hooks_new(
    struct http *h, const struct conf *conf, struct hooks *old, struct hooks **ret, struct err *err)
{
	struct hooks *k = MEM_NEW(struct hooks);
	int rc = 0;

	k->n = conf != NULL ? conf->n_hooks : 0;
	k->v = mem_calloc(k->n > 0 ? k->n : 1, sizeof(*k->v));
	for (size_t i = 0; i < k->n && rc == 0; i++)
		rc = load_hook(h, conf, &conf->hooks[i], &k->v[i], err);
	if (rc != 0) {
		hooks_free(k);
		return rc;
	}
	for (size_t i = 0; i < k->n; i++)
		carry_over(&k->v[i], hooks_find(old, k->v[i].name, strlen(k->v[i].name)));
	*ret = k;
	return 0;
}

void hook_show(const struct hook *k, struct jw *w)
{
	jw_kstr(w, "name", k->name);
	jw_kstr(w, "scheme", k->scheme->name);
	jw_kbool(w, "public", k->is_public);
	jw_ki64(w, "accepted", (int64_t)k->accepted);
	jw_ki64(w, "repeated", (int64_t)k->repeated);
	jw_ki64(w, "refused", (int64_t)k->refused);
	jw_key(w, "last_refused");
	hook_ring_show(k, w);
}
