/* The compiled configuration as structs. */
#include "core/dag/conf.h"

#include "leak.h"

#include <criterion/criterion.h>
#include <string.h>

static const char good[] =
    "{\"v\":1,\"file\":\"/etc/s.yaml\",\"deployment\":\"prod\",\"state\":\"/s\",\"dags\":\"/"
    "d\",\"plugins\":[\"/p\"],"
    "\"workers\":4,\"http\":{\"unix\":\"/s/sock\",\"hosts\":[]},"
    "\"hooks\":{\"in\":{\"scheme\":\"hmac\",\"public\":true}},\"pools\":{\"db\":2,\"x\":1},"
    "\"on_term\":\"drain\",\"grace_ms\":500,\"retention\":{\"runs_ms\":5},\"limits\":{\"store_"
    "bytes\":9}}";

Test(dag_conf, reads_members_and_defaults)
{
	struct conf *c;
	struct err err = {0};

	cr_assert_eq(conf_parse(good, sizeof(good) - 1, &c, &err), 0, "%s", err.text);
	cr_assert_str_eq(c->deployment, "prod");
	cr_assert_eq(c->workers, 4);
	cr_assert_eq(c->n_pools, 2);
	cr_assert_eq(c->pools[0].size, 2);
	cr_assert_eq(c->on_term, ON_TERM_DRAIN);
	cr_assert_eq(c->grace_ms, 500);
	cr_assert_eq(c->retain_runs_ms, 5);
	cr_assert_eq(c->retain_events_ms, INT64_C(30) * 86400000);
	cr_assert_eq(c->store_max_bytes, 9);
	cr_assert_null(c->listen);
	cr_assert_null(c->run_user);
	cr_assert(conf_hook_find(c, "in")->is_public);
	cr_assert_null(conf_hook_find(c, "out"));
	cr_assert_eq(strlen(c->sha), 64);
	conf_free(c);
	LEAK_CHECK();
}

Test(dag_conf, refuses_what_is_missing)
{
	static const char *const bad[] = {
	    "{}",
	    "{\"v\":1,\"state\":\"/s\"}",
	    "{\"v\":1,\"deployment\":\"p\"}",
	    "{\"v\":1,\"deployment\":\"p\",\"state\":\"/s\",\"workers\":0}",
	    "{\"v\":1,\"deployment\":\"p\",\"state\":\"/s\",\"pools\":{\"a\":0}}",
	    "{\"v\":1,\"deployment\":\"p\",\"state\":\"/s\",\"on_term\":\"explode\"}",
	    "{\"v\":1,\"deployment\":\"p\",\"state\":\"/s\",\"hooks\":{\"a\":{}}}",
	    "nonsense",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct conf *c = NULL;
		struct err err = {0};

		cr_assert_lt(conf_parse(bad[i], strlen(bad[i]), &c, &err), 0, "case %zu", i);
		cr_assert_null(c);
		cr_assert_neq(err.text[0], 0);
	}
	LEAK_CHECK();
}
