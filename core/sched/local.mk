# core/sched: records and keys, apply, dispatch, why, show: pure, over struct view.
noinst_LTLIBRARIES += %D%/libsl-sched.la
core_sched_libsl_sched_la_SOURCES = \
	%D%/admin.c \
	%D%/apply.c \
	%D%/cancel.c \
	%D%/check.h \
	%D%/codec.c \
	%D%/codec.h \
	%D%/dataset.c \
	%D%/dispatch.c \
	%D%/event.c \
	%D%/find.c \
	%D%/fire.c \
	%D%/flow.c \
	%D%/foreach.c \
	%D%/insert.c \
	%D%/key.c \
	%D%/key.h \
	%D%/mark.c \
	%D%/move.c \
	%D%/op.h \
	%D%/outcome.c \
	%D%/pause.c \
	%D%/plans.c \
	%D%/pool.c \
	%D%/record.c \
	%D%/record.h \
	%D%/report.c \
	%D%/report.h \
	%D%/rerun.c \
	%D%/resource.c \
	%D%/retry.c \
	%D%/retry.h \
	%D%/scope.c \
	%D%/scope.h \
	%D%/show.h \
	%D%/start.c \
	%D%/table.c \
	%D%/table.h \
	%D%/tick.c \
	%D%/trigger.c \
	%D%/tx.c \
	%D%/tx.h \
	%D%/view.c \
	%D%/view.h \
	%D%/why.h \
	%D%/window.c
