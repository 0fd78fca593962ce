# core/worker: hosts plugins; the only user of dlopen.
noinst_LTLIBRARIES += %D%/libsl-worker.la
core_worker_libsl_worker_la_SOURCES = \
	%D%/arrow.c %D%/arrow.h %D%/arrow_value.c \
	%D%/attempt.c %D%/attempt.h \
	%D%/catalog_build.c \
	%D%/compile.c %D%/compile.h \
	%D%/conform.c %D%/conform.h %D%/conform_builtin.c %D%/conform_exec.c %D%/conform_load.c \
	%D%/conform_open.c %D%/conform_run.c %D%/conform_tables.c \
	%D%/conn.c %D%/conn.h \
	%D%/descend.c %D%/descend.h \
	%D%/describe.c %D%/describe.h \
	%D%/host.c %D%/host.h %D%/host_config.c %D%/host_mark.c %D%/host_rate.c %D%/host_secret.c \
	%D%/job.c %D%/job.h \
	%D%/lane.c %D%/lane.h \
	%D%/load.c %D%/load.h \
	%D%/mode.c %D%/mode.h %D%/mode_compile.c \
	%D%/model.c \
	%D%/pipeline.c %D%/pipeline.h %D%/pipeline_load.c %D%/pipeline_read.c \
	%D%/queue.c %D%/queue.h \
	%D%/remote.c \
	%D%/reject.c %D%/reject.h \
	%D%/report.c \
	%D%/sandbox.c %D%/sandbox.h \
	%D%/secret.c %D%/secret.h \
	%D%/serve.c %D%/serve.h \
	%D%/sources.c \
	%D%/step.c %D%/step.h \
	%D%/stream.c %D%/stream.h \
	%D%/system.c %D%/system.h \
	%D%/table.c %D%/table.h \
	%D%/task.c \
	%D%/workorder.c %D%/workorder.h
core_worker_libsl_worker_la_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
core_worker_libsl_worker_la_LIBADD = $(DL_LIBS) $(SECCOMP_LIBS)

# The program. Plugins are opened RTLD_LOCAL and link the kit themselves.
sluicelibexec_PROGRAMS += %D%/sluice-worker
core_worker_sluice_worker_SOURCES = %D%/main.c
core_worker_sluice_worker_LDFLAGS = $(FLAGS_PROGRAM)
core_worker_sluice_worker_LDADD = %D%/libsl-worker.la core/dagfile/libsl-dagfile.la \
	core/kit/libsl-kit.la core/pool/libsl-pool.la core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la

