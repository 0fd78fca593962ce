#!/bin/bash
# small.sh: a few seeds of the simulator on both stores, and three of its planted bugs; the rest: make sim.
# Covered: ticks, events, data sets, runs by hand, limits, overlap, backfills, waits in the queue, retries, crashes of
# daemon, pools and workers, clock steps, restores, work elsewhere, retention, reruns (pinned, latest, by item), items
# that pair.
# Not covered: the daemon's own code around the writer (tests/torture kills that), HTTP, plugins.
set -eu
sim=${SLUICE_BUILD_DIR:?}/tests/sim/sim
echo 1..5
"$sim" --targets 4000 && echo "ok 1 - sim finds nothing" || echo "not ok 1 - sim finds nothing"
"$sim" --lmdb --seeds 1 --from 3 && echo "ok 2 - sim on LMDB finds nothing" || echo "not ok 2 - sim on LMDB finds nothing"
n=3
for mutant in tick-dropped stale-token-accepted ack-before-commit; do
	if "$sim" --mutant "$mutant" --seeds 40 >/dev/null; then
		echo "not ok $n - sim finds $mutant"
	else
		echo "ok $n - sim finds $mutant"
	fi
	n=$((n + 1))
done
