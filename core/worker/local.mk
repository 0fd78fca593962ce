# core/worker: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-worker.la
#core_worker_libsl_worker_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
#core_worker_libsl_worker_la_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
#core_worker_libsl_worker_la_LIBADD = $(DL_LIBS) $(SECCOMP_LIBS)
# The program. Plugins are opened RTLD_LOCAL and link the kit themselves.
#sluicelibexec_PROGRAMS += %D%/sluice-worker
#core_worker_sluice_worker_SOURCES = %D%/main.c
#core_worker_sluice_worker_LDFLAGS = $(FLAGS_PROGRAM)
#core_worker_sluice_worker_LDADD = %D%/libsl-worker.la core/dagfile/libsl-dagfile.la \
#	core/kit/libsl-kit.la core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la
