# core/http: the HTTP server. Links core/sched, core/store (writer_op_new) and core/base besides.
noinst_LTLIBRARIES += %D%/libsl-http.la
core_http_libsl_http_la_SOURCES = \
	%D%/auth.c %D%/auth.h \
	%D%/call.c %D%/call.h \
	%D%/conn.c \
	%D%/hook.c %D%/hook.h \
	%D%/hook_bearer.c \
	%D%/hook_hmac.c \
	%D%/hook_load.c \
	%D%/hook_none.c \
	%D%/hook_ring.c %D%/hook_ring.h \
	%D%/hook_standard.c \
	%D%/http.h \
	%D%/listen.c \
	%D%/openapi.c \
	%D%/metrics.c %D%/metrics.h \
	%D%/reply.c \
	%D%/request.c \
	%D%/route.c %D%/route.h \
	%D%/route_audit.c \
	%D%/route_backfills.c \
	%D%/route_cursors.c \
	%D%/route_dags.c \
	%D%/route_datasets.c \
	%D%/route_backup.c \
	%D%/route_events.c \
	%D%/route_info.c \
	%D%/route_logs.c \
	%D%/route_notify.c \
	%D%/route_runs.c \
	%D%/route_tokens.c \
	%D%/serve.c \
	%D%/server.c %D%/server.h \
	%D%/stream.c %D%/stream.h \
	%D%/tail.c %D%/tail.h \
	%D%/vet.c %D%/vet.h
core_http_libsl_http_la_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
core_http_libsl_http_la_LIBADD = $(HTTP_PARSER_LIBS) $(EVENT_LIBS) $(M_LIBS)

# The objects of /openapi.json as a C text.
BUILT_SOURCES += %D%/openapi_parts.inc
CLEANFILES += %D%/openapi_parts.inc
EXTRA_DIST += %D%/openapi_parts.json
$(core_http_libsl_http_la_OBJECTS): %D%/openapi_parts.inc
%D%/openapi_parts.inc: %D%/openapi_parts.json
	$(AM_V_GEN)$(MKDIR_P) %D% && { echo 'static const char OPENAPI_PARTS[] ='; \
	sed -e 's/^ *//' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&"/' '$(top_srcdir)/%D%/openapi_parts.json'; \
	echo ';'; } >$@.tmp && mv $@.tmp $@
