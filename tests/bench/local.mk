# Benchmarks; `make bench` runs tests/bench/run.
noinst_PROGRAMS += %D%/raw
tests_bench_raw_SOURCES = %D%/raw.c
tests_bench_raw_CFLAGS = $(AM_CFLAGS) $(LMDB_CFLAGS)
tests_bench_raw_LDADD = $(LMDB_LIBS)
EXTRA_DIST += %D%/run %D%/system.py %D%/step_cost.py
noinst_PROGRAMS += %D%/bench_writer
tests_bench_bench_writer_SOURCES = %D%/bench_writer.c
tests_bench_bench_writer_CPPFLAGS = $(AM_CPPFLAGS) $(LMDB_CFLAGS)
tests_bench_bench_writer_LDADD = core/store/libsl-store.la core/sched/libsl-sched.la core/dag/libsl-dag.la \
	core/time/libsl-time.la core/base/libsl-base.la
noinst_PROGRAMS += %D%/http_server
tests_bench_http_server_SOURCES = %D%/http_server.c
tests_bench_http_server_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
tests_bench_http_server_LDADD = core/http/libsl-http.la core/store/libsl-store.la core/sched/libsl-sched.la \
	core/pool/libsl-pool.la core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la $(EVENT_LIBS)
EXTRA_DIST += %D%/http.sh %D%/http_post.lua
noinst_PROGRAMS += %D%/bench_store
tests_bench_bench_store_SOURCES = %D%/bench_store.c
tests_bench_bench_store_CPPFLAGS = $(AM_CPPFLAGS) $(LMDB_CFLAGS)
tests_bench_bench_store_LDADD = $(tests_bench_bench_writer_LDADD)
