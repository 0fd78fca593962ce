# Unit tests of core/base: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_base
#TESTS += tests/unit/test_base
#tests_unit_test_base_SOURCES = tests/unit/test_base_FILE.c
#tests_unit_test_base_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_base_LDADD = core/base/libsl-base.la core/base/libsl-base.la $(CRITERION_LIBS)
