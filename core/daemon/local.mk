# core/daemon: the program sluiced: store, clock, sockets and the daemon's end of the mailbox.
noinst_LTLIBRARIES += %D%/libsl-daemon.la
core_daemon_libsl_daemon_la_SOURCES = \
	%D%/admintoken.c \
	%D%/backup.c %D%/copycmd.c \
	%D%/compile.c %D%/compile.h %D%/compile_int.h %D%/compile_chunk.c %D%/compile_result.c \
	%D%/confload.c %D%/daemon.h \
	%D%/effect.c \
	%D%/fsckcmd.c \
	%D%/hold.c \
	%D%/job.c %D%/job.h %D%/jobpart.c \
	%D%/life.c \
	%D%/logsweep.c %D%/logsweep.h \
	%D%/logtail.c %D%/logtail.h \
	%D%/loop.c %D%/loop.h \
	%D%/once.c \
	%D%/outbox.c %D%/outbox.h \
	%D%/poolconn.c %D%/poolconn.h %D%/poolint.h \
	%D%/poollink.c %D%/poollink.h %D%/poolsend.c %D%/poolstart.c %D%/pooltake.c \
	%D%/planview.c %D%/planview.h \
	%D%/reload.c %D%/reload.h \
	%D%/scan.c %D%/scan.h %D%/sd.c %D%/sd.h \
	%D%/poolorphan.c %D%/retention.c \
	%D%/secret.c %D%/secret.h \
	%D%/serve.c \
	%D%/signal.c \
	%D%/timer.c \
	%D%/watch.c
core_daemon_libsl_daemon_la_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
core_daemon_libsl_daemon_la_LIBADD = $(EVENT_LIBS)

sbin_PROGRAMS += %D%/sluiced
core_daemon_sluiced_SOURCES = %D%/main.c
core_daemon_sluiced_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
core_daemon_sluiced_LDFLAGS = $(PROG_LDFLAGS)
core_daemon_sluiced_LDADD = %D%/libsl-daemon.la core/http/libsl-http.la \
	core/store/libsl-store.la core/sched/libsl-sched.la core/pool/libsl-pool.la \
	core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la
