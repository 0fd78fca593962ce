#!/bin/bash
# Covers: the wall clock is set while the daemon waits: ahead, past an instant of a schedule, which starts at once and not when
# its old wait is over; back again, and ahead again past the same instant, which is not repeated; while nothing at all is due.
# The clock of the machine is not touched, and a time namespace does not know this clock: past_clock.c is preloaded and moves
# what the daemon reads, and ends its timer as the kernel does (ECANCELED) if that was armed with TFD_TIMER_CANCEL_ON_SET.
# Does not cover: that the kernel keeps that promise; suspends; what becomes of waiting steps (test_sched_reclock.c).
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin clock_set
past=$SLUICE_BUILD_DIR/tests/sys/.libs/past_clock.so
[ -e "$past" ] || {
	echo "SKIP: $past is not built: make check builds it"
	exit 77
}
mkdir dags
printf 'deployment: test\n' >sluice.yaml
set_clock() { # set_clock SECONDS: from the machine's; by rename, so that it is read whole
	echo "$1" >.clock.new
	mv .clock.new .clock
}
times_set() { # times_set N: the daemon has noticed so often
	[ "$(grep -c 'msg="the clock was set"' .log)" -ge "$1" ]
}
set_clock 0

LD_PRELOAD=$past PAST_CLOCK_FILE=$work/.clock "$sluiced" >.log 2>&1 &
daemon=$!
ready() { [ "$(curl -s -m 5 --unix-socket state/sluice.sock http://localhost/readyz)" = ok ]; }
until_true "ready" ready

# Nothing is due.
set_clock 100
until_true "the clock was set while nothing was due" times_set 1
set_clock 0
until_true "the clock was set back" times_set 2

# Half an hour and more from now on both sides.
now=$(date +%s)
minute=$(((now / 60 + 30) % 60))
next=$(((now - minute * 60) / 3600 * 3600 + minute * 60))
[ "$next" -gt "$now" ] || next=$((next + 3600))
printf 'dag: hourly\ntriggers:\n  t: {cron: "%s * * * *"}\nsteps: {a: {task: {plugin: noop}}}\n' "$minute" >dags/hourly.yaml
cli 0 apply
cli 0 next hourly --count 1 -o json
runs() { # runs N: so many have succeeded
	"$sluice" runs -o json | jq -e ".runs | length == $1 and all(.[]; .state == \"succeeded\")"
}
cli 0 runs -o json
is '.runs == []'
set_clock $((next - now + 5))
until_true "the instant that has passed" runs 1
cli 0 runs -o json
is ".runs[0].logical_time == \"$(date -u -d "@$next" +%Y-%m-%dT%H:%M:%S.000Z)\" and .runs[0].trigger.kind == \"cron\""
until_true "its notice" times_set 3
grep -q 'the clock was set ahead by' .log || fail "the log does not say by how much"

# Back, and past the same instant again.
set_clock 0
until_true "the notice of the way back" times_set 4
grep -q 'the clock was set back by' .log || fail "the log does not say that it was set back"
set_clock $((next - now + 7))
until_true "the notice of the second way" times_set 5
# The next instant starts, and is the second run: the first was not repeated.
set_clock $((next + 3600 - now + 5))
until_true "the instant after it" runs 2
cli 0 runs -o json
is '[.runs[].logical_time] | unique | length == 2'

run 0 "$sluice" shutdown
wait "$daemon"
daemon=
run 0 "$sluiced" --fsck
done_with clock_set
