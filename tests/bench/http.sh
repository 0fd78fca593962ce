#!/bin/bash
# http.sh: webhook -> durable 202, 1 KiB, by wrk on the same cores, beside the same server without a store.
# usage: tests/bench/http.sh [--short]      (SLUICE_BUILD_DIR, SLUICE_SRC_DIR)
set -eu
build=${SLUICE_BUILD_DIR:?} src=${SLUICE_SRC_DIR:?}
seconds=10
[ "${1-}" = --short ] && seconds=2
command -v wrk >/dev/null || {
	echo "webhook bench left out: install wrk"
	exit 0
}
# on the disk of the build: a store in memory would prove nothing
work=$(mktemp -d "$build/bench-http.XXXXXX")
server=
finish() {
	exec 8>&-
	if [ -n "$server" ]; then wait "$server" || :; fi
	rm -rf "$work"
}
trap finish EXIT

python3 - "$work" <<'PY'
import hashlib, hmac, sys
body = b'{"type":"order.created","data":{"id":17,"items":[{"sku":"a-1","n":2},{"sku":"b-2","n":1}],"pad":"'
body += b'x' * (1024 - len(body) - 3) + b'"}}'
open(sys.argv[1] + "/body", "wb").write(body)
open(sys.argv[1] + "/mac", "w").write(hmac.new(b"bench-secret-bench-secret", body, hashlib.sha256).hexdigest())
PY

# load NAME PORT: wrk with 256, 64 and 8 connections; leaves the number of requests in $requests
load() {
	local connections
	requests=0
	for connections in 256 64 8; do
		HOOK_BODY="$work/body" HOOK_SIGNATURE=$(<"$work/mac") HOOK_PREFIX="c$connections-" \
			wrk -t1 -c"$connections" -d"${seconds}s" --latency -s "$src/tests/bench/http_post.lua" \
			"http://127.0.0.1:$2/" >"$work/wrk"
		awk -v name="$1" -v c="$connections" '
			/^ *50%/ { p50 = $2 } /^ *99%/ { p99 = $2 } /^Requests\/sec/ { rate = $2 }
			/Non-2xx/ { bad = " NOT 2xx: " $NF }
			END { printf "webhook 1 KiB, %-24s %3d connections: %7.0f/s  p50 %s  p99 %s%s\n", name, c, rate, p50, p99, bad }' \
			"$work/wrk"
		requests=$((requests + $(sed -n 's/ *\([0-9]*\) requests in.*/\1/p' "$work/wrk")))
	done
}

# await PATTERN: the first match in the server's output, in $found
await() {
	found=
	while [ -z "$found" ]; do
		sleep 0.05
		kill -0 "$server" || exit 1
		found=$(sed -n "s/$1/\1/p" "$work/out" | head -n 1)
	done
}

# measure NAME ARGS…: the server alone
measure() {
	local name=$1
	shift
	rm -f "$work/in" && mkfifo "$work/in"
	"$build/tests/bench/http_server" "$@" <"$work/in" >"$work/out" &
	server=$!
	exec 8>"$work/in"
	await '^\([0-9]*\)$'
	load "$name" "$found"
	exec 8>&-
	wait "$server"
	server=
	echo "webhook 1 KiB, $name: $(sed -n 2p "$work/out" | awk -v n="$requests" '{ printf "%.1f", $1 / n }') us of processor a request"
}

# The whole daemon, where each request starts a run; one run at a time, so that the runs wait and the figure is T1's.
measure_runs() {
	mkdir -p "$work/dags" && mkdir -m 700 "$work/daemon"
	printf 'bench-secret-bench-secret' >"$work/secret" && chmod 600 "$work/secret"
	cat >"$work/sluice.yaml" <<-YAML
		deployment: bench
		state: daemon
		workers: 1
		http: {listen: "127.0.0.1:0"}
		hooks: {bench: {scheme: hmac, header: X-Signature, prefix: "sha256=", id_header: X-Id, secrets: [{file: secret}]}}
		limits: {store: 8GiB}
	YAML
	cat >"$work/dags/d.yaml" <<-YAML
		dag: started
		triggers: {hook: {webhook: bench}}
		concurrency: {max_runs: 1}
		steps: {wait: {task: {plugin: exec, command: [sleep, "3600"]}}}
	YAML
	"$build/core/daemon/sluiced" -c "$work/sluice.yaml" >"$work/out" 2>&1 &
	server=$!
	await '^listening on port \([0-9]*\)$'
	sleep 1
	load "durable, starts a run" "$found"
	SLUICE_CONFIG="$work/sluice.yaml" "$build/core/cli/sluice" shutdown --cancel >/dev/null || kill "$server"
	wait "$server" || :
	server=
}

measure "no store (limit)" limit
mkdir -m 700 "$work/state"
measure "durable, matches nothing" store "$work/state"
measure_runs
