# Unit tests of core/pool: one Criterion program, one source per tested file; pool_client and pool_worker stand in for daemon
# and worker.
check_PROGRAMS += tests/unit/test_pool tests/unit/pool_worker
TESTS += tests/unit/test_pool
tests_unit_test_pool_SOURCES = \
	tests/unit/pool_client.c tests/unit/pool_client.h \
	tests/unit/test_pool_frame.c \
	tests/unit/test_pool_logfile.c \
	tests/unit/test_pool_logpipe.c \
	tests/unit/test_pool_mailbox.c \
	tests/unit/test_pool_mask.c \
	tests/unit/test_pool_system.c
tests_unit_test_pool_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_pool_LDADD = core/pool/libsl-poolmain.la core/pool/libsl-pool.la core/base/libsl-base.la \
	$(CRITERION_LIBS) $(EVENT_LIBS)
EXTRA_tests_unit_test_pool_DEPENDENCIES = core/pool/sluice-pool$(EXEEXT) tests/unit/pool_worker$(EXEEXT)
tests_unit_pool_worker_SOURCES = tests/unit/pool_worker.c
tests_unit_pool_worker_LDADD = core/pool/libsl-pool.la core/base/libsl-base.la
