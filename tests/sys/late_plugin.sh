#!/bin/bash
# Covers: a plugin that cannot be described in time, as on a busy machine: a first start waits and asks again, for sluice.yaml
# and for the DAG files, and is ready with every file compiled; a plugin that stays late is named, the other files compile,
# and once it answers `apply` compiles what it was missing for, though no file has changed.
# How: tests/sys/late_plugin.c waits in its constructor while a file is there; its time limit is the worker's own (10 s a try).
# Does not cover: a child that cannot be started, or is killed, when it describes.
set -u
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin late_plugin
mkdir -p dags plugins
cp "$SLUICE_BUILD_DIR/tests/sys/.libs/late.so" plugins/late.so
printf 'deployment: test\nplugins: [plugins]\n' >sluice.yaml
printf 'dag: a\nsteps: {s: {task: {plugin: late}}}\n' >dags/a.yaml
printf 'dag: b\nsteps: {s: {task: {plugin: noop}}}\n' >dags/b.yaml

children() { # the children of this folder that describe it
	pgrep -f -- "--describe $work/plugins/late.so"
}
another_build() { # other bytes, so that it has to be described again; in place by a rename
	cp plugins/late.so plugins/.new
	echo >>plugins/.new
	mv plugins/.new plugins/late.so
}
first=''
another_try() { # a second child, after the one that took too long
	local pid
	pid=$(children | head -n 1)
	[ -n "$pid" ] || return 1
	[ -n "$first" ] || first=$pid
	[ "$pid" != "$first" ]
}

# The first start: sluice.yaml is read with the catalog, too.
touch plugins/late.so.late
: >.log
"$sluiced" >>.log 2>&1 &
daemon=$!
until_true "another try" another_try
rm plugins/late.so.late
ready() { [ "$(curl -s -m 5 --unix-socket state/sluice.sock http://localhost/readyz)" = ok ]; }
until_true "ready" ready
http 200 /v1/doctor
is '.broken_files == []'
cli 0 run a -o json
is '.state == "succeeded"'

# Another build of it, and the machine is busy again: the compiler of the system lane waits as well.
touch plugins/late.so.late
another_build
first=''
"$sluice" apply >.applied 2>&1 &
apply=$!
until_true "another try of the compiler's" another_try
rm plugins/late.so.late
wait "$apply"
code=$?
checks=$((checks + 1))
[ "$code" = 0 ] || fail "apply ended with $code: $(cat .applied)"
http 200 /v1/doctor
is '.broken_files == []'

# It stays late: said, with what to do; the other file is compiled.
touch plugins/late.so.late
another_build
printf 'dag: b\ndescription: new\nsteps: {s: {task: {plugin: noop}}}\n' >dags/b.yaml
timeout 150 "$sluice" apply >"$out" 2>"$err" # the configuration and the DAG files wait for it, one after the other
code=$?
checks=$((checks + 1))
[ "$code" = 2 ] || fail "apply ended with $code: $(cat "$out" "$err")"
says "$out" 'the plugin "late" cannot be used'
says "$out" 'takes more than 10 s when it is opened'
grep -q 'a plugin cannot be described now' .log || fail "the log does not say so"
http 200 /v1/doctor
is '.broken_files == ["a.yaml"]'
http 200 /v1/dags/b
is '.description == "new"'
rm plugins/late.so.late
cli 0 apply
http 200 /v1/doctor
is '.broken_files == []'
run 0 "$sluice" shutdown
wait "$daemon"
daemon=
done_with late_plugin
