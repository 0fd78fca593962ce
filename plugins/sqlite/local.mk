# plugins/sqlite: in the build tree the module is plugins/.libs/sqlite.so.
pkglib_LTLIBRARIES += plugins/sqlite.la
plugins_sqlite_la_SOURCES = %D%/db.c %D%/extract.c %D%/load.c %D%/plugin.c %D%/query.c %D%/sqlite.h \
	%D%/task.c %D%/type.c %D%/warehouse.c
plugins_sqlite_la_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
plugins_sqlite_la_LDFLAGS = $(FLAGS_PLUGIN)
plugins_sqlite_la_LIBADD = core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la $(SQLITE_LIBS)
EXTRA_DIST += %D%/README.md %D%/sqlite.conform.json
