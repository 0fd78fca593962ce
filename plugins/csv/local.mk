# plugins/csv: in the build tree the module is plugins/.libs/csv.so.
pkglib_LTLIBRARIES += plugins/csv.la
plugins_csv_la_SOURCES = %D%/plugin.c
plugins_csv_la_LDFLAGS = $(FLAGS_PLUGIN)
plugins_csv_la_LIBADD = core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la
EXTRA_DIST += %D%/README.md %D%/csv.conform.json
