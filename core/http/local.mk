# core/http: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-http.la
#core_http_libsl_http_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
#core_http_libsl_http_la_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
#core_http_libsl_http_la_LIBADD = $(HTTP_PARSER_LIBS) $(EVENT_LIBS)
