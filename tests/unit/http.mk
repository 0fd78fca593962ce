# Unit tests of core/http: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_http
#TESTS += tests/unit/test_http
#tests_unit_test_http_SOURCES = tests/unit/test_http_FILE.c
#tests_unit_test_http_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_http_LDADD = core/http/libsl-http.la core/base/libsl-base.la $(CRITERION_LIBS)
