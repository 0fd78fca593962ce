# core/sched: records and keys, apply, dispatch, why, show: pure, over struct view.
noinst_LTLIBRARIES += %D%/libsl-sched.la
core_sched_libsl_sched_la_SOURCES = \
	%D%/check.h \
	%D%/codec.c %D%/codec.h \
	%D%/key.c %D%/key.h \
	%D%/op.h \
	%D%/record.c %D%/record.h \
	%D%/show.h \
	%D%/table.c %D%/table.h \
	%D%/view.c %D%/view.h \
	%D%/why.h
