#!/bin/bash
# Covers: a step that forks into sessions of its own, ignores TERM and hangs is ended by its timeout and by cancel, and nothing
# of it is left; a plugin that crashes, one that leaks until its limit and one that floods its log fail their step alone,
# while another DAG goes on; a log of SLUICE_LOG_MIB (64; 1 GB: 1024) MiB keeps its beginning and its end, is bounded on disk
# and read in pieces.
# Does not cover: a log that is followed while it grows (contract.sh).
# shellcheck disable=SC2317 # functions are called through until_true
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin processes
mark=4837.$$
mib=${SLUICE_LOG_MIB:-64}
mkdir dags
cat >sluice.yaml <<'E2'
deployment: test
state: state
dags: dags
workers: 3
grace: 1s
plugins: [plugins]
connections: {probe: {plugin: probe, path: store}}
E2
cat >stubborn.sh <<E2
trap '' TERM INT HUP
(setsid sh -c "trap '' TERM; sleep $mark & sleep $mark" &)
setsid sh -c "trap '' TERM; sleep $mark" &
echo started
while :; do sleep $mark; done
E2
cat >dags/stubborn.yaml <<E2
dag: stubborn
steps:
  timed: {timeout: 1s, grace: 1s, task: {plugin: exec, command: [bash, $work/stubborn.sh]}}
  cancelled: {needs: [timed], when: all_done, grace: 1s, task: {plugin: exec, command: [bash, $work/stubborn.sh]}}
E2
cat >dags/faulty.yaml <<'E2'
dag: faulty
steps:
  crash: {retry: {attempts: 1}, on_lost: fail, task: {connection: probe, do: crash}}
  flood: {needs: [crash], when: all_done, task: {connection: probe, do: flood}}
  leak:
    needs: [flood]
    foreach: {in: "${range(40)}", max_parallel: 1}
    task: {connection: probe, do: leak}
E2
cat >dags/calm.yaml <<'E2'
dag: calm
steps:
  one: {task: {plugin: noop}}
  two: {needs: [one], task: {plugin: exec, shell: "true"}}
E2
cat >dags/talk.yaml <<E2
dag: talk
steps:
  talk:
    task: {plugin: exec, shell: "echo the beginning; yes 012345678901234567890123456789 | head -c ${mib}M; echo; echo the end"}
E2
mkdir -m 0755 plugins
cp "$SLUICE_BUILD_DIR/tests/unit/.libs/probe.so" plugins/
start
left() { # processes of the stubborn step
	for f in /proc/[0-9]*/cmdline; do
		if tr '\0' ' ' <"$f" 2>/dev/null | grep -q "^sleep $mark"; then echo "$f"; fi
	done
}
none_left() { [ -z "$(left)" ]; }
in_state() { # in_state DAG FILTER
	"$sluice" show "$1" -o json | jq -e "$2"
}

# ---- forks, ignores TERM, hangs ----
cli 0 trigger stubborn -o json
until_true "the timeout to end the first step" in_state stubborn '.steps[0].state == "failed" and .steps[0].class == "timeout"'
until_true "the second step to run" in_state stubborn '.steps[1].state == "running"'
until_true "its children to be there" bash -c "[ \$(pgrep -fc 'sleep $mark') -ge 3 ]"
cli 0 run calm
cli 0 cancel stubborn
until_true "the run to be cancelled" in_state stubborn '.state == "cancelled" or .state == "failed"'
cli 0 show stubborn -o json
is '.steps[1].state == "cancelled"'
until_true "nothing of it to be left" none_left

# ---- crashes, floods, leaks ----
timeout 120 "$sluice" run faulty -o json >"$out" 2>"$err"
is '.state == "failed" and .steps[0].state == "failed" and .steps[0].class == "lost"'
is '[.steps[] | select(.name == "flood")][0].state == "succeeded"'
is '[.steps[] | select(.name == "leak" and .item != null and .state == "succeeded")] | length == 40'
cli 0 logs faulty flood
says "$out" "the last line"
[ "$(wc -c <"$out")" -lt $((10 << 20)) ] || fail "the flooded log has $(wc -c <"$out") bytes"
checks=$((checks + 1))
big=0
for pid in $(pgrep -f "sluice-worker.*$work" || true); do
	rss=$(awk '/RssAnon/ {print $2}' "/proc/$pid/status" 2>/dev/null || echo 0)
	[ "${rss:-0}" -gt "$big" ] && big=$rss
done
[ "$big" -lt $((800 << 10)) ] || fail "a worker that leaks was kept until it held $big kB"
says .log "a new one takes its place"
cli 0 run calm

# ---- a large log ----
cli 0 run talk
disk=$(du -sm state/logs/talk | cut -f1)
checks=$((checks + 1))
[ "$disk" -le 10 ] || fail "a log of $mib MiB takes $disk MiB on the disk"
cli 0 logs talk talk
head -n 1 "$out" | grep -q "the beginning" || fail "the log lost its beginning"
tail -n 1 "$out" | grep -q "the end" || fail "the log lost its end"
cli 0 shutdown --cancel
daemon=''
cli 0 fsck
done_with scenario_processes
