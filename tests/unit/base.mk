# Unit tests of core/base: one Criterion program, one source per tested file.
check_PROGRAMS += tests/unit/test_base
TESTS += tests/unit/test_base
tests_unit_test_base_SOURCES = \
	tests/unit/leak.h \
	tests/unit/test_base_clock.c \
	tests/unit/test_base_crc.c \
	tests/unit/test_base_err.c \
	tests/unit/test_base_hash.c \
	tests/unit/test_base_io.c \
	tests/unit/test_base_json.c \
	tests/unit/test_base_json_build.c tests/unit/test_base_json_scan.c \
	tests/unit/test_base_json_write.c \
	tests/unit/test_base_log.c \
	tests/unit/test_base_mem.c \
	tests/unit/test_base_paths.c \
	tests/unit/test_base_str.c \
	tests/unit/test_base_text.c \
	tests/unit/test_base_vec.c
tests_unit_test_base_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_base_LDADD = core/base/libsl-base.la $(CRITERION_LIBS)
