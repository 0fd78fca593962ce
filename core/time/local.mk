# core/time: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-time.la
#core_time_libsl_time_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
