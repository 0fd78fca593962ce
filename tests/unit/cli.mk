# Unit tests of core/cli: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_cli
#TESTS += tests/unit/test_cli
#tests_unit_test_cli_SOURCES = tests/unit/test_cli_FILE.c
#tests_unit_test_cli_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_cli_LDADD = core/cli/libsl-cli.la core/base/libsl-base.la $(CRITERION_LIBS)
