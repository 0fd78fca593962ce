# Unit tests of the plugins: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_plugins
#TESTS += tests/unit/test_plugins
#tests_unit_test_plugins_SOURCES = tests/unit/test_plugins_FILE.c
#tests_unit_test_plugins_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_plugins_LDADD = the plugins/libsl-plugins.la core/base/libsl-base.la $(CRITERION_LIBS)
