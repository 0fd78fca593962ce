# Unit tests of core/worker: one Criterion program, one source per tested file. worker_probe is the plugin they run.
check_PROGRAMS += tests/unit/test_worker
TESTS += tests/unit/test_worker
tests_unit_test_worker_SOURCES = \
	tests/unit/worker_rig.c tests/unit/worker_rig.h \
	tests/unit/test_worker_arrow.c \
	tests/unit/test_worker_conform.c \
	tests/unit/test_worker_load.c \
	tests/unit/test_worker_pipeline.c \
	tests/unit/test_worker_queue.c \
	tests/unit/test_worker_secret.c \
	tests/unit/test_worker_serve.c \
	tests/unit/test_worker_task.c
tests_unit_test_worker_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_worker_LDADD = core/worker/libsl-worker.la core/dagfile/libsl-dagfile.la core/kit/libsl-kit.la core/pool/libsl-pool.la core/dag/libsl-dag.la \
	core/time/libsl-time.la core/base/libsl-base.la $(CRITERION_LIBS)
# tests/sys/scenario_processes.sh runs the probe, too.
EXTRA_tests_unit_test_worker_DEPENDENCIES = tests/unit/probe.la tests/unit/bad.la core/worker/sluice-worker$(EXEEXT) plugins/noop.la

check_LTLIBRARIES += tests/unit/probe.la
tests_unit_probe_la_SOURCES = tests/unit/worker_probe.c tests/unit/worker_probe_arrow.c tests/unit/worker_probe_task.c \
	tests/unit/worker_probe.h
tests_unit_probe_la_LDFLAGS = $(FLAGS_PLUGIN) -rpath /nowhere

# For ThreadSanitizer, which does not run under Criterion.
check_PROGRAMS += tests/unit/worker_race
TESTS += tests/unit/worker_race
tests_unit_worker_race_SOURCES = tests/unit/worker_race.c tests/unit/worker_rig.c tests/unit/worker_rig.h
tests_unit_worker_race_LDADD = core/worker/libsl-worker.la core/dagfile/libsl-dagfile.la core/kit/libsl-kit.la core/pool/libsl-pool.la core/dag/libsl-dag.la \
	core/time/libsl-time.la core/base/libsl-base.la
EXTRA_tests_unit_worker_race_DEPENDENCIES = tests/unit/probe.la

check_LTLIBRARIES += tests/unit/bad.la
tests_unit_bad_la_SOURCES = tests/unit/worker_bad.c
tests_unit_bad_la_LDFLAGS = $(FLAGS_PLUGIN) -rpath /nowhere

EXTRA_DIST += tests/data/conform/columns.json tests/data/conform/csv.json tests/data/conform/example.json \
	tests/data/conform/lake.json tests/data/conform/noop.json tests/data/conform/sqlite.json
