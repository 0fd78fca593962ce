#!/bin/bash
# Covers: retention of the real daemon: ended runs with their steps, events, log and reject files go when their time is over;
# what is open stays with all of it; the same key, schedule instant or event id makes no second run after its run is gone;
# numbers go on; metrics and log say what was dropped; fsck is clean; what doctor says of disk and reserve.
# Does not cover: bytes of log files as the limit, links (tests/unit/test_daemon_logsweep.c); versions, joins, plans and DAGs
# (tests/unit/test_sched_prune.c); a full store (store_old.sh).
set -u
here=$(dirname "$0")
# shellcheck source=tests/sys/lib.sh
. "$here/lib.sh"
begin retention
mkdir -p dags
config() { # config TIME: how long everything is kept
	printf 'deployment: test\nworkers: 3\nretention: {runs: %s, events: %s, logs: %s}\nhooks: {in: {scheme: none, id_header: X-Id}}\n' "$1" "$1" "$1" >sluice.yaml
}
dag() { # dag NAME MORE SCRIPT
	printf 'dag: %s\n%s\nsteps:\n  load:\n    task: {plugin: exec, command: [/bin/sh, -c, "%s"]}\n' "$1" "$2" "$3" >"dags/$1.yaml"
}
dag quick "triggers: {in: {webhook: in, key: '\${event.body.k}'}}" "echo ran >>$work/ran; echo said"
dag slow '' "echo waits; while [ ! -e $work/go ]; do sleep 0.05; done"
send() { http "$1" /hooks/in -H "X-Id: $2" -H 'Content-Type: application/json' -d "{\"k\":\"$3\"}"; }
state_is() { "$sluice" show "$1" -o json | jq -e ".state == \"$2\""; }
no_logs() { ! find state/logs -path "*quick*" -name '*.log*' 2>/dev/null | grep -q .; }
only_slow() { "$sluice" runs -o json | jq -e '[.runs[].dag] == ["slow"]'; }
# e1 itself is kept for a week, so that its id is known
no_events() { "$sluice" events -o json | jq -e --arg id "$last" '[.events[].id] | index($id) == null and length == 2'; }

# --- all of it is there while its time lasts
config 1h
start
cli 0 trigger slow --key open
until_true "the open run runs" state_is slow@open running
cli 0 show slow@open -o json
slow=$(value '.id')
cli 0 run quick --key once -o json
is '.state == "succeeded"'
first=$(value '.id') last=$(value '.trigger.events[0]')
send 202 e1 hooked
until_true "the event's run ends" state_is quick@hooked succeeded
cli 0 runs -o json
is '.runs | length == 3'
find state/logs -type f | grep -q . || fail "no log file was written"
cli 0 logs quick@once
says "$out" said
[ "$(wc -l <ran)" = 2 ] || fail "the DAG did not run twice: $(cat ran)"
cli 0 doctor -o json
is '[.checks[] | select(.check == "volume")] | length == 1 and (.[0].text | contains("MiB set aside for the store"))'

# --- its time is over
config 1s
kill -HUP "$daemon"
until_true "ended runs go" only_slow
until_true "their log files go" no_logs
until_true "events go" no_events
cli 5 show "$first"
says "$err" 'dropped by retention'
cli 5 logs "$first"
cli 0 show slow@open -o json
is '.state == "running" and (.steps | length) == 1'
cli 0 logs slow@open
says "$out" waits
http 200 /metrics
grep -q '^sluice_retention_records[a-z_]* [1-9]' "$out" || fail "no metric counts what was dropped"
grep -q 'retention: [0-9]* records dropped' .log || fail "the log does not say what was dropped"

# --- the same cause makes no second run
send 200 e1 hooked
send 202 e2 hooked
cli 3 trigger quick --key once
says "$err" 'retention dropped that run'
cli 0 runs --dag quick -o json
is '.runs | length == 0'
[ "$(wc -l <ran)" = 2 ] || fail "the same cause ran again: $(cat ran)"
config 1h
kill -HUP "$daemon"
cli 0 run quick --key another -o json
is '.state == "succeeded"'
next=$(value '.trigger.events[0]')
[ "$next" -gt "$last" ] || fail "event number $next came again after $last"
cli 0 show "$slow"
: >go
until_true "the open run ends" state_is slow@open succeeded
cli 0 shutdown --drain
daemon=
cli 0 fsck
done_with retention
