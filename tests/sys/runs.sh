#!/bin/bash
# Covers: what people do to runs, on the real daemon, pool and workers: overlap skip and latest, queue_timeout, items that
# pair and their rerun, rerun with the latest plan, mark that opens a run again, cancel whose grace is long and cancel
# --hard. Does not cover: overlap of ticks and data sets, cancel of thousands (tests/unit/test_sched_*.c).
set -u
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin runs
printf 'deployment: test\nworkers: 4\n' >sluice.yaml
mkdir dags
cat >dags/skip.yaml <<'YAML'
dag: skip
concurrency: {overlap: skip}
steps:
  a: {task: {plugin: exec, shell: "while [ ! -e PLACE/go ]; do sleep 0.02; done"}}
YAML
sed 's/dag: skip/dag: latest/; s/overlap: skip/overlap: latest/' dags/skip.yaml >dags/latest.yaml
sed 's/dag: skip/dag: queue\nqueue_timeout: 1s/; s/overlap: skip/overlap: queue/' dags/skip.yaml >dags/queue.yaml
cat >dags/stubborn.yaml <<'YAML'
dag: stubborn
steps:
  a: {grace: 10m, task: {plugin: exec, shell: "trap '' TERM; echo begun; while :; do sleep 0.1; done"}}
YAML
cat >dags/pairs.yaml <<'YAML'
dag: pairs
steps:
  p:
    foreach: {in: [x, y]}
    task: {plugin: exec, shell: "[ $SLUICE_ITEM = x ] || [ -e PLACE/mended ]"}
  c:
    needs: [{step: p, match: item}]
    foreach: {in: [x, y]}
    task: {plugin: exec, command: ["true"]}
  z: {needs: [c], task: {plugin: exec, command: ["true"]}}
YAML
sed -i "s#PLACE#$work#" dags/*.yaml
start
ended() { # ended RUN STATE
	until_true "$1 to be $2" sh -c "'$sluice' show '$1' -o json | jq -e '.state == \"$2\"'"
}
id_of() { # the run that was just triggered
	value '.runs[0]'
}

cli 0 trigger skip -o json
first=$(id_of)
cli 3 trigger skip
says "$err" "$first"
cli 0 trigger latest -o json
cli 0 trigger latest -o json
second=$(id_of)
cli 0 trigger latest -o json
third=$(id_of)
ended "$second" cancelled
cli 0 why "$second"
says "$out" "$third"
cli 0 trigger queue -o json
cli 0 trigger queue -o json
second=$(id_of)
ended "$second" cancelled
cli 0 why "$second"
says "$out" queue_timeout
touch go
ended "$first" succeeded
ended "$third" succeeded

cli 0 trigger pairs -o json
id=$(id_of)
ended "$id" failed
cli 0 show "$id" -o json
is '[.steps[] | select(.name == "c" and .item != null) | .state] == ["succeeded", "upstream_failed"]'
cli 0 why "$id" 'c[y]'
says "$out" 'p[y] failed'
touch mended
cli 0 rerun "$id"
ended "$id" succeeded
cli 0 show "$id" -o json
is '[.steps[] | select(.name == "c" and .item != null) | .generation] == [0, 1]'
rm mended
cli 0 trigger pairs -o json
id=$(id_of)
ended "$id" failed
cli 0 mark "$id" 'p[y]' --state skipped
cli 0 mark "$id" c --state succeeded
ended "$id" succeeded
cli 0 show "$id" -o json
is '.steps[] | select(.name == "z") | .state == "succeeded" and .attempt == 1'
printf '  more: {needs: [z], task: {plugin: exec, command: ["true"]}}\n' >>dags/pairs.yaml
cli 0 apply
cli 0 rerun "$id" --step z --plan latest --downstream none
ended "$id" succeeded
cli 0 show "$id" -o json
is '.reopened == 1 and .downstream == "none" and ([.steps[] | select(.name == "more")] | .[0].state == "succeeded")'
cli 2 rerun "$id" --plan oldest

cli 0 trigger stubborn -o json
id=$(id_of)
until_true "the stubborn step" sh -c "'$sluice' logs '$id' | grep -q begun"
cli 0 cancel "$id"
cli 0 show "$id" -o json
is '.state == "running" and .cancelling'
cli 3 mark "$id" a --state succeeded
cli 0 cancel "$id" --hard
ended "$id" cancelled
cli 3 cancel "$id" --hard
cli 2 cancel --dag stubborn --all
kill -TERM "$daemon" && wait "$daemon"
daemon=''
run 0 "$sluiced" --fsck
done_with runs
