# plugins/lake: in the build tree the module is plugins/.libs/lake.so.
pkglib_LTLIBRARIES += plugins/lake.la
plugins_lake_la_SOURCES = %D%/extract.c %D%/lake.h %D%/load.c %D%/load.h %D%/manifest.c %D%/plugin.c \
	%D%/publish.c %D%/write.c
plugins_lake_la_LDFLAGS = $(FLAGS_PLUGIN)
plugins_lake_la_LIBADD = core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la
EXTRA_DIST += %D%/README.md %D%/lake.conform.json
