# Unit tests of core/worker: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_worker
#TESTS += tests/unit/test_worker
#tests_unit_test_worker_SOURCES = tests/unit/test_worker_FILE.c
#tests_unit_test_worker_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_worker_LDADD = core/worker/libsl-worker.la core/base/libsl-base.la $(CRITERION_LIBS)
