# Unit tests of core/http: one Criterion program, one source per tested file; http_rig runs the server without a daemon.
check_PROGRAMS += tests/unit/test_http
TESTS += tests/unit/test_http
tests_unit_test_http_SOURCES = tests/unit/http_rig.c tests/unit/http_rig.h \
	tests/unit/test_http_auth.c \
	tests/unit/test_http_conn.c \
	tests/unit/test_http_hook.c \
	tests/unit/test_http_hook_standard.c \
	tests/unit/test_http_listen.c \
	tests/unit/test_http_metrics.c \
	tests/unit/test_http_openapi.c \
	tests/unit/test_http_request.c \
	tests/unit/test_http_route.c \
	tests/unit/test_http_smuggle.c \
	tests/unit/test_http_stream.c \
	tests/unit/test_http_tail.c \
	tests/unit/test_http_vet.c
tests_unit_test_http_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_http_LDADD = core/http/libsl-http.la core/store/libsl-store.la core/sched/libsl-sched.la \
	core/pool/libsl-pool.la core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la $(CRITERION_LIBS) \
	$(EVENT_LIBS)
