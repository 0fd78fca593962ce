# plugins/csv: list the sources explicitly, then take away the comment signs. In the build tree the
# module is plugins/.libs/csv.so.
#pkglib_LTLIBRARIES += plugins/csv.la
#plugins_csv_la_SOURCES = %D%/plugin.c
#plugins_csv_la_LDFLAGS = $(FLAGS_PLUGIN)
#plugins_csv_la_LIBADD = core/kit/libsl-kit.la core/base/libsl-base.la
