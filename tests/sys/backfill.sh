#!/bin/bash
# Covers: a year of days with four in parallel through the real daemon, pool and workers: dry run, pause, kill -9 of the daemon in
# between, resume, a window that fails, the list, why, a second backfill that runs only what failed, reprocess, cancel with open
# runs, subscribers once at the end, refusals; cursors listed, exported, taken back, set, refused while the step runs; the audit
# chain of all this, verified, and found broken once a record is changed; fsck.
# Does not cover: order, bounds, plans that change (tests/unit/test_sched_backfill.c).
set -u
for tool in jq curl; do command -v $tool >/dev/null || exit 77; done
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin backfill

project() {
	mkdir dags
	cat >sluice.yaml <<-'EOF'
		deployment: backfill
		workers: 4
		connections:
		  lake: {plugin: lake, root: lake}
		  dwh: {plugin: sqlite, path: warehouse.db}
	EOF
	cat >dags/daily.yaml <<-EOF
		dag: daily
		timezone: UTC
		concurrency: {max_runs: 4, overlap: skip}
		triggers: {night: {cron: "30 2 * * *", covers: {unit: day, offset: -1}}}
		steps:
		  a: {task: {plugin: exec, shell: "test \${run.key} != 2025-03-05 || test -e $work/mended"}}
		  b: {needs: [a], task: {plugin: exec, command: ["true"]}, publishes: [{dataset: dwh/daily, partition: "day=\${run.key}"}]}
	EOF
	cat >dags/after.yaml <<-'EOF'
		dag: after
		concurrency: {max_runs: 9}
		triggers: {ready: {datasets: {any: [dwh/daily]}}}
		steps: {a: {task: {plugin: exec, command: ["true"]}}}
	EOF
	cat >dags/held.yaml <<-EOF
		dag: held
		timezone: UTC
		concurrency: {max_runs: 4}
		triggers: {hourly: {cron: "0 * * * *"}}
		steps: {a: {grace: 1s, task: {plugin: exec, shell: "while ! test -e $work/go; do sleep 0.1; done"}}}
	EOF
	cat >dags/orders.yaml <<-EOF
		dag: orders
		steps:
		  raw:
		    extract: {connection: dwh, table: shop, cursor: {column: id}}
		    load: {connection: lake, dataset: lake/shop, mode: append, layout: {by: run, unit: day}}
		  held: {needs: [raw], task: {plugin: exec, shell: "while ! test -e $work/go; do sleep 0.1; done"}}
	EOF
	cat >dags/plain.yaml <<-'EOF'
		dag: plain
		steps: {a: {task: {plugin: exec, command: ["true"]}}}
	EOF
}

# shellcheck disable=SC2317 # called by until_true
done_at_least() { # done_at_least ID N
	[ "$("$sluice" backfill show "$1" -o json | jq .done)" -ge "$2" ]
}
has_ended() {
	[ "$("$sluice" backfill show "$1" -o json | jq -r .ended_at)" != null ]
}
# shellcheck disable=SC2317 # called by until_true
is_open() { # is_open ID N
	[ "$("$sluice" backfill show "$1" -o json | jq .open)" = "$2" ]
}
ended() { # ended ID: at most five minutes
	for _ in $(seq 10); do
		has_ended "$1" && return
		until_true_quiet has_ended "$1"
	done
	checks=$((checks + 1))
	has_ended "$1" || die "backfill $1 does not end: $("$sluice" backfill show "$1")"
}
until_true_quiet() {
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
}

year() {
	cli 0 backfill daily --from 2025-01-01 --to 2025-12-31 --dry-run -o json
	is '.dry_run and .make == 365 and .keep == 0 and .whole and (.targets | length == 365)'
	is '.targets[0] == {"key": "2025-01-01", "logical_time": "2025-01-02T02:30:00.000Z", "do": "make", "run": null, "state": null}'
	cli 0 backfill list -o json
	is '.backfills == [] and .next == null'
	cli 0 backfill daily --from 2025-01-01 --to 2025-12-31 --max-parallel 4 -o json
	is '.id == "1" and .state == "running" and .total == 365 and .open == 4 and .order == "oldest" and .downstream == "once"'
	until_true 'thirty days' done_at_least 1 30
	cli 0 backfill pause 1
	until_true 'nothing is open while it pauses' is_open 1 0
	cli 0 backfill show 1 -o json
	is '.state == "paused" and .done < 365 and .next_key != null and .ended_at == null and .open_runs == []'
	local before
	before=$(value .done)
	cli 0 backfill resume 1
	until_true 'it goes on' done_at_least 1 $((before + 20))
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null
	start
	ended 1
	cli 0 backfill show 1 -o json
	is '.state == "failed" and .done == 365 and .succeeded == 364 and .failed == 1 and .next_key == null'
	is '.failed_runs | length == 1 and .[0].key == "2025-03-05"'
	local run
	run=$(value '.failed_runs[0].run')
	cli 0 show "$run" -o json
	is '.trigger.kind == "backfill" and .trigger.name == "night" and .backfill == "1" and .key == "2025-03-05" and .revision == 0'
	cli 0 why "$run" -o json
	is '.reasons | any(.code == "backfill" and (.text | contains("backfill 1 of DAG daily")))'
	cli 0 backfill show 1
	says "$out" '365 of 365 (100 %)'
	says "$out" '2025-03-05'
	cli 0 runs --dag after -o json
	is '.runs | length == 1'
	cli 0 show after -o json
	is '.trigger.partition == null and .trigger.datasets[0].name == "dwh/daily"'
}

again() {
	touch mended
	cli 0 backfill daily --from 2025-03-01 --to 2025-03 --dry-run -o json
	is '.make == 0 and .keep == 30 and .rerun == 1 and (.targets | map(select(.do == "rerun")) | .[0].key == "2025-03-05")'
	cli 0 backfill daily --from 2025-03-01 --to 2025-03 --order newest --max-parallel 2
	ended 2
	cli 0 backfill show 2 -o json
	is '.state == "succeeded" and .existing == 30 and .succeeded == 1'
	cli 0 backfill show 1 -o json
	is '.taken == 1 and .failed == 0'
	cli 0 backfill daily --from 2025-06-29 --to 2025-07-01 --reprocess --downstream none
	ended 3
	cli 0 show daily@2025-06-30 -o json
	is '.revision == 1 and .state == "succeeded"'
	cli 0 runs --dag after -o json
	is '.runs | length == 2'
}

cancelled() {
	cli 0 backfill held --from 2025-01-01 --to 2025-01-31 --max-parallel 4 -o json
	is '.total == 744 and .open == 4'
	http 200 "/v1/backfills/4"
	is '.open_runs | length == 4'
	http 200 "/v1/backfills/4/cancel" -X POST
	is '.state == "cancelled"'
	ended 4
	cli 0 backfill show 4 -o json
	is '.state == "cancelled" and .open == 0 and .cancelled == 4 and .done == 4 and (.message | startswith("cancelled by unix:"))'
	cli 3 backfill resume 4
	cli 0 backfills --state cancelled -o json
	is '.backfills | length == 1 and .[0].id == "4" and (.[0] | has("open_runs") | not)'
	cli 0 backfill list --limit 2 -o json
	is '(.backfills | map(.id)) == ["4", "3"] and (.next | test("^[A-Za-z0-9._~-]+$"))'
	local next
	next=$(value .next)
	cli 0 backfills --after "$next" -o json
	is '(.backfills | map(.id)) == ["2", "1"] and .next == null'
}

refusals() {
	cli 2 backfill plain --from 2025-01-01 --to 2025-01-02
	says "$err" 'has no schedule'
	cli 5 backfill nonesuch --from 2025-01-01 --to 2025-01-02
	cli 2 backfill daily --from 2025-01-01
	cli 2 backfill daily --from 2025-01-03 --to 2025-01-02
	cli 2 backfill daily --from soon --to later
	cli 2 backfill daily --from 2025-01-01 --to 2025-01-02 --order up
	cli 2 backfill daily --from 2025-01-01 --to 2025-01-02 --max-parallel many
	cli 5 backfill show 99
	cli 2 backfill show
	cli 2 backfill stop 1
	http 404 /v1/backfills/x
	http 400 /v1/backfills -H 'Content-Type: application/json' -d '{"dag": "daily"}'
	cli 0 pause daily
	cli 3 backfill daily --from 2025-01-01 --to 2025-01-02
	cli 0 resume daily
}

cursors() {
	cli 0 cursor list -o json
	is '.cursors == [] and .next == null'
	python3 - <<-'EOF' || sqlite3 warehouse.db 'create table shop(id integer primary key, note text); insert into shop values (1, "a"), (2, "b")'
		import sqlite3
		d = sqlite3.connect("warehouse.db")
		d.execute("create table shop(id integer primary key, note text)")
		d.execute("insert into shop values (1, 'a'), (2, 'b')")
		d.commit()
	EOF
	cli 0 trigger orders -o json
	local id
	id=$(value '.runs[0]')
	until_true 'a cursor' "$sluice" cursor show orders raw
	cli 0 cursor show orders raw -o json
	is ".dag == \"orders\" and .step == \"raw\" and .item == null and (.cursor | type == \"object\") and .run == \"$id\""
	cli 0 cursor list
	says "$out" 'orders'
	cli 0 cursor export
	lines 1
	is '(keys == ["complete_through", "cursor", "dag", "item", "step"])'
	cp "$out" exported
	cli 5 cursor show orders nonesuch
	cli 5 cursor set orders nonesuch --cursor '{}'
	cli 2 cursor set orders raw --cursor 7
	cli 2 cursor set orders raw
	until_true 'the second step runs' bash -c "'$sluice' show orders -o json | jq -e '.steps[1].state == \"running\"'"
	cli 3 cursor set orders held --cursor '{"x": 1}'
	says "$err" 'would write its own cursor'
	touch go
	cli 0 cursor set orders raw --cursor '{"none": 1}' -o json
	is '.cursor == {"none": 1} and .run == null'
	run 0 bash -c "'$sluice' cursor set <exported"
	says "$out" '1 cursors set'
	cli 0 cursor export
	run 0 grep -qF "$(head -1 exported)" <("$sluice" cursor export --dag orders)
	rm go
}

audit() {
	cli 0 audit --limit 3 -o json
	is '(.audit | length == 3) and .next != null'
	is '.audit[0] | .verb == "cursor-set" and .object == "cursor:orders/raw" and (.actor | startswith("unix:")) and (.hash | length == 64)'
	is '.audit[0].prev == .audit[1].hash'
	cli 0 audit --limit 1000 -o json
	is '[.audit[].verb] | unique | contains(["apply", "backfill", "backfill-cancel", "backfill-pause", "backfill-resume", "cursor-set", "pause", "resume", "start"])'
	is '.audit | map(select(.verb == "backfill")) | length == 4'
	cli 0 audit --verify
	says "$out" 'the chain is whole'
	cli 0 audit --verify -o json
	is '.ok and .records > 10 and (.head | length == 64)'
	touch "$work/go"
	cli 0 shutdown --cancel
	wait "$daemon" 2>/dev/null
	daemon=''
	run 0 "$sluiced" --fsck
	start
	cli 0 audit --limit 2 -o json
	is '.audit | any(.verb == "shutdown" and .detail == "cancel")'
	cli 0 shutdown
	daemon=''
}

project
cli 0 check
[ "$failures" = 0 ] || die "the DAG files are no good"
start
year
again
cancelled
refusals
cursors
audit
done_with backfill
