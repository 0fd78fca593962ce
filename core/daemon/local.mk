# core/daemon: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-daemon.la
#core_daemon_libsl_daemon_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
#core_daemon_libsl_daemon_la_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
#core_daemon_libsl_daemon_la_LIBADD = $(EVENT_LIBS)
# The program. Convenience libraries go from high to low; their foreign libraries come with them.
#sbin_PROGRAMS += %D%/sluiced
#core_daemon_sluiced_SOURCES = %D%/main.c
#core_daemon_sluiced_LDFLAGS = $(FLAGS_PROGRAM)
#core_daemon_sluiced_LDADD = %D%/libsl-daemon.la core/http/libsl-http.la core/ui/libsl-ui.la \
#	core/pool/libsl-pool.la core/store/libsl-store.la core/sched/libsl-sched.la \
#	core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la
