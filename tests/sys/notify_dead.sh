#!/bin/bash
# Covers: two endpoints that accept and never answer, both due at the same time, beside one that is well: once a try of theirs
# has failed they share one place of the system lane, so that what the healthy one is to be told waits for neither, and
# `apply` compiles meanwhile.
# Does not cover: the first try of endpoints that were well until then: two of them hold both places for one timeout.
set -u
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin notify_dead
receiver=
trap '[ -n "$receiver" ] && kill "$receiver" 2>/dev/null; finish' EXIT
mkdir -p got dags secrets
python3 "$SLUICE_SRC_DIR/tests/sys/notify_receiver.py" got &
receiver=$!
until_true "the receivers" test -s got/http.port
url=http://127.0.0.1:$(cat got/http.port)
closed=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
echo "$url/ok" >secrets/well
echo "http://127.0.0.1:$closed/x" | tee secrets/one >secrets/two
cat >sluice.yaml <<END
deployment: test
notify:
  one: {plugin: notify, kind: webhook, url: {file: secrets/one}, private: allow}
  two: {plugin: notify, kind: webhook, url: {file: secrets/two}, private: allow}
  well: {plugin: notify, kind: webhook, url: {file: secrets/well}, private: allow}
END
printf 'dag: bad\non_failure: [one, two, well]\nsteps: {a: {task: {plugin: noop, fail: data}}}\n' >dags/bad.yaml
got() { # got FILTER: some request is so
	jq -e -s "any(.[]; $1)" got/got.ndjson
}
failed() { # failed NAME: its last try
	"$sluice" notify list -o json | jq -e ".notify[] | select(.name == \"$1\") | .last.ok == false"
}
start
# Both are refused at once: a first try of each has failed.
cli 1 notify test one
cli 1 notify test two
until_true "a failure of one" failed one
until_true "a failure of two" failed two

# From here on they accept and say nothing; both are due.
echo "$url/hold" | tee secrets/one >secrets/two
for name in one two; do timeout 60 "$sluice" notify test "$name" >/dev/null 2>&1 & done
until_true "one of them is under way" got '.path == "/hold"'
for i in 1 2 3; do
	cli 1 run bad -o json
	run=$(value .id)
	until_true "the healthy one is told of run $i" got ".path == \"/ok\" and .body.data.id == \"$run\""
done
printf 'dag: other\nsteps: {a: {task: {plugin: noop}}}\n' >dags/other.yaml
cli 0 apply
# In the order in which they came: one request is held, then those that were told, and no second one between.
jq -s '[.[].path]' got/got.ndjson >"$out"
is '.[0] == "/hold" and .[1:4] == ["/ok", "/ok", "/ok"]'
touch got/release
told() {
	"$sluice" notify list -o json | jq -e 'all(.notify[]; .waiting == 0)'
}
poke() { # a test message has what waits tried at once
	for name in one two; do timeout 20 "$sluice" notify test "$name" >/dev/null 2>&1; done
	told
}
until_true "all are told in the end" poke
run 0 "$sluice" shutdown
wait "$daemon"
daemon=
run 0 "$sluiced" --fsck
done_with notify_dead
