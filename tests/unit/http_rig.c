/* http_rig.c: see http_rig.h. */
#include "tests/unit/http_rig.h"

#include "core/base/hash.h"
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/sched/key.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct rig *the_rig; /* wall() has no argument */

static wall_us rig_wall(void)
{
	return the_rig->now;
}

static int key_order(const struct rig_row *row, struct slice k)
{
	size_t n = row->key_n < k.n ? row->key_n : k.n;
	int c = n > 0 ? memcmp(row->key, k.p, n) : 0;

	return c != 0 ? c : row->key_n < k.n ? -1 : row->key_n > k.n;
}

static int give(const struct rig_row *row, struct slice *ret_key, struct slice *ret)
{
	if (row == NULL)
		return ERR_NOT_FOUND;
	if (ret_key != NULL)
		*ret_key = (struct slice){row->key, row->key_n};
	*ret = (struct slice){row->value, row->value_n};
	return 0;
}

static int rig_get(void *ctx, enum table t, struct slice key, struct slice *ret)
{
	struct rig *r = ctx;

	cr_assert(r->view_open, "read outside of a snapshot");
	for (size_t i = 0; i < r->n_rows; i++) {
		if (r->rows[i].table == t && key_order(&r->rows[i], key) == 0)
			return give(&r->rows[i], NULL, ret);
	}
	return ERR_NOT_FOUND;
}

static int rig_next(void *ctx, enum table t, struct slice from, bool after, struct slice *ret_key,
    struct slice *ret)
{
	struct rig *r = ctx;
	const struct rig_row *best = NULL;

	for (size_t i = 0; i < r->n_rows; i++) {
		const struct rig_row *row = &r->rows[i];
		int c = key_order(row, from);
		if (row->table != t || c < 0 || (c == 0 && after))
			continue;
		if (best == NULL || key_order(row, (struct slice){best->key, best->key_n}) < 0)
			best = row;
	}
	return give(best, ret_key, ret);
}

static int rig_prev(
    void *ctx, enum table t, struct slice before, struct slice *ret_key, struct slice *ret)
{
	struct rig *r = ctx;
	const struct rig_row *best = NULL;

	for (size_t i = 0; i < r->n_rows; i++) {
		const struct rig_row *row = &r->rows[i];
		if (row->table != t || (before.n > 0 && key_order(row, before) >= 0))
			continue;
		if (best == NULL || key_order(row, (struct slice){best->key, best->key_n}) > 0)
			best = row;
	}
	return give(best, ret_key, ret);
}

static int rig_plan(
    void *ctx, const uint8_t sha[HASH_SHA256_BYTES], const struct plan **ret, struct err *err)
{
	struct rig *r = ctx;

	(void)sha, (void)err;
	*ret = r->plan;
	return r->plan != NULL ? 0 : ERR_NOT_FOUND;
}

static struct rig_row *row_for(struct rig *r, enum table t, const struct key *k)
{
	for (size_t i = 0; i < r->n_rows; i++) {
		if (r->rows[i].table == t &&
		    key_order(&r->rows[i], (struct slice){k->b, k->n}) == 0)
			return &r->rows[i];
	}
	cr_assert_lt(r->n_rows, sizeof(r->rows) / sizeof(r->rows[0]));
	struct rig_row *row = &r->rows[r->n_rows++];
	memset(row, 0, sizeof(*row));
	row->table = t;
	memcpy(row->key, k->b, k->n);
	row->key_n = k->n;
	return row;
}

static const char plan_text[] =
    "{\"v\":1,\"dag\":\"shop\",\"description\":\"\",\"owner\":\"\",\"timezone\":\"Asia/"
    "Tokyo\",\"params\":[],"
    "\"triggers\":[],\"max_runs\":1,\"overlap\":\"queue\",\"run_timeout_ms\":-1,\"queue_timeout_"
    "ms\":-1,"
    "\"late_after_ms\":-1,\"priority\":0,\"on_success\":[],\"on_failure\":[],\"on_exit\":[],"
    "\"steps\":[{\"name\":\"load\",\"kind\":\"task\",\"needs\":[],\"when\":\"all_success\","
    "\"retry\":{\"attempts\":1,"
    "\"delay_ms\":30000,\"backoff\":2,\"jitter\":0.2,\"max_delay_ms\":600000,\"classes\":["
    "\"transient\"]},"
    "\"timeout_ms\":-1,\"grace_ms\":10000,\"priority\":0,\"allow_failure\":false,\"on_lost\":"
    "\"retry\","
    "\"isolate\":\"kept\",\"privileges\":\"drop\",\"exclusive\":false,\"connections\":[],"
    "\"plugins\":[\"noop\"],"
    "\"needs_mask\":0,\"task\":{\"plugin\":\"noop\",\"type\":\"noop\",\"options\":{}}}],"
    "\"datasets\":{},"
    "\"promise\":\"none\"}";

void rig_put_run(
    struct rig *r, uint64_t run, enum run_state state, enum step_state step, uint32_t attempt)
{
	struct run_rec rec = {.no = run,
	    .dag_no = 1,
	    .state = state,
	    .dag = "shop",
	    .trigger = TRIGGER_MANUAL,
	    .n_steps = 1,
	    .window_start = TIME_NONE,
	    .window_end = TIME_NONE,
	    .logical_time = RIG_NOW,
	    .queued_at = RIG_NOW,
	    .started_at = RIG_NOW,
	    .ended_at = run_state_ended(state) ? RIG_NOW : TIME_NONE};
	struct step_rec srec = {.run = run,
	    .state = step,
	    .attempt = attempt,
	    .ready_at = RIG_NOW,
	    .started_at = RIG_NOW,
	    .ended_at = TIME_NONE};
	struct step_ref ref = {.run = run};
	struct err err = {0};
	struct key key;
	struct rig_row *row;

	if (r->plan == NULL)
		cr_assert(
		    plan_parse(plan_text, strlen(plan_text), &r->plan, &err) == 0, "%s", err.text);
	memcpy(rec.plan, r->plan->sha, sizeof(rec.plan));
	memset(rec.id, (int)run, sizeof(rec.id));
	key_run(&key, run);
	row = row_for(r, TABLE_RUN, &key);
	row->value_n = run_encode(&rec, row->value);
	key_init(&key);
	key_bytes(&key, rec.id, sizeof(rec.id));
	row = row_for(r, TABLE_RUN_ID, &key);
	for (int i = 0; i < 8; i++)
		row->value[i] = (uint8_t)(run >> (56 - 8 * i));
	row->value_n = 8;
	key_step(&key, &ref);
	row = row_for(r, TABLE_STEP, &key);
	row->value_n = step_encode(&srec, row->value);
}

void rig_effect_run(struct rig *r, uint64_t run, enum run_state state)
{
	struct effect e = {.kind = EFFECT_RUN, .id = run, .state = (uint8_t)state};

	http_effects(r->h, &e, 1);
	rig_turn(r);
}

void rig_effect_step(struct rig *r, uint64_t run, enum step_state state)
{
	struct effect e = {.kind = EFFECT_STEP, .step = {.run = run}, .state = (uint8_t)state};

	http_effects(r->h, &e, 1);
	rig_turn(r);
}

static const struct view *view_begin(void *arg)
{
	struct rig *r = arg;

	cr_assert(!r->view_open, "a snapshot inside a snapshot");
	r->view_open = true;
	return &r->view;
}

static void view_end(void *arg)
{
	struct rig *r = arg;

	cr_assert(r->view_open);
	r->view_open = false;
}

static void note_op(struct rig *r, const struct op *op)
{
	switch (op->kind) {
	case OP_EVENT:
		str_addf(&r->ops, "event %s id=%s type=%s body=", op->u.event.source,
		    op->u.event.external_id, op->u.event.type);
		json_print(op->u.event.body, &r->ops);
		break;
	case OP_START:
		str_addf(&r->ops, "start %s key=%s idem=%s by=%s at=%lld only=%zu", op->u.start.dag,
		    op->u.start.key ? op->u.start.key : "-",
		    op->u.start.idempotency_key ? op->u.start.idempotency_key : "-",
		    op->u.start.actor,
		    op->u.start.at == TIME_NONE ? -1LL : (long long)(op->u.start.at / US_PER_S),
		    op->u.start.n_only);
		break;
	case OP_PAUSE:
		str_addf(&r->ops, "pause %s %d", op->u.pause.dag ? op->u.pause.dag : "all",
		    op->u.pause.on);
		break;
	case OP_CANCEL:
		str_addf(&r->ops, "cancel %s all=%d", op->u.cancel.dag ? op->u.cancel.dag : "-",
		    op->u.cancel.all);
		break;
	case OP_TOUCH:
		str_addf(&r->ops, "touch %s %s", op->u.touch.dataset, op->u.touch.partition);
		break;
	case OP_TOKEN_ADD:
		str_addf(&r->ops, "token %s %x %s", op->u.token_add.rec.name,
		    op->u.token_add.rec.scopes, op->u.token_add.rec.object);
		break;
	case OP_TOKEN_REVOKE:
		str_addf(&r->ops, "revoke %s", op->u.token_revoke.name);
		break;
	default:
		str_addf(&r->ops, "op %d", (int)op->kind);
		break;
	}
	str_addc(&r->ops, '\n');
}

static int submit(void *arg, struct writer_op *op)
{
	struct rig *r = arg;

	if (r->submit_rc != 0)
		return r->submit_rc;
	note_op(r, &op->op);
	op->next = NULL;
	*r->last = op;
	r->last = &op->next;
	r->n_ops++;
	return 0;
}

void rig_deliver(struct rig *r)
{
	struct writer_op *op;

	while ((op = r->first) != NULL) {
		r->first = op->next;
		if (r->first == NULL)
			r->last = &r->first;
		op->result = r->result;
		op->result.event = r->result.event++;
		if (op->done != NULL)
			op->done(op->arg, &op->result);
		writer_op_free(op);
	}
}

static int secret(void *arg, const struct json *ref, struct str *out, struct err *err)
{
	(void)arg;
	str_reset(out);
	str_add(out, json_get_str(ref, "env", ""));
	return out->len > 0 ? 0 : err_set(err, ERR_CONFIG, "no such secret");
}

static int stop(void *arg, enum http_stop how, int64_t ms, struct err *err)
{
	struct rig *r = arg;

	(void)ms, (void)err;
	r->stopped = how;
	r->stop_called = true;
	return 0;
}

static const char hooks_text[] =
    "{\"std\":{\"scheme\":\"standard-webhooks\",\"secrets\":[{\"env\":\"" RIG_HOOK_SECRET "\"},"
    "{\"env\":\"whsec_c2VjcmV0LW9mLWEtcm90YXRlZC1lbmRwb2ludA==\"}]},"
    "\"hmac\":{\"scheme\":\"hmac\",\"header\":\"X-Signature\",\"prefix\":\"sha256=\",\"encoding\":"
    "\"hex\","
    "\"secrets\":[{\"env\":\"topsecret-topsecret\"}],\"dedupe\":{\"body_ms\":600000}},"
    "\"timed\":{\"scheme\":\"hmac\",\"header\":\"X-Sig\",\"encoding\":\"base64\",\"timestamp_"
    "header\":\"X-Time\","
    "\"secrets\":[{\"env\":\"topsecret-topsecret\"}]},"
    "\"token\":{\"scheme\":\"bearer\",\"tokens\":[{\"env\":\"a-token-of-the-hook\"}],\"id_header\":"
    "\"X-Id\"},"
    "\"open\":{\"scheme\":\"none\",\"id_header\":\"X-Id\"},"
    "\"wide\":{\"scheme\":\"none\",\"public\":true}}";

static void load_conf(struct rig *r)
{
	cr_assert(json_parse(hooks_text, strlen(hooks_text), 1 << 20, &r->hooks_json, NULL) == 0);
	cr_assert(json_parse("[\"Sluice.Example.jp\"]", 21, 100, &r->hosts, NULL) == 0);
	for (const struct json *j = json_first(r->hooks_json); j != NULL; j = json_next(j)) {
		struct conf_hook *k = &r->hooks[r->conf.n_hooks++];
		str_copy(k->name, sizeof(k->name), json_key(j));
		k->scheme = json_get_str(j, "scheme", "");
		k->is_public = json_get_bool(j, "public", false);
		k->json = j;
	}
	r->conf.hooks = r->hooks;
	r->conf.hosts = r->hosts;
	r->conf.state_dir = "/nonexistent";
	r->conf.event_body_max_bytes = 65536;
}

void rig_add_token(
    struct rig *r, const char *token, const char *name, uint32_t scopes, const char *object)
{
	struct rig_row *row = &r->rows[r->n_rows++];
	struct token_rec rec = {.scopes = scopes, .created_at = RIG_NOW, .last_used_at = TIME_NONE};

	str_copy(rec.name, sizeof(rec.name), name);
	str_copy(rec.object, sizeof(rec.object), object);
	row->table = TABLE_TOKEN;
	hash_sha256(token, strlen(token), row->key);
	row->key_n = HASH_SHA256_BYTES;
	row->value_n = token_encode(&rec, row->value);
}

void rig_init(struct rig *r, const struct http_limits *limits)
{
	struct err err = {0};

	memset(r, 0, sizeof(*r));
	the_rig = r;
	r->fd = -1;
	r->now = RIG_NOW;
	r->last = &r->first;
	r->result.event = 1042;
	r->result.verdict = VERDICT_UNMATCHED;
	str_init(&r->got, 64u << 20);
	str_init(&r->ops, 1u << 20);
	r->view = (struct view){
	    .ctx = r, .get = rig_get, .next = rig_next, .prev = rig_prev, .plan = rig_plan};
	load_conf(r);
	rig_add_token(r, RIG_ADMIN, "root", SCOPE_ADMIN, "");
	rig_add_token(r, RIG_READ, "reader", SCOPE_READ, "");
	rig_add_token(r, RIG_RUN, "runner", SCOPE_RUN, "shop");
	rig_add_token(r, RIG_INGEST, "sender", SCOPE_INGEST, "open");
	r->base = event_base_new();
	struct http_env env = {.base = r->base,
	    .conf = &r->conf,
	    .arg = r,
	    .wall = rig_wall,
	    .mono = clock_mono,
	    .view_begin = view_begin,
	    .view_end = view_end,
	    .submit = submit,
	    .secret = secret,
	    .stop = stop};
	cr_assert(http_new(&env, limits, &r->h, &err) == 0, "%s", err.text);
}

void rig_connect(struct rig *r, enum rig_peer kind)
{
	struct peer peer = {
	    .ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, .loopback = true};
	int fds[2];

	if (kind != RIG_TCP) {
		memset(&peer, 0, sizeof(peer));
		peer.is_unix = true;
		peer.uid = kind == RIG_UNIX ? 0 : 4242;
		peer.trusted = kind == RIG_UNIX;
	} else {
		listen_count_peer(r->h, &peer);
	}
	io_close(&r->fd);
	r->eof = false;
	str_reset(&r->got);
	cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	r->fd = fds[0];
	conn_new(r->h, fds[1], &peer);
}

static bool collect(struct rig *r)
{
	char buf[65536];
	bool any = false;
	ssize_t n;

	while (r->fd >= 0 && !r->eof && (n = read(r->fd, buf, sizeof(buf))) >= 0) {
		r->eof = n == 0;
		str_addn(&r->got, buf, (size_t)n);
		any = true;
	}
	return any;
}

void rig_turn(struct rig *r)
{
	for (int quiet = 0; quiet < 3; quiet++) {
		event_base_loop(r->base, EVLOOP_NONBLOCK);
		if (!r->hold && r->first != NULL) {
			rig_deliver(r);
			quiet = 0;
		}
		if (collect(r))
			quiet = 0;
	}
}

const char *rig_askn(struct rig *r, const char *p, size_t n)
{
	str_reset(&r->got);
	while (n > 0) {
		ssize_t k = send(r->fd, p, n, MSG_NOSIGNAL);
		if (k < 0 && errno != EAGAIN)
			break;
		p += k > 0 ? k : 0;
		n -= k > 0 ? (size_t)k : 0;
		rig_turn(r);
	}
	rig_turn(r);
	return str_peek(&r->got);
}

const char *rig_ask(struct rig *r, const char *text)
{
	return rig_askn(r, text, strlen(text));
}

void rig_wait_eof(struct rig *r, int ms)
{
	mono_us until = clock_mono() + ms * US_PER_MS;
	struct timeval tick = {.tv_usec = 5000};

	while (!r->eof && clock_mono() < until) {
		event_base_loopexit(r->base, &tick);
		event_base_loop(r->base, 0);
		rig_turn(r);
	}
}

static size_t number_at(const char *p)
{
	size_t n = 0;

	while (*p >= '0' && *p <= '9')
		n = n * 10 + (size_t)(*p++ - '0');
	return n;
}

/* The n-th reply, or NULL; *ret_body its body. */
static const char *reply_at(const struct rig *r, size_t n, const char **ret_body, size_t *ret_n)
{
	const char *p = str_peek(&r->got);

	for (size_t i = 0;; i++) {
		const char *end = strstr(p, "\r\n\r\n"), *len = strstr(p, "Content-Length: ");
		if (strncmp(p, "HTTP/1.1 ", 9) != 0 || end == NULL)
			return NULL;
		size_t body = len != NULL && len < end ? number_at(len + 16) : 0;
		if (strncmp(p, "HTTP/1.1 100", 12) == 0)
			body = 0;
		if (i == n) {
			*ret_body = end + 4;
			*ret_n = body;
			return p;
		}
		p = end + 4 + body;
	}
}

int rig_status(const struct rig *r, size_t n)
{
	const char *body, *p;
	size_t len;

	p = reply_at(r, n, &body, &len);
	return p != NULL ? (int)number_at(p + 9) : 0;
}

size_t rig_replies(const struct rig *r)
{
	size_t n = 0;

	while (rig_status(r, n) != 0)
		n++;
	return n;
}

const char *rig_body(const struct rig *r, size_t n)
{
	static char text[65536];
	const char *body;
	size_t len;

	text[0] = '\0';
	if (reply_at(r, n, &body, &len) != NULL && len < sizeof(text)) {
		memcpy(text, body, len);
		text[len] = '\0';
	}
	return text;
}

void rig_done(struct rig *r)
{
	rig_deliver(r);
	http_free(r->h);
	io_close(&r->fd);
	event_base_free(r->base);
	plan_free(r->plan);
	json_free(r->hooks_json);
	json_free(r->hosts);
	str_done(&r->got);
	str_done(&r->ops);
}
