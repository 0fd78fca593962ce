# core/sched: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-sched.la
#core_sched_libsl_sched_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
