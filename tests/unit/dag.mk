# Unit tests of core/dag: one Criterion program, one source per tested file.
check_PROGRAMS += tests/unit/test_dag
TESTS += tests/unit/test_dag
tests_unit_test_dag_SOURCES = \
	tests/unit/test_dag_conf.c \
	tests/unit/test_dag_params.c \
	tests/unit/test_dag_plan.c
tests_unit_test_dag_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_dag_LDADD = core/dag/libsl-dag.la core/time/libsl-time.la core/base/libsl-base.la $(CRITERION_LIBS)
