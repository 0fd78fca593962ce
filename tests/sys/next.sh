#!/bin/bash
# Covers: `sluice next` of an expression and of a DAG (shape, range, notes, errors), and on the real daemon: every instant of a
# trigger has one run, over a pause (catchup) and a kill -9 (60 seconds of grace); keep: none leaves out what a pause hid; why and
# next say so. Does not cover: longer downtimes and set clocks (test_sched_catchup.c, test_sched_reclock.c have them all).
set -u
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin next

expressions() {
	cli 0 next --cron '30 1 * * *' --timezone America/Los_Angeles --from 2026-11-01 --to 2026-11-02T01:30 -o json
	is '. == [{"at": "2026-11-01T01:30:00-07:00", "utc": "2026-11-01T08:30:00.000Z", "note": "clock set back: runs once"},
		{"at": "2026-11-02T01:30:00-08:00", "utc": "2026-11-02T09:30:00.000Z", "note": null}]'
	# --from is exclusive, --to inclusive
	cli 0 next --cron '0 * * * *' --from 2026-11-01T00:00:00Z --to 2026-11-01T02:00:00Z -o json
	is '[.[].utc[11:13]] == ["01", "02"]'
	cli 0 next --cron '30 2 * * *' --timezone America/New_York --gap skip --from 2026-03-07T12:00 --count 1 -o json
	is '.[0].at == "2026-03-09T02:30:00-04:00"'
	cli 0 next --cron '30 1 * * *' --timezone America/New_York --overlap both --from 2026-11-01 --count 2 -o ndjson
	lines 2
	cli 0 next --cron '0 0 29 2 *' --from 2026-01-01 --to 2026-12-31 -o json
	is '. == []'
	cli 0 next --cron '0 0 29 2 *' --from 2026-01-01 --to 2026-12-31
	cli 0 next --cron '* * * * *' --from 2026-01-01 --to 2026-12-31 --count 1
	says "$out" "more: --from 2026-01-01T00:01:00.000Z"
	cli 2 next --cron '0 0 30 2 *'
	says "$err" "never matches"
	cli 2 next --cron '0 0 * *'
	cli 2 next --cron '0 0 * * *' --timezone Mars/Base
	cli 2 next --cron '0 0 * * *' --from soon
	cli 2 next --cron '0 0 * * *' --gap later
	cli 2 next --cron '0 0 * * *' --count 0
	cli 2 next
	cli 4 next some_dag
}

logical() { # logical DAG: the seconds of its runs' logical times, once each run
	cli 0 runs --dag "$1" --limit 1000 -o json
	value '[.runs[].logical_time | .[0:19] + "Z" | fromdate] | sort | .[]' >"$work/.times"
}
# shellcheck disable=SC2317
more_than() { # more_than DAG N: it has more runs
	[ "$("$sluice" runs --dag "$1" --limit 1000 -o json | jq '.runs | length')" -gt "$2" ]
}
# shellcheck disable=SC2317
seconds_passed() { # since it was called first
	[ $(($(date +%s) - since)) -ge "$1" ]
}
# shellcheck disable=SC2317
caught_up() { # caught_up DAG: nothing missed waits or is open
	curl -s -m 5 --unix-socket state/sluice.sock "http://localhost/v1/dags/$1/next" | jq -e 'all(.triggers[]; .missed == null)'
}
count() {
	"$sluice" runs --dag "$1" --limit 1000 -o json | jq '.runs | length'
}
gapless() { # gapless DAG: each second between the first and the last has exactly one run
	logical "$1"
	checks=$((checks + 1))
	awk 'NR > 1 && $1 != was + 1 {print "after " was " comes " $1; bad = 1} {was = $1} END {exit bad}' "$work/.times" ||
		fail "$1 has a gap or a repeat"
}

schedules() {
	for keep in all none; do
		cat >"dags/$keep.yaml" <<-EOF
			dag: $keep
			timezone: Asia/Tokyo
			triggers:
			  beat: {every: {each: 1s}, catchup: {keep: $keep}}
			  day: {cron: "30 2 * * *", covers: {unit: day, offset: -1}, jitter: 10m}
			concurrency: {max_runs: 4}
			steps:
			  a: {task: {plugin: exec, command: ["true"]}}
		EOF
	done
	sed -i 's/keep: all}/keep: all, at_once: 3}/' dags/all.yaml
	start
	until_true "first runs" more_than all 1
	cli 0 next all --count 1000 -o json
	is 'length == 1000 and all(.[]; .trigger == "beat" or .window.end == .utc or .window != null)'
	cli 0 next all --from 2026-11-21 --to 2026-11-21T02:30 --count 1 -o json
	is '.[0].at == "2026-11-21T00:00:01+09:00" and .[0].trigger == "beat"'
	http 200 "/v1/dags/all/next?from=2026-11-21T02:29:59.5&to=2026-11-21T02:30&count=2"
	is '[.instants[].trigger] == ["beat", "day"] and (.instants[1].key == "2026-11-20") and
		.instants[1].start >= .instants[1].utc and .triggers[0].catchup.at_once == 3 and .more == false'
	http 400 "/v1/dags/all/next?count=0"
	http 404 "/v1/dags/nonesuch/next"
	cli 2 next all --gap skip
	cli 5 next nonesuch

	cli 0 pause all
	cli 0 pause none
	logical none
	last=$(tail -n 1 "$work/.times") since=$(date +%s)
	until_true "a while" seconds_passed 4
	cli 0 why all
	says "$out" "made up for (catchup: all)"
	cli 0 next all
	says "$out" "is paused"
	was_all=$(count all) was_none=$(count none)
	cli 0 resume all
	cli 0 resume none
	until_true "what was missed" more_than all $((was_all + 5))
	until_true "what comes" more_than none $((was_none + 1))
	logical none
	checks=$((checks + 1))
	[ "$(awk -v last="$last" '$1 > last {print $1 - last; exit}' "$work/.times")" -ge 4 ] ||
		fail "keep: none ran what the pause hid"

	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null
	since=$(date +%s)
	until_true "a while without daemon" seconds_passed 3
	was_all=$(count_offline)
	start
	until_true "what came meanwhile" more_than all $((was_all + 3))
	until_true "the last of the missed" caught_up all
	cli 0 pause all
	gapless all
}
count_offline() { # of .times, which gapless will read anew
	wc -l <"$work/.times"
}

mkdir dags
printf 'deployment: next\nworkers: 4\n' >sluice.yaml
expressions
schedules
done_with next
