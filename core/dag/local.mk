# core/dag: plan, expressions, compiled configuration: plain data and rules.
noinst_LTLIBRARIES += %D%/libsl-dag.la
core_dag_libsl_dag_la_SOURCES = \
	%D%/cache.c \
	%D%/conf.c %D%/conf.h \
	%D%/expr.h \
	%D%/params.c \
	%D%/plan.c %D%/plan.h
