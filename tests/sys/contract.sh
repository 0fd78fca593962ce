#!/bin/bash
# Covers: the shapes and exit codes that scripts rely on, against the real daemon: init, check, run FILE, plan, apply, run, trigger,
# show, logs, why, lists and their pages, events and replay, cancel, rerun, mark, pause, tokens and scopes over TCP, the admin token,
# hooks of each scheme, Idempotency-Key, streams, metrics, HUP, a vanished file, data sets, plugin, schema, doctor, fsck, shutdown.
# Does not cover: what these do inside (unit tests), life and death of the daemon (daemon_life.sh), speed.
set -u
for tool in jq curl openssl xxd; do command -v $tool >/dev/null || exit 77; done
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin contract
json=(-H 'Content-Type: application/json')

without_daemon() {
	mkdir alone && cd alone || exit 1
	cat >good.yaml <<-'EOF'
		dag: good
		params: {n: {type: integer, default: 3}}
		steps:
		  one: {task: {plugin: exec, shell: "echo n is ${params.n}"}}
		  two: {needs: [one], task: {plugin: exec, command: ["true"]}}
	EOF
	sed 's/command: \["true"\]/shell: "exit 65"/; s/dag: good/dag: bad/' good.yaml >bad.yaml
	sed 's/\[one\]/[onne]/; s/dag: good/dag: broken/' good.yaml >broken.yaml
	cli 0 run good.yaml -o json
	lines 1
	is '.dag == "good" and .state == "succeeded" and (.id | test("^[0-9A-HJKMNP-TV-Z]{26}$")) and .key != null and .revision == 0'
	is '(.plan | startswith("sha256:")) and .trigger.kind == "manual" and (.trigger.events | length == 1) and (.window | has("start"))'
	is '[.queued_at, .started_at, .ended_at, .logical_time] | all(test("^[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z$"))'
	is '.steps | length == 2 and all(.state == "succeeded" and .item == null and .attempt == 1 and .class == "ok" and .generation == 0)'
	is '.steps[0] | [.rows_in, .rows_out, .rows_rejected, .bytes] == [0, 0, 0, 0] and .outputs == {} and .datasets == [] and .message == ""'
	run 0 test ! -s "$err"
	cli 1 run ./bad.yaml -o json
	is '.state == "failed" and .steps[1].class == "data"'
	cli 1 run bad.yaml -o ndjson
	cp "$out" "$work/.out.copy"
	is '.name or .id'
	run 0 jq -es 'last | .state == "failed" and (.steps | length == 2)' "$work/.out.copy"
	cli 2 run broken.yaml -o json
	says "$err" 'broken.yaml:5:17'
	cli 2 run good.yaml --param n=many
	cli 5 run missing.yaml
	cli 2 run good
	cli 0 check good.yaml -o json
	is '.ok and (.files | length == 1) and .files[0].path == "good.yaml" and .files[0].dag == "good" and .files[0].errors == []'
	is '.files[0] | has("promise") and has("warnings") and .next == []'
	cli 2 check broken.yaml -o json
	is '.ok == false and (.files[0].errors[0] | .line == 5 and .column == 17 and .key == "steps.two.needs[0]" and .code == "unknown-step")'
	is '.files[0].errors[0] | .hint == "did you mean \"one\"?" and (.message | contains("onne"))'
	printf 'dag: none\nsteps: {a: {task: {plugin: exec}}}\n' >none.yaml
	cli 2 check none.yaml -o json
	is '.files[0].errors[0].code == "missing-key"'
	cli 2 check
	cli 0 schema
	is '.title and .properties.steps'
	cli 0 schema steps.NAME.retry
	cli 0 schema sluice.yaml
	is '.properties.connections'
	cli 5 schema nonesuch
	cli 0 plugin new crm
	run 0 grep -q '"plugin": "crm"' crm/crm.conform.json
	run 0 grep -q 'crm.so: plugin.c' crm/Makefile
	cli 3 plugin new crm
	cli 2 plugin new Crm
	cli 5 plugin show nonesuch
	cli 2 check --nonesuch
	cli 2 -c x check
	cli 2 nonesuch
	cli 2 runs --nonesuch
	cli 2 show
	cd "$work" || exit 1
}

project() {
	cli 0 init shop
	run 0 test "$(stat -c %a shop/state/admin-token)" = 600
	cd shop || exit 1
	cli 0 check -o json
	is '.ok and (.files | length == 1) and .files[0].path == "dags/hello.yaml" and (.files[0].next | length > 0)'
	cli 4 runs
	cli 4 apply
	mkdir -p secrets
	echo "whsec_$(head -c 32 /dev/urandom | base64)" >secrets/std
	echo hmac-secret-of-the-test >secrets/hmac
	echo bearer-secret-of-the-test >secrets/bearer
	cat >sluice.yaml <<-'EOF'
		deployment: contract
		workers: 4
		http: {listen: "127.0.0.1:0"}
		connections:
		  lake: {plugin: lake, root: lake}
		  dwh: {plugin: sqlite, path: warehouse.db}
		hooks:
		  std: {scheme: standard-webhooks, secrets: [{file: secrets/std}]}
		  sig: {scheme: hmac, header: X-Signature, prefix: "sha256=", encoding: hex, id_header: X-Id, secrets: [{file: secrets/hmac}]}
		  bear: {scheme: bearer, id_header: X-Id, tokens: [{file: secrets/bearer}]}
		  local: {scheme: none, id_header: X-Id}
	EOF
	cat >dags/hooked.yaml <<-'EOF'
		dag: hooked
		params: {table: {type: string, default: none}}
		triggers:
		  std: {webhook: std, body: {table: {type: string, required: true}}, params: {table: "${event.body.table}"}}
		  sig: {webhook: sig}
		  bear: {webhook: bear}
		  local: {webhook: local}
		steps: {a: {task: {plugin: exec, shell: "echo table ${params.table}"}}}
	EOF
	cat >dags/slow.yaml <<-'EOF'
		dag: slow
		steps:
		  stubborn: {grace: 1s, task: {plugin: exec, shell: "trap '' TERM; echo begun; while :; do sleep 0.2; done"}}
		  after: {needs: [stubborn], task: {plugin: exec, command: [echo, after]}}
	EOF
	cat >dags/many.yaml <<-EOF
		dag: many
		steps:
		  each:
		    foreach: {in: [x, y, z], as: letter}
		    task: {plugin: exec, shell: "test \${letter} != y || test -e $PWD/repaired"}
		  fin: {needs: [each], task: {plugin: exec, command: ["true"]}}
	EOF
	printf 'id,note,at\n1,first,2026-11-20T10:00:00Z\n2,second,2026-11-21T10:00:00Z\n' >orders.csv
	cat >dags/orders.yaml <<-EOF
		dag: orders
		steps:
		  raw:
		    extract: {plugin: csv, path: $PWD/orders.csv, columns: {id: int64, note: text, at: timestamp}}
		    load: {connection: lake, dataset: lake/shop.orders, mode: append, layout: {by: run, unit: day}}
		  dwh:
		    needs: [raw]
		    extract: {dataset: lake/shop.orders, read: new}
		    load: {connection: dwh, table: orders, mode: merge, key: [id]}
	EOF
	cat >dags/mart.yaml <<-'EOF'
		dag: mart
		triggers: {ready: {datasets: {any: [dwh/orders]}}}
		steps: {build: {task: {plugin: exec, command: ["true"]}}}
	EOF
}

runs() {
	cli 0 plan -o json
	is '.add == [] and .change == [] and .remove == [] and .same == 6 and .errors == []'
	cli 0 run hello -o json
	lines 1
	is '.state == "succeeded" and .dag == "hello"'
	cli 0 trigger hello -o json
	lines 1
	is '(.event | test("^[0-9]+$")) and .verdict == "started" and (.runs | length == 1)'
	cli 0 trigger hello --param name=you --wait -o json
	lines 1
	is '.verdict == "started" and (.runs[0] | length == 26)'
	local id event
	id=$(value '.runs[0]') event=$(value .event)
	cli 0 show "$id" -o json
	is ".id == \"$id\" and .state == \"succeeded\" and .trigger.events == [\"$event\"]"
	http 200 "/v1/runs/$id"
	is ".id == \"$id\" and (.steps | length == 2)"
	cli 0 show "${id:0:12}" -o json
	is ".id == \"$id\""
	cli 0 logs "$id" greet
	says "$out" 'hello, you'
	http 200 "/v1/runs/$id/steps/greet/log"
	says "$out" 'hello, you'
	cli 0 trigger hello --at 2026-11-20T06:00:00Z --wait -o json
	id=$(value '.runs[0]')
	cli 0 trigger hello --at 2026-11-20T06:00:00Z -o json
	is ".verdict == \"duplicate\" and .runs == [\"$id\"]"
	cli 0 show hello@2026-11-20 -o json
	is ".id == \"$id\""
	cli 5 show nonesuch
	cli 5 run nonesuch
	cli 2 run hello --param nme=x
	cli 1 trigger many --wait -o json
	is '.runs | length == 1'
}

http_runs() {
	local id
	http 201 /v1/dags/hello/runs "${json[@]}" -H 'Idempotency-Key: once' -d '{"params": {"name": "it"}}'
	id=$(value '.runs[0]')
	http 200 /v1/dags/hello/runs "${json[@]}" -H 'Idempotency-Key: once' -d '{"params": {"name": "it"}}'
	is ".runs == [\"$id\"]"
	http 201 /v1/dags/hello/runs "${json[@]}" -d '{"key": "k1"}'
	http 200 /v1/dags/hello/runs "${json[@]}" -d '{"key": "k1"}'
	http 400 /v1/dags/hello/runs "${json[@]}" -d '{"nonesuch": 1}'
	is '.status == 400 and .code == "usage" and .detail'
	http 404 /v1/dags/nonesuch/runs "${json[@]}" -d '{}'
	http 404 /v1/runs/nonesuch
	http 404 /v1/nonesuch
	is '.code'
}

lists() {
	cli 0 runs --limit 2 -o json
	is '(keys == ["next", "runs"]) and (.runs | length == 2) and (.runs | all(has("steps") | not)) and (.next | test("^[A-Za-z0-9._~-]+$"))'
	local next first
	next=$(value .next) first=$(value '.runs[0].id')
	http 200 "/v1/runs?limit=2&after=$next"
	is "(.runs | length == 2) and (.runs | all(.id != \"$first\"))"
	cli 0 runs --dag many --state failed --since 2026-01-01 -o json
	is '.next == null and (.runs | length == 1) and .runs[0].dag == "many" and .runs[0].state == "failed"'
	cli 0 runs --since 1h --limit 1 -o json
	is '.runs | length == 1'
	cli 2 runs --since yesterday
	cli 0 runs --since 2099-01-01 -o json
	is '. == {"runs": [], "next": null}'
	cli 0 runs --limit 2 -o ndjson
	lines 2
	cli 2 runs --state nonesuch
	http 400 '/v1/runs?limit=1001'
	cli 0 dags -o json
	is '.next == null and (.dags | map(.dag) == ["hello", "hooked", "many", "mart", "orders", "slow"])'
	http 200 /v1/dags/hello
	is '.dag == "hello"'
	cli 0 events --limit 1 -o json
	is '(.events | length == 1) and .next != null'
	is '.events[0] | has("id") and has("source") and has("external_id") and has("type") and has("subject") and has("time")'
	is '.events[0] | has("received_at") and has("verdict") and has("detail") and .joins == [] and (.runs | type == "array")'
	cli 0 pools -o json
	is '.pools[0].name == "workers" and .pools[0].size == 4'
	cli 0 plugin list -o json
	is '.plugins | map(.name) | contains(["csv", "exec", "lake", "sqlite"])'
	http 200 /v1/plugins
	is '.plugins | length > 5'
}

datasets() {
	cli 0 run orders -o json
	is '.steps[0] | .rows_in == 2 and .rows_out == 2 and .rows_rejected == 0 and .bytes > 0'
	is '.steps[0].datasets[0] | .name == "lake/shop.orders" and (.partition | startswith("day=")) and .version == 1 and .changed and has("complete_through")'
	is '.steps[1].datasets[0].name == "dwh/orders"'
	until_true "the mart's run" sh -c "'$sluice' show mart -o json | grep -q '\"kind\":\"datasets\".*\"state\":\"succeeded\"'"
	cli 0 datasets -o json
	is '(.datasets | map(.name)) == ["dwh/orders", "lake/shop.orders"] and .next == null'
	http 200 /v1/datasets/lake%2Fshop.orders
	is '.name == "lake/shop.orders" and .version == 1'
	cli 5 datasets lake/nonesuch
	cli 0 datasets touch dwh/orders
	cli 0 why dataset:dwh/orders -o json
	is '.state and (.reasons | all(.code and .text and has("subject")))'
}

why_and_acts() {
	local id
	cli 0 why many@"$("$sluice" show many -o json | jq -r .key)" -o json
	is '.state == "failed" and (.reasons | length > 0)'
	cli 0 why hello -o json
	is '.reasons[0].code == "schedule"'
	cli 0 why event:1 -o json
	is '.state == "started"'
	cli 5 why event:999999
	cli 5 why nonesuch
	id=$("$sluice" show many -o json | jq -r .id)
	cli 0 show "$id" -o json
	is '[.steps[] | select(.name == "each" and .item != null) | .item] == ["x", "y", "z"]'
	is '.steps[] | select(.name == "fin") | .state == "upstream_failed" and .class == null'
	touch repaired
	cli 0 rerun "$id" --failed
	until_true "the repaired run" sh -c "'$sluice' show '$id' -o json | jq -e '.state == \"succeeded\"'"
	cli 0 show "$id" -o json
	is '[.steps[] | select(.name == "each" and .item != null) | .generation] == [0, 1, 0]'
	cli 0 rerun "$id" --step 'each[z]'
	until_true "the item's run" sh -c "'$sluice' show '$id' -o json | jq -e '.state == \"succeeded\" and .steps[3].generation > 0'"
	cli 5 rerun "$id" --step nonesuch
	cli 2 rerun "$id" --downstream nonesuch
	cli 2 mark "$id" fin --state nonesuch
	cli 0 pause hello
	cli 3 run hello
	http 409 /v1/dags/hello/runs "${json[@]}" -d '{}'
	cli 0 why hello -o json
	is '.state == "paused"'
	cli 0 resume hello
	cli 0 trigger hello -o json
	cli 0 trigger slow -o json
	id=$(value '.runs[0]')
	until_true "the slow step" sh -c "'$sluice' logs '$id' | grep -q begun"
	cli 0 trigger slow -o json
	cli 0 why "$(value '.runs[0]')" -o json
	is '.state == "queued" and (.reasons[0].text | contains("max_runs"))'
	cli 0 cancel "$id"
	until_true "the cancelled run" sh -c "'$sluice' show '$id' -o json | jq -e '.state == \"cancelled\"'"
	cli 0 show "$id" -o json
	is '.steps | all(.state == "cancelled" and .class == "cancelled")'
	cli 3 cancel "$id"
	cli 0 cancel --dag slow
	cli 5 cancel nonesuch
	cli 0 mark "$id" stubborn --state succeeded
}

signed() { # signed ID BODY: Standard Webhooks
	local at key
	at=$(date +%s) key=$(sed 's/whsec_//' secrets/std | base64 -d | xxd -p -c 99)
	printf 'webhook-id: %s\nwebhook-timestamp: %s\nwebhook-signature: v1,%s\nContent-Type: application/json\n' "$1" "$at" \
		"$(printf %s "$1.$at.$2" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)" >.headers
}

hooks() {
	local sig event
	signed m1 '{"table": "o"}'
	tcp 202 /hooks/std -H @.headers -d '{"table": "o"}'
	is '.verdict == "started" and (.runs | length == 1) and (.event | test("^[0-9]+$"))'
	event=$(value .event)
	tcp 200 /hooks/std -H @.headers -d '{"table": "o"}'
	is ".event == \"$event\""
	tcp 401 /hooks/std -H @.headers -d '{"table": "p"}'
	signed m2 '{}'
	tcp 202 /hooks/std -H @.headers -d '{}'
	is '.verdict == "rejected" and .runs == []'
	signed m3 '{bad'
	tcp 400 /hooks/std -H @.headers -d '{bad'
	sig=$(printf '{"a": 1}' | openssl dgst -sha256 -hmac "$(cat secrets/hmac)" -hex | sed 's/.* //')
	tcp 202 /hooks/sig "${json[@]}" -H "X-Signature: sha256=$sig" -H 'X-Id: 1' -d '{"a": 1}'
	tcp 401 /hooks/sig "${json[@]}" -H "X-Signature: sha256=${sig/[0-9]/x}" -H 'X-Id: 2' -d '{"a": 1}'
	tcp 202 /hooks/bear "${json[@]}" -H "Authorization: Bearer $(cat secrets/bearer)" -H 'X-Id: 1' -d '{}'
	tcp 401 /hooks/bear "${json[@]}" -H 'Authorization: Bearer wrong' -H 'X-Id: 2' -d '{}'
	http 202 /hooks/local "${json[@]}" -H 'X-Id: 1' -d '{}'
	run 0 sh -c "test $(curl -s -o /dev/null -w '%{http_code}' "${json[@]}" -H 'X-Id: 3' -d '{}' "http://127.0.0.1:$port/hooks/local") -ge 400"
	tcp 404 /hooks/nonesuch "${json[@]}" -d '{}'
	tcp 415 /hooks/bear -H 'Content-Type: text/plain' -d x
	tcp 411 /hooks/bear "${json[@]}" -H 'Transfer-Encoding: chunked' -d '{}'
	cli 0 hook show bear -o json
	is '.name == "bear" and .accepted == 1 and .refused >= 2'
	cli 5 hook show nonesuch
	cli 0 events --replay "$event" -o json
	is '.verdict == "started" and (.runs | length == 1)'
	cli 2 events --replay abc
	says "$err" '"abc" is no event'
	cli 2 events --replay 0
	cli 2 backfill show abc
	says "$err" '"abc" is no backfill'
	cli 5 backfill show 999999
	cli 5 events --replay 999999
	cli 0 events --dag hooked -o json
	is '.events | all(.source | startswith("hook:")) and length >= 4'
}

tokens() {
	local admin reader runner
	admin="Authorization: Bearer $(cat state/admin-token)"
	tcp 401 /v1/dags
	tcp 200 /v1/dags -H "$admin"
	tcp 200 /livez
	tcp 401 /readyz
	tcp 421 /livez -H 'Host: evil.example'
	tcp 403 /v1/dags -H "$admin" -H 'Origin: http://evil.example'
	tcp 403 /v1/dags -H "$admin" -H 'Sec-Fetch-Site: cross-site'
	cli 0 token list -o json
	is '.tokens | map(select(.name == "admin" and .scopes == ["admin"])) | length == 1'
	cli 0 token new reader --scope read -o json
	reader="Authorization: Bearer $(value .token)"
	cli 3 token new reader --scope read
	cli 2 token new other
	cli 0 token new runner --scope run:hello -o json
	runner="Authorization: Bearer $(value .token)"
	tcp 200 /v1/runs -H "$reader"
	tcp 403 /v1/dags/hello/runs -H "$reader" "${json[@]}" -d '{}'
	tcp 403 /v1/tokens -H "$reader"
	tcp 201 /v1/dags/hello/runs -H "$runner" "${json[@]}" -d '{}'
	tcp 403 /v1/dags/many/runs -H "$runner" "${json[@]}" -d '{}'
	run 0 env SLUICE_URL="http://127.0.0.1:$port" SLUICE_TOKEN_FILE=state/admin-token "$sluice" runs --limit 1 -o json
	is '.runs | length == 1'
	run 3 env SLUICE_URL="http://127.0.0.1:$port" "$sluice" runs
	cli 0 token revoke reader
	cli 5 token revoke reader
	tcp 401 /v1/runs -H "$reader"
}

streams_and_metrics() {
	local pid
	curl -sN -m 60 --unix-socket state/sluice.sock 'http://localhost/v1/stream?dag=hello' >.stream &
	pid=$!
	until_true "the stream" test -s .stream
	cli 0 trigger hello --wait
	until_true "the run's end in the stream" grep -q '"state":"succeeded","trigger"' .stream
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	run 0 grep -q '^event: run$' .stream
	run 0 grep -q '^event: step$' .stream
	run 0 grep -q '^id: ' .stream
	http 200 /metrics
	says "$out" '# TYPE sluice_'
	http 200 /metrics -H 'Accept: application/openmetrics-text'
	says "$out" '# EOF'
	http 200 /livez
	http 200 /readyz
}

life() {
	sed -i 's/workers: 4/workers: [/' sluice.yaml
	kill -HUP "$daemon"
	until_true "the bad file's refusal" grep -q 'the old configuration stays' "$work/.log"
	cli 4 fsck -c sluice.yaml.good
	run 4 "$sluiced" -c sluice.yaml.good
	cp sluice.yaml.good sluice.yaml
	cli 4 fsck
	says "$err" "pid $daemon"
	kill -HUP "$daemon"
	until_true "the good file" grep -q 'configuration reloaded' "$work/.log"
	mv dags/slow.yaml slow.gone
	cli 0 plan -o json
	is '.remove == ["slow"]'
	cli 0 apply -o json
	is '.remove == ["slow"]'
	cli 5 run slow
	cli 0 runs --dag slow --limit 1 -o json
	is '.runs | length == 1'
	printf 'dag: wrong\nsteps: 3\n' >dags/wrong.yaml
	cli 2 apply -o json
	is '.errors[0] | .line == 2 and .column == 8 and (.path | endswith("wrong.yaml"))'
	rm dags/wrong.yaml
	cli 0 doctor
	cli 0 shutdown
	wait "$daemon"
	daemon=
	cli 4 runs
	cli 0 fsck -o json
	is '.ok and .problems == []'
	cli 4 shutdown
	cp state/admin-token old-token
	tr 0-9 9876543210 <old-token >state/admin-token
	start
	cli 0 runs --limit 1 -o json
	tcp 200 /v1/dags -H "Authorization: Bearer $(cat state/admin-token)"
	tcp 401 /v1/dags -H "Authorization: Bearer $(cat old-token)"
	cli 0 shutdown
	wait "$daemon"
	daemon=
	cp old-token state/admin-token
	chmod 0644 state/admin-token
	start
	tcp 401 /v1/dags -H "Authorization: Bearer $(cat old-token)"
	run 0 grep -q 'must be a file of .* mode 0600' "$work/.log"
	cli 0 shutdown --cancel
	wait "$daemon"
	daemon=
}

without_daemon
project
start
runs
http_runs
lists
datasets
why_and_acts
hooks
tokens
streams_and_metrics
cp sluice.yaml sluice.yaml.good
life
done_with contract
