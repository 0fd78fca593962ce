# core/cli: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-cli.la
#core_cli_libsl_cli_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
# The program.
#bin_PROGRAMS += %D%/sluice
#core_cli_sluice_SOURCES = %D%/main.c
#core_cli_sluice_LDFLAGS = $(FLAGS_PROGRAM)
#core_cli_sluice_LDADD = %D%/libsl-cli.la core/dag/libsl-dag.la core/time/libsl-time.la \
#	core/base/libsl-base.la
