#!/bin/bash
# Covers: the slurm plugin against a real Slurm 22.05 of one node (tests/servers/slurm.sh): submit, poll, success with its output in
# the log, exit 3, a command with quotes, environment, cancel that the cluster confirms, the step's timeout, a job that somebody else
# cancels, kill -9 of the daemon, of the pool and of a submission that was not noted, a wrong token, a job that is not offered.
# Does not cover: more than one node, slurmdbd, later versions of the interface, preemption.
# Needs root and the packages of `contrib/setup --servers`; without them it is skipped.
set -u
for tool in jq curl setpriv slurmctld slurmd slurmrestd munged scontrol; do
	command -v "$tool" >/dev/null || { echo "skipped: $tool is missing (contrib/setup --servers)"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: Slurm's daemons need root"; exit 77; }
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin slurm
chmod 755 "$work"
cluster=$work/cluster server=$SLUICE_SRC_DIR/tests/servers/slurm.sh
finish_all() {
	bash "$server" stop "$cluster"
	finish
}
trap finish_all EXIT

# Three ports in a row that nobody listens on; the next three if somebody was quicker.
cluster_port=''
for try in $(seq 20); do
	cluster_port=$((20000 + (RANDOM + try * 211) % 10000))
	bash "$server" start "$cluster" $cluster_port >"$work/.server" 2>&1 && break
	bash "$server" stop "$cluster"
	rm -rf "$cluster"
	cluster_port=''
done
[ -n "$cluster_port" ] || { cat "$work/.server"; die "no Slurm came up"; }
export SLURM_CONF=$cluster/slurm.conf
(umask 077 && bash "$server" token "$cluster" root 7200 >"$work/token" && echo "not.a.token" >"$work/bad")

mkdir dags jobs
cat >sluice.yaml <<-YAML
	deployment: test
	workers: 2
	connections:
	  hpc: {plugin: slurm, url: "http://127.0.0.1:$cluster_port", user: root, token: {file: "$work/token"}}
	  out: {plugin: slurm, url: "http://127.0.0.1:$cluster_port", user: root, token: {file: "$work/bad"}}
	pools: {nodes: 3}
YAML
step_keys='    pools: {nodes: 1}' connection=hpc
# job DAG OPTIONS... : one step `s`; options of the task one a line
job() {
	local dag=$1
	shift
	{
		printf 'dag: %s\nsteps:\n  s:\n%s\n    task:\n      plugin: slurm\n      connection: %s\n      cwd: %s/jobs\n      poll_every: 1s\n' \
			"$dag" "$step_keys" "$connection" "$work"
		printf '      %s\n' "$@"
	} >"dags/$dag.yaml"
}
# shellcheck disable=SC2016 # the job's shell expands them
job good 'script: "echo hello $SLUICE_KEY $MODE; echo run >>runs.good"' 'env: {MODE: full}' 'cpus: 1' 'memory: 16MiB' 'time_limit: 5m'
job quoted "command: [sh, -c, 'printf \"%s|\" \"\$@\" >quoted', x, \"it's\", 'a \$b', '']"
job three 'script: "exit 3"'
job data 'script: "exit 65"'
job long 'script: "echo run >>runs.long; sleep 600"'
job other 'script: "sleep 600"'
job middle 'script: "echo run >>runs.middle; while [ ! -e go.middle ]; do sleep 0.1; done"'
job found 'script: "echo run >>runs.found; while [ ! -e go.found ]; do sleep 0.1; done"'
step_keys='    timeout: 4s' job late 'script: "sleep 600"'
connection=out job refused 'script: "true"'
job nowhere 'script: "true"' 'partition: nonesuch'

cli 0 check
[ "$failures" = 0 ] || die "the files do not compile"
start
launch() { cli 0 trigger "$@" -o json; run_id=$(value '.runs[0]'); [ "$failures" = 0 ] || die "stopped at $1"; }
ended() { # ended RUN: waits for its end; the run in .out
	timeout 90 "$sluice" show "$1" -o json >"$out" 2>&1
	jq -e '.ended_at != null' "$out" >/dev/null 2>&1
}
show_end() {
	until_true "the end of run $1" ended "$1"
	[ "$failures" = 0 ] || die "$(cat "$out")"
}
handle_there() { [ "$("$sluice" show "$1" -o json | jq -r '.steps[0].remote.handle // empty')" != "" ]; }
handle_of() { "$sluice" show "$1" -o json | jq -r '.steps[0].remote.handle'; }
state_there() { [ "$(squeue -h -t all -j "$1" -o %T)" = "$2" ]; }
runs_of() { [ "$(wc -l <"jobs/runs.$1")" = "$2" ]; }
go_on() { # go_on RUN: until its job has been submitted
	until_true "the handle of run $1" handle_there "$1"
	[ "$failures" = 0 ] || die "$("$sluice" logs "$1")"
}

launch good
go_on "$run_id"
show_end "$run_id"
is '.state == "succeeded" and .steps[0].attempt == 1 and .steps[0].remote.polls >= 1 and .steps[0].remote.poll_at == null'
run 0 "$sluice" logs "$run_id"
says "$out" 'submitted: '
says "$out" 'hello'
says "$out" ' full'
launch quoted
show_end "$run_id"
is '.state == "succeeded"'
run 0 cat jobs/quoted
[ "$(cat jobs/quoted)" = "it's|a \$b||" ] || fail "arguments arrived as $(cat jobs/quoted)"
launch three
show_end "$run_id"
is '.state == "failed" and .steps[0].class == "transient" and (.steps[0].message | contains("exit code 3"))'
launch data
show_end "$run_id"
is '.steps[0].class == "data"'
launch nowhere
show_end "$run_id"
is '.steps[0].class == "config" and (.steps[0].message | contains("partition"))'
launch refused
show_end "$run_id"
is '.state == "failed" and (.steps[0].message | contains("token"))'

# Between polls: a slot for nobody, a token for the step; why says where it is.
launch long
long=$run_id
go_on "$long"
job_no=$(handle_of "$long")
until_true "job $job_no runs" state_there "$job_no" RUNNING
cli 0 why "$long"
says "$out" "job $job_no on hpc"
cli 0 cancel "$long"
show_end "$long"
is '.state == "cancelled" and .steps[0].state == "cancelled"'
until_true "job $job_no is CANCELLED" state_there "$job_no" CANCELLED
runs_of long 1 || fail "the job ran $(wc -l <jobs/runs.long) times"

launch other
go_on "$run_id"
run 0 scancel "$(handle_of "$run_id")"
show_end "$run_id"
is '.steps[0].state == "cancelled" and (.steps[0].message | contains("CANCELLED"))'

launch late
go_on "$run_id"
job_no=$(handle_of "$run_id")
show_end "$run_id"
is '.state == "failed" and .steps[0].class == "timeout"'
until_true "job $job_no is CANCELLED" state_there "$job_no" CANCELLED

# The daemon dies, then the pool too; the next ones take the job up.
launch middle
middle=$run_id
go_on "$middle"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
start
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
pool=$(pgrep -f -- "sluice-pool --state $work/state")
for p in $pool; do kill -9 "$p"; done
touch jobs/go.middle
start
show_end "$middle"
is '.state == "succeeded" and .steps[0].attempt == 1'
runs_of middle 1 || fail "the job ran $(wc -l <jobs/runs.middle) times"

# Submitted, and then nobody knows: the store is the one of before. The same key is the same run, the same
# ledger key, the same job.
stop_all() {
	cli 0 shutdown
	wait "$daemon" 2>/dev/null
	daemon=
}
stop_all
cp -a state before
start
launch found --key k
go_on "$run_id"
job_no=$(handle_of "$run_id")
until_true "job $job_no runs" state_there "$job_no" RUNNING
stop_all
rm -rf state
mv before state
start
launch found --key k
go_on "$run_id"
[ "$(handle_of "$run_id")" = "$job_no" ] || fail "job $job_no was not found again, but $(handle_of "$run_id") begun"
touch jobs/go.found
show_end "$run_id"
is '.state == "succeeded"'
runs_of found 1 || fail "the job ran $(wc -l <jobs/runs.found) times"
stop_all
cli 0 fsck
done_with slurm.sh
