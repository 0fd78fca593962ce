# core/pool: libsl-pool.la is the wire and the log's layout, for daemon and worker too; the rest is the pool's own.
noinst_LTLIBRARIES += %D%/libsl-pool.la %D%/libsl-poolmain.la
core_pool_libsl_pool_la_SOURCES = \
	%D%/frame.c %D%/frame.h \
	%D%/link.c %D%/link.h \
	%D%/logfile.c %D%/logfile.h
core_pool_libsl_poolmain_la_SOURCES = \
	%D%/attempt.h \
	%D%/cgroup.c %D%/cgroup.h \
	%D%/conn.c \
	%D%/instance.c %D%/instance.h \
	%D%/limits.c %D%/limits.h \
	%D%/logpipe.c %D%/logpipe.h \
	%D%/mailbox.c %D%/mailbox.h %D%/mailbox_int.h \
	%D%/mask.c %D%/mask.h \
	%D%/mutant.h \
	%D%/note.c %D%/note.h \
	%D%/report.c %D%/report.h \
	%D%/retire.c %D%/retire.h \
	%D%/slot.c %D%/slot.h \
	%D%/spawn.c %D%/spawn.h \
	%D%/stray.c %D%/stray.h \
	%D%/supervise.c %D%/supervise.h \
	%D%/tree.c %D%/tree.h
core_pool_libsl_poolmain_la_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)

sluicelibexec_PROGRAMS += %D%/sluice-pool
core_pool_sluice_pool_SOURCES = %D%/main.c
core_pool_sluice_pool_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
core_pool_sluice_pool_LDFLAGS = $(PROG_LDFLAGS)
core_pool_sluice_pool_LDADD = %D%/libsl-poolmain.la %D%/libsl-pool.la core/base/libsl-base.la $(EVENT_LIBS)
