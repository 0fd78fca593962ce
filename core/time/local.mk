# core/time: zones, cron and calendar; pure.
noinst_LTLIBRARIES += %D%/libsl-time.la
core_time_libsl_time_la_SOURCES = \
	%D%/calendar.c %D%/calendar.h \
	%D%/cron.c %D%/cron.h \
	%D%/cron_impl.h %D%/cron_parse.c \
	%D%/tz.c %D%/tz.h \
	%D%/tz_file.c %D%/tz_impl.h \
	%D%/tz_rule.c
