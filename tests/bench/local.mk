# Benchmarks; `make bench` runs tests/bench/run.
noinst_PROGRAMS += %D%/raw
tests_bench_raw_SOURCES = %D%/raw.c
tests_bench_raw_CFLAGS = $(AM_CFLAGS) $(LMDB_CFLAGS)
tests_bench_raw_LDADD = $(LMDB_LIBS)
EXTRA_DIST += %D%/run %D%/system.py
