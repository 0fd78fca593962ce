/* Reading compiled plans: what is taken over, what is refused, and the cache. */
#include "core/dag/plan.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "leak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char full[] =
    "{\"v\":1,\"dag\":\"shop\",\"timezone\":\"Asia/Tokyo\",\"max_runs\":3,\"priority\":7,"
    "\"params\":[{\"name\":\"full\",\"type\":\"boolean\",\"required\":false,\"default\":false}],"
    "\"triggers\":[{\"name\":\"nightly\",\"kind\":\"cron\",\"cron\":\"30 2 * * "
    "*\",\"gap\":\"shift\","
    "\"covers\":{\"unit\":\"day\",\"offset\":-1}},"
    "{\"name\":\"hook\",\"kind\":\"webhook\",\"hook\":\"ingest\",\"zone\":\"UTC\",\"where\":\"${"
    "true}\","
    "\"key\":\"${event.body.k}\",\"on_same_key\":\"rerun\","
    "\"body\":[{\"name\":\"k\",\"type\":\"string\",\"required\":true}]},"
    "{\"name\":\"ready\",\"kind\":\"datasets\",\"join\":\"day\",\"fire\":\"publish\","
    "\"datasets\":{\"rule\":\"at_least\",\"n\":2,\"members\":[{\"name\":\"lake/"
    "a\"},{\"name\":\"lake/b\"}]}}],"
    "\"run_timeout_ms\":60000,"
    "\"steps\":[{\"name\":\"a\",\"kind\":\"task\",\"pools\":{\"db\":1}},"
    "{\"name\":\"b\",\"kind\":\"pipeline\",\"needs\":[{\"step\":0}],\"when\":\"all_done\","
    "\"foreach\":{\"in\":[1,2],\"as\":\"t\",\"max_parallel\":4,\"tolerate\":1},"
    "\"retry\":{\"attempts\":3,\"delay_ms\":5,\"backoff\":3,\"jitter\":0,\"max_delay_ms\":9,"
    "\"classes\":[\"data\"]},"
    "\"timeout_ms\":7,\"priority\":-5,\"allow_failure\":true,\"on_lost\":\"fail\",\"exclusive\":"
    "true},"
    "{\"name\":\"c\",\"kind\":\"model\",\"foreach\":{\"in\":[1,2],\"as\":\"t\"},\"needs\":[{"
    "\"step\":0},{\"step\":1,\"match\":\"item\"}]}]"
    "}";

Test(dag_plan, takes_every_member_over)
{
	struct plan *p;
	struct err err = {0};

	cr_assert_eq(plan_parse(full, sizeof(full) - 1, &p, &err), 0, "%s", err.text);
	cr_assert_str_eq(p->dag, "shop");
	cr_assert_eq(p->max_runs, 3);
	cr_assert_eq(p->priority, 7);
	cr_assert_eq(p->run_timeout_ms, 60000);
	cr_assert_eq(p->queue_timeout_ms, -1);
	cr_assert_eq(p->params.n, 1);
	cr_assert_eq(p->n_triggers, 3);
	cr_assert_str_eq(p->triggers[0].zone, "Asia/Tokyo");
	cr_assert_str_eq(p->triggers[0].gap, "shift");
	cr_assert_str_eq(p->triggers[0].overlap, "first");
	cr_assert_str_eq(p->triggers[0].covers_unit, "day");
	cr_assert_eq(p->triggers[0].covers_offset, -1);
	cr_assert_eq(p->triggers[0].at_us, TIME_NONE);
	cr_assert_str_eq(p->triggers[1].zone, "UTC");
	cr_assert(p->triggers[1].on_same_key_rerun);
	cr_assert_eq(p->triggers[1].body.n, 1);
	cr_assert_eq(p->triggers[2].rule, DATASETS_AT_LEAST);
	cr_assert_eq(p->triggers[2].at_least, 2);
	cr_assert_str_eq(p->triggers[2].members[1].dataset, "lake/b");
	cr_assert(p->triggers[2].fire_on_publish);
	cr_assert_eq(p->n_steps, 3);
	cr_assert_eq(p->steps[0].n_children, 2);
	cr_assert_eq(p->steps[0].children[1], 2);
	cr_assert_eq(p->steps[1].when, WHEN_ALL_DONE);
	cr_assert_eq(p->steps[1].foreach->max_parallel, 4);
	cr_assert_str_eq(p->steps[1].foreach->as, "t");
	cr_assert_eq(p->steps[1].retry.classes, 1u << CLASS_DATA);
	cr_assert(p->steps[1].lost_fails && p->steps[1].exclusive && p->steps[1].allow_failure);
	cr_assert(p->steps[2].needs[1].match_item);
	cr_assert_eq(p->steps[2].retry.attempts, 1);
	cr_assert_eq(plan_roots(p), 1);
	cr_assert_eq(plan_step_index(p, "c"), 2);
	cr_assert_eq(plan_step_index(p, "x"), -1);
	cr_assert_not_null(plan_trigger_find(p, "hook"));
	cr_assert_null(plan_trigger_find(p, "nope"));
	plan_free(p);
	LEAK_CHECK();
}

Test(dag_plan, refuses_what_would_break_the_scheduler)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
	    {"{\"v\":2,\"dag\":\"a\",\"steps\":[{\"name\":\"a\",\"kind\":\"task\"}]}", "version 2"},
	    {"{\"v\":1,\"steps\":[{\"name\":\"a\",\"kind\":\"task\"}]}", "dag"},
	    {"{\"v\":1,\"dag\":\"a\",\"steps\":[]}", "steps"},
	    {"{\"v\":1,\"dag\":\"a\",\"max_runs\":0,\"steps\":[{\"name\":\"a\",\"kind\":\"task\"}]"
	     "}",
		"max_runs"},
	    {"{\"v\":1,\"dag\":\"a\",\"steps\":[{\"name\":\"a\",\"kind\":\"dance\"}]}", "kind"},
	    {"{\"v\":1,\"dag\":\"a\",\"steps\":[{\"name\":\"a\",\"kind\":\"task\",\"needs\":[{"
	     "\"step\":0}]}]}",
		"needs"},
	    {"{\"v\":1,\"dag\":\"a\",\"steps\":[{\"name\":\"a\",\"kind\":\"task\",\"needs\":[{"
	     "\"step\":7}]}]}",
		"needs"},
	    {"{\"v\":1,\"dag\":\"a\",\"steps\":[{\"name\":\"a\",\"kind\":\"task\",\"retry\":{"
	     "\"attempts\":0}}]}",
		"retry"},
	    {"{\"v\":1,\"dag\":\"a\",\"steps\":[{\"name\":\"a\",\"kind\":\"task\",\"foreach\":{"
	     "\"in\":7}}]}",
		"foreach.in"},
	    {"{\"v\":1,\"dag\":\"a\",\"triggers\":[{\"name\":\"t\",\"kind\":\"cron\"}],"
	     "\"steps\":[{\"name\":\"a\",\"kind\":\"task\"}]}",
		"cron"},
	    {"{\"v\":1,\"dag\":\"a\",\"triggers\":[{\"name\":\"t\",\"kind\":\"datasets\","
	     "\"datasets\":{\"rule\":\"any\",\"members\":[]}}],\"steps\":[{\"name\":\"a\",\"kind\":"
	     "\"task\"}]}",
		"members"},
	    {"[1]", "version"},
	    {"{", ""},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct plan *p = NULL;
		struct err err = {0};

		cr_assert_lt(
		    plan_parse(bad[i].text, strlen(bad[i].text), &p, &err), 0, "case %zu", i);
		cr_assert_not_null(strstr(err.text, bad[i].says), "case %zu: %s", i, err.text);
		cr_assert_null(p);
	}
	LEAK_CHECK();
}

Test(dag_plan, names_go_both_ways)
{
	for (int i = 0; i < CLASS_N; i++) {
		enum step_class c;

		cr_assert_eq(class_from_name(class_name((enum step_class)i), &c), 0);
		cr_assert_eq((int)c, i);
	}
	for (int i = 0; i < TRIGGER_KIND_N; i++) {
		enum trigger_kind k;

		cr_assert_eq(
		    trigger_kind_from_name(trigger_kind_name((enum trigger_kind)i), &k), 0);
		cr_assert_eq((int)k, i);
	}
	LEAK_CHECK();
}

static const struct plan *add(struct plan_cache *c, int n, uint8_t sha[HASH_SHA256_BYTES])
{
	char text[128];
	struct plan *p;

	snprintf(text, sizeof(text),
	    "{\"v\":1,\"dag\":\"d%03d\",\"steps\":[{\"name\":\"a\",\"kind\":\"task\"}]}", n);
	cr_assert_eq(plan_parse(text, strlen(text), &p, NULL), 0);
	memcpy(sha, p->sha, HASH_SHA256_BYTES);
	return plan_cache_add(c, p);
}

Test(dag_plan, cache_drops_the_least_recently_used_at_trim_only)
{
	uint8_t sha[10][HASH_SHA256_BYTES];
	struct plan_cache *c;
	size_t one;

	c = plan_cache_new(1u << 20);
	one = add(c, 0, sha[0])->bytes;
	plan_cache_free(c);
	c = plan_cache_new(3 * one);
	for (int i = 0; i < 10; i++)
		add(c, i, sha[i]);
	for (int i = 0; i < 10; i++)
		cr_assert_not_null(plan_cache_find(c, sha[i]), "valid until trim");
	cr_assert_not_null(plan_cache_find(c, sha[4]));
	plan_cache_trim(c);
	cr_assert_not_null(plan_cache_find(c, sha[4]));
	cr_assert_not_null(plan_cache_find(c, sha[9]));
	cr_assert_not_null(plan_cache_find(c, sha[8]));
	cr_assert_null(plan_cache_find(c, sha[7]));
	cr_assert_null(plan_cache_find(c, sha[0]));
	plan_cache_free(c);
	LEAK_CHECK();
}

Test(dag_plan, cache_keeps_one_of_equal_plans)
{
	struct plan_cache *c = plan_cache_new(1u << 20);
	uint8_t sha[2][HASH_SHA256_BYTES];

	cr_assert_eq(add(c, 1, sha[0]), add(c, 1, sha[1]));
	plan_cache_free(c);
	LEAK_CHECK();
}
