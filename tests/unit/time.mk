# Unit tests of core/time: one Criterion program, one source per tested file.
check_PROGRAMS += tests/unit/test_time
TESTS += tests/unit/test_time
tests_unit_test_time_SOURCES = \
	tests/unit/time_oracle.c tests/unit/time_oracle.h \
	tests/unit/time_rig.c tests/unit/time_rig.h \
	tests/unit/test_time_calendar.c \
	tests/unit/test_time_cron.c \
	tests/unit/test_time_cron_parse.c \
	tests/unit/test_time_tz.c \
	tests/unit/test_time_tz_file.c \
	tests/unit/test_time_tz_rule.c
tests_unit_test_time_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_time_LDADD = core/time/libsl-time.la core/base/libsl-base.la $(CRITERION_LIBS)
