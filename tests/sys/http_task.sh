#!/bin/bash
# Covers: the http plugin on the real daemon, pool and workers: outputs of a step in the next, templated path, query and JSON,
# auth from a secret that no log shows, expect that fails with what was expected and what came, retries after 500, Retry-After,
# a redirect, an answer over the limit, the guard, cancel while the server is silent.
# Does not cover: TLS (tls_out.sh does). The server, http_server.py, is of our own making.
set -u
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin http_task
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; finish' EXIT
mkdir -p got dags secrets
echo "hush-hush-token" >secrets/token
python3 "$SLUICE_SRC_DIR/tests/sys/http_server.py" got &
server=$!
until_true "the server" test -s got/http.port
url=http://127.0.0.1:$(cat got/http.port)/api/
cat >sluice.yaml <<END
deployment: test
workers: 2
connections:
  crm: {plugin: http, url: "$url", private: allow, auth: bearer, token: {file: secrets/token}, headers: {X-Team: data},
        rate: 100/s, max_sessions: 2}
  strict: {plugin: http, url: "$url"}
END
cat >dags/export.yaml <<'END'
dag: export
params: {limit: {type: integer, default: 1000}}
steps:
  begin:
    task:
      connection: crm
      method: POST
      path: exports
      query: {dag: "${run.dag} & co", tag: [a, b]}
      json: {table: orders, limit: "${params.limit}", deep: {list: ["${run.dag}", 1, null]}}
      expect: {status: [201], json: {/state: queued, /table: orders}}
      outputs: {id: /id}
  ready:
    needs: [begin]
    task:
      connection: crm
      path: "exports/${steps.begin.outputs.id}"
      expect: {json: {/state: done}}
      outputs: {rows: /result/rows, all: /result}
  tell:
    needs: [ready]
    task:
      connection: crm
      method: PUT
      path: echo
      headers: {X-Rows: "${steps.ready.outputs.rows}"}
      json_list: ["${steps.ready.outputs.all}", "rows: ${steps.ready.outputs.rows}"]
END
# one NAME PATH [RETRY] [MORE]: a DAG of one request
one() {
	printf 'dag: %s\nsteps:\n  s:\n%s    task:\n      connection: %s\n      path: %s\n%s' "$1" "${3:+    retry: $3
}" "${connection:-crm}" "$2" "${4:+      $4
}" >"dags/$1.yaml"
}
one flaky flaky '{attempts: 5, delay: 1s}'
one busy busy '{attempts: 3, delay: 1s}'
one closed closed
one away away
one long long
one long_ok long '' 'max_bytes: 3MiB'
one hold hold
one wrong echo '' 'expect: {json: {/method: POST}}'
connection=strict one guarded echo
start
cli 0 check
asked() { # asked FILTER: some request was so
	jq -e -s "any(.[]; $1)" got/got.ndjson >/dev/null
}

cli 0 run export -o json
is '.state == "succeeded" and (.steps | map({(.name): .outputs}) | add | .begin.id == 42 and .ready.rows == 1234)'
is 'all(.steps[]; .attempt == 1)'
run=$(value .id)
jq -s '.' got/got.ndjson >"$out"
is '.[0].path == "/api/exports?dag=export%20%26%20co&tag=a&tag=b"'
is '.[0].json == {"table": "orders", "limit": 1000, "deep": {"list": ["export", 1, null]}}'
is 'all(.[]; .headers.authorization == "Bearer hush-hush-token" and .headers["x-team"] == "data")'
is '.[-1].method == "PUT" and .[-1].json == [{"rows": 1234}, "rows: 1234"] and .[-1].headers["x-rows"] == "1234"'
cli 0 logs "$run"
says "$out" "POST /api/exports: 201, "
says "$out" "GET /api/exports/42: 200, "

cli 0 run flaky -o json
is '.steps[0].attempt == 3'
cli 0 run busy -o json
is '.steps[0].attempt == 2'
cli 1 run wrong -o json
is '.steps[0].class == "data" and (.steps[0].message | contains("\"POST\" is expected, but there is \"GET\""))'
cli 1 run closed -o json
is '.steps[0].class == "auth" and .steps[0].attempt == 1'
cli 1 run away -o json
is '.steps[0].class == "config" and (.steps[0].message | contains("redirects are not followed"))'
cli 1 run long -o json
is '.steps[0].class == "data" and (.steps[0].message | contains("longer than 1048576 bytes"))'
cli 0 run long_ok
cli 1 run guarded -o json
is '.steps[0].class == "config" and (.steps[0].message | contains("private: allow"))'

cli 0 trigger hold -o json
run=$(value '.runs[0]')
until_true "the server has the request" asked '.path == "/api/hold"'
cli 0 cancel "$run"
ended() {
	"$sluice" show "$run" -o json >"$out" && jq -e '.ended_at != null' "$out"
}
until_true "the end of the cancelled run" ended
is '.state == "cancelled"'

checks=$((checks + 1))
grep -rqE 'hush-hush' .log state/logs && fail "the token stands in a log"
run 0 "$sluice" shutdown
wait "$daemon"
daemon=
run 0 "$sluiced" --fsck
done_with http_task
