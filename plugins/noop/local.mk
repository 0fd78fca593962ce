# plugins/noop: stands on the header alone.
pkglib_LTLIBRARIES += plugins/noop.la
plugins_noop_la_SOURCES = %D%/plugin.c
plugins_noop_la_LDFLAGS = $(FLAGS_PLUGIN)
dist_noinst_DATA += %D%/README.md
