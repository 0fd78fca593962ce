# plugins/columns: in the build tree the module is plugins/.libs/columns.so.
pkglib_LTLIBRARIES += plugins/columns.la
plugins_columns_la_SOURCES = %D%/apply.c %D%/columns.h %D%/plan.c %D%/plugin.c
plugins_columns_la_LDFLAGS = $(FLAGS_PLUGIN)
plugins_columns_la_LIBADD = core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la
EXTRA_DIST += %D%/README.md %D%/columns.conform.json
