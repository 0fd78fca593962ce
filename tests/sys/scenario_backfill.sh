#!/bin/bash
# Covers: a backfill of 365 days, four at a time where the DAG would allow twenty: gates hold its runs at known days, so that what
# is open, done and next is exact when it is paused, when the daemon is killed (paused, and at work), resumed, and when another
# one of 366 days is cancelled half way and later made up for. Never more than four are open: sampled all the time, and counted
# afterwards from the times of the runs; while it is paused none starts; in the end each day has one run.
# Does not cover: failing windows, reprocess, subscribers (backfill.sh), order, bounds (test_sched_backfill.c).
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin year
mkdir dags
printf 'deployment: year\nworkers: 8\n' >sluice.yaml
cat >gate <<E2
until [[ \$1 < \$(<$work/upto) ]]; do sleep 0.02; done
E2
cat >dags/daily.yaml <<E2
dag: daily
timezone: UTC
concurrency: {max_runs: 20}
triggers: {night: {cron: "30 2 * * *", covers: {unit: day, offset: -1}}}
steps:
  gate: {task: {plugin: exec, command: [bash, $work/gate, "\${run.key}"]}}
  load: {needs: [gate], task: {plugin: noop}}
  done: {needs: [load], task: {plugin: noop}}
E2
cat >dags/other.yaml <<'E2'
dag: other
steps: {a: {task: {plugin: noop}}}
E2

upto() { # upto DAY: the runs before it may end
	echo "$1" >upto.new
	mv upto.new upto
}
# shellcheck disable=SC2317
stands() { # stands ID FILTER: the backfill is there
	"$sluice" backfill show "$1" -o json | jq -e "$2"
}
# shellcheck disable=SC2317
listed() { # listed: all runs of the DAG, an object a line
	local next='' page
	while page=$("$sluice" runs --dag daily --limit 1000 ${next:+--after "$next"} -o json); do
		jq -c '.runs[]' <<<"$page"
		next=$(jq -r '.next // ""' <<<"$page")
		[ -z "$next" ] && return
	done
	return 1
}
run_count() {
	listed | wc -l
}
# Samples how many are open until it is stopped: the largest number is in .most.
sampler() {
	local most=0 samples=0 n
	while [ ! -e .stop ]; do
		n=$(curl -s -m 5 --unix-socket state/sluice.sock 'http://localhost/v1/runs?dag=daily&state=running' | jq '.runs | length')
		[ "${n:-0}" -gt "$most" ] && most=$n
		samples=$((samples + 1))
		echo "$most $samples" >.most.new
		mv .most.new .most
		sleep 0.03
	done
}
in_time() { # in_time WHAT COMMAND...: at most three minutes
	local what=$1
	shift
	for _ in $(seq 1800); do
		"$@" >/dev/null 2>&1 && break
		sleep 0.1
	done
	until_true "$what" "$@"
}
revive() {
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null
	start
}
count_is() { # count_is N WHAT: after another run from its start to its end, so that what would start has started
	cli 0 run other
	checks=$((checks + 1))
	[ "$(run_count)" = "$1" ] || fail "$(run_count) runs, not $1: $2"
}
each_day_once() { # each_day_once FIRST LAST
	listed | jq -r "select(.key >= \"$1\" and .key <= \"$2\") | .key" | sort >.keys
	local day=$1
	while [[ ! $day > $2 ]]; do
		echo "$day"
		day=$(date -u -d "$day + 1 day" +%F)
	done >.oracle
	checks=$((checks + 1))
	cmp -s .keys .oracle || fail "the days $1 to $2: $(diff .oracle .keys | grep -c '^<') without run, $(uniq -d .keys | wc -l) twice"
}

upto 2025-03-01
start
sampler &
samples=$!
cli 0 backfill daily --from 2025-01-01 --to 2025-12-31 --max-parallel 4 -o json
is '.id == "1" and .total == 365 and .open == 4'
in_time "59 days" stands 1 '.done == 59 and .open == 4'
cli 0 backfill pause 1
count_is 63 "four stand at the gate"
upto 2025-06-01
until_true "the open ones to end" stands 1 '.state == "paused" and .open == 0 and .done == 63 and .next_key == "2025-03-05"'
count_is 63 "a paused backfill starts none"
revive
count_is 63 "nor does it behind a kill"
cli 0 backfill show 1 -o json
is '.state == "paused" and .open == 0 and .done == 63'
cli 0 backfill resume 1
in_time "151 days" stands 1 '.done == 151 and .open == 4'
revive
count_is 155 "four go on behind a kill"
upto 2025-09-01
until_true "a few days more" stands 1 '.done > 155'
revive
upto 9999
in_time "the year" stands 1 '.done == 365'
cli 0 backfill show 1 -o json
is '.state == "succeeded" and .succeeded == 365 and .failed == 0 and .ended_at != null'
each_day_once 2025-01-01 2025-12-31

# ---- another one is cancelled half way ----
upto 2024-07-01
cli 0 backfill daily --from 2024-01-01 --to 2024-12-31 --max-parallel 4 -o json
in_time "182 days" stands 2 '.done == 182 and .open == 4'
cli 0 backfill cancel 2
upto 9999
until_true "its end" stands 2 '.state == "cancelled" and .open == 0 and .ended_at != null'
count_is 551 "a cancelled backfill starts none"
revive
count_is 551 "nor does it behind a kill"
each_day_once 2024-01-01 2024-07-04
cli 0 backfill daily --from 2024-01-01 --to 2024-12-31 --max-parallel 4 -o json
in_time "the rest of it" stands 3 '.ended_at != null'
each_day_once 2024-01-01 2024-12-31
touch .stop
wait "$samples"

listed >.runs
checks=$((checks + 1))
# But for those that the third one ran again: their times are of both.
most=$(jq -s '[.[] | select(.key < "2024-07-01" or .key > "2024-07-04") | {at: .queued_at, by: 1}, {at: .ended_at, by: -1}] | sort_by(.at, .by) |
	reduce .[] as $e ({n: 0, most: 0}; .n += $e.by | .most = ([.n, .most] | max)) | .most' .runs)
[ "$most" = 4 ] || fail "$most were open at the same time by their own times"
checks=$((checks + 1))
read -r seen n <.most
[ "$((seen > 0 && seen <= 4))" = 1 ] || fail "$seen were seen at the same time"
cli 0 pools -o json
is '.pools[0] | .used == 0 and .waiting == 0'
cli 0 shutdown --cancel
daemon=''
cli 0 fsck
echo "$(wc -l <.runs) runs of $(jq -r .key .runs | sort -u | wc -l) days; at most $most open, $seen seen in $n samples"
done_with scenario_backfill
