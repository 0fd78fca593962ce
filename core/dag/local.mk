# core/dag: plan, expressions, compiled configuration: plain data and rules.
noinst_LTLIBRARIES += %D%/libsl-dag.la
core_dag_libsl_dag_la_SOURCES = \
	%D%/cache.c \
	%D%/conf.c %D%/conf.h \
	%D%/expr.c %D%/expr.h %D%/expr_ast.h %D%/expr_check.c %D%/expr_eval.c %D%/expr_fn.c \
	%D%/expr_parse.c %D%/expr_time.c \
	%D%/params.c \
	%D%/plan.c %D%/plan.h
