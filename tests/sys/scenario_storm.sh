#!/bin/bash
# Covers: a storm of requests at a hook by eight connections, every tenth a repeat that may overtake the first; kill -9 of the
# daemon when half is answered, and a start: each id that was acknowledged has one event and one run, a repeat answers 200 with the
# event of the first, no run is lost or doubled, fsck finds nothing. STORM=20000 is the long form (make torture).
# Does not cover: signed hooks (http.sh, test_http_hook*.c), a full store (store tests).
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin storm
mkdir dags
cat >sluice.yaml <<'E2'
deployment: storm
workers: 4
hooks:
  in: {scheme: none, id_header: X-Id}
E2
cat >dags/storm.yaml <<'E2'
dag: storm
triggers:
  hook: {webhook: in, key: "${event.body.n}"}
concurrency: {max_runs: 8}
steps:
  a: {task: {plugin: noop}}
E2
start
: >said
timeout 200 python3 "$SLUICE_SRC_DIR/tests/sys/storm.py" post state/sluice.sock "${STORM:-2000}" acknowledged >said 2>&1 &
client=$!
half=no
for _ in $(seq 4000); do
	grep -q '^half' said && half=yes && break
	kill -0 "$client" 2>/dev/null || break
	sleep 0.02
done
checks=$((checks + 1))
[ "$half" = yes ] || fail "half of the storm was never answered: $(tail -n 3 said)"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
start
wait "$client"
storm=$?
checks=$((checks + 1))
[ "$storm" = 0 ] || fail "the storm"
grep -v '^half' said
checks=$((checks + 1))
timeout 200 python3 "$SLUICE_SRC_DIR/tests/sys/storm.py" check state/sluice.sock acknowledged || fail "what the storm left"
cli 0 shutdown --cancel
daemon=''
cli 0 fsck
done_with scenario_storm
