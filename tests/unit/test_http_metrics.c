#include "tests/unit/http_rig.h"
#include "tests/unit/leak.h"

#include "core/http/metrics.h"

#include <criterion/criterion.h>
#include <string.h>

Test(http_metrics, writes_prometheus_text)
{
	struct str out;
	struct metrics m = {.out = &out};

	str_init(&out, 4096);
	metrics_counter(&m, "sluice_x", "Things.");
	metrics_value(&m, "name", "a\"b\\c\nd", 2);
	metrics_gauge(&m, "sluice_y_seconds", "Time.");
	metrics_value(&m, NULL, NULL, 0.25);
	cr_assert_str_eq(str_peek(&out),
	    "# HELP sluice_x_total Things.\n# TYPE sluice_x_total counter\n"
	    "sluice_x_total{name=\"a\\\"b\\\\c\\nd\"} 2\n"
	    "# HELP sluice_y_seconds Time.\n# TYPE sluice_y_seconds gauge\nsluice_y_seconds "
	    "0.25\n");
	str_done(&out);
	LEAK_CHECK();
}

Test(http_metrics, writes_openmetrics)
{
	struct str out;
	struct metrics m = {.out = &out, .open = true};

	str_init(&out, 4096);
	metrics_counter(&m, "sluice_x_seconds", "Things.");
	metrics_value(&m, NULL, NULL, 2);
	cr_assert_str_eq(str_peek(&out),
	    "# HELP sluice_x_seconds Things.\n# TYPE sluice_x_seconds counter\n"
	    "# UNIT sluice_x_seconds seconds\nsluice_x_seconds_total 2\n");
	str_done(&out);
	LEAK_CHECK();
}

Test(http_metrics, speaks_what_accept_asks)
{
	struct rig r;

	rig_init(&r, NULL);
	rig_connect(&r, RIG_UNIX);
	rig_ask(&r, "GET /metrics HTTP/1.1\r\n\r\n");
	cr_assert(
	    strstr(str_peek(&r.got), "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	cr_assert(strstr(str_peek(&r.got), "\nsluice_http_connections 1\n"));
	cr_assert_not(strstr(str_peek(&r.got), "# EOF"));
	rig_ask(&r, "GET /metrics HTTP/1.1\r\nAccept: "
		    "application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n");
	cr_assert(strstr(str_peek(&r.got),
	    "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
	cr_assert(str_ends(str_peek(&r.got), "\n# EOF\n"));
	cr_assert(strstr(str_peek(&r.got), "sluice_http_requests_total{status=\"200\"} 1\n"));
	rig_done(&r);
	LEAK_CHECK();
}
