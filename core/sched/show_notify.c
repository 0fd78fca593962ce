/* show_notify.c: endpoints of `notify:` and what waits for them. */
#include "core/sched/show.h"

#include "core/sched/table.h"

#include <string.h>

#define MESSAGES_SHOWN 100

static void put_message_id(struct jw *out, const char *key, const uint8_t id[HASH_ID_BYTES])
{
	char text[4 + HASH_ID_TEXT] = "msg_";

	hash_to_base32(id, text + 4);
	jw_kstr(out, key, text);
}

static void put_message(const struct view *v, const struct outbox_rec *m, struct jw *out)
{
	char id[HASH_ID_TEXT];
	struct run_rec r;

	jw_object(out);
	put_message_id(out, "id", m->id);
	jw_kstr(out, "type", notice_name(m->notice));
	if (m->run != 0 && run_get(v, m->run, &r) == 0) {
		hash_to_base32(r.id, id);
		jw_kstr(out, "run", id);
	} else {
		jw_kstr(out, "run", NULL);
	}
	jw_ktime(out, "created_at", m->created_at);
	jw_ki64(out, "tries", m->tries);
	jw_kbool(out, "sending", m->sending);
	jw_ktime(out, "next_try_at", m->sending ? TIME_NONE : m->next_at);
	jw_kstr(out, "error", m->error);
	jw_end_object(out);
}

static int put_messages(const struct view *v, uint32_t no, struct jw *out)
{
	struct outbox_rec m;
	struct view_walk w;
	struct slice value, data;
	struct key k;
	int rc = 0;

	jw_key(out, "messages");
	jw_array(out);
	key_init(&k);
	key_u32(&k, no);
	view_walk_init(&w, v, TABLE_OUTBOX, k.b, k.n, false);
	for (int i = 0; i < MESSAGES_SHOWN && rc == 0; i++) {
		rc = view_walk_next(&w, &value);
		if (rc == 0)
			rc = outbox_decode(value, &m, &data);
		if (rc == 0)
			put_message(v, &m, out);
	}
	jw_end_array(out);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static void put_last(const struct endpoint_rec *e, struct jw *out)
{
	jw_key(out, "last");
	if (e->last_at == TIME_NONE) {
		jw_null(out);
		return;
	}
	jw_object(out);
	put_message_id(out, "id", e->last_id);
	jw_kbool(out, "ok", e->last_ok);
	jw_ktime(out, "at", e->last_at);
	jw_end_object(out);
}

/* config NULL: the configuration has it no more. */
static int put_endpoint(const struct view *v, const char *name, const struct json *config,
    bool with_messages, struct jw *out)
{
	struct endpoint_rec e;
	struct outbox_rec m;
	int rc = endpoint_get(v, name, &e);

	if (rc != 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == ERR_NOT_FOUND) {
		memset(&e, 0, sizeof(e));
		e.last_at = TIME_NONE;
	}
	jw_object(out);
	jw_kstr(out, "name", name);
	jw_kstr(out, "plugin", json_get_str(config, "plugin", NULL));
	jw_kstr(out, "kind", json_get_str(config, "type", NULL));
	jw_ki64(out, "waiting", (int64_t)e.waiting);
	jw_ki64(out, "sent", (int64_t)e.sent);
	jw_ki64(out, "given_up", (int64_t)e.given_up);
	put_last(&e, out);
	jw_kstr(out, "error", e.error);
	rc = outbox_head(v, e.no, &m, NULL);
	jw_ktime(out, "next_try_at", rc == 0 && !m.sending ? m.next_at : TIME_NONE);
	rc = 0;
	if (with_messages)
		rc = put_messages(v, e.no, out);
	jw_end_object(out);
	return rc;
}

int show_endpoint(const struct view *v, const struct conf *conf, const char *name, struct jw *out)
{
	const struct json *config = conf != NULL ? json_get(conf->notify, name) : NULL;
	struct endpoint_rec e;

	if (config == NULL && endpoint_get(v, name, &e) != 0)
		return ERR_NOT_FOUND;
	return put_endpoint(v, name, config, true, out);
}

int list_endpoints(const struct view *v, const struct conf *conf, struct jw *out)
{
	const struct json *all = conf != NULL ? conf->notify : NULL;
	struct endpoint_rec e;
	struct view_walk w;
	struct slice value;
	int rc = 0;

	for (const struct json *j = json_first(all); rc == 0 && j != NULL; j = json_next(j))
		rc = put_endpoint(v, json_key(j), j, false, out);
	if (rc != 0)
		return rc;
	view_walk_init(&w, v, TABLE_ENDPOINT, NULL, 0, false);
	while ((rc = view_walk_next(&w, &value)) == 0) {
		rc = endpoint_decode(value, &e, NULL);
		if (rc == 0 && json_get(all, e.name) == NULL && e.waiting > 0)
			rc = put_endpoint(v, e.name, NULL, false, out);
		if (rc != 0)
			return rc;
	}
	return rc == ERR_NOT_FOUND ? 0 : rc;
}
