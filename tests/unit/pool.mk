# Unit tests of core/pool: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_pool
#TESTS += tests/unit/test_pool
#tests_unit_test_pool_SOURCES = tests/unit/test_pool_FILE.c
#tests_unit_test_pool_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_pool_LDADD = core/pool/libsl-pool.la core/base/libsl-base.la $(CRITERION_LIBS)
