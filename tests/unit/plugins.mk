# Unit tests of the plugins through their C tables, by a host in miniature.
check_PROGRAMS += tests/unit/test_plugins
TESTS += tests/unit/test_plugins
tests_unit_test_plugins_SOURCES = \
	tests/unit/leak.h \
	tests/unit/plug_host.c tests/unit/plug_host.h \
	tests/unit/test_plugins_columns.c \
	tests/unit/test_plugins_csv.c \
	tests/unit/test_plugins_exec.c \
	tests/unit/test_plugins_http.c \
	tests/unit/test_plugins_lake.c \
	tests/unit/test_plugins_sqlite.c \
	tests/unit/test_plugins_sqlite_cursor.c
tests_unit_test_plugins_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_plugins_LDADD = core/kit/libsl-kit.la core/time/libsl-time.la core/base/libsl-base.la \
	$(CRITERION_LIBS) $(DL_LIBS) $(SQLITE_LIBS)
