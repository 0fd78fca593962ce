# Unit tests of core/ui: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_ui
#TESTS += tests/unit/test_ui
#tests_unit_test_ui_SOURCES = tests/unit/test_ui_FILE.c
#tests_unit_test_ui_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_ui_LDADD = core/ui/libsl-ui.la core/base/libsl-base.la $(CRITERION_LIBS)
