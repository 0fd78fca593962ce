# Unit tests of core/sched: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_sched
#TESTS += tests/unit/test_sched
#tests_unit_test_sched_SOURCES = tests/unit/test_sched_FILE.c
#tests_unit_test_sched_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_sched_LDADD = core/sched/libsl-sched.la core/base/libsl-base.la $(CRITERION_LIBS)
