#!/bin/bash
# Covers: HUP, apply and plan with a changed, a wrong and a restart-needing sluice.yaml: workers, resource pools, hooks, hosts,
# connections; what dags, doctor, /readyz and the metrics say of a refused file; a broken DAG file whose last good plan goes on; the
# plan cache: which changes compile which files; the folder watch: half-written files, renames, a checkout of many files, its end.
# Rotation of secrets without a restart: a hook's, a kept worker's connection, a systemd credential.
# Does not cover: inotify refused by the kernel; TLS keys.
set -u
for tool in jq curl openssl; do command -v $tool >/dev/null || exit 77; done
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin reload
mkdir dags secrets creds
printf 'the-first-token-of-it\n' >secrets/hook
printf 'one' >secrets/pass
printf 'credential-number-1' >creds/token
config() { # config [LINE...]: sluice.yaml with these lines more
	{
		printf 'deployment: reload\n'
		printf '%s\n' "$@"
	} >sluice.new && mv sluice.new sluice.yaml
}
hooks='hooks: {h: {scheme: bearer, tokens: [{file: secrets/hook}]}, c: {scheme: bearer, tokens: [{credential: token}]}}'
dag() { # dag NAME TEXT: a DAG that says TEXT
	printf 'dag: %s\nsteps:\n  say: {task: {plugin: exec, shell: "echo %s >> %s/said"}}\n' "$1" "$2" "$work" >"dags/$1.yaml"
	touch -d "$((RANDOM % 3000 + 10)) minutes ago" "dags/$1.yaml"
}
metric() { # metric NAME: its value
	curl -s --unix-socket state/sluice.sock http://localhost/metrics | awk -v n="$1" '$1 == n {print $2}'
}
metric_is() { [ "$(metric "$1")" = "$2" ]; }
log_has() { grep -qF -- "$1" .log; }
dag a one
dag b one
config workers:\ 2 "$hooks"
export CREDENTIALS_DIRECTORY=$work/creds
start

echo "# plan and apply say what changes"
cli 0 plan -o json
is '.add == [] and .same == 2 and .configuration.result == "same" and .configuration.needs_restart == []'
cat >dags/a.yaml <<'E'
dag: a
triggers: {daily: {cron: "0 6 * * *"}}
concurrency: {max_runs: 3}
steps:
  first: {task: {plugin: exec, command: ["true"]}}
  say: {needs: [first], task: {plugin: exec, command: ["true"]}}
E
dag c one
config workers:\ 3 "pools: {p: 1}" "$hooks"
cli 0 plan -o json
is '.change == ["a"] and .add == ["c"] and .remove == [] and .same == 0 or .same == 1'
is '.details.a | .triggers.add == ["daily"] and .steps.add == ["first"] and .steps.change == ["say"] and .next != null'
is '.details.a.settings | index("max_runs") != null'
is '.configuration.result == "changed"'
cli 0 plan
says "$out" '~ a  a.yaml  next '
says "$out" '    triggers   + daily'
says "$out" '    steps      + first  ~ say'
says "$out" 'would be: 1 added, 1 changed, 0 removed'
checks=$((checks + 1))
[ "$(awk '{ if (length > m) m = length } END { print m }' "$out")" -le 80 ] || fail "plan is wider than 80 columns"
cli 0 apply -o json
is '.change == ["a"] and .add == ["c"] and .configuration.result == "changed"'
cli 0 plan -o json
is '.change == [] and .add == [] and .same == 3 and .configuration.result == "same"'
rm dags/c.yaml
cli 0 apply -o json
is '.remove == ["c"] and .details.c.file == "c.yaml"'

echo "# a wrong sluice.yaml keeps the old one, and everybody says so"
config 'workers: many' "$hooks"
kill -HUP "$daemon"
until_true "the refusal in the log" log_has 'the old configuration stays'
http 200 /readyz
until_true "the metric" metric_is sluice_configuration_refused 1
cli 0 dags
says "$out" 'the old configuration is in force'
says "$out" 'sluice.yaml:2:10'
cli 0 dags -o json
is '.configuration_error | test("sluice.yaml:2:10")'
cli 2 apply -o json
is '.configuration.result == "refused" and (.errors[0] | .path == "sluice.yaml" and .line == 2 and .column == 10)'
cli 1 doctor -o json
is '.ok == false and (.checks[] | select(.check == "config") | .result == "bad")'
config 'workers: 3' "pools: {p: 1}" "$hooks"
cli 0 apply -o json
is '.configuration.result == "same" and .errors == []'
metric_is sluice_configuration_refused 0 || fail "the metric stays"

echo "# what only a restart changes is named; the rest of the file is in force"
config 'workers: 3' 'state: elsewhere' "http: {unix: other.sock, hosts: [sluice.example]}" "pools: {p: 1}" "$hooks"
cli 0 apply -o json --url "unix:$work/state/sluice.sock"
is '.configuration.result == "changed" and .configuration.needs_restart == ["state", "http.unix"]'
until_true "the log" log_has 'only a restart changes: state, http.unix'
http 200 /v1/dags -H 'Host: sluice.example'
config 'workers: 3' "$hooks"
cli 0 apply -o json
is '.configuration.needs_restart == []'

echo "# a larger pool lets steps start that waited for it"
cat >dags/two.yaml <<'E'
dag: two
steps:
  x: {pools: {q: 1}, task: {plugin: exec, shell: "while [ ! -e gate ]; do sleep 0.05; done", dir: "WORK"}}
  y: {pools: {q: 1}, task: {plugin: exec, shell: "while [ ! -e gate ]; do sleep 0.05; done", dir: "WORK"}}
E
sed -i "s|, dir: \"WORK\"||; s|-e gate|-e $work/gate|" dags/two.yaml
config 'workers: 3' 'pools: {q: 1}' "$hooks"
cli 0 apply
cli 0 trigger two -o json
two=$(value '.runs[0]')
running() { [ "$("$sluice" show "$two" -o json | jq '[.steps[] | select(.state == "running")] | length')" = "$1" ]; }
until_true "one step" running 1
config 'workers: 3' 'pools: {q: 2}' "$hooks"
cli 0 apply
until_true "both steps" running 2
touch gate
until_true "the run's end" sh -c "'$sluice' show $two -o json | jq -e '.state == \"succeeded\"'"
rm dags/two.yaml

echo "# a broken DAG file: the last good plan is live, and visible as such"
dag b two
cli 0 apply
printf 'dag: b\nsteps: {say: {task: {plugin: nonesuch}}}\n' >dags/b.yaml
cli 2 apply
cli 0 dags
says "$out" 'b: its last good plan runs; its file does not compile:'
says "$out" 'b.yaml:2:'
cli 0 dags -o json
is '.dags[] | select(.dag == "b") | .state == "broken" and (.errors | length > 0)'
cli 0 why b
says "$out" 'the last good plan runs'
: >said
cli 0 run b
says said two
dag b three

echo "# the plan cache: only what changed is compiled"
cli 0 apply
compiled() { # compiled N COMMAND...: so many files more
	local want=$1 before
	shift
	before=$(metric sluice_files_compiled_total)
	"$@"
	cli 0 apply -o json
	checks=$((checks + 1))
	[ $(($(metric sluice_files_compiled_total) - before)) = "$want" ] || fail "not $want files compiled after: $*"
}
compiled 2 touch -d '1 hour ago' dags/a.yaml dags/b.yaml
compiled 0 true
compiled 1 touch -d '2 hours ago' dags/a.yaml
compiled 0 true
compiled 1 dag b four
compiled 2 config 'workers: 3' 'connections: {d: {plugin: sqlite, path: x.db}}' "$hooks"
compiled 0 true

echo "# the folder watch: one change each, whatever the files go through"
config 'workers: 3' 'watch: true' "$hooks"
cli 0 apply
says .log 'watching '
dag_there() { "$sluice" dags -o json | jq -e --arg d "$1" '.dags[] | select(.dag == $d and .state == "live")'; }
dag_gone() { ! dag_there "$1"; }
printf 'dag: w1\nsteps:\n' >dags/w1.yaml
printf '  a: {task: {plugin: exec, command: ["true"]}}\n' >>dags/w1.yaml
until_true "a new file" dag_there w1
sed 's/w1/w2/' dags/w1.yaml >dags/.w2.yaml.swp
mv dags/.w2.yaml.swp dags/w2.yaml
until_true "an editor's rename" dag_there w2
mkdir dags/sub
for i in $(seq 50); do sed "s/w1/s$i/" dags/w1.yaml >"dags/sub/s$i.yaml"; done
until_true "a checkout" dag_there s50
until_true "all of a checkout" dag_there s1
sed 's/w1/late/' dags/w1.yaml >dags/sub/late.yaml
until_true "a file in a new folder" dag_there late
rm -r dags/sub dags/w2.yaml
until_true "a removal" dag_gone s1
until_true "a removal" dag_gone w2
before=$(awk '{print $14 + $15}' "/proc/$daemon/stat")
looks=$(grep -c 'the DAG folder has changed' .log)
touch dags/.hidden dags/notes.txt
sleep 1
[ "$(grep -c 'the DAG folder has changed' .log)" = "$looks" ] || fail "other files count as DAG files"
[ $(($(awk '{print $14 + $15}' "/proc/$daemon/stat") - before)) -lt 50 ] || fail "the watch is a busy loop"
config 'workers: 3' "$hooks"
cli 0 apply
sed 's/w1/w3/' dags/w1.yaml >dags/w3.yaml
sleep 1
dag_gone w3 >/dev/null || fail "the watch goes on after its end"

echo "# secrets are read again when their files change"
post() { curl -s -o /dev/null -w '%{http_code}' --unix-socket state/sluice.sock -H 'Content-Type: application/json' -H "Authorization: Bearer $1" -d '{}' "http://localhost/hooks/${3-h}"; }
answers() { [ "$(post "$1" "$2" "${3-h}")" = "$2" ]; }
until_true "the first token" answers the-first-token-of-it 202
printf 'the-second-token-of-it\n' >secrets/hook
until_true "the new token" answers the-second-token-of-it 202
until_true "the end of the old token" answers the-first-token-of-it 401
until_true "a systemd credential" answers credential-number-1 202 c
printf 'credential-number-2' >creds/token
until_true "a new credential" answers credential-number-2 202 c
rm secrets/hook
sleep 1.1
answers the-second-token-of-it 202 || fail "a hook forgets its secret when the file is away"
cli 0 shutdown
done_with reload
