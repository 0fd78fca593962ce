# Models for spin; `make model` runs tests/model/run, `make check` its small configurations.
TESTS += %D%/small.sh
EXTRA_DIST += %D%/pool.pml %D%/run %D%/small.sh
