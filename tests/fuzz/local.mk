# Fuzz targets, one per parser of foreign bytes: add fuzz_NAME here and seeds in tests/data/fuzz/NAME/.
# Without --enable-fuzzing driver.c runs them over the corpus in `make check`.
check_PROGRAMS += \
	tests/fuzz/fuzz_http \
	tests/fuzz/fuzz_signature \
	tests/fuzz/fuzz_cron \
	tests/fuzz/fuzz_expr \
	tests/fuzz/fuzz_json \
	tests/fuzz/fuzz_pool \
	tests/fuzz/fuzz_rows \
	tests/fuzz/fuzz_sched \
	tests/fuzz/fuzz_selftest \
	tests/fuzz/fuzz_text \
	tests/fuzz/fuzz_tzif \
	tests/fuzz/fuzz_yaml
if ENABLE_FUZZING
LIBS_FUZZ =
FLAGS_FUZZ = $(AM_LDFLAGS) $(SL_FUZZ_LDFLAGS)
else
check_LTLIBRARIES += tests/fuzz/libdriver.la
tests_fuzz_libdriver_la_SOURCES = tests/fuzz/driver.c tests/fuzz/fuzz.h
LIBS_FUZZ = tests/fuzz/libdriver.la
FLAGS_FUZZ = $(AM_LDFLAGS)
endif
tests_fuzz_fuzz_cron_SOURCES = tests/fuzz/fuzz_cron.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_cron_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_cron_LDADD = $(LIBS_FUZZ) core/time/libsl-time.la core/base/libsl-base.la
tests_fuzz_fuzz_expr_SOURCES = tests/fuzz/fuzz_expr.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_expr_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_expr_LDADD = $(LIBS_FUZZ) core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la
tests_fuzz_fuzz_http_SOURCES = tests/fuzz/fuzz_http.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_http_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_http_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_http_LDADD = $(LIBS_FUZZ) core/http/libsl-http.la core/store/libsl-store.la core/sched/libsl-sched.la \
	core/pool/libsl-pool.la core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la $(EVENT_LIBS)
tests_fuzz_fuzz_signature_SOURCES = tests/fuzz/fuzz_signature.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_signature_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_signature_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_signature_LDADD = $(LIBS_FUZZ) core/http/libsl-http.la core/store/libsl-store.la core/sched/libsl-sched.la \
	core/pool/libsl-pool.la core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la $(EVENT_LIBS)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_json_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_json_LDADD = $(LIBS_FUZZ) core/base/libsl-base.la
tests_fuzz_fuzz_pool_SOURCES = tests/fuzz/fuzz_pool.c tests/fuzz/fuzz.h core/pool/mask.c core/pool/note.c
tests_fuzz_fuzz_pool_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_pool_LDADD = $(LIBS_FUZZ) core/pool/libsl-pool.la core/base/libsl-base.la
tests_fuzz_fuzz_selftest_SOURCES = tests/fuzz/fuzz_selftest.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_selftest_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_selftest_LDADD = $(LIBS_FUZZ) core/base/libsl-base.la
tests_fuzz_fuzz_rows_SOURCES = tests/fuzz/fuzz_rows.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_rows_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_rows_LDADD = $(LIBS_FUZZ) core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la
tests_fuzz_fuzz_sched_SOURCES = tests/fuzz/fuzz_sched.c tests/fuzz/fuzz.h tests/unit/memview.c tests/unit/memview.h
tests_fuzz_fuzz_sched_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_sched_LDADD = $(LIBS_FUZZ) core/sched/libsl-sched.la core/dag/libsl-dag.la core/time/libsl-time.la \
	core/base/libsl-base.la
tests_fuzz_fuzz_text_SOURCES = tests/fuzz/fuzz_text.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_text_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_text_LDADD = $(LIBS_FUZZ) core/time/libsl-time.la core/base/libsl-base.la
tests_fuzz_fuzz_tzif_SOURCES = tests/fuzz/fuzz_tzif.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_tzif_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_tzif_LDADD = $(LIBS_FUZZ) core/time/libsl-time.la core/base/libsl-base.la
tests_fuzz_fuzz_yaml_SOURCES = tests/fuzz/fuzz_yaml.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_yaml_LDFLAGS = $(FLAGS_FUZZ)
tests_fuzz_fuzz_yaml_LDADD = $(LIBS_FUZZ) core/dagfile/libsl-dagfile.la core/dag/libsl-dag.la \
	core/time/libsl-time.la core/base/libsl-base.la

TESTS += tests/fuzz/corpus.sh
EXTRA_DIST += tests/fuzz/corpus.sh tests/fuzz/run tests/data/fuzz
