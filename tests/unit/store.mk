# Unit tests of core/store: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_store
#TESTS += tests/unit/test_store
#tests_unit_test_store_SOURCES = tests/unit/test_store_FILE.c
#tests_unit_test_store_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_store_LDADD = core/store/libsl-store.la core/base/libsl-base.la $(CRITERION_LIBS)
