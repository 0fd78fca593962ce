# Unit tests of core/dagfile: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_dagfile
#TESTS += tests/unit/test_dagfile
#tests_unit_test_dagfile_SOURCES = tests/unit/test_dagfile_FILE.c
#tests_unit_test_dagfile_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_dagfile_LDADD = core/dagfile/libsl-dagfile.la core/base/libsl-base.la $(CRITERION_LIBS)
