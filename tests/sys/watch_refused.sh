#!/bin/bash
# Covers: `watch: true` where the kernel refuses inotify: no instance (EMFILE), or no watch (ENOSPC): the daemon runs, says so in its
# log and to doctor, and takes files at HUP and by apply; once it may watch, the next apply begins to.
# How: a user namespace of its own has limits of its own; skipped where none can be made.
# Does not cover: a limit that is reached while it watches.
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin watch_refused
unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_inotify_instances' 2>/dev/null || {
	echo "SKIP: no user namespaces with limits of their own here"
	exit 77
}
mkdir -p dags/more
printf 'deployment: test\nwatch: true\n' >sluice.yaml
dag() { # dag NAME TEXT
	printf 'dag: %s\ndescription: %s\nsteps: {a: {task: {plugin: noop}}}\n' "$1" "$2" >"dags/$1.yaml"
}
described() { # described NAME TEXT
	"$sluice" dags -o json | jq -e ".dags | any(.dag == \"$1\" and .description == \"$2\")"
}
watched() { curl -s --unix-socket state/sluice.sock http://localhost/v1/doctor | jq -e '.watching'; }
ready() { [ "$(curl -s -m 5 --unix-socket state/sluice.sock http://localhost/readyz)" = ok ]; }
# limited FILE N: a daemon in a namespace that may have N of them
limited() {
	# shellcheck disable=SC2016 # the inner shell expands it
	unshare -Ur bash -c 'echo "$2" >"/proc/sys/user/$1" && echo $$ >.limited && exec "$0"' "$sluiced" "$1" "$2" >.log 2>&1 &
	daemon=$!
	until_true "ready" ready
}
refused() { # refused WHY: it runs without
	says .log "the DAG folder cannot be watched: $1"
	http 200 /v1/doctor
	is '.watching == false'
	"$sluice" doctor -o json >"$out" 2>"$err"
	is '.checks | any(.check == "watch" and .result == "warning" and (.text | contains("cannot be watched")))'
	dag a "by HUP, $1"
	kill -HUP "$daemon"
	until_true "a file taken at HUP" described a "by HUP, $1"
	dag a "by apply, $1"
	cli 0 apply
	until_true "a file taken by apply" described a "by apply, $1"
}
dag a first
limited max_inotify_instances 0
refused 'Too many open files'
kill "$daemon"
wait "$daemon"
limited max_inotify_watches 1 # the folder, not the one in it
refused 'No space left on device'

# More are allowed: the next apply begins to watch.
nsenter -U -t "$(cat .limited)" --preserve-credentials sh -c 'echo 100 >/proc/sys/user/max_inotify_watches' 2>"$err" ||
	fail "the limit cannot be raised: $(cat "$err")"
cli 0 apply
until_true "it watches" watched
dag a watched
until_true "a file taken because it changed" described a watched
"$sluice" doctor -o json >"$out" 2>"$err"
is '.checks | all(.check != "watch" or .result == "ok")'
run 0 "$sluice" shutdown
wait "$daemon"
daemon=
done_with watch_refused
