# plugins/columns: list the sources explicitly, then take away the comment signs. In the build tree the
# module is plugins/.libs/columns.so.
#pkglib_LTLIBRARIES += plugins/columns.la
#plugins_columns_la_SOURCES = %D%/plugin.c
#plugins_columns_la_LDFLAGS = $(FLAGS_PLUGIN)
#plugins_columns_la_LIBADD = core/kit/libsl-kit.la core/base/libsl-base.la
