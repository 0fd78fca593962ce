# core/dagfile: DAG text and sluice.yaml -> JSON, with errors by line; linked into the worker only.
noinst_LTLIBRARIES += %D%/libsl-dagfile.la
core_dagfile_libsl_dagfile_la_SOURCES = \
	%D%/catalog.c %D%/catalog.h \
	%D%/compile.c %D%/compile.h %D%/compile_int.h \
	%D%/compile_cross.c \
	%D%/compile_expr.c \
	%D%/compile_graph.c \
	%D%/compile_include.c \
	%D%/compile_load.c \
	%D%/compile_option.c \
	%D%/compile_param.c \
	%D%/compile_role.c \
	%D%/compile_step.c \
	%D%/compile_time.c \
	%D%/compile_trigger.c \
	%D%/config.c %D%/config.h \
	%D%/diag.c %D%/diag.h \
	%D%/keys.c %D%/keys.h %D%/keys_table.h \
	%D%/keys_common.c %D%/keys_config.c %D%/keys_dag.c %D%/keys_later.c \
	%D%/schema.c %D%/schema.h \
	%D%/yaml.c %D%/yaml.h
core_dagfile_libsl_dagfile_la_CPPFLAGS = $(AM_CPPFLAGS) $(YAML_CFLAGS)
core_dagfile_libsl_dagfile_la_LIBADD = $(YAML_LIBS)
