# Long kill and fault runs; `make torture` runs tests/torture/run.
