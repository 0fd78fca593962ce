# Unit tests of core/kit: one Criterion program.
check_PROGRAMS += tests/unit/test_kit
TESTS += tests/unit/test_kit
tests_unit_test_kit_SOURCES = \
	tests/unit/leak.h \
	tests/unit/plug_host.c tests/unit/plug_host.h \
	tests/unit/test_kit_batch.c \
	tests/unit/test_kit_http.c \
	tests/unit/test_kit_json.c \
	tests/unit/test_kit_rows.c \
	tests/unit/test_kit_text.c
tests_unit_test_kit_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_kit_LDADD = core/kit/libsl-kithttp.la core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la \
	$(CRITERION_LIBS) $(DL_LIBS)
