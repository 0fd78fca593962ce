# plugins/lake: list the sources explicitly, then take away the comment signs. In the build tree the
# module is plugins/.libs/lake.so.
#pkglib_LTLIBRARIES += plugins/lake.la
#plugins_lake_la_SOURCES = %D%/plugin.c
#plugins_lake_la_LDFLAGS = $(FLAGS_PLUGIN)
#plugins_lake_la_LIBADD = core/kit/libsl-kit.la core/base/libsl-base.la
