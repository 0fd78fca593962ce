# plugins/notify: in the build tree the module is plugins/.libs/notify.so.
pkglib_LTLIBRARIES += plugins/notify.la
plugins_notify_la_SOURCES = %D%/command.c %D%/endpoint.c %D%/mail.c %D%/message.c %D%/mime.c %D%/notify.h \
	%D%/plugin.c %D%/slack.c %D%/task.c %D%/webhook.c
plugins_notify_la_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
plugins_notify_la_LDFLAGS = $(FLAGS_PLUGIN)
plugins_notify_la_LIBADD = core/kit/libsl-kithttp.la core/kit/libsl-kit.la core/time/libsl-time.la \
	core/base/libsl-base.la $(CURL_LIBS)
EXTRA_DIST += %D%/README.md %D%/notify.conform.json
