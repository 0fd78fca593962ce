# plugins/sqlite: list the sources explicitly, then take away the comment signs. In the build tree the
# module is plugins/.libs/sqlite.so.
#pkglib_LTLIBRARIES += plugins/sqlite.la
#plugins_sqlite_la_SOURCES = %D%/plugin.c
#plugins_sqlite_la_LDFLAGS = $(FLAGS_PLUGIN)
#plugins_sqlite_la_LIBADD = core/kit/libsl-kit.la core/base/libsl-base.la $(SQLITE_LIBS)
