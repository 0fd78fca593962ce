#!/bin/bash
# Covers: GET /openapi.json against the real daemon: schemathesis makes requests out of it, right and wrong ones, and holds
# statuses, bodies, media types and methods to it; every member of an object of a reply is described; a wrong document is
# found out. EXAMPLES=n asks for more requests.
# Does not cover: the stream, shutdown. Skipped where PyPI cannot be reached.
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
venv=$(bash "$SLUICE_SRC_DIR/contrib/venv" 2>/dev/null) || {
	echo "openapi: no Python environment with schemathesis (contrib/venv): skipped"
	exit 77
}
begin openapi
mkdir dags
cat >sluice.yaml <<'E2'
deployment: test
state: state
dags: dags
workers: 2
http: {listen: "127.0.0.1:0"}
hooks: {in: {scheme: none, id_header: X-Id}}
connections: {lake: {plugin: lake, root: lake}}
pools: {p: 2}
E2
cat >dags/a.yaml <<'E2'
dag: a
timezone: Asia/Tokyo
params: {n: {type: integer, default: 3, min: 1}}
triggers:
  nightly: {cron: "30 2 * * *", covers: {unit: day, offset: -1}}
  h: {webhook: in, body: {a: {type: string}}, key: "${event.body.a}"}
steps:
  one: {pools: {p: 1}, publishes: [{dataset: lake/x, partition: "${run.key}"}], task: {plugin: exec, shell: "echo 1"}}
E2
cat >dags/b.yaml <<'E2'
dag: b
concurrency: {max_runs: 8}
steps:
  one: {task: {plugin: noop}}
  two: {needs: [one], task: {plugin: exec, shell: "exit 3"}}
  many: {needs: [one], foreach: {in: [a, b]}, task: {plugin: noop}}
E2
start
cli 0 run a --at 2026-11-20
cli 1 run b
cli 0 token new fuzz --scope admin -o json
token=$(value .token)
url=http://127.0.0.1:${port:?}
curl -s --unix-socket state/sluice.sock http://localhost/openapi.json >doc.json

fuzz() { # fuzz DOCUMENT EXAMPLES [OPTION...]
	PATH=$venv/bin:$PATH timeout 500 schemathesis run "$1" --url "$url" -H "Authorization: Bearer $token" \
		--max-examples "$2" --seed 1 --generation-allow-x00 false --no-color "${@:3}" >report.txt 2>&1
}
checks=$((checks + 1))
# Strict: no member of a reply's object that the document does not name.
jq '.components.schemas |= with_entries(if (.value.properties and (.value.allOf | not) and .key != "RunHead")
	then .value.additionalProperties //= false else . end)' doc.json >strict.json
fuzz strict.json "${EXAMPLES:-3}" --exclude-path-regex 'shutdown|stream|backup' || {
	fail "schemathesis found faults"
	sed -n '/= FAILURES/,$p' report.txt | head -n 150
}
grep -E '^ *[0-9]+ generated' report.txt || fail "schemathesis did not say what it did: $(tail -n 5 report.txt)"

# A document that is wrong about one member must be found out.
checks=$((checks + 1))
jq '.components.schemas.PoolList.properties.pools.items.properties.size.type = "string"' strict.json >wrong.json
if fuzz wrong.json 2 --include-path /v1/pools; then fail "a wrong document was not found out"; fi
grep -q "violates schema" report.txt || fail "the wrong document was found out for another reason"
done_with openapi
