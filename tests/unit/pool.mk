# Unit tests of core/pool: one Criterion program, one source per tested file; pool_client and pool_worker stand in for daemon
# and worker; sluice-pool-mutant is the pool with planted bugs.
check_PROGRAMS += tests/unit/test_pool tests/unit/pool_worker tests/unit/sluice-pool-mutant
TESTS += tests/unit/test_pool
tests_unit_test_pool_SOURCES = \
	tests/unit/pool_client.c tests/unit/pool_client.h \
	tests/unit/test_pool_frame.c \
	tests/unit/test_pool_logfile.c \
	tests/unit/test_pool_logpipe.c \
	tests/unit/test_pool_mailbox.c \
	tests/unit/test_pool_mask.c \
	tests/unit/test_pool_mutants.c \
	tests/unit/test_pool_system.c
tests_unit_test_pool_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) $(EVENT_CFLAGS)
tests_unit_test_pool_LDADD = core/pool/libsl-poolmain.la core/pool/libsl-pool.la core/base/libsl-base.la \
	$(CRITERION_LIBS) $(EVENT_LIBS)
EXTRA_tests_unit_test_pool_DEPENDENCIES = core/pool/sluice-pool$(EXEEXT) tests/unit/pool_worker$(EXEEXT) \
	tests/unit/sluice-pool-mutant$(EXEEXT)
tests_unit_pool_worker_SOURCES = tests/unit/pool_worker.c
tests_unit_pool_worker_LDADD = core/pool/libsl-pool.la core/base/libsl-base.la
tests_unit_sluice_pool_mutant_SOURCES = core/pool/main.c $(core_pool_libsl_poolmain_la_SOURCES)
tests_unit_sluice_pool_mutant_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) -DSL_POOL_MUTANTS
tests_unit_sluice_pool_mutant_LDADD = core/pool/libsl-pool.la core/base/libsl-base.la $(EVENT_LIBS)
# Longer runs and figures; `make check` does a short one of each.
check_PROGRAMS += tests/torture/kill_pool tests/torture/kill_worker_latency tests/bench/pool_hop
pool_client_sources = tests/unit/pool_client.c tests/unit/pool_client.h core/pool/tree.c
pool_client_libs = core/pool/libsl-pool.la core/base/libsl-base.la
tests_torture_kill_pool_SOURCES = tests/torture/kill_pool.c $(pool_client_sources)
tests_torture_kill_pool_LDADD = $(pool_client_libs)
tests_torture_kill_worker_latency_SOURCES = tests/torture/kill_worker_latency.c $(pool_client_sources)
tests_torture_kill_worker_latency_LDADD = $(pool_client_libs)
tests_bench_pool_hop_SOURCES = tests/bench/pool_hop.c $(pool_client_sources)
tests_bench_pool_hop_LDADD = $(pool_client_libs)
TESTS += tests/torture/kill_pool.sh tests/torture/kill_worker_latency.sh
EXTRA_DIST += tests/torture/kill_pool.sh tests/torture/kill_worker_latency.sh
