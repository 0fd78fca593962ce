# core/store: LMDB behind struct view, the writer thread, fsck. The only user of lmdb.h.
noinst_LTLIBRARIES += %D%/libsl-store.la
core_store_libsl_store_la_SOURCES = \
	%D%/copy.c %D%/copy.h \
	%D%/crash.c \
	%D%/env.c %D%/env.h \
	%D%/fsck.c \
	%D%/probe.c \
	%D%/quota.c %D%/quota.h \
	%D%/restore.c \
	%D%/store.h \
	%D%/view.c \
	%D%/writer.c
core_store_libsl_store_la_CPPFLAGS = $(AM_CPPFLAGS) $(LMDB_CFLAGS)
core_store_libsl_store_la_LIBADD = $(LMDB_LIBS)
