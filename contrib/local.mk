# Helpers for people and for the tests; shipped.
EXTRA_DIST += contrib/setup contrib/check .ci/run
