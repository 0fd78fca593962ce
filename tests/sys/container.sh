#!/bin/bash
# Covers: `sluice-pool --supervise` as process 1 of a process namespace: it starts the daemon, starts it again when it was killed
# while a step goes on, reaps orphans, passes TERM on, lets on_term: drain finish what runs, and ends with code 0. As root also
# with two users: the daemon is who owns the state folder, workers are --run-user and cannot read the store; the daemon killed
# and started again is that user again; a state folder of root or of the workers is refused.
# Does not cover: a container runtime; two users with a newer pool beside the old one.
set -u
command -v jq >/dev/null || exit 77
unshare --pid --fork --mount-proc true 2>/dev/null || exit 77
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin container
mkdir -m 700 state
mkdir dags
printf 'deployment: container\nworkers: 2\non_term: drain\n' >sluice.yaml
cat >dags/d.yaml <<E
dag: d
concurrency: {max_runs: 4}
steps:
  wait: {task: {plugin: exec, shell: "echo begin >> $work/out; (setsid sleep 0.2 &) ; sleep 2; echo end >> $work/out"}}
E
unshare --pid --fork --mount-proc "${SLUICE_BUILD_DIR:?}/core/pool/sluice-pool" --state state --supervise -- -c "$work/sluice.yaml" >.log 2>&1 &
outer=$!
ready() { [ "$(curl -s -m 5 --unix-socket state/sluice.sock http://localhost/readyz)" = ok ]; }
until_true "the daemon" ready
read -r inner <"/proc/$outer/task/$outer/children"
[ -n "$inner" ] || die "process 1 of the namespace is not there"
checks=$((checks + 1))
[ "$(awk '/^NSpid/ {print $3}' "/proc/$inner/status")" = 1 ] || fail "the pool is not process 1"

echo "# the daemon dies: it is started again, the step goes on"
cli 0 trigger d -o json
run=$(value '.runs[0]')
until_true "the step" grep -q begin out
children=()
look() { read -r -a children <"/proc/$inner/task/$inner/children"; }
sluiced_pid() {
	look
	for c in "${children[@]}"; do [ "$(cat "/proc/$c/comm" 2>/dev/null)" = sluiced ] && echo "$c"; done
}
victim=$(sluiced_pid)
kill -9 "$victim"
another() { new=$(sluiced_pid) && [ -n "$new" ] && [ "$new" != "$victim" ]; }
until_true "another daemon" another
until_true "the daemon" ready
ended() { "$sluice" show "$run" -o json | jq -e '.state == "succeeded" and .steps[0].attempt == 1'; }
until_true "the end of the step" ended
no_orphans() {
	look
	for c in "${children[@]}"; do [ "$(awk '/^State/ {print $2}' "/proc/$c/status" 2>/dev/null)" = Z ] && return 1; done
	return 0
}
until_true "the reaping of orphans" no_orphans

echo "# TERM drains"
: >out
cli 0 trigger d -o json
until_true "the step" grep -q begin out
kill -TERM "$inner"
outer_gone() { ! kill -0 "$outer"; }
until_true "the end of process 1" outer_gone
outer_gone 2>/dev/null || {
	kill -9 "$inner"
	die "TERM does not end it"
}
wait "$outer"
code=$?
checks=$((checks + 2))
[ "$code" = 0 ] || fail "process 1 ended with $code"
[ "$(tr '\n' ' ' <out)" = "begin end " ] || fail "what ran was not waited for: $(cat out)"
{ [ "$(id -u)" = 0 ] && id daemon && id nobody; } >/dev/null 2>&1 || done_with container
echo "# two users"
two() { # process 1 of another namespace; sets outer
	unshare --pid --fork --mount-proc "$SLUICE_BUILD_DIR/core/pool/sluice-pool" --state state --run-user nobody --supervise -- -c "$work/sluice.yaml" >.log 2>&1 &
	outer=$!
}
rm -rf "$work/state"
mkdir -m 711 state
chmod 755 "$work"
printf 'deployment: container\nworkers: 2\nrun_user: nobody\non_term: drain\n' >sluice.yaml
cat >dags/d.yaml <<E
dag: d
steps:
  who: {task: {plugin: exec, shell: "id -un; cat $work/state/data.mdb >/dev/null && exit 1; exit 0"}}
E
chmod 755 dags
chmod 644 sluice.yaml dags/d.yaml
for owner in root nobody; do
	chown "$owner" state
	two
	wait "$outer"
	code=$?
	checks=$((checks + 1))
	{ [ "$code" != 0 ] && grep -q chown .log; } || fail "a state folder of $owner is not refused: $(cat .log)"
done
chown daemon:nogroup state
two
until_true "the daemon" ready
read -r inner <"/proc/$outer/task/$outer/children"
first=$(sluiced_pid)
checks=$((checks + 2))
[ "$(stat -c %U "/proc/$first")" = daemon ] || fail "the daemon is user $(stat -c %U "/proc/$first")"
[ "$(stat -c %U state/data.mdb)" = daemon ] || fail "the store belongs to $(stat -c %U state/data.mdb)"
cli 0 run d
cli 0 logs d
says "$out" nobody
kill -9 "$first"
victim=$first
until_true "another daemon" another
until_true "the daemon" ready
checks=$((checks + 1))
[ "$(stat -c %U "/proc/$(sluiced_pid)")" = daemon ] || fail "the second daemon is user $(stat -c %U "/proc/$(sluiced_pid)")"
cli 0 run d
cli 0 doctor
kill -TERM "$inner"
until_true "the end of process 1" outer_gone
wait "$outer"
code=$?
checks=$((checks + 1))
[ "$code" = 0 ] || fail "process 1 ended with $code"
done_with container
