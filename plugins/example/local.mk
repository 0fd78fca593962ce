# plugins/example: in the build tree the module is plugins/.libs/example.so.
pkglib_LTLIBRARIES += plugins/example.la
plugins_example_la_SOURCES = %D%/plugin.c
plugins_example_la_LDFLAGS = $(FLAGS_PLUGIN)
plugins_example_la_LIBADD = core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la
# What `sluice plugin new` copies.
templatedir = $(pkgdatadir)/template
template_DATA = %D%/plugin.c %D%/README.md %D%/example.conform.json
EXTRA_DIST += %D%/README.md %D%/example.conform.json
