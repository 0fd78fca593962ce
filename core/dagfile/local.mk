# core/dagfile: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-dagfile.la
#core_dagfile_libsl_dagfile_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
#core_dagfile_libsl_dagfile_la_CPPFLAGS = $(AM_CPPFLAGS) $(YAML_CFLAGS)
#core_dagfile_libsl_dagfile_la_LIBADD = $(YAML_LIBS)
