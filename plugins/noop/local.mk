# plugins/noop: list the sources explicitly, then take away the comment signs. In the build tree the
# module is plugins/.libs/noop.so.
#pkglib_LTLIBRARIES += plugins/noop.la
#plugins_noop_la_SOURCES = %D%/plugin.c
#plugins_noop_la_LDFLAGS = $(FLAGS_PLUGIN)
#plugins_noop_la_LIBADD = core/kit/libsl-kit.la core/base/libsl-base.la
