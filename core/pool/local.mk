# core/pool: libsl-pool.la is the wire, for daemon and worker too.
noinst_LTLIBRARIES += %D%/libsl-pool.la
core_pool_libsl_pool_la_SOURCES = \
	%D%/frame.c %D%/frame.h \
	%D%/link.c %D%/link.h
