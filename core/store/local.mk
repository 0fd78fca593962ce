# core/store: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-store.la
#core_store_libsl_store_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
#core_store_libsl_store_la_CPPFLAGS = $(AM_CPPFLAGS) $(LMDB_CFLAGS)
#core_store_libsl_store_la_LIBADD = $(LMDB_LIBS)
