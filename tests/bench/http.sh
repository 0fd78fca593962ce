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

# measure NAME ARGS…: runs the server, then wrk with 64 and 8 connections
measure() {
	local name=$1 port='' cpu requests connections
	shift
	rm -f "$work/in" && mkfifo "$work/in"
	"$build/tests/bench/http_server" "$@" <"$work/in" >"$work/out" &
	server=$!
	exec 8>"$work/in"
	while [ -z "$port" ]; do
		sleep 0.05
		kill -0 "$server" || exit 1
		read -r port <"$work/out" || :
	done
	requests=0
	for connections in 64 8; do
		HOOK_BODY="$work/body" HOOK_SIGNATURE=$(<"$work/mac") HOOK_PREFIX="c$connections-" \
			wrk -t1 -c"$connections" -d"${seconds}s" --latency -s "$src/tests/bench/http_post.lua" \
			"http://127.0.0.1:$port/" >"$work/wrk"
		awk -v name="$name" -v c="$connections" '
			/^ *50%/ { p50 = $2 } /^ *99%/ { p99 = $2 } /^Requests\/sec/ { rate = $2 }
			/Non-2xx/ { bad = " NOT 2xx: " $NF }
			END { printf "webhook 1 KiB, %-24s %3d connections: %7.0f/s  p50 %s  p99 %s%s\n", name, c, rate, p50, p99, bad }' \
			"$work/wrk"
		requests=$((requests + $(sed -n 's/ *\([0-9]*\) requests in.*/\1/p' "$work/wrk")))
	done
	exec 8>&-
	wait "$server"
	server=
	cpu=$(sed -n 2p "$work/out")
	echo "webhook 1 KiB, $name: $(awk -v c="$cpu" -v n="$requests" 'BEGIN { printf "%.1f", c / n }') us of processor a request"
}

measure "no store (limit)" limit
mkdir -m 700 "$work/state"
measure "durable, matches nothing" store "$work/state"
