#!/bin/bash
# Covers: the list of a foreach in a file of its own, beside the DAG and outside of the DAG folder: check, run FILE, plan, apply,
# HUP and the folder watch see its changes; a broken or vanished one leaves the last good plan live, said with its own path, line
# and column; a file that is a list is no DAG.
# Does not cover: what may stand in it (tests/unit/test_dagfile_include.c).
set -u
for tool in jq curl; do command -v $tool >/dev/null || exit 77; done
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin foreach_file
mkdir -p dags/lists elsewhere
old() { touch -d "$((RANDOM % 3000 + 10)) minutes ago" "$@"; } # so that only what is written later counts as changed
printf 'deployment: lists\nworkers: 2\n' >sluice.yaml
cat >dags/each.yaml <<'E'
dag: each
steps:
  a:
    foreach: {in: {file: lists/tables.yaml}, as: t}
    task: {plugin: exec, shell: "true # ${t}"}
E
cat >dags/out.yaml <<'E'
dag: out
steps:
  a:
    foreach: {in: {file: ../elsewhere/tables.json}, as: t, key: "${t.name}"}
    task: {plugin: exec, shell: "true # ${t.size}"}
E
printf -- '- north\n- south\n' >dags/lists/tables.yaml
printf '[{"name": "one", "size": 3}]\n' >elsewhere/tables.json
old dags/*.yaml dags/lists/* elsewhere/*
items() { # items FILTER: keys of the last output's items
	jq -c '[.steps[] | select(.item != null) | .item] | sort' "$out"
}
runs_with() { # runs_with DAG LIST: a new run has these items
	cli 0 run "$1" -o json
	checks=$((checks + 1))
	[ "$(items)" = "$2" ] || fail "items of $1: $(items), not $2"
}

echo "# check and run FILE read it"
cli 0 check
cli 0 check -o json
is '.ok and ([.files[].warnings[]] == [])'
runs_with dags/each.yaml '["north","south"]'
printf -- '- north\n- [\n' >dags/lists/tables.yaml
cli 2 check
says "$out" 'dags/lists/tables.yaml:'
says "$out" 'dags/each.yaml:4:'
cli 2 run dags/each.yaml
printf -- '- north\n- south\n' >dags/lists/tables.yaml
old dags/lists/tables.yaml

echo "# apply: another list is another plan"
start
cli 0 dags -o json
is '[.dags[].dag] == ["each", "out"]'
cli 0 plan -o json
is '.add == [] and .change == [] and .same == 2 and .errors == []'
runs_with each '["north","south"]'
printf -- '- north\n- east\n- west\n' >dags/lists/tables.yaml
cli 0 plan -o json
is '.change == ["each"] and .same == 1'
cli 0 apply -o json
is '.change == ["each"]'
runs_with each '["east","north","west"]'

echo "# a broken list: the last good plan is live, and the fault is named where it is"
printf -- '- north\n- {size: 3}\n' >dags/lists/tables.yaml
cli 2 apply
says "$out" 'dags/lists/tables.yaml:2:3'
cli 0 dags
says "$out" 'each: its last good plan runs; its file does not compile:'
runs_with each '["east","north","west"]'
rm dags/lists/tables.yaml
cli 2 apply
says "$out" 'dags/lists/tables.yaml'
printf '[a, b]\n' >dags/lists/tables.yaml
kill -HUP "$daemon"
# shellcheck disable=SC2317 # called by until_true
mended() { "$sluice" dags -o json | jq -e '.dags[] | select(.dag == "each") | .state == "live"'; }
until_true "the list is taken at HUP" mended
runs_with each '["a","b"]'

echo "# a DAG that becomes a list is gone; so is a list"
printf 'dag: was\nsteps: {a: {task: {plugin: exec, command: ["true"]}}}\n' >dags/was.yaml
cli 0 apply -o json
is '.add == ["was"]'
printf -- '- one\n' >dags/was.yaml
cli 0 apply -o json
is '.remove == ["was"] and .errors == []'
rm dags/was.yaml
cli 0 apply -o json
is '.remove == [] and .errors == []'

echo "# the folder watch, also outside of the folder"
printf 'deployment: lists\nworkers: 2\nwatch: true\n' >sluice.yaml
cli 0 apply
until_true "the watch" grep -q watching .log
printf '[{"name": "one", "size": 3}, {"name": "two", "size": 4}]\n' >elsewhere/tables.json
until_true "the watch sees it" grep -q 'the DAG folder has changed' .log
cli 0 plan -o json
is '.change == [] and .same == 2'
runs_with out '["one","two"]'
cli 0 shutdown
done_with foreach_file
