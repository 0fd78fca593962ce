# core/pool: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-pool.la
#core_pool_libsl_pool_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
#core_pool_libsl_pool_la_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
#core_pool_libsl_pool_la_LIBADD = $(EVENT_LIBS)
# The program.
#sluicelibexec_PROGRAMS += %D%/sluice-pool
#core_pool_sluice_pool_SOURCES = %D%/main.c
#core_pool_sluice_pool_LDFLAGS = $(FLAGS_PROGRAM)
#core_pool_sluice_pool_LDADD = %D%/libsl-pool.la core/base/libsl-base.la
