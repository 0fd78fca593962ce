# Long kill and fault runs; `make torture` runs tests/torture/run.
EXTRA_DIST += %D%/kill_daemon.py %D%/run
# A thousand jobs elsewhere; the plugin is the tests' own.
check_LTLIBRARIES += %D%/elsewhere.la
tests_torture_elsewhere_la_SOURCES = %D%/elsewhere.c
tests_torture_elsewhere_la_LDFLAGS = $(FLAGS_PLUGIN) -rpath /nowhere
tests_torture_elsewhere_la_LIBADD = core/kit/libsl-kithttp.la core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la
EXTRA_DIST += %D%/submitted.py %D%/submitted.sh
EXTRA_DIST += %D%/storm.sh
