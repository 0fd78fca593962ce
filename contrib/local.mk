# Helpers for people and for the tests; shipped.
EXTRA_DIST += contrib/setup contrib/check .ci/run
EXTRA_DIST += contrib/layers.txt \
	contrib/lint/run contrib/lint/selftest contrib/lint/format contrib/lint/layers \
	contrib/lint/headers contrib/lint/sizes contrib/lint/banned contrib/lint/shell contrib/lint/man
EXTRA_DIST += contrib/quickstart contrib/fresh
