# Unit tests of core/dagfile and of the expression language.
check_PROGRAMS += tests/unit/test_dagfile tests/unit/test_dag_expr
TESTS += tests/unit/test_dagfile tests/unit/test_dag_expr
tests_unit_test_dagfile_SOURCES = \
	tests/unit/dagfile_rig.c tests/unit/dagfile_rig.h \
	tests/unit/test_dagfile_bad.c \
	tests/unit/test_dagfile_catalog.c \
	tests/unit/test_dagfile_include.c \
	tests/unit/test_dagfile_compile.c \
	tests/unit/test_dagfile_config.c \
	tests/unit/test_dagfile_schema.c \
	tests/unit/test_dagfile_yaml.c
tests_unit_test_dagfile_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_dagfile_LDADD = core/dagfile/libsl-dagfile.la core/dag/libsl-dag.la \
	core/time/libsl-time.la core/base/libsl-base.la $(CRITERION_LIBS)
tests_unit_test_dag_expr_SOURCES = tests/unit/test_dag_expr.c
tests_unit_test_dag_expr_CPPFLAGS = $(AM_CPPFLAGS) $(CRITERION_CFLAGS)
tests_unit_test_dag_expr_LDADD = core/dag/libsl-dag.la core/time/libsl-time.la \
	core/base/libsl-base.la $(CRITERION_LIBS)
EXTRA_DIST += tests/data/dagfile/bad.txt tests/data/dagfile/catalog.json \
	tests/data/dagfile/config.json tests/data/dagfile/shop.yaml
