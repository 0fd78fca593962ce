# plugins/exec: in the build tree the module is plugins/.libs/exec.so.
pkglib_LTLIBRARIES += plugins/exec.la
plugins_exec_la_SOURCES = %D%/exec.h %D%/plugin.c %D%/rows.c %D%/spawn.c %D%/spawn.h %D%/task.c
plugins_exec_la_LDFLAGS = $(FLAGS_PLUGIN)
plugins_exec_la_LIBADD = core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la
EXTRA_DIST += %D%/README.md %D%/exec.conform.json
