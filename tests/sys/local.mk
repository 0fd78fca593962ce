# System tests: shell scripts on the real programs. Each: TESTS += tests/sys/NAME.sh and
# EXTRA_DIST += tests/sys/NAME.sh; exit 0 is a pass, 77 a skip. They run by bash in a folder of
# their own with SLUICE_BUILD_DIR and SLUICE_SRC_DIR set.
SYS_TESTS = %D%/man_cli.sh %D%/daemon_life.sh %D%/run_file.sh
TESTS += $(SYS_TESTS)
EXTRA_DIST += $(SYS_TESTS)
TESTS += tests/sys/http.sh
EXTRA_DIST += tests/sys/http.sh tests/sys/http_daemon.py
TESTS += tests/sys/plugin_conform.sh
EXTRA_DIST += tests/sys/plugin_conform.sh
TESTS += tests/sys/man_api.sh
EXTRA_DIST += tests/sys/man_api.sh
# What the man pages' reference parts are compared with.
check_PROGRAMS += %D%/keys_mdoc
tests_sys_keys_mdoc_SOURCES = %D%/keys_mdoc.c
tests_sys_keys_mdoc_LDADD = core/dagfile/libsl-dagfile.la core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la
TESTS += tests/sys/man_keys.sh tests/sys/examples.sh
EXTRA_DIST += tests/sys/man_keys.sh tests/sys/plugin_mdoc.py tests/sys/examples.sh tests/sys/examples.py
TESTS += tests/sys/next.sh
EXTRA_DIST += tests/sys/next.sh
TESTS += tests/sys/openapi.sh
EXTRA_DIST += tests/sys/openapi.sh tests/requirements.txt contrib/venv
TESTS += tests/sys/contract.sh tests/sys/reload.sh
EXTRA_DIST += tests/sys/contract.sh tests/sys/reload.sh tests/sys/lib.sh
# Needs root and the packages of `contrib/setup --servers`: skipped without.
TESTS += tests/sys/slurm.sh
EXTRA_DIST += tests/sys/slurm.sh tests/servers/slurm.sh
# Programs of another release: the same sources, another name.
check_PROGRAMS += %D%/next_sluiced %D%/next_pool
tests_sys_next_sluiced_SOURCES = %D%/next_release.c core/daemon/main.c
tests_sys_next_sluiced_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
tests_sys_next_sluiced_LDADD = $(core_daemon_sluiced_LDADD)
tests_sys_next_pool_SOURCES = %D%/next_release.c core/pool/main.c
tests_sys_next_pool_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
tests_sys_next_pool_LDADD = $(core_pool_sluice_pool_LDADD)
TESTS += tests/sys/upgrade.sh tests/sys/service.sh tests/sys/container.sh tests/sys/completion.sh tests/sys/init.sh
EXTRA_DIST += tests/sys/service.py tests/sys/upgrade.sh tests/sys/service.sh tests/sys/container.sh tests/sys/completion.sh tests/sys/init.sh
TESTS += tests/sys/scenario_items.sh
EXTRA_DIST += tests/sys/scenario_items.sh
TESTS += tests/sys/runs.sh
EXTRA_DIST += tests/sys/runs.sh
TESTS += tests/sys/store_restore.sh tests/sys/store_old.sh
EXTRA_DIST += tests/sys/store_restore.sh tests/sys/store_old.sh tests/data/stores/README tests/data/stores/records1.mdb.gz
TESTS += tests/sys/backfill.sh
EXTRA_DIST += tests/sys/backfill.sh
TESTS += tests/sys/scenario_processes.sh
EXTRA_DIST += tests/sys/scenario_processes.sh
TESTS += tests/sys/notify.sh
EXTRA_DIST += tests/sys/notify.sh tests/sys/notify_receiver.py
# A day of downtime; the daemon's clock is moved by a library that is preloaded.
check_LTLIBRARIES += %D%/past_clock.la
tests_sys_past_clock_la_SOURCES = %D%/past_clock.c
tests_sys_past_clock_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
TESTS += tests/sys/scenario_downtime.sh
EXTRA_DIST += tests/sys/scenario_downtime.sh
TESTS += tests/sys/scenario_storm.sh
EXTRA_DIST += tests/sys/scenario_storm.sh tests/sys/storm.py
