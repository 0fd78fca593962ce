# Unit tests of core/time: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_time
#TESTS += tests/unit/test_time
#tests_unit_test_time_SOURCES = tests/unit/test_time_FILE.c
#tests_unit_test_time_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_time_LDADD = core/time/libsl-time.la core/base/libsl-base.la $(CRITERION_LIBS)
