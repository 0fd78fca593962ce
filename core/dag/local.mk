# core/dag: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-dag.la
#core_dag_libsl_dag_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
