# core/base: no event loop, no store.
noinst_LTLIBRARIES += %D%/libsl-base.la
core_base_libsl_base_la_SOURCES = \
	%D%/clock.c %D%/clock.h \
	%D%/crc.c \
	%D%/err.c %D%/err.h \
	%D%/hash.c %D%/hash.h \
	%D%/io.c %D%/io.h \
	%D%/json.c %D%/json.h %D%/json_build.c %D%/json_build.h %D%/json_scan.c %D%/json_scan.h %D%/json_write.c \
	%D%/log.c %D%/log.h \
	%D%/mem.c %D%/mem.h \
	%D%/paths.c %D%/paths.h \
	%D%/release.c %D%/release.h \
	%D%/str.c %D%/str.h %D%/text.c \
	%D%/vec.h
core_base_libsl_base_la_CPPFLAGS = $(AM_CPPFLAGS) $(CJSON_CFLAGS) $(CRYPTO_CFLAGS) \
	-DSL_BINDIR='"$(bindir)"' -DSL_SBINDIR='"$(sbindir)"' \
	-DSL_LIBEXECDIR='"$(sluicelibexecdir)"' -DSL_PLUGINDIR='"$(pkglibdir)"' \
	-DSL_SYSCONFDIR='"$(sluiceconfdir)"' -DSL_LOCALSTATEDIR='"$(localstatedir)"'
core_base_libsl_base_la_LIBADD = $(CJSON_LIBS) $(CRYPTO_LIBS) $(M_LIBS)
