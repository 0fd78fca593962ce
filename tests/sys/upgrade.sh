#!/bin/bash
# Covers: a daemon and a pool of another release take over under load, with steps of seconds under way: no step is lost, none runs
# twice, none is tried again; the older pool gets no new work, finishes what it has and ends; the way back while it still works; steps
# that outlive several upgrades: each time a pool of the daemon's own release takes the new work, four at most, then the newest of
# the older ones goes on taking it and the daemon says so; when they may end, one is left.
# Does not cover: plugins of another release; installing over mapped files (dpkg and make install rename).
set -u
for tool in jq curl; do command -v $tool >/dev/null || exit 77; done
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin upgrade
old=$SLUICE_BUILD_DIR next=$work/next
mkdir -p dags "$next"/core/{cli,daemon,pool,worker}
ln -s "$old/tests/sys/next_sluiced" "$next/core/daemon/sluiced"
ln -s "$old/tests/sys/next_pool" "$next/core/pool/sluice-pool"
ln -s "$old/core/worker/sluice-worker" "$next/core/worker/sluice-worker"
ln -s "$old/core/cli/sluice" "$next/core/cli/sluice"
ln -s "$old/plugins" "$next/plugins"
[ "$("$next/core/daemon/sluiced" --version)" != "$("$sluiced" --version)" ] || die "both are of one release"
printf 'deployment: upgrade\nworkers: 8\n' >sluice.yaml
step() { # step NAME SECONDS NEEDS: appends its begin and end
	# shellcheck disable=SC2016 # ${run.id} is the DAG file's
	printf '  %s: {needs: [%s], retry: {attempts: 3, delay: 1s}, task: {plugin: exec, shell: "echo begin ${run.id} %s >> %s/out; sleep %s; echo end ${run.id} %s >> %s/out"}}\n' \
		"$1" "$3" "$1" "$work" "$2" "$1" "$work"
}
{
	printf 'dag: long\nconcurrency: {max_runs: 20}\nsteps:\n'
	step a 2.5 ''
	step b 1 a
	step c 0.1 b
} >dags/long.yaml
{
	printf 'dag: short\nconcurrency: {max_runs: 50}\nsteps:\n'
	step x 0.2 ''
	step y 0 x
} >dags/short.yaml
serve() { # serve TREE: the daemon of that tree
	sluiced=$1/core/daemon/sluiced SLUICE_BUILD_DIR=$1
	export SLUICE_BUILD_DIR
	start
	cat .log >>.logs
}
leave() {
	kill -TERM "$daemon"
	wait "$daemon" 2>/dev/null
	daemon=''
}
pools() { # the live pools' process numbers
	local lock
	for lock in state/pool/*.lock; do
		sed -n 's/^pid=//p' "$lock"
	done | while read -r pid; do kill -0 "$pid" 2>/dev/null && echo "$pid"; done
}
begun() { grep -c "^begin" out; }
more_than() { [ "$(begun)" -gt "$1" ]; }
fire() { # fire N DAG
	for _ in $(seq "$1"); do cli 0 trigger "$2" -o json; done
}
printf 'dag: hold\nconcurrency: {max_runs: 9}\nsteps:\n  h: {task: {plugin: exec, shell: "while ! test -e %s/release; do sleep 0.1; done"}}\n' "$work" >dags/hold.yaml
: >out
serve "$old"
first=$(pools)
fire 4 long
fire 4 short
until_true "the long steps" more_than 5

echo "# the next release takes over while steps run"
leave
serve "$next"
cli 0 doctor -o json
until_true "a pool of its own" sh -c "[ \$(ls state/pool/*.sock | grep -vc pool.sock) -ge 1 ]"
http 200 /v1/doctor
is '.version | endswith("-next")'
checks=$((checks + 1))
[ "$(pools | wc -l)" -le 2 ] || fail "more than two pools: $(pools)"
grep -q 'it finishes what it has' .log || fail "the older pool was not retired"
kill -0 "$first" || fail "the older pool does not finish what it has"
fire 4 short

echo "# and back, while the first pool still works"
fire 3 long
leave
serve "$old"
fire 4 short
[ "$(pools | wc -l)" -le 3 ] || fail "more than three pools: $(pools)"

echo "# everything once"
all_done() { [ "$("$sluice" runs -o json --limit 100 | jq '[.runs[] | select(.state != "succeeded")] | length')" = 0 ]; }
until_true "the ends of all runs" all_done
only_one() { [ "$(pools | wc -l)" = 1 ] && [ "$(find state/pool -name '*.lock' | wc -l)" = 1 ]; }
until_true "the end of the older pools" only_one
kill -0 "$first" 2>/dev/null && [ "$(pools)" = "$first" ] && fail "the retired pool is the one that is left"
checks=$((checks + 1))
wanted=$((7 * 3 + 12 * 2))
[ "$(sort -u out | wc -l)" = $((2 * wanted)) ] || fail "not all steps ran: $(sort -u out | wc -l) lines, not $((2 * wanted))"
[ "$(wc -l <out)" = $((2 * wanted)) ] || fail "a step ran twice: $(sort out | uniq -d)"
for run in $("$sluice" runs -o json --limit 100 | jq -r '.runs[].id'); do
	cli 0 show "$run" -o json
	is 'all(.steps[]; .attempt == 1 and .state == "succeeded")'
done

echo "# steps that outlive four upgrades"
are() { [ "$(pools | wc -l)" = "$1" ]; }
held() { [ "$("$sluice" show "$1" -o json | jq -r '.steps[0].state')" = running ]; }
for n in 1 2 3 4; do
	cli 0 trigger hold --key "$n" -o json
	until_true "the long step of pool $n" held "hold@$n"
	leave
	if [ $((n % 2)) = 1 ]; then serve "$next"; else serve "$old"; fi
	cli 0 run short -o json
	is '.state == "succeeded"'
	until_true "pools of $n releases and one" are $((n < 4 ? n + 1 : 4))
	checks=$((checks + 1))
	said=$(grep -c 'of another release than this one, and takes work until' .log)
	[ $((said > 0)) = $((n == 4)) ] || fail "the log says so $said times of pool $n"
	http 200 /v1/doctor
	is ".pools_up == 1 and .pools_retired == $((n < 4 ? n : 3))"
	for m in $(seq "$n"); do held "hold@$m" || fail "the step of pool $m does not go on"; done
done
touch release
until_true "the ends of all runs" all_done
until_true "the end of the older pools" only_one
cli 0 run short -o json
cli 0 doctor
for n in 1 2 3 4; do
	cli 0 show "hold@$n" -o json
	is 'all(.steps[]; .attempt == 1 and .state == "succeeded")'
done
cli 0 shutdown
done_with upgrade
