# Shared by system tests: a temporary folder, the daemon on it, checks that name what they wanted.
# Source it, then: begin NAME; ...; done_with NAME. Needs SLUICE_BUILD_DIR.
# shellcheck shell=bash
sluiced=${SLUICE_BUILD_DIR:?}/core/daemon/sluiced sluice=${SLUICE_BUILD_DIR:?}/core/cli/sluice
daemon='' work='' checks=0 failures=0

finish() {
	[ -n "$daemon" ] && kill -9 "$daemon" 2>/dev/null
	[ -f "$work/sluice.yaml" ] && (cd "$work" && timeout 20 "$sluice" shutdown --cancel >/dev/null 2>&1)
	rm -rf "$work"
}
begin() { # begin NAME: makes and enters the folder
	work=$(mktemp -d "/tmp/sluice-$1-XXXXXX")
	trap finish EXIT
	cd "$work" || exit 1
	unset SLUICE_CONFIG SLUICE_URL SLUICE_TOKEN_FILE
	out=$work/.out err=$work/.err
}
fail() {
	failures=$((failures + 1))
	echo "FAILED: $*"
}
die() {
	fail "$@"
	tail -n 20 "$work/.log" 2>/dev/null
	exit 1
}
done_with() {
	echo "$1: $checks checks, $failures failed"
	[ "$failures" = 0 ] && exit 0
	tail -n 20 "$work/.log"
	exit 1
}
run() { # run CODE COMMAND...: its exit code; output in .out and .err
	local want=$1 got
	shift
	timeout 60 "$@" >"$out" 2>"$err"
	got=$?
	checks=$((checks + 1))
	[ "$got" = "$want" ] || fail "exit $got, not $want: ${*##*/}: $(head -c 600 "$out" "$err")"
}
cli() { # cli CODE ARGUMENTS...: sluice
	local want=$1
	shift
	run "$want" "$sluice" "$@"
}
is() { # is FILTER: jq says true of the last output
	checks=$((checks + 1))
	jq -e "$1" "$out" >/dev/null 2>&1 || fail "not true: $1 of $(head -c 800 "$out")"
}
lines() { # lines N: the last output has so many
	checks=$((checks + 1))
	[ "$(wc -l <"$out")" = "$1" ] || fail "not $1 lines: $(head -c 800 "$out")"
}
says() { # says WHICH TEXT: .out or .err holds the text
	checks=$((checks + 1))
	grep -qF -- "$2" "$1" || fail "does not say \"$2\": $(head -c 800 "$1")"
}
value() { # value FILTER: of the last output
	jq -r "$1" "$out"
}
http() { # http CODE PATH [CURL-OPTION...]: the daemon's unix socket; body in .out
	local want=$1 path=$2 got
	shift 2
	got=$(curl -s -m 30 -o "$out" -w '%{http_code}' --unix-socket state/sluice.sock "$@" "http://localhost$path")
	checks=$((checks + 1))
	[ "$got" = "$want" ] || fail "$path answered $got, not $want: $(head -c 400 "$out")"
}
tcp() { # tcp CODE PATH [CURL-OPTION...]: the port that the daemon printed
	local want=$1 path=$2 got
	shift 2
	got=$(curl -s -m 30 -o "$out" -w '%{http_code}' "$@" "http://127.0.0.1:$port$path")
	checks=$((checks + 1))
	[ "$got" = "$want" ] || fail "$path over TCP answered $got, not $want: $(head -c 400 "$out")"
}
start() { # the daemon, until it is ready; sets daemon and port
	: >"$work/.log"
	"$sluiced" >>"$work/.log" 2>&1 &
	daemon=$!
	for _ in $(seq 1500); do
		[ "$(curl -s -m 5 --unix-socket state/sluice.sock http://localhost/readyz)" = ok ] && break
		kill -0 "$daemon" 2>/dev/null || die "the daemon ended at its start"
		sleep 0.02
	done
	port=$(sed -n 's/^listening on port //p' "$work/.log")
}
until_true() { # until_true WHAT COMMAND...: at most 30 s
	local what=$1
	shift
	checks=$((checks + 1))
	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.05
	done
	fail "waited in vain for: $what"
}
