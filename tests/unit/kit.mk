# Unit tests of core/kit: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_kit
#TESTS += tests/unit/test_kit
#tests_unit_test_kit_SOURCES = tests/unit/test_kit_FILE.c
#tests_unit_test_kit_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_kit_LDADD = core/kit/libsl-kit.la core/base/libsl-base.la $(CRITERION_LIBS)
