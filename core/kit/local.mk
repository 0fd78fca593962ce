# core/kit: what plugin authors link; public headers under core/include/sluice/kit.
noinst_LTLIBRARIES += %D%/libsl-kit.la
core_kit_libsl_kit_la_SOURCES = \
	%D%/buf.c \
	%D%/build.c %D%/build.h \
	%D%/csv.c \
	%D%/csv_write.c \
	%D%/error.c \
	%D%/field.c \
	%D%/file.c \
	%D%/hash.c \
	%D%/ndjson.c \
	%D%/parse.h \
	%D%/period.c \
	%D%/read.c \
	%D%/retry.c \
	%D%/sink.c %D%/sink.h \
	%D%/sink_ledger.c \
	%D%/sink_mode.c \
	%D%/source.c \
	%D%/stream.c \
	%D%/text.c
core_kit_libsl_kit_la_CPPFLAGS = $(AM_CPPFLAGS) $(ZSTD_CFLAGS)
core_kit_libsl_kit_la_LIBADD = $(ZLIB_LIBS) $(ZSTD_LIBS)
# Apart, so that only plugins that speak HTTP load libcurl.
noinst_LTLIBRARIES += %D%/libsl-kithttp.la
core_kit_libsl_kithttp_la_SOURCES = %D%/http.c %D%/http_guard.c
core_kit_libsl_kithttp_la_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
core_kit_libsl_kithttp_la_LIBADD = $(CURL_LIBS)
sluiceincludedir = $(includedir)/sluice
sluiceinclude_HEADERS = core/include/sluice/arrow.h core/include/sluice/plugin.h
kitincludedir = $(includedir)/sluice/kit
kitinclude_HEADERS = \
	core/include/sluice/kit/batch.h \
	core/include/sluice/kit/buf.h \
	core/include/sluice/kit/error.h \
	core/include/sluice/kit/file.h \
	core/include/sluice/kit/hash.h \
	core/include/sluice/kit/http.h \
	core/include/sluice/kit/json.h \
	core/include/sluice/kit/period.h \
	core/include/sluice/kit/plugin.h \
	core/include/sluice/kit/retry.h \
	core/include/sluice/kit/rows.h \
	core/include/sluice/kit/sink.h \
	core/include/sluice/kit/stream.h \
	core/include/sluice/kit/text.h
# For plugin authors: one static archive of position-independent objects, kit and base together.
kitlibdir = $(libdir)
kitlib_DATA = %D%/libsluice-kit.a
%D%/libsluice-kit.a: %D%/libsl-kit.la %D%/libsl-kithttp.la core/time/libsl-time.la core/base/libsl-base.la
	$(AM_V_AR)rm -f $@ && printf 'create %s\naddlib %s\naddlib %s\naddlib %s\naddlib %s\nsave\nend\n' $@ \
		%D%/.libs/libsl-kit.a %D%/.libs/libsl-kithttp.a core/time/.libs/libsl-time.a core/base/.libs/libsl-base.a | $(AR) -M && $(RANLIB) $@
CLEANFILES += %D%/libsluice-kit.a
pkgconfig_DATA += %D%/sluice-plugin.pc
