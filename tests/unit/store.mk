# Unit tests of core/store: one Criterion program, one source per tested file.
check_PROGRAMS += tests/unit/test_store
TESTS += tests/unit/test_store
tests_unit_test_store_SOURCES = \
	tests/unit/test_store_copy.c \
	tests/unit/test_store_env.c \
	tests/unit/test_store_fsck.c \
	tests/unit/test_store_help.h \
	tests/unit/test_store_probe.c \
	tests/unit/test_store_quota.c \
	tests/unit/test_store_restore.c \
	tests/unit/test_store_view.c \
	tests/unit/test_store_writer.c
tests_unit_test_store_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS) $(LMDB_CFLAGS)
tests_unit_test_store_LDADD = core/store/libsl-store.la core/sched/libsl-sched.la core/dag/libsl-dag.la \
	core/time/libsl-time.la core/base/libsl-base.la $(CRITERION_LIBS)
