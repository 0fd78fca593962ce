# core/kit: list the sources (and headers) explicitly, then take away the comment signs.
#noinst_LTLIBRARIES += %D%/libsl-kit.la
#core_kit_libsl_kit_la_SOURCES = \
#	%D%/FILE.c %D%/FILE.h
#core_kit_libsl_kit_la_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(ZSTD_CFLAGS)
#core_kit_libsl_kit_la_LIBADD = $(CURL_LIBS) $(ZLIB_LIBS) $(ZSTD_LIBS) $(CRYPTO_LIBS)
# For plugin authors: one static archive of position-independent objects, kit and base together.
# Once libsl-kit.la has sources, name both archives here and add it to kitlib_DATA.
#kitlibdir = $(libdir)
#kitlib_DATA = %D%/libsluice-kit.a
#%D%/libsluice-kit.a: %D%/libsl-kit.la core/base/libsl-base.la
#	$(AM_V_AR)rm -f $@ && printf 'create %s\naddlib %s\naddlib %s\nsave\nend\n' $@ \
#		%D%/.libs/libsl-kit.a core/base/.libs/libsl-base.a | $(AR) -M && $(RANLIB) $@
#CLEANFILES += %D%/libsluice-kit.a
pkgconfig_DATA += %D%/sluice-plugin.pc
