# The simulator: `make sim` runs tests/sim/run; `make check` a few seeds and mutants. Planted bugs inside the scheduler
# are put in by the linker (--wrap), in this program alone: see mutant.c.
check_PROGRAMS += %D%/sim
TESTS += %D%/small.sh
EXTRA_DIST += %D%/run %D%/small.sh
tests_sim_sim_SOURCES = \
	tests/unit/memview.c tests/unit/memview.h \
	%D%/bed.c \
	%D%/daemon.c \
	%D%/effect.c \
	%D%/fault.c \
	%D%/loop.c \
	%D%/main.c \
	%D%/mirror.c \
	%D%/mirror_step.c \
	%D%/model.c \
	%D%/model_backfill.c \
	%D%/model_overlap.c \
	%D%/model_rerun.c \
	%D%/model_start.c \
	%D%/model_wait.c \
	%D%/mutant.c \
	%D%/mutant_fill.c \
	%D%/mutant_more.c \
	%D%/person.c \
	%D%/person_fill.c \
	%D%/pool.c \
	%D%/prune.c \
	%D%/remote.c \
	%D%/restore.c \
	%D%/sim.h \
	%D%/spec.c \
	%D%/worker.c
tests_sim_sim_CPPFLAGS = $(AM_CPPFLAGS) $(LMDB_CFLAGS)
tests_sim_sim_LDFLAGS = $(FLAGS_PROGRAM) \
	-Wl,--wrap=foreach_end -Wl,--wrap=match_count -Wl,--wrap=once_keep -Wl,--wrap=once_tell -Wl,--wrap=op_rerun \
	-Wl,--wrap=op_prune -Wl,--wrap=run_tomb_put \
	-Wl,--wrap=attempt_lost -Wl,--wrap=remote_lost -Wl,--wrap=remote_outcome -Wl,--wrap=remote_stop \
	-Wl,--wrap=backfill_run_moved -Wl,--wrap=op_backfill -Wl,--wrap=op_backfill_state -Wl,--wrap=show_backfill_plan \
	-Wl,--wrap=target_judge -Wl,--wrap=target_next \
	-Wl,--wrap=late_arm -Wl,--wrap=overlap_make_room -Wl,--wrap=overlap_skips -Wl,--wrap=run_timers \
	-Wl,--wrap=catchup_due -Wl,--wrap=catchup_judge -Wl,--wrap=cron_next -Wl,--wrap=dag_is_paused -Wl,--wrap=dataset_fire -Wl,--wrap=due_add -Wl,--wrap=op_due \
	-Wl,--wrap=op_outcome -Wl,--wrap=op_pool_up -Wl,--wrap=op_unlease -Wl,--wrap=reclock_work -Wl,--wrap=resource_fits -Wl,--wrap=retry_decide \
	-Wl,--wrap=run_insert -Wl,--wrap=run_cancel -Wl,--wrap=schedule_load -Wl,--wrap=sched_restore -Wl,--wrap=slots_change
tests_sim_sim_LDADD = core/store/libsl-store.la core/sched/libsl-sched.la core/dag/libsl-dag.la core/time/libsl-time.la \
	core/base/libsl-base.la
