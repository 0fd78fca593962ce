# core/dagfile: DAG text and sluice.yaml -> JSON, with errors by line; linked into the worker only.
noinst_LTLIBRARIES += %D%/libsl-dagfile.la
core_dagfile_libsl_dagfile_la_SOURCES = \
	%D%/catalog.h \
	%D%/diag.c %D%/diag.h \
	%D%/yaml.c %D%/yaml.h
core_dagfile_libsl_dagfile_la_CPPFLAGS = $(AM_CPPFLAGS) $(YAML_CFLAGS)
core_dagfile_libsl_dagfile_la_LIBADD = $(YAML_LIBS)
