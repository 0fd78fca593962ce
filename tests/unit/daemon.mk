# Unit tests of core/daemon: one Criterion program, one source per tested file.
check_PROGRAMS += tests/unit/test_daemon
TESTS += tests/unit/test_daemon
tests_unit_test_daemon_SOURCES = \
	tests/unit/test_daemon_confload.c \
	tests/unit/test_daemon_job.c \
	tests/unit/test_daemon_logsweep.c \
	tests/unit/test_daemon_loop.c \
	tests/unit/test_daemon_planview.c \
	tests/unit/test_daemon_poollink.c \
	tests/unit/test_daemon_sd.c \
	tests/unit/test_daemon_scan.c \
	tests/unit/test_daemon_secret.c
tests_unit_test_daemon_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) $(EVENT_CFLAGS) $(LMDB_CFLAGS)
tests_unit_test_daemon_LDADD = core/daemon/libsl-daemon.la core/http/libsl-http.la \
	core/store/libsl-store.la core/sched/libsl-sched.la core/pool/libsl-pool.la \
	core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la $(CRITERION_LIBS)
