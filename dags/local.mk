# dags: the examples that are installed and shipped; add each file to dist_noinst_DATA.
EXTRA_DIST += %D%/quickstart/sluice.yaml %D%/quickstart/cut.py %D%/quickstart/data/strikes.csv \
	%D%/quickstart/dags/ingest.yaml %D%/quickstart/dags/marts.yaml \
	%D%/quickstart/sql/costs.sql %D%/quickstart/sql/days.sql %D%/quickstart/sql/operators.sql
