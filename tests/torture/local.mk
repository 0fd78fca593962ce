# Long kill and fault runs; `make torture` runs tests/torture/run.
EXTRA_DIST += %D%/kill_daemon.py %D%/run
