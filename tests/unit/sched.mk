# Unit tests of core/sched: one Criterion program, one source per tested file.
check_PROGRAMS += tests/unit/test_sched
TESTS += tests/unit/test_sched
tests_unit_test_sched_SOURCES = \
	tests/unit/memview.c tests/unit/memview.h \
	tests/unit/sched_rig.c tests/unit/sched_rig.h \
	tests/unit/test_sched_acts.c \
	tests/unit/test_sched_audit.c \
	tests/unit/test_sched_backfill.c \
	tests/unit/test_sched_apply.c \
	tests/unit/test_sched_catchup.c \
	tests/unit/test_sched_cancel.c \
	tests/unit/test_sched_cancel_many.c \
	tests/unit/test_sched_check.c \
	tests/unit/test_sched_event.c \
	tests/unit/test_sched_fire.c \
	tests/unit/test_sched_flow.c \
	tests/unit/test_sched_foreach.c \
	tests/unit/test_sched_key.c \
	tests/unit/test_sched_limits.c \
	tests/unit/test_sched_outbox.c \
	tests/unit/test_sched_mark.c \
	tests/unit/test_sched_match.c \
	tests/unit/test_sched_outcome.c \
	tests/unit/test_sched_overlap.c \
	tests/unit/test_sched_plans.c \
	tests/unit/test_sched_pool.c \
	tests/unit/test_sched_prune.c \
	tests/unit/test_sched_random.c \
	tests/unit/test_sched_reclock.c \
	tests/unit/test_sched_restore.c \
	tests/unit/test_sched_record.c \
	tests/unit/test_sched_remote.c \
	tests/unit/test_sched_rerun.c \
	tests/unit/test_sched_retry.c \
	tests/unit/test_sched_show.c \
	tests/unit/test_sched_start.c \
	tests/unit/test_sched_tick.c \
	tests/unit/test_sched_view.c \
	tests/unit/test_sched_window.c
tests_unit_test_sched_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_sched_LDADD = core/sched/libsl-sched.la core/dag/libsl-dag.la core/time/libsl-time.la \
	core/base/libsl-base.la $(CRITERION_LIBS)
