# Unit tests of core/daemon: one Criterion program, one source per tested file.
#check_PROGRAMS += tests/unit/test_daemon
#TESTS += tests/unit/test_daemon
#tests_unit_test_daemon_SOURCES = tests/unit/test_daemon_FILE.c
#tests_unit_test_daemon_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
#tests_unit_test_daemon_LDADD = core/daemon/libsl-daemon.la core/base/libsl-base.la $(CRITERION_LIBS)
