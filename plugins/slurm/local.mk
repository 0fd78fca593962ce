# plugins/slurm: in the build tree the module is plugins/.libs/slurm.so.
pkglib_LTLIBRARIES += plugins/slurm.la
plugins_slurm_la_SOURCES = %D%/cluster.c %D%/job.c %D%/plugin.c %D%/slurm.h %D%/task.c
plugins_slurm_la_LDFLAGS = $(FLAGS_PLUGIN)
plugins_slurm_la_LIBADD = core/kit/libsl-kithttp.la core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la
EXTRA_DIST += %D%/README.md
