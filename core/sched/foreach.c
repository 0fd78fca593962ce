/* foreach.c: a group becomes its items, in the transaction in which the group becomes ready, and
 * ends when they have. Items are numbered from 1 and found by their key; a rerun keeps both. */
#include "core/sched/tx.h"

#include "core/base/json_scan.h"
#include "core/dag/expr.h"
#include "core/sched/scope.h"

#include <stdlib.h>
#include <string.h>

#define ITEM_JSON_MAX (256u << 10)
#define LIST_JSON_MAX (16u << 20) /* what one transaction writes of a list */

struct item {
	char *key;		  /* owned */
	const struct json *value; /* borrowed from the list */
};

struct expansion {
	struct json *env;  /* owned, or NULL where nothing is a template */
	struct json *list; /* owned */
	struct item *items;
	size_t n;
	struct err err; /* why the list is no good: class config */
};

static void expansion_done(struct expansion *e)
{
	for (size_t i = 0; i < e->n; i++)
		mem_free(e->items[i].key);
	mem_free(e->items);
	json_free(e->list);
	json_free(e->env);
}

static int env_of(struct tx *x, const struct step_rec *group, struct expansion *e)
{
	if (e->env != NULL)
		return 0;
	return scope_build(x->v, &x->run, x->plan, group, &e->env);
}

/* 0 also when the list is no good: e->err then says why. */
static int list_of(
    struct tx *x, const struct step_rec *group, const struct plan_foreach *f, struct expansion *e)
{
	int rc = env_of(x, group, e);

	if (rc != 0)
		return rc;
	if (json_is(f->in, JSON_STRING))
		rc = expr_eval(json_str(f->in, ""), e->env, &e->list, &e->err);
	else
		rc = expr_render(f->in, e->env, &e->list, &e->err);
	if (rc == 0 && !json_is(e->list, JSON_ARRAY))
		rc = err_set(&e->err, ERR_CONFIG, "foreach: %s is not a list",
		    json_str(f->in, "the value of in"));
	if (rc == 0 && json_len(e->list) > PLAN_MAX_ITEMS)
		rc = err_set(&e->err, ERR_CONFIG, "foreach: %zu items, at most %d are allowed",
		    json_len(e->list), PLAN_MAX_ITEMS);
	if (rc != 0 && e->err.code == 0)
		err_set(&e->err, rc, "foreach: the list cannot be evaluated");
	return 0;
}

static int item_key(
    struct expansion *e, const struct plan_foreach *f, const struct json *value, struct str *out)
{
	str_reset(out);
	if (f->key != NULL) {
		json_put(e->env, f->as, json_dup(value));
		if (strcmp(f->as, "item") != 0)
			json_put(e->env, "item", json_dup(value));
		if (expr_eval_text(f->key, e->env, out, &e->err) != 0)
			return ERR_CONFIG;
	} else if (json_is(value, JSON_STRING)) {
		str_add(out, json_str(value, ""));
	} else if (json_is(value, JSON_NUMBER) || json_is(value, JSON_BOOL)) {
		json_print(value, out);
	} else {
		return err_set(
		    &e->err, ERR_CONFIG, "foreach: an item is neither text nor number: give `key`");
	}
	if (out->failed || out->len == 0 || out->len >= PLAN_KEY_MAX)
		return err_set(&e->err, ERR_CONFIG,
		    "foreach: the key of an item must have 1 to %d bytes, this one has %zu: "
		    "\"%.60s\"",
		    PLAN_KEY_MAX - 1, out->len, str_peek(out));
	return 0;
}

static int compare_items(const void *a, const void *b)
{
	return strcmp((*(const struct item *const *)a)->key, (*(const struct item *const *)b)->key);
}

/* Duplicate keys would be one item twice: refused before anything is written. */
static void refuse_duplicates(struct expansion *e)
{
	struct item **sorted;

	if (e->err.code != 0 || e->n < 2)
		return;
	sorted = mem_calloc(e->n, sizeof(struct item *));
	for (size_t i = 0; i < e->n; i++)
		sorted[i] = &e->items[i];
	qsort(sorted, e->n, sizeof(struct item *), compare_items);
	for (size_t i = 1; i < e->n && e->err.code == 0; i++) {
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			err_set(&e->err, ERR_CONFIG,
			    "foreach: two items have the key \"%.100s\": keys must differ",
			    sorted[i]->key);
	}
	mem_free(sorted);
}

/* An item becomes a record, in the transaction of somebody else's outcome: it must fit and be
 * readable again. */
static int item_fits(
    struct expansion *e, const char *key, const struct json *value, size_t *total, struct str *text)
{
	struct err why = {0};

	str_reset(text);
	json_print(value, text);
	*total += text->len;
	if (text->failed)
		return err_set(&e->err, ERR_CONFIG,
		    "foreach: item \"%.100s\" is larger than %u KiB", key, ITEM_JSON_MAX >> 10);
	if (*total > LIST_JSON_MAX)
		return err_set(&e->err, ERR_CONFIG,
		    "foreach: the items are larger than %u MiB together", LIST_JSON_MAX >> 20);
	if (json_scan(text->s, text->len, &why) != 0)
		return err_set(&e->err, ERR_CONFIG,
		    "foreach: item \"%.100s\" cannot be kept: %.200s", key, why.text);
	return 0;
}

static void items_of(const struct plan_foreach *f, struct expansion *e)
{
	struct str key, text;
	size_t total = 0;

	if (e->err.code != 0 || json_len(e->list) == 0)
		return;
	str_init(&key, 4096);
	str_init(&text, ITEM_JSON_MAX);
	e->items = mem_calloc(json_len(e->list), sizeof(*e->items));
	for (const struct json *j = json_first(e->list); j != NULL; j = json_next(j)) {
		if (item_key(e, f, j, &key) != 0 ||
		    item_fits(e, str_peek(&key), j, &total, &text) != 0)
			break;
		e->items[e->n].key = mem_strdup(str_peek(&key));
		e->items[e->n++].value = j;
	}
	str_done(&key);
	str_done(&text);
	refuse_duplicates(e);
}

/* Before anything is written: each item that pairs has its partners. */
static int check_partners(struct tx *x, const struct step_rec *group, struct expansion *e)
{
	struct step_rec s = *group;
	const char *missing = NULL;
	int rc = 0;

	for (size_t i = 0; rc == 0 && missing == NULL && i < e->n; i++) {
		str_copy(s.item_key, sizeof(s.item_key), e->items[i].key);
		rc = match_count(x, &s, &missing);
	}
	if (missing != NULL)
		err_set(&e->err, ERR_CONFIG,
		    "foreach: step %s has no item \"%.100s\" to pair with (match: item)", missing,
		    s.item_key);
	return rc;
}

/* ---- writing ---- */

static int put_value(struct tx *x, const struct step_ref *ref, const struct json *value)
{
	struct str text;
	int rc;

	str_init(&text, ITEM_JSON_MAX);
	json_print(value, &text);
	rc = text.failed ? ERR_LIMIT : step_doc_put(x->v, ref, STEP_DOC_ITEM, text.s, text.len);
	str_done(&text);
	return rc;
}

static int item_new(
    struct tx *x, uint16_t step, uint32_t no, const struct item *it, struct step_rec *s)
{
	struct step_ref ref = {x->run.no, step, no};
	uint8_t value[4];
	struct key k;
	int rc;

	memset(s, 0, sizeof(*s));
	s->run = x->run.no;
	s->step = step;
	s->item = no;
	s->ready_at = s->started_at = s->ended_at = TIME_NONE;
	str_copy(s->item_key, sizeof(s->item_key), it->key);
	key_init(&k);
	key_u32(&k, no);
	memcpy(value, k.b, sizeof(value));
	key_item(&k, x->run.no, step, it->key);
	rc = view_add(x->v, TABLE_ITEM, k.b, k.n, value, sizeof(value));
	if (rc == 0)
		rc = put_value(x, &ref, it->value);
	return rc;
}

/* An item that a former expansion made: again, under the next generation. */
static int item_again(
    struct tx *x, uint16_t step, uint32_t no, const struct item *it, struct step_rec *s)
{
	struct step_ref ref = {x->run.no, step, no};
	int rc = step_load(x, step, no, s);

	if (rc == 0 && step_state_ended(s->state)) {
		s->generation++;
		s->used = s->lost = s->submission = s->polls = 0;
		s->code[0] = s->message[0] = 0;
		rc = step_move(x, s, STEP_WAITING, TIME_NONE);
	}
	return rc != 0 ? rc : put_value(x, &ref, it->value);
}

/* An item that pairs: it waits for its partners. */
static int item_wait(struct tx *x, struct step_rec *s)
{
	const char *missing;
	int rc = match_count(x, s, &missing);

	if (rc == 0 && s->unmet == 0)
		VEC_ADD(&x->paired, step_ref_of(s));
	return rc != 0 ? rc : step_put(x->v, s);
}

static int item_place(struct tx *x, uint16_t step, const struct item *it)
{
	struct step_rec s, *g;
	uint32_t no;
	int rc = step_item_no(x->v, x->run.no, step, it->key, &no);

	if (rc == 0) {
		rc = item_again(x, step, no, it, &s);
	} else if (rc == ERR_NOT_FOUND) {
		rc = group_open(x, step, &g);
		if (rc != 0)
			return rc;
		no = ++g->items;
		g->items_open++;
		x->group_dirty = true;
		x->run.n_steps++;
		x->run.n_open++;
		x->run_dirty = true;
		rc = item_new(x, step, no, it, &s);
	}
	if (rc != 0)
		return rc;
	return match_any(&x->plan->steps[step]) ? item_wait(x, &s)
						: step_move(x, &s, STEP_READY, x->now);
}

/* Items of a former expansion that the new list does not hold any more. */
static int drop_others(struct tx *x, uint16_t step, uint32_t n_before)
{
	struct step_rec s;
	int rc = 0;

	for (uint32_t no = 1; rc == 0 && no <= n_before; no++) {
		rc = step_load(x, step, no, &s);
		if (rc != 0 || !step_state_ended(s.state) || s.state == STEP_SKIPPED)
			continue;
		str_copy(s.code, sizeof(s.code), "gone");
		str_copy(s.message, sizeof(s.message), "the list of the rerun does not hold it");
		rc = step_move(x, &s, STEP_SKIPPED, TIME_NONE);
	}
	return rc;
}

static int write_items(struct tx *x, struct step_rec *group, const struct expansion *e)
{
	uint16_t step = group->step;
	uint32_t before = group->items;
	int rc;

	if (e->n == 0 && before == 0)
		return step_move(x, group, STEP_SUCCEEDED, TIME_NONE);
	x->expanding = true;
	rc = step_move(x, group, STEP_RUNNING, TIME_NONE);
	for (size_t i = 0; rc == 0 && i < e->n; i++)
		rc = item_place(x, step, &e->items[i]);
	x->expanding = false;
	x->placed = 0; /* what follows in this operation is of other groups */
	bit_set(x->begun, step);
	if (rc == 0)
		rc = drop_others(x, step, before);
	bit_set(x->groups, step); /* judged again where nothing is open */
	return rc;
}

/* A rerun of chosen items: the others keep their end. */
static int resume(struct tx *x, struct step_rec *group)
{
	uint16_t step = group->step;
	uint32_t n = group->items;
	struct step_rec s;
	int rc;

	x->expanding = true;
	rc = step_move(x, group, STEP_RUNNING, TIME_NONE);
	for (uint32_t no = 1; rc == 0 && no <= n; no++) {
		rc = step_load(x, step, no, &s);
		if (rc != 0 || s.state != STEP_WAITING)
			continue;
		rc = match_any(&x->plan->steps[step]) ? item_wait(x, &s)
						      : step_move(x, &s, STEP_READY, x->now);
	}
	x->expanding = false;
	x->placed = 0;
	bit_set(x->begun, step);
	return rc;
}

int foreach_refuse(struct tx *x, const struct step_rec *group, enum step_state to)
{
	uint16_t step = group->step;
	uint32_t n = group->items;
	struct step_rec s;
	int rc = 0;

	for (uint32_t no = 1; rc == 0 && no <= n; no++) {
		rc = step_load(x, step, no, &s);
		if (rc == 0 && s.state == STEP_WAITING)
			rc = step_move(x, &s, to, TIME_NONE);
	}
	if (rc == 0)
		rc = step_load(x, step, 0, &s);
	return rc != 0 ? rc : step_move(x, &s, to, TIME_NONE);
}

int foreach_begin(struct tx *x, struct step_rec *group)
{
	const struct plan_foreach *f = x->plan->steps[group->step].foreach;
	struct expansion e;
	int rc;

	if (group->items_open > 0)
		return resume(x, group);
	memset(&e, 0, sizeof(e));
	rc = list_of(x, group, f, &e);
	if (rc == 0)
		items_of(f, &e);
	if (rc == 0 && e.err.code == 0 && match_any(&x->plan->steps[group->step]))
		rc = check_partners(x, group, &e);
	if (rc == 0) {
		if (e.err.code == 0) {
			rc = write_items(x, group, &e);
		} else {
			group->class_ = CLASS_CONFIG;
			str_copy(group->code, sizeof(group->code), "foreach");
			str_copy(group->message, sizeof(group->message), e.err.text);
			rc = step_move(x, group, STEP_FAILED, TIME_NONE);
		}
	}
	expansion_done(&e);
	return rc;
}

/* Items that may fail; of a percentage the whole ones. */
static uint32_t tolerated(const struct plan_foreach *f, uint32_t items)
{
	uint64_t part = (uint64_t)items * f->tolerate_percent / 100;

	return part > f->tolerate ? (uint32_t)part : f->tolerate;
}

/* Names the first bad items and takes their class. */
static int blame(struct tx *x, struct step_rec *group)
{
	struct step_rec s;
	struct str text;
	uint32_t named = 0;
	int rc = 0;

	str_init(&text, MESSAGE_MAX * 2);
	str_addf(&text, "%u of %u items failed:", group->items_bad, group->items);
	for (uint32_t no = 1; rc == 0 && no <= group->items && named < 3; no++) {
		rc = step_load(x, group->step, no, &s);
		if (rc != 0 || !step_state_ended(s.state) || s.state == STEP_SUCCEEDED ||
		    s.state == STEP_SKIPPED)
			continue;
		if (named++ == 0)
			group->class_ = s.class_;
		str_addf(&text, "%s %.100s", named > 1 ? "," : "", s.item_key);
	}
	if (group->items_bad > named)
		str_add(&text, ", …");
	str_copy(group->message, sizeof(group->message), str_peek(&text));
	str_done(&text);
	return rc;
}

/* How a group without open items ends. */
static int judge_group(struct tx *x, struct step_rec *g, bool cancelled, enum step_state *ret)
{
	int rc = 0;

	g->class_ = CLASS_OK;
	g->message[0] = 0;
	if (g->items_bad > 0)
		rc = blame(x, g);
	if (g->items_bad > 0 && cancelled)
		*ret = STEP_CANCELLED;
	else if (g->items_bad > tolerated(x->plan->steps[g->step].foreach, g->items))
		*ret = STEP_FAILED;
	else
		*ret = STEP_SUCCEEDED;
	return rc;
}

int foreach_end(struct tx *x, uint16_t step)
{
	enum step_state to;
	struct step_rec g;
	int rc = step_load(x, step, 0, &g);

	if (rc != 0 || g.state != STEP_RUNNING || g.items_open > 0)
		return rc;
	rc = judge_group(x, &g, x->run.cancel, &to);
	return rc != 0 ? rc : step_move(x, &g, to, TIME_NONE);
}

/* May it be judged again: it has ended, and by its items. */
static bool ended_by_items(const struct step_rec *g)
{
	return g->state == STEP_SUCCEEDED || g->state == STEP_FAILED || g->state == STEP_CANCELLED;
}

int foreach_verdict(struct tx *x, const struct step_rec *item, enum step_state to,
    struct step_rec *ret, bool *ret_changed)
{
	enum step_state was;
	int rc = step_load(x, item->step, 0, ret);

	*ret_changed = false;
	if (rc != 0 || !ended_by_items(ret))
		return rc;
	was = ret->state;
	ret->items_bad += (uint32_t)(item_is_bad(to) - item_is_bad(item->state));
	rc = judge_group(x, ret, was == STEP_CANCELLED, &ret->state);
	*ret_changed = rc == 0 && ret->state != was;
	return rc;
}

int foreach_rejudge(struct tx *x, uint16_t step, bool *ret)
{
	struct step_rec g, was;
	enum step_state to;
	int rc = step_load(x, step, 0, &g);

	*ret = false;
	if (rc != 0 || !ended_by_items(&g))
		return rc;
	was = g;
	rc = judge_group(x, &g, g.state == STEP_CANCELLED, &to);
	*ret = rc == 0 && to != was.state;
	if (*ret)
		rc = step_untell(x, &was);
	if (rc != 0)
		return rc;
	return *ret ? step_move(x, &g, to, TIME_NONE) : step_put(x->v, &g);
}
