#!/bin/bash
# The conformance kit on every plugin of the build, each with its scenario.
# Covers: tables, options, runs, kills at each slot, cancel, as `sluice plugin test` does. Not: the daemon.
set -u
here=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; rm -rf "$here"' EXIT
python3 "$SLUICE_SRC_DIR/tests/sys/http_server.py" "$here" &
server=$!
for _ in $(seq 600); do
	[ -s "$here/http.port" ] && break
	sleep 0.05
done
port=$(cat "$here/http.port") || exit 1
failed=0
for plugin in csv columns example exec http lake notify sqlite; do
	cp "$SLUICE_BUILD_DIR/plugins/.libs/$plugin.so" "$here/"
	sed "s/@PORT@/$port/" "$SLUICE_SRC_DIR/plugins/$plugin/$plugin.conform.json" >"$here/$plugin.conform.json"
	chmod go-w "$here"/*
	if "$SLUICE_BUILD_DIR/core/cli/sluice" plugin test "$here/$plugin.so" >"$here/out" 2>&1 </dev/null; then
		echo "$plugin: $(tail -n 1 "$here/out")"
	else
		echo "$plugin:"
		grep -v '^ok' "$here/out"
		failed=1
	fi
done
exit $failed
