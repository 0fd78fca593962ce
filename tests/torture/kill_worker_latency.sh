#!/bin/bash
# kill_worker_latency.sh: kill -9 of a worker: the outcome comes soon, and after its strays are dead.
# Covers the real pool with the tests' worker; the planted bug "strays-live" must be seen. Not covered: the
# real worker and daemon (tests/sys). SLUICE_TORTURE multiplies the number of rounds.
set -eu
cd "$SLUICE_BUILD_DIR"
rounds=$((100 * ${SLUICE_TORTURE:-1}))
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! tests/torture/kill_worker_latency "$rounds" 2>"$log"; then
	tail -n 20 "$log"
	exit 1
fi
if SLUICE_TEST_POOL=tests/unit/sluice-pool-mutant SLUICE_TEST_MUTANT=strays-live tests/torture/kill_worker_latency 5 2>/dev/null; then
	echo "the planted bug strays-live was not seen"
	exit 1
fi
echo "the planted bug strays-live was seen"
