#!/bin/bash
# Covers: what others named or said (keys of events and runs, names of files, messages of a step, problems) holds no control
# character where a person reads it, and is whole with -o json; an item with such a key has its log, a cursor comes back as it was.
# Does not cover: the log itself, which is shown as the step wrote it.
set -u
for tool in jq curl; do command -v $tool >/dev/null || exit 77; done
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin terminal
evil=$'a\e]0;b\a\rc'
mkdir dags
printf 'deployment: term\nworkers: 2\nhooks:\n  in: {scheme: none}\n' >sluice.yaml
cat >dags/each.yaml <<'E2'
dag: each
triggers:
  h: {webhook: in, key: "${event.body.k}"}
steps:
  a:
    foreach: {in: "${split(run.key, '|')}", as: i}
    task: {plugin: exec, shell: "echo seen; exit 3"}
E2
printf 'dag: odd\nsteps:\n  a:\n    task: {plugin: exec, shell: "true"}\n' >"dags/$evil.yaml"
printf 'dag: "\\e[31m"\nsteps: {}\n' >dags/wrong.yaml
harmless() { # harmless: neither .out nor .err holds a control character but line feeds and tabs, nor half of one
	checks=$((checks + 1))
	if LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' "$out" "$err"; then
		fail "control characters: $(cat -v "$out" "$err" | head -c 600)"
	fi
}
start

echo "# file names, errors"
cli 2 plan && harmless
cli 2 check dags && harmless
cli 0 dags && harmless
echo "# keys"
body=$(jq -cn --arg k "$evil" '{k: $k}')
http 202 /hooks/in -H 'Content-Type: application/json' -d "$body"
run=$(value '.runs[0]')
until_true "the run's end" eval "timeout 20 '$sluice' show '$run' -o json | jq -e '.state == \"failed\"'"
cli 0 show "$run" -o json
checks=$((checks + 1))
[ "$(value .key)" = "$evil" ] || fail "the key with -o json: $(value .key | cat -v)"
for verb in "show $run" runs events "why $run" "why $run a" why\ event:1 audit; do
	# shellcheck disable=SC2086
	cli 0 $verb && harmless
done
cli 0 show "$run" && says "$out" '\x1B]0;b\x07\x0Dc'
cli 0 logs "$run" && harmless
says "$out" seen
cli 5 show "no$evil" && harmless
cli 5 why "dataset:$evil" && harmless
echo "# what is read again"
printf '%s' "$body" >.k
http 200 /v1/cursors/each/a -H 'Content-Type: application/json' -d "$(jq -cn --arg k "$evil" '{cursor: {at: $k}}')"
cli 0 cursor export
is ".cursor.at == $(jq -cn --arg k "$evil" '$k')"
cli 0 cursor show each a && harmless
done_with terminal
