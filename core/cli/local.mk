# core/cli: the sluice command.
noinst_LTLIBRARIES += %D%/libsl-cli.la
core_cli_libsl_cli_la_SOURCES = \
	%D%/args.c %D%/args.h \
	%D%/client.c %D%/client.h \
	%D%/cmd_acts.c %D%/cmd_apply.c %D%/cmd_audit.c %D%/cmd_backfill.c %D%/cmd_backup.c \
	%D%/cmd_check.c %D%/cmd_compact.c %D%/cmd_completion.c %D%/cmd_cursor.c %D%/cmd_datasets.c %D%/cmd_doctor.c \
	%D%/cmd_fsck.c %D%/cmd_hook.c %D%/cmd_init.c %D%/cmd_lists.c %D%/cmd_logs.c %D%/cmd_next.c %D%/cmd_notify.c \
	%D%/cmd_plugin.c %D%/cmd_restore.c %D%/cmd_run.c %D%/cmd_schema.c %D%/cmd_show.c %D%/cmd_shutdown.c \
	%D%/cmd_token.c %D%/cmd_trigger.c %D%/cmd_why.c \
	%D%/cli.h %D%/config.c %D%/exec.c %D%/follow.c %D%/list.c %D%/live.c %D%/local.c \
	%D%/plugin_new.c %D%/plugin_new.h %D%/pool_stop.c %D%/pool_stop.h \
	%D%/request.c %D%/run_body.c %D%/run_body.h %D%/sse.c %D%/sse.h \
	%D%/table.c %D%/text.c %D%/tree.c %D%/visible.c
core_cli_libsl_cli_la_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) \
	-DSL_TEMPLATEDIR='"$(pkgdatadir)/template"' -DSL_PKGCONFIGDIR='"$(libdir)/pkgconfig"'
core_cli_libsl_cli_la_LIBADD = $(CURL_LIBS)

bin_PROGRAMS += %D%/sluice
core_cli_sluice_SOURCES = %D%/main.c
core_cli_sluice_LDFLAGS = $(FLAGS_PROGRAM)
core_cli_sluice_LDADD = %D%/libsl-cli.la core/pool/libsl-pool.la core/time/libsl-time.la \
	core/base/libsl-base.la
