# dags: the examples that are installed and shipped; add each file to dist_noinst_DATA.
