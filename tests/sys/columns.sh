#!/bin/bash
# Covers: what people read stays within 80 columns: the help of each command, the options of each plugin; on a
# terminal (of util-linux's script) also errors, `check`, `show`, `why`, with times in the zone of whoever reads. A
# newcomer's mistakes: a rerun of a mended DAG, a resume of one while all are paused, a DAG that has not run yet, a
# token that may start but not watch. Does not cover: tables (they shrink by themselves), the live tree (run_file.sh).
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin columns

fits() { # fits NAME: no line of the last output is wider than 80 columns
	checks=$((checks + 1))
	# without what the leak checker says of a process that nobody may look into; the build's folder may be any length
	tr -d '\r' <"$out" | sed "s|$SLUICE_BUILD_DIR|BUILD|g" | sed '/^==[0-9]*==/d; s/\x1b\[[0-9;?]*[a-zA-Z]//g' | LC_ALL=C.UTF-8 awk -v n="$1" 'length > 80 {print n ": " $0; bad = 1} END {exit bad}' >.wide ||
		fail "$(cat .wide)"
}
screen() { # screen CODE ARGUMENTS...: sluice on a terminal of 80 columns
	local want=$1
	shift
	run "$want" script -qec "stty cols 80; '$sluice' $*" /dev/null </dev/null
	fits "$*"
}

cli 0 --help
sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' "$out" >commands
checks=$((checks + 1))
[ -s commands ] || fail "no command in the help"
while read -r command; do
	cli 0 "$command" --help
	fits "$command --help"
done <commands
cli 0 plugin list -o json
for plugin in $(value '.plugins[].name'); do
	cli 0 plugin show "$plugin"
	fits "plugin show $plugin"
done
cli 0 plugin show http
says "$out" "auth  one of none, bearer, basic; default none"

mkdir dags
cat >sluice.yaml <<'E2'
deployment: test
http: {listen: 127.0.0.1:0}
E2
cat >dags/first.yaml <<'E2'
dag: first
timezone: Asia/Tokyo
params: {words: {type: string, default: a text of some words that is much longer than eighty columns are wide on any terminal}}
triggers: {daily: {cron: "30 2 * * *"}}
steps:
  one: {task: {plugin: exec, shell: "exit 3"}}
E2
cat >dags/list.json <<'E2'
["a", "b"]
E2
cat >dags/second.yaml <<'E2'
dag: second
steps:
  one: {foreach: {in: {file: list.json}}, task: {plugin: exec, shell: "true"}}
E2
cat >dags/third.yaml <<'E2'
dag: third
steps:
  one: {task: {plugin: exec, shell: "exec sleep 60"}}
E2
start
cli 0 check
says "$out" "dags/list.json: ok  a list for foreach"

cli 5 show second
says "$err" "DAG second has not run yet: \`sluice run second\` starts it"
cli 5 run frist
says "$err" 'there is no DAG "frist"; did you mean "first"?'
cli 2 trigger first --param word=x
says "$err" 'param "word" is unknown; did you mean "words"?'

# It fails; the file is mended; a rerun says that it keeps the old plan, and how to take the new one.
cli 1 run first
sed -i 's/exit 3/true/' dags/first.yaml
cli 0 apply
cli 0 why first
says "$out" "DAG first has changed since: \`sluice rerun"
cli 0 rerun first
says "$out" "with the plan that it had; DAG first has changed since: --plan latest"
cli 1 rerun first --wait
cli 0 rerun first --plan latest --wait

cli 0 pause first
says "$out" "nothing new starts until: sluice resume first"
cli 0 pause --all
says "$out" "nothing new starts until: sluice resume --all"
cli 0 resume first
says "$out" "all DAGs are paused, first too, until: sluice resume --all"
cli 0 resume --all

# A token that may start a run is told that it may not watch; that is no fault of the daemon.
cli 0 token new ci --scope run:third
umask 077
cp "$out" token
cli 3 run third --url "http://127.0.0.1:$port" --token-file token
says "$err" "goes on, but this token may not watch it"
cli 0 cancel third --hard
sed -i 's/exec sleep 60/true/' dags/third.yaml
cli 0 apply
cli 0 trigger third --wait --url "http://127.0.0.1:$port" --token-file token

# What is wrong with sluice.yaml is said as that, and the time that was no time is named.
cp sluice.yaml keep
echo 'hoks: {}' >>sluice.yaml
printf 'dag: fourth\nsteps:\n  a: {extract: {connection: lake, table: x}, load: {connection: lake, mode: append}}\n' >dags/fourth.yaml
cli 2 check
says "$out" "while sluice.yaml has errors the names of connections"
cp keep sluice.yaml
rm dags/fourth.yaml
cli 2 trigger first --at 2026-13-01
says "$err" '"2026-13-01" is no time'

if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
	screen 0 show first
	says "$out" "params words=a text of some words"
	screen 5 show nobody@2026-11-21
	screen 2 next --cron "'61 * * * *'"
	TZ=Asia/Tokyo screen 0 why first
	says "$out" "02:30:00"
	TZ=UTC screen 0 why first
	says "$out" "17:30:00"
	sed -i 's/shell/shel/' dags/first.yaml
	screen 2 check
	screen 2 plan
else
	echo "no pseudo-terminal here: the terminal was not looked at"
fi
done_with columns
