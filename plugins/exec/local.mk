# plugins/exec: list the sources explicitly, then take away the comment signs. In the build tree the
# module is plugins/.libs/exec.so.
#pkglib_LTLIBRARIES += plugins/exec.la
#plugins_exec_la_SOURCES = %D%/plugin.c
#plugins_exec_la_LDFLAGS = $(FLAGS_PLUGIN)
#plugins_exec_la_LIBADD = core/kit/libsl-kit.la core/base/libsl-base.la
