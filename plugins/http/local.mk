# plugins/http: in the build tree the module is plugins/.libs/http.so.
pkglib_LTLIBRARIES += plugins/http.la
plugins_http_la_SOURCES = %D%/expect.c %D%/http.h %D%/plugin.c %D%/request.c %D%/site.c %D%/task.c
plugins_http_la_LDFLAGS = $(FLAGS_PLUGIN)
plugins_http_la_LIBADD = core/kit/libsl-kithttp.la core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la
EXTRA_DIST += %D%/README.md %D%/http.conform.json
