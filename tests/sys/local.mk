# System tests: shell scripts on the real programs. Each: TESTS += tests/sys/NAME.sh and
# EXTRA_DIST += tests/sys/NAME.sh; exit 0 is a pass, 77 a skip. They run by bash in a folder of
# their own with SLUICE_BUILD_DIR and SLUICE_SRC_DIR set.
SYS_TESTS = %D%/man_cli.sh %D%/daemon_life.sh
TESTS += $(SYS_TESTS)
EXTRA_DIST += $(SYS_TESTS)
TESTS += tests/sys/http.sh
EXTRA_DIST += tests/sys/http.sh tests/sys/http_daemon.py
TESTS += tests/sys/plugin_conform.sh
EXTRA_DIST += tests/sys/plugin_conform.sh
TESTS += tests/sys/man_api.sh
EXTRA_DIST += tests/sys/man_api.sh
