/* Configurations that no sluice.yaml made, and errors as one line. Reading a file is tested on the
 * real worker (tests/sys/daemon_life.sh). */
#include "core/daemon/daemon.h"

#include "leak.h"

#include <criterion/criterion.h>
#include <string.h>

Test(daemon_confload, a_file_without_configuration_gets_everything_by_default)
{
	struct conf *c = NULL;
	struct err err = {0};

	cr_assert_eq(conf_default("/tmp/x", "local-me", &c, &err), 0, "%s", err.text);
	cr_assert_str_eq(c->deployment, "local-me");
	cr_assert_str_eq(c->state_dir, "/tmp/x");
	cr_assert_geq(c->workers, 1);
	cr_assert_null(c->unix_path);
	cr_assert_null(c->listen);
	cr_assert_eq(c->n_hooks, 0);
	conf_free(c);
	LEAK_CHECK();
}

Test(daemon_confload, once_keeps_connections_and_leaves_hooks_and_listeners)
{
	static const char text[] =
	    "{\"v\":1,\"file\":\"/p/sluice.yaml\",\"deployment\":\"prod\",\"state\":\"/p/"
	    "state\",\"workers\":7,"
	    "\"http\":{\"unix\":\"/p/"
	    "sock\",\"listen\":\"127.0.0.1:1\"},\"connections\":{\"shop\":{\"plugin\":\"pg\"}},"
	    "\"hooks\":{\"h\":{\"scheme\":\"none\"}},\"run_user\":\"other\",\"pools\":{\"p\":2}}";
	struct conf *base = NULL, *c = NULL;
	struct err err = {0};

	cr_assert_eq(conf_parse(text, sizeof(text) - 1, &base, &err), 0, "%s", err.text);
	cr_assert_eq(conf_for_once(base, "/tmp/x", "local-me", &c, &err), 0, "%s", err.text);
	cr_assert_str_eq(c->state_dir, "/tmp/x");
	cr_assert_str_eq(c->deployment, "local-me");
	cr_assert_str_eq(c->file, "/p/sluice.yaml");
	cr_assert_not_null(json_get(c->connections, "shop"));
	cr_assert_eq(c->workers, 7);
	cr_assert_eq(c->n_pools, 1);
	cr_assert_eq(c->n_hooks, 0);
	cr_assert_null(c->listen);
	cr_assert_null(c->run_user);
	conf_free(base);
	conf_free(c);
	LEAK_CHECK();
}

Test(daemon_confload, an_error_is_one_line_with_its_place_and_cure)
{
	static const char text[] =
	    "{\"errors\":[{\"line\":3,\"column\":5,\"key\":\"workers\",\"message\":\"is no "
	    "number\",\"hint\":\"write 4\"}]}";
	struct json *j = NULL;
	struct err err = {0};

	cr_assert_eq(json_parse(text, sizeof(text) - 1, 1000, &j, NULL), 0);
	cr_assert_eq(conf_report_error(j, "a.yaml", &err), ERR_CONFIG);
	cr_assert_str_eq(err.text, "a.yaml:3:5: workers: is no number; write 4");
	json_free(j);
	cr_assert_eq(conf_report_error(NULL, "a.yaml", &err), ERR_CONFIG);
	cr_assert(strstr(err.text, "a.yaml"));
	LEAK_CHECK();
}

Test(daemon_confload, exit_codes_follow_the_contract)
{
	cr_assert_eq(exit_code_of(0), 0);
	cr_assert_eq(exit_code_of(ERR_CONFIG), 2);
	cr_assert_eq(exit_code_of(ERR_REFUSED), 3);
	cr_assert_eq(exit_code_of(ERR_CONFLICT), 4);
	cr_assert_eq(exit_code_of(ERR_NOT_FOUND), 5);
	cr_assert_eq(exit_code_of(ERR_CORRUPT), 70);
	cr_assert_eq(exit_code_of(ERR_IO), 75);
}
