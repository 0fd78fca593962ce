#!/bin/bash
# Covers: one poison item in a foreach of 1,000: the others finish, the run fails, the failed item alone is run again and the
# run succeeds; tolerate lets the run succeed at once; why, show and logs name the item. A DAG file that is edited and applied
# in the middle of a run: the run ends by its own plan, the next one by the new. 5,000 ready steps are cancelled: at once, and
# nothing of them is left.
# Does not cover: match: item.
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin items
mkdir dags
cat >sluice.yaml <<'E2'
deployment: test
state: state
dags: dags
workers: 4
E2
cat >dags/poison.yaml <<'E2'
dag: poison
steps:
  many:
    foreach: {in: "${range(0, 1000)}", as: n, max_parallel: 4}
    task: {plugin: exec, shell: 'if [ "$SLUICE_ITEM" = 417 ] && [ ! -e cured ]; then echo poisoned; exit 65; fi'}
  after: {needs: [many], task: {plugin: noop}}
E2
cat >dags/tolerant.yaml <<'E2'
dag: tolerant
steps:
  many:
    foreach: {in: "${range(0, 50)}", as: n, tolerate: {items: 1}}
    task: {plugin: exec, shell: 'test "$SLUICE_ITEM" != 17'}
  after: {needs: [many], task: {plugin: noop}}
E2
cat >dags/edited.yaml <<'E2'
dag: edited
steps:
  first: {task: {plugin: exec, shell: "until [ -e go ]; do sleep 0.05; done; echo old"}}
  second: {needs: [first], task: {plugin: exec, shell: "echo old >said"}}
E2
cat >dags/wide.yaml <<'E2'
dag: wide
steps:
  many: {foreach: {in: "${range(0, 5000)}", as: n}, task: {plugin: exec, shell: "sleep 60"}}
E2
sed -i "s#cured#$work/cured#" dags/poison.yaml
sed -i "s#-e go#-e $work/go#; s#>said#>$work/said#" dags/edited.yaml
start

# ---- poison ----
timeout 300 "$sluice" run poison -o json >"$out" 2>"$err"
[ $? = 1 ] || fail "a run with a poisoned item did not fail: $(tail -c 300 "$err")"
is '.state == "failed" and ([.steps[] | select(.name == "many" and .item != null and .state == "succeeded")] | length) == 999'
is '[.steps[] | select(.item != null and .state != "succeeded")] | length == 1 and .[0].item == "417" and .[0].class == "data"'
is '[.steps[] | select(.name == "after")][0].state == "upstream_failed"'
cli 0 logs poison "many[417]"
says "$out" poisoned
cli 0 why poison
says "$out" "is failed"
says "$out" 417
touch cured
cli 0 rerun poison --failed
until_true "the cured run to succeed" bash -c "'$sluice' show poison -o json | jq -e '.state == \"succeeded\"'"
cli 0 show poison -o json
is '[.steps[] | select(.item != null and .attempt > 1)] | length == 1 and .[0].item == "417" and .[0].generation == 1'
is '[.steps[] | select(.name == "after")][0].state == "succeeded"'
timeout 60 "$sluice" run tolerant -o json >"$out" 2>"$err" || fail "tolerate did not let the run succeed"
is '.state == "succeeded" and ([.steps[] | select(.item == "17")][0].state == "failed")'

# ---- a file that is edited in the middle of a run ----
cli 0 trigger edited -o json
until_true "the first step to run" bash -c "'$sluice' show edited -o json | jq -e '.steps[0].state == \"running\"'"
sed -i 's/echo old/echo new/g; s/second:/third:/' dags/edited.yaml
cli 0 apply
touch go
until_true "the edited run to end" bash -c "'$sluice' show edited -o json | jq -e '.state == \"succeeded\"'"
cli 0 show edited -o json
is '[.steps[].name] == ["first", "second"]'
says said old
cli 0 run edited
says said new
cli 0 show edited -o json
is '[.steps[].name] == ["first", "third"]'

# ---- 5,000 ready steps are cancelled ----
cli 0 trigger wide -o json
until_true "four of them to run" bash -c "'$sluice' pools -o json | jq -e '.pools[0].used == 4'"
cli 0 cancel wide
until_true "the run to be cancelled" bash -c "'$sluice' runs --dag wide -o json | jq -e '.runs[0].state == \"cancelled\"'"
cli 0 pools -o json
is '.pools[0] | .used == 0 and .waiting == 0'
cli 0 show wide -o json
is '[.steps[] | select(.item != null and .state == "cancelled")] | length == 5000'
cli 0 run tolerant
cli 0 shutdown --cancel
daemon=''
cli 0 fsck
done_with scenario_items
