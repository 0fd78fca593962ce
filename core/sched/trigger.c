/* trigger.c: the templates of a trigger against an event: where, params, key. */
#include "core/sched/tx.h"

#include "core/base/json_scan.h"
#include "core/dag/expr.h"

#include <stdio.h>
#include <string.h>

static int evaluate_key(
    const struct plan_trigger *t, const struct json *env, char *ret, struct err *err)
{
	struct str key;
	int rc;

	str_init(&key, 4096);
	rc = expr_eval_text(t->key, env, &key, err);
	if (rc == 0 && (key.failed || key.len == 0 || key.len >= PLAN_KEY_MAX))
		rc = err_set(err, ERR_CONFIG, "key gives %zu bytes, 1 to %d are allowed", key.len,
		    PLAN_KEY_MAX - 1);
	if (rc == 0)
		str_copy(ret, PLAN_KEY_MAX, str_peek(&key));
	str_done(&key);
	return rc;
}

/* They become a record of the run, which must fit and be readable again: refused here, where the
 * file or the sender is to blame, and not inside a transaction that others wait for. */
int params_check(const struct json *params, struct err *err)
{
	struct err why = {0};
	struct str text;
	int rc = 0;

	if (json_len(params) == 0)
		return 0;
	str_init(&text, PLAN_MAX_BYTES);
	json_print(params, &text);
	if (text.failed)
		rc = err_set(err, ERR_CONFIG, "the params are larger than %u MiB together",
		    PLAN_MAX_BYTES >> 20);
	else if (json_scan(text.s, text.len, &why) != 0)
		rc = err_set(err, ERR_CONFIG, "the params cannot be kept: %s", why.text);
	str_done(&text);
	return rc;
}

static int evaluate_params(const struct plan *plan, const struct plan_trigger *t,
    const struct json *env, struct json **ret, struct err *err)
{
	struct json *given = NULL;
	int rc = 0;

	if (t->params != NULL)
		rc = expr_render(t->params, env, &given, err);
	if (rc == 0)
		rc = params_bind(&plan->params, given, "param", ret, err);
	if (rc == 0) {
		rc = params_check(*ret, err);
		if (rc != 0) {
			json_free(*ret);
			*ret = NULL;
		}
	}
	json_free(given);
	return rc;
}

int trigger_evaluate(const struct plan *plan, const struct plan_trigger *t, const struct json *env,
    struct trigger_eval *ret, struct err *err)
{
	int rc = 0;

	ret->where = true;
	ret->params = NULL;
	ret->key[0] = 0;
	if (t->where != NULL) {
		rc = expr_eval_bool(t->where, env, &ret->where, err);
		if (rc != 0)
			err_prefix(err, "where");
		if (rc != 0 || !ret->where)
			return rc;
	}
	if (t->key != NULL)
		rc = evaluate_key(t, env, ret->key, err);
	if (rc == 0)
		rc = evaluate_params(plan, t, env, &ret->params, err);
	return rc;
}

void trigger_doc_write(const struct trigger_doc *d, struct str *out)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w);
	jw_kstr(&w, "kind", trigger_kind_name(d->kind));
	jw_kstr(&w, "name", d->name);
	jw_key(&w, "events");
	jw_array(&w);
	for (size_t i = 0; i < d->n_events; i++)
		jw_u64_text(&w, d->events[i]);
	jw_end_array(&w);
	jw_key(&w, "missing");
	jw_array(&w);
	jw_end_array(&w);
	jw_kstr(&w, "partition", d->partition);
	if (d->backfill != 0) {
		jw_key(&w, "backfill");
		jw_u64_text(&w, d->backfill);
	}
	if (d->datasets != NULL) {
		jw_key(&w, "datasets");
		jw_json(&w, d->datasets);
	}
	jw_end_object(&w);
}
