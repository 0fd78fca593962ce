#!/bin/bash
# Covers: `cancel --dag` of 3,000 queued runs and two running ones: answered at once with their number; kill -9 of the daemon right
# behind the answer, while most still queue (proven by when they ended); the next daemon goes on by itself: all of them end
# cancelled and none starts, what was made behind the order runs and ends well, another DAG too; `cancel --all`; fsck finds nothing.
# Does not cover: how much a transaction does, what is opened again meanwhile, a clock that is set (test_sched_cancel_many.c).
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin cancel_many
mkdir dags
printf 'deployment: cancel\nworkers: 4\n' >sluice.yaml
{
	printf 'dag: many\nconcurrency: {max_runs: 2}\nsteps:\n  s0:\n    task: {plugin: exec, command: [/bin/sh, -c, "test -e %s/go || sleep 600"]}\n' "$work"
	# steps make it slow enough to be met in the middle
	for i in $(seq 19); do
		printf '  s%d: {needs: [s%d], task: {plugin: noop}}\n' "$i" $((i - 1))
	done
} >dags/many.yaml
printf 'dag: other\nsteps:\n  a: {task: {plugin: noop}}\n' >dags/other.yaml
cat >order.py <<'EOF2'
"""fill N: starts N runs of many. order PID: cancels them, makes one more run behind the order, kills the daemon."""
import http.client, json, os, signal, socket, sys


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("state/sluice.sock")


def post(c, path, body):
    c.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    r = c.getresponse()
    return r.status, json.loads(r.read())


c = Unix("localhost", timeout=60)
if sys.argv[1] == "fill":
    for i in range(int(sys.argv[2])):
        status, answer = post(c, "/v1/dags/many/runs", {"key": str(i)})
        assert status == 201, answer
else:
    status, answer = post(c, "/v1/cancel", {"dag": "many"})
    assert (status, answer) == (200, {"ok": True, "count": 3002}), answer
    status, answer = post(c, "/v1/dags/many/runs", {"key": "later"})
    assert status == 201, answer
    os.kill(int(sys.argv[2]), signal.SIGKILL)
EOF2
in_state() { # in_state STATE N [FILTER]: so many runs of `many` (for which jq says true)
	local n=0 after=''
	while :; do
		timeout 60 "$sluice" runs --dag many --state "$1" --limit 1000 ${after:+--after "$after"} -o json >.page || return 1
		n=$((n + $(jq "[.runs[] | select(${3:-true})] | length" .page)))
		after=$(jq -r '.next // ""' .page)
		[ -n "$after" ] || break
	done
	[ "$n" = "$2" ] || { echo "$n runs are $1, not $2" >"$err"; return 1; }
}

start
run 0 timeout 200 python3 order.py fill 3002
until_true "two run" in_state running 2
in_state queued 3000 || fail "$(cat "$err")"
run 0 python3 order.py order "$daemon"
wait "$daemon" 2>/dev/null
cli 0 fsck
killed=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
touch go
start
until_true "the rest is cancelled" in_state cancelled 3002
until_true "the run behind the order ends well" in_state succeeded 1
cli 0 show many@later -o json
is '.state == "succeeded"'
cli 0 show many@2999 -o json
is '.state == "cancelled" and .message == "cancelled by unix:'"$(id -u)"'" and .started_at == null and ([.steps[] | select(.state == "cancelled")] | length == 20)'
cli 0 run other
cli 0 audit -o json
is '[(.audit // .records)[] | select(.verb == "cancel")] | length == 1 and (.[0].detail | contains("3002 runs"))'
# that it was in the middle
in_state cancelled 0 ".ended_at > \"$killed\""
n=$(sed 's/ .*//' "$err")
checks=$((checks + 1))
[ "${n:-0}" -gt 500 ] || fail "the daemon was not killed in the middle: $n runs ended afterwards"

# --- the commands, as a person sees them
cli 0 cancel --dag many
says "$out" "no run"
cli 0 trigger other
cli 0 cancel --all
cli 5 cancel --dag nowhere
cli 0 shutdown --cancel
daemon=''
cli 0 fsck
done_with cancel_many
