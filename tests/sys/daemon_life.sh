#!/bin/bash
# Covers: life of sluiced on the real pool and workers: readiness, one daemon per store, kill -9 and adoption, TERM leaves
# steps running, HUP with a good and a bad file, apply after a change, a move and a removal, shutdown in three ways,
# descriptors and environment of a command, --check, --fsck, --once and their exit codes.
# Does not cover: crash points (tests/torture), two users, systemd.
set -u
bin=${SLUICE_BUILD_DIR:?}/core/daemon/sluiced cli=${SLUICE_BUILD_DIR:?}/core/cli/sluice
work=$(mktemp -d /tmp/sluice-life-XXXXXX)
daemon=
finish() {
	[ -n "$daemon" ] && kill -9 "$daemon" 2>/dev/null
	(cd "$work" && timeout 20 "$cli" shutdown --cancel >/dev/null 2>&1)
	rm -rf "$work"
}
trap finish EXIT
fail() {
	echo "FAILED: $*"
	tail -n 20 "$work/log"
	exit 1
}
expect() { # expect CODE COMMAND...: the exit code of a command
	local want=$1 got
	shift
	"$@" >"$work/stdout" 2>"$work/stderr"
	got=$?
	[ "$got" = "$want" ] || fail "$* ended with $got, not $want: $(cat "$work/stdout" "$work/stderr")"
}
get() {
	curl -s --max-time 5 --unix-socket "$work/state/sluice.sock" "http://localhost$1"
}
start() {
	"$bin" -c "$work/sluice.yaml" >>"$work/log" 2>&1 &
	daemon=$!
	for _ in $(seq 400); do
		[ "$(get /readyz)" = ok ] && return
		kill -0 "$daemon" 2>/dev/null || fail "the daemon ended at its start"
		sleep 0.02
	done
	fail "not ready: $(get /readyz)"
}
wait_for() { # wait_for WHAT COMMAND...: until it succeeds, at most 10 s
	local what=$1
	shift
	for _ in $(seq 500); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.02
	done
	fail "waited in vain for: $what"
}
state_is() { # state_is RUN STATE
	get "/v1/runs/$1" | grep -q "\"state\":\"$2\",\"trigger\""
}
stop() { # stop SIGNAL: ends the daemon, whose exit code is returned
	local pid=$daemon
	kill "-$1" "$pid"
	daemon=
	wait "$pid" 2>/dev/null
}
trigger() {
	"$cli" trigger "$1" -o json | sed 's/.*"runs":\["\([^"]*\)".*/\1/'
}

cd "$work" || exit 1
mkdir dags
cat >sluice.yaml <<'EOF'
deployment: life
workers: 4
EOF
cat >dags/slow.yaml <<EOF
dag: slow
concurrency: {max_runs: 10}
steps:
  wait:
    task: {plugin: exec, shell: "echo begin >> $work/out; sleep 1.5; echo end >> $work/out"}
  after:
    needs: [wait]
    task: {plugin: exec, shell: "echo after >> $work/out"}
EOF
cat >dags/look.yaml <<EOF
dag: look
steps:
  look:
    task: {plugin: exec, shell: "ls -l /proc/self/fd > $work/fds; env > $work/env"}
EOF

expect 0 "$bin" -c sluice.yaml --check
expect 5 "$bin" -c sluice.yaml --fsck
expect 2 "$bin" --nonsense
expect 5 "$bin" -c sluice.yaml --restore x
SLUICE_LEAKY=1 start

echo "# one daemon per store"
expect 4 "$bin" -c sluice.yaml
grep -q "pid $daemon" stderr || fail "the other daemon's pid is not named: $(cat stderr)"
expect 4 "$bin" -c sluice.yaml --fsck
[ "$(stat -c %a state)" = 700 ] || fail "state is not private"
[ "$(stat -c %a state/sluice.sock)" = 660 ] || fail "the socket is not 0660"

echo "# what a command gets"
expect 0 "$cli" run look
grep -q 'data.mdb\|lock.mdb\|sluice.lock' fds && fail "a command holds the store: $(cat fds)"
grep -q SLUICE_LEAKY env && fail "the daemon's environment reaches commands"

echo "# kill -9 and adoption"
run=$(trigger slow)
wait_for "the step's begin" test -s out
stop KILL
start
wait_for "the run's end" state_is "$run" succeeded
[ "$(tr '\n' ' ' <out)" = "begin end after " ] || fail "steps ran otherwise than once: $(cat out)"

echo "# TERM leaves what runs"
: >out
run=$(trigger slow)
wait_for "the step's begin" test -s out
stop TERM || fail "TERM ended with $?"
wait_for "the step's end without a daemon" grep -q end out
start
wait_for "the run's end" state_is "$run" succeeded
[ "$(tr '\n' ' ' <out)" = "begin end after " ] || fail "steps ran otherwise than once: $(cat out)"

echo "# files: a broken one keeps its last good plan, a changed one is taken, a vanished one goes"
cp dags/look.yaml look.good
echo "dag: [" >dags/look.yaml
expect 2 "$cli" apply
expect 0 "$cli" run look
sed 's/^dag: look/dag: look\ndescription: changed/' look.good >dags/look.yaml
expect 0 "$cli" plan -o json
grep -q '"change":\["look"\]' stdout || fail "plan does not name the change: $(cat stdout)"
expect 0 "$cli" apply -o json
expect 0 "$cli" plan -o json
grep -q '"change":\[\],"remove":\[\],"same":2' stdout || fail "apply left a change: $(cat stdout)"
sed 's/^dag: look/dag: again/' look.good >dags/again.yaml
touch -d '1 hour ago' dags/again.yaml
expect 0 "$cli" apply
cp dags/again.yaml dags/twice.yaml
expect 2 "$cli" apply -o json
grep -q '"path":"dags/twice.yaml"' stdout || fail "a DAG that stands twice is not refused: $(cat stdout)"
rm dags/again.yaml
expect 0 "$cli" apply -o json
grep -q '"remove":\[\]' stdout || fail "a DAG that moved is taken for a removed one: $(cat stdout)"
expect 0 "$cli" run again
rm dags/twice.yaml
rm dags/look.yaml
kill -HUP "$daemon"
wait_for "the DAG to go" sh -c "! '$cli' run look"
cp look.good dags/look.yaml

echo "# configuration: a bad file keeps the old one"
cp sluice.yaml good.yaml
echo "workers: many" >>sluice.yaml
kill -HUP "$daemon"
wait_for "the refusal in the log" grep -q "the old configuration stays" log
cp good.yaml sluice.yaml
kill -HUP "$daemon"
wait_for "the reload" grep -q "configuration reloaded" log
wait_for "the DAG to come back" "$cli" run look

echo "# shutdown stops the pool too, fsck is clean"
pid=$daemon
daemon=
expect 0 "$cli" shutdown --drain=10s
wait "$pid" || fail "the daemon ended with $?"
wait_for "the pool's end" sh -c "! ls $work/state/pool/*.lock"
expect 0 "$bin" -c sluice.yaml --fsck
expect 0 "$bin" -c sluice.yaml --fsck -o json
grep -q '"ok":true' stdout || fail "fsck: $(cat stdout)"

echo "# shutdown --cancel cancels what runs, a drain that takes too long leaves it"
start
: >out
run=$(trigger slow)
wait_for "the step's begin" test -s out
pid=$daemon
daemon=
expect 0 "$cli" shutdown --cancel
wait "$pid" || fail "the daemon ended with $?"
start
state_is "$run" cancelled || fail "the run is not cancelled: $(get "/v1/runs/$run")"
: >out
run=$(trigger slow)
wait_for "the step's begin" test -s out
pid=$daemon
daemon=
expect 0 "$cli" shutdown --drain=200ms
wait "$pid" || fail "the daemon ended with $?"
start
wait_for "the run's end" state_is "$run" succeeded
[ "$(tr '\n' ' ' <out)" = "begin end after " ] || fail "steps ran otherwise than once: $(cat out)"
pid=$daemon
daemon=
expect 0 "$cli" shutdown --drain
wait "$pid"

echo "# shutdown --cancel without a daemon: what runs is cancelled, the outcome waits for a daemon; an idle pool ends"
start
: >out
run=$(trigger slow)
wait_for "the step's begin" test -s out
drop() { # the daemon dies
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null
	daemon=
}
drop
expect 0 "$cli" shutdown --cancel
grep -q 'no daemon; the pool cancels what runs' stdout || fail "it says: $(cat stdout)"
start
wait_for "the run's end" state_is "$run" failed
[ "$(cat out)" = begin ] || fail "the step was not cancelled: $(cat out)"
idle_pool() { [ "$(find state/pool -name '*.sock' -type s | wc -l)" = 1 ]; }
expect 0 "$cli" run look
wait_for "one pool" idle_pool
drop
expect 0 "$cli" shutdown --cancel
grep -qx 'no daemon; the pool has stopped' stdout || fail "it says: $(cat stdout)"
expect 4 "$cli" shutdown --cancel

echo "# a damaged store"
printf 'XXXX' | dd of=state/data.mdb bs=1 seek=20 conv=notrunc 2>/dev/null
expect 1 "$bin" -c sluice.yaml --fsck

echo "# --once"
rm -rf state
mkdir elsewhere
cd elsewhere || exit 1
cat >one.yaml <<'EOF'
dag: one
params: {word: {type: string, required: true}}
steps:
  say: {task: {plugin: exec, shell: 'echo "it is ${params.word}"; test ${params.word} = good'}}
EOF
expect 0 "$bin" --once one.yaml --param word=good -o json
grep -q '"state":"succeeded"' "$work/stdout" || fail "--once: $(cat "$work/stdout")"
expect 1 "$bin" --once one.yaml --param word=bad
grep -q "it is bad" "$work/stderr" || fail "the failed step's log is not shown: $(cat "$work/stderr")"
expect 2 "$bin" --once one.yaml
printf 'dag: long\nsteps: {s: {task: {plugin: exec, shell: "sleep 60"}}}\n' >long.yaml
"$bin" --once long.yaml >"$work/stdout" 2>"$work/stderr" &
daemon=$!
wait_for "the step of --once" grep -q running "$work/stdout"
stop INT
[ $? = 1 ] || fail "--once after INT did not end with 1"
grep -q cancelled "$work/stdout" || fail "--once after INT: $(cat "$work/stdout" "$work/stderr")"
expect 5 "$bin" --once none.yaml
echo "steps: {a: {}}" >bad.yaml
expect 2 "$bin" --once bad.yaml
grep -q 'bad.yaml:1:' "$work/stderr" || fail "errors have no place: $(cat "$work/stderr")"
echo ok
