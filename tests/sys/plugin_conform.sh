#!/bin/bash
# The conformance kit on every plugin of the build, each with its scenario.
# Covers: tables, options, runs, kills at each slot, cancel, as `sluice plugin test` does. Not: the daemon.
set -u
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
failed=0
for plugin in csv columns example exec lake notify sqlite; do
	cp "$SLUICE_BUILD_DIR/plugins/.libs/$plugin.so" "$SLUICE_SRC_DIR/plugins/$plugin/$plugin.conform.json" "$here/"
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
