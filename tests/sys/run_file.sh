#!/bin/bash
# Covers: `sluice run FILE` without daemon and sluice.yaml: plain lines and the log of what failed, one JSON object, the
# stream of objects, and on a terminal (of util-linux's script) the live tree with the log above it; exit codes. What is told of
# a row that cannot be used.
# Does not cover: progress of pipelines on the tree.
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin run-file
cat >good.yaml <<'E2'
dag: good
steps:
  one: {task: {plugin: exec, shell: "echo first"}}
  many: {needs: [one], foreach: {in: [a, b]}, task: {plugin: exec, shell: "true"}}
E2
cat >bad.yaml <<'E2'
dag: bad
steps:
  one: {task: {plugin: exec, shell: "true"}}
  two: {needs: [one], task: {plugin: exec, shell: "echo the cause; exit 3"}}
E2
cli 0 run ./good.yaml
says "$out" "many[b]  succeeded"
says "$out" "run of good  succeeded"
says "$err" "--- log of one, attempt 1"
says "$err" "first"
cli 1 run ./bad.yaml
says "$out" "two  failed"
says "$err" "the cause"
cli 1 run ./bad.yaml -o json
lines 1
is '.state == "failed" and (.steps | length) == 2'
cli 1 run ./bad.yaml -o ndjson
says "$out" '{"log":{"name":"two","attempt":1,"text":"the cause'
tail -n 1 "$out" >last && mv last "$out"
is '.state == "failed" and .steps[1].class == "transient"'

# A value that is no time, before its column's mask: which line and why, but not what it holds.
printf 'id,seen\n1,2026-11-20T10:00:00Z\n2,Mary lives here\n' >seen.csv
cat >mask.yaml <<'E2'
dag: mask
steps:
  seen:
    extract: {plugin: csv, path: seen.csv, columns: {id: int64, seen: timestamp}}
    transform: [{plugin: columns, mask: {seen: drop}, unlisted: keep}]
    load: {plugin: exec, shell: "cat >/dev/null", dataset: out/seen, mode: append}
E2
cli 1 run ./mask.yaml -o json
is '.steps[0].class == "data" and (.steps[0].message | contains("line 3: column \"seen\" is not a time"))'
is '.steps[0].message | contains("Mary") | not'

# Typed by a person: the tree, drawn over itself, and the log above it.
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
	run 1 script -qec "stty cols 80; '$sluice' run ./bad.yaml" /dev/null </dev/null
	says "$out" $'\033[J'
	says "$out" "--- log of two, attempt 1"
	says "$out" "the cause"
	tail -n 5 "$out" | grep -q "two .*failed" || fail "the last tree does not show the failed step"
	run 0 script -qec "stty cols 80; '$sluice' run ./good.yaml" /dev/null </dev/null
	says "$out" "✓"
else
	echo "no pseudo-terminal here: the tree was not looked at"
fi
done_with run_file
