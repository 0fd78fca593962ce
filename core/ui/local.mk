# core/ui: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-ui.la
#core_ui_libsl_ui_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
