#!/bin/bash
# Covers: more than a day without a daemon, then a start: what each catchup policy (no catchup, none, latest, all; with within, with
# at_once) makes of the hours that were missed, against the instants as the script counts them; the instant before the downtime,
# which the daemon ran by its own timer or, had it just been killed, within its 60 seconds of grace, is not repeated; a second
# start repeats nothing either. The past is made by past_clock.c, which moves the daemon's clock and its timers.
# Does not cover: set clocks, suspends and longer downtimes (test_sched_catchup.c, test_sched_reclock.c).
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin downtime
past=$SLUICE_BUILD_DIR/tests/sys/.libs/past_clock.so
[ -e "$past" ] || {
	echo "SKIP: $past is not built: make check builds it"
	exit 77
}
mkdir dags
printf 'deployment: downtime\nworkers: 4\n' >sluice.yaml
now=$(date +%s)
# Hourly, half an hour away from now on both sides: neither is the last one fresh nor does one come while the test runs.
minute=$(((now / 60 + 30) % 60))
last=$(((now - minute * 60) / 3600 * 3600 + minute * 60))
hours=26
held=$((last - hours * 3600)) # the instant that the daemon lives to see

dag() { # dag NAME CATCHUP
	cat >"dags/$1.yaml" <<-E2
		dag: $1
		triggers:
		  hourly: {cron: "$minute * * * *"$2}
		concurrency: {max_runs: 20}
		steps:
		  a: {task: {plugin: exec, command: [sleep, "0.05"]}}
	E2
}
dag unsaid ''
dag none ', catchup: {keep: none}'
dag latest ', catchup: {keep: latest}'
dag late ', catchup: {keep: latest, within: 10m}'
dag all ', catchup: {keep: all}'
dag within ', catchup: {keep: all, within: 6h}'
dag three ', catchup: {keep: all, at_once: 3}'
policies='unsaid none latest late all within three'

start_at() { # start_at SECONDS: the daemon, with a clock that shows them now
	export LD_PRELOAD=$past PAST_CLOCK_SECONDS=$(($1 - $(date +%s)))
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
	"$sluiced" >>"$work/.log" 2>&1 &
	daemon=$!
	unset LD_PRELOAD PAST_CLOCK_SECONDS
	until_true "the daemon of the past to be ready" curl -s -f -m 5 --unix-socket state/sluice.sock http://localhost/readyz
}
halt() { # as a machine does that loses its power
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null
	daemon=''
}
# shellcheck disable=SC2317
has() { # has DAG N: so many runs, all of which have ended
	"$sluice" runs --dag "$1" --limit 1000 -o json | jq -e --argjson n "$2" '.runs | length == $n and all(.[]; .state == "succeeded")'
}
times() { # times DAG: seconds of the logical times, oldest first
	"$sluice" runs --dag "$1" --limit 1000 -o json | jq -r '[.runs[].logical_time | .[0:19] + "Z" | fromdate] | sort | .[]'
}
oracle() { # oracle DAG: what the times must be
	local from=$((held + 3600))
	echo "$held"
	case $1 in
	unsaid | none | late) from=$((last + 1)) ;;
	latest) from=$last ;;
	within) from=$((now - 6 * 3600)) ;;
	esac
	for at in $(seq $((held + 3600)) 3600 "$last"); do
		[ "$at" -ge "$from" ] && echo "$at"
	done
}
most_at_once() { # most_at_once DAG: runs that were open at the same time, of those made up for
	"$sluice" runs --dag "$1" --limit 1000 -o json | jq "[.runs[] | select((.logical_time | .[0:19] + \"Z\" | fromdate) > $held) |
		{at: .queued_at, by: 1}, {at: .ended_at, by: -1}] | sort_by(.at, .by) |
		reduce .[] as \$e ({n: 0, most: 0}; .n += \$e.by | .most = ([.n, .most] | max)) | .most"
}
exact() { # the runs of every policy are those of the oracle
	for dag in $policies; do
		times "$dag" >"$work/.times"
		oracle "$dag" >"$work/.oracle"
		checks=$((checks + 1))
		cmp -s "$work/.times" "$work/.oracle" ||
			fail "$dag: $(wc -l <"$work/.times") runs, the oracle has $(wc -l <"$work/.oracle"): $(diff "$work/.times" "$work/.oracle" | head -n 5 | tr '\n' ' ')"
	done
}

start_at $((held - 600))
cli 0 dags -o json
is '.dags | length == 7'
halt
start_at $((held - 1))
for dag in $policies; do
	until_true "the last run of $dag before the downtime" has "$dag" 1
done
halt

start
missed=''
for dag in $policies; do
	n=$(oracle "$dag" | wc -l)
	until_true "what $dag keeps of $hours missed hours" has "$dag" "$n"
	missed="$missed $dag $((n - 1))"
done
exact
for dag in all within; do
	checks=$((checks + 1))
	[ "$(most_at_once "$dag")" = 1 ] || fail "$dag made up for $(most_at_once "$dag") at once"
done
checks=$((checks + 1))
[ "$(most_at_once three)" = 3 ] || fail "at_once: 3 made up for $(most_at_once three) at once"
halt
start
cli 0 next all -o json
http 200 /v1/dags/all/next
is 'all(.triggers[]; .missed == null)'
exact
cli 0 shutdown --cancel
daemon=''
cli 0 fsck
echo "$hours hours missed; run:$missed"
done_with scenario_downtime
