#!/bin/bash
# Covers: notifications through the outbox on the real daemon, pool and workers: on_success, on_failure, on_exit,
# defaults, late_after; signed webhooks, Slack, mail by SMTP and by a command; retries after 500 and a refused
# connection, 429, 410; one dead endpoint beside others; kill -9 of the daemon while a message is under way; the secrets
# of endpoints in logs; sluice notify, doctor, metrics, the audit; the notify task in a step.
# Signatures are verified by the package standardwebhooks; where PyPI cannot be reached, by the standard library.
# Does not cover: TLS (tls_out.sh does), what Slack itself says.
set -u
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
python=python3 by=
if venv=$(bash "$SLUICE_SRC_DIR/contrib/venv" 2>/dev/null); then
	python=$venv/bin/python3 by=standardwebhooks
else
	echo "notify: no Python environment with standardwebhooks (contrib/venv): signatures are verified by the standard library"
fi
begin notify
receiver=
trap '[ -n "$receiver" ] && kill "$receiver" 2>/dev/null; finish' EXIT
mkdir -p got dags secrets
key=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=
echo "$key" >got/hook
echo "$key" >secrets/hook
"$python" "$SLUICE_SRC_DIR/tests/sys/notify_receiver.py" got &
receiver=$!
until_true "the receivers" test -s got/http.port -a -s got/smtp.port
url=http://127.0.0.1:$(cat got/http.port)
for path in ok flaky busy gone bad hold slack; do
	echo "$url/$path" >"secrets/$path"
done
# a port where nobody listens: bound and never listened on would need a program, so one that was just given back
echo "http://127.0.0.1:$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')/x" >secrets/dead
echo "https://user:pass@169.254.169.254/metadata-secret" >secrets/meta
echo "mail-password" >secrets/smtp
cat >sendmail <<'END'
#!/bin/sh
cat >"$1.tmp" && mv "$1.tmp" "$1"
END
chmod +x sendmail
cat >sluice.yaml <<END
deployment: test
workers: 2
notify:
  ok: {plugin: notify, kind: webhook, url: {file: secrets/ok}, secret: {file: secrets/hook}, private: allow,
       link: "https://sluice.example.jp/runs/{run}?dag={dag}"}
  flaky: {plugin: notify, kind: webhook, url: {file: secrets/flaky}, secret: {file: secrets/hook}, private: allow}
  busy: {plugin: notify, kind: webhook, url: {file: secrets/busy}, private: allow}
  gone: {plugin: notify, kind: webhook, url: {file: secrets/gone}, private: allow}
  hold: {plugin: notify, kind: webhook, url: {file: secrets/hold}, private: allow}
  dead: {plugin: notify, kind: webhook, url: {file: secrets/dead}, private: allow}
  meta: {plugin: notify, kind: webhook, url: {file: secrets/meta}}
  slack: {plugin: notify, kind: slack, url: {file: secrets/slack}, private: allow}
  smtp: {plugin: notify, kind: mail, host: 127.0.0.1, port: $(cat got/smtp.port), tls: none, user: me,
         password: {file: secrets/smtp}, from: "Sluice <sluice@example.jp>", to: [ops@example.jp, boss@example.jp]}
  command: {plugin: notify, kind: mail, command: ["$work/sendmail", "$work/got/mail"], from: a@example.jp, to: [b@example.jp]}
connections:
  chat: {plugin: notify, type: slack, url: {file: secrets/slack}, private: allow}
defaults: {on_failure: [dead, ok]}
END
cat >dags/bad.yaml <<'END'
dag: bad
on_exit: [slack]
steps:
  fine: {task: {plugin: exec, command: ["true"]}}
  broken:
    needs: [fine]
    task: {plugin: exec, shell: 'for i in $(seq 40); do echo "line $i & <b>"; done; printf "%s{params.x}\n" "$" >&2; exit 65'}
END
cat >dags/good.yaml <<'END'
dag: good
on_success: [smtp, command]
on_exit: [flaky]
steps: {a: {task: {plugin: noop}}}
END
cat >dags/queue.yaml <<'END'
dag: queue
late_after: 1s
on_failure: [busy]
steps: {a: {task: {plugin: noop, sleep: 30s}}}
END
cat >dags/held.yaml <<'END'
dag: held
on_success: [hold]
steps: {a: {task: {plugin: noop}}}
END
cat >dags/says.yaml <<'END'
dag: says
on_failure: []
steps:
  a: {task: {connection: chat, title: "From a step", text: "<${run.dag}> & more"}}
END
got() { # got FILTER: some request or mail is so
	jq -e -s "any(.[]; $1)" got/got.ndjson
}
notify_is() { # notify_is NAME FILTER
	"$sluice" notify list -o json >"$out" 2>"$err" && jq -e ".notify[] | select(.name == \"$1\") | $2" "$out"
}
start
cli 0 check

# Failure: the DAG's own on_exit and the defaults' on_failure; a dead endpoint delays nobody.
cli 1 run bad -o json
run=$(value .id)
until_true "the failure is told" got ".path == \"/ok\" and .body.data.id == \"$run\""
until_true "the DAG's own list" got '.path == "/slack"'
until_true "the dead endpoint was tried" notify_is dead '.waiting == 1 and .last.ok == false'
jq -s '.[] | select(.path == "/ok")' got/got.ndjson >"$out"
is '.verified == true and .type == "application/json"'
[ -z "$by" ] || is ".by == \"$by\""
is '.body.type == "run.failed" and .body.deployment == "test" and (.body.timestamp | endswith("Z"))'
is ".body.link == \"https://sluice.example.jp/runs/$run?dag=bad\""
is '.body.data.state == "failed" and .body.data.dag == "bad" and (.body.data.steps | length) == 1'
is '.body.data.steps[0] | .name == "broken" and .class == "data" and (.message | length) > 0'
is '.body.data.log.step == "broken" and (.body.data.log.lines | length) == 20'
is 'any(.body.data.log.lines[]; contains("line 40 & <b>")) and all(.body.data.log.lines[]; contains("line 21 ") | not)'
is '.id | test("^msg_[0-9A-Z]{26}$")'
jq -s '.[] | select(.path == "/slack")' got/got.ndjson >"$out"
is '.body.text == "[test] bad '"$(curl -s --unix-socket state/sluice.sock "http://localhost/v1/runs/$run" | jq -r '.key')"' failed"'
is '.body.blocks[0].type == "header" and any(.body.blocks[]; .text.text | contains("line 40 &amp; &lt;b&gt;"))'
cli 0 doctor
says "$out" "dead is not told"

# Success: mail in both ways; 500 twice and then well, under one id.
cli 0 run good -o json
until_true "a mail by SMTP" got '.path == "smtp"'
until_true "a mail by a command" test -s got/mail
jq -s '.[] | select(.path == "smtp")' got/got.ndjson >"$out"
is '.auth == "\u0000me\u0000mail-password" and (.rcpt | length) == 2 and (.from | contains("<sluice@example.jp>"))'
is '.mail | test("\r\nSubject: \\[test\\] good .*succeeded\r\n") and test("\r\nMessage-ID: <msg_[0-9A-Z]{26}@example.jp>\r\n")'
is '.mail | test("\r\nDate: [A-Z][a-z]{2}, [0-9]{2} ") and contains("From: Sluice <sluice@example.jp>\r\nTo: ops@example.jp,\r\n boss@example.jp\r\n")'
says got/mail "To: b@example.jp"
until_true "the first failure" notify_is flaky '.waiting == 1 and .last.ok == false'
cli 5 notify test nobody
pushed() { # a test message has what waits before it tried at once
	"$sluice" notify test flaky >/dev/null 2>&1
	notify_is flaky '.waiting == 0 and .last.ok'
}
until_true "tried again until it is taken" pushed
jq -s '[.[] | select(.path == "/flaky" and .body.type == "run.succeeded")]' got/got.ndjson >"$out"
is 'length == 3 and ([.[].id] | unique | length) == 1 and all(.[]; .verified)'

# What the receiver says counts; what cannot be reached is said with its reason, and no secret in it.
cli 1 notify test gone
says "$err" "answers 410"
cli 1 notify test meta
says "$err" "169.254.169.254"
says "$err" "private: allow"
cli 0 notify test ok
says "$out" "ok was told (msg_"
until_true "410 is given up" notify_is gone '.waiting == 0 and .given_up == 1'
checks=$((checks + 1))
grep -rqE 'metadata-secret|user:pass|mail-password|/flaky' .log state/logs "$err" && fail "a secret stands in a log"

# Late: told once, with the run object.
cli 0 trigger queue -o json
cli 0 trigger queue -o json
late=$(value '.runs[0]')
until_true "the late run is told, in spite of 429" got ".path == \"/busy\" and .n == 2 and .body.type == \"run.late\" and .body.data.id == \"$late\" and .body.data.late"
cli 0 show "$late" -o json
is '.late == true and .state == "queued"'
cli 0 cancel --dag queue

# A step tells something.
cli 0 run says -o json
until_true "the step's message" got '.path == "/slack" and .body.text == "From a step" and any(.body.blocks[]; .text.text == "&lt;says&gt; &amp; more")'

# The daemon dies while a message is under way: sent again, under the same id.
cli 0 run held -o json
until_true "the message is under way" got '.path == "/hold" and .n == 1'
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
touch got/release
start
until_true "the message is taken" notify_is hold '.waiting == 0 and .last.ok'
jq -s '[.[] | select(.path == "/hold")]' got/got.ndjson >"$out"
is 'length >= 2 and ([.[].id] | unique | length) == 1'
cli 0 notify list
says "$out" "dead"
http 200 /metrics
says "$out" 'sluice_notify_waiting{endpoint="dead"} 1'
says "$out" 'sluice_notify_given_up_total{endpoint="gone"} 1'

cli 0 audit --limit 1000 -o json
is ".audit | any(.verb == \"notify-test\" and .object == \"notify:ok\" and .actor == \"unix:$(id -u)\" and (.detail | startswith(\"msg_\")))"
is '.audit | all(.object != "notify:nobody")'
cli 0 audit --verify

kill "$daemon"
wait "$daemon"
daemon=
run 0 "$sluiced" --fsck
done_with notify
