#!/bin/bash
# kill_pool.sh: kill -9 of the pool: nothing goes on unowned.
# Covers the real pool with the tests' worker; the planted bug "leave-dead" must be seen. Not covered: the
# real worker and daemon (tests/sys). SLUICE_TORTURE multiplies the number of rounds.
set -eu
cd "$SLUICE_BUILD_DIR"
rounds=$((10 * ${SLUICE_TORTURE:-1}))
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! tests/torture/kill_pool "$rounds" 2>"$log"; then
	tail -n 20 "$log"
	exit 1
fi
if SLUICE_TEST_POOL=tests/unit/sluice-pool-mutant SLUICE_TEST_MUTANT=leave-dead tests/torture/kill_pool 5 2>/dev/null; then
	echo "the planted bug leave-dead was not seen"
	exit 1
fi
echo "the planted bug leave-dead was seen"
