#!/bin/bash
# Covers: a store of the first record layout (tests/data/stores) is proven, shown and run on by this release, which then marks
# it; a damaged one ends the daemon at its start with a message and exit 70,
# not 75, so that nobody starts it again and again; one that is cut off the same; quota: alarm, refusal of hooks and runs by
# hand with Retry-After, what runs goes on, recovery by a larger limit; a full disk (a small tmpfs, root only: else that part is
# skipped): new events 503, transitions go on, the daemon lives, and takes events again.
# Does not cover: a disk that fails to write; a store of a newer release; log files by age and bytes; a reserve used up.
set -u
here=$(dirname "$0")
# shellcheck source=tests/sys/lib.sh
. "$here/lib.sh"
begin store_old
mkdir -p dags state && chmod 700 state
printf 'deployment: test\nworkers: 2\nhooks: {in: {scheme: none, id_header: X-Id}}\n' >sluice.yaml
step() { # step NAME MORE SCRIPT: a DAG of one step
	printf 'dag: %s\n%s\nsteps:\n  load:\n    task: {plugin: exec, command: [/bin/sh, -c, "%s"]}\n' "$1" "$2" "$3" >"dags/$1.yaml"
}
step nightly 'triggers: {in: {webhook: in}}' true
step wait 'concurrency: {max_runs: 1}' true

# --- the first layout
gzip -dc "${SLUICE_SRC_DIR:?}/tests/data/stores/records1.mdb.gz" >state/data.mdb
cp state/data.mdb first.mdb
cli 0 fsck -o json
is '.ok and .records > 40'
start
cli 0 runs -o json
is '.runs | length == 5'
is '[.runs[].state] | sort == ["queued", "running", "succeeded", "succeeded", "succeeded"]'
cli 0 show each@k1 -o json
is '[.steps[] | select(.name == "many" and .item != null)] | length == 3'
http 200 /hooks/in -H 'X-Id: e1' -H 'Content-Type: application/json' -d '{"a":1}'
http 202 /hooks/in -H 'X-Id: e2' -H 'Content-Type: application/json' -d '{"a":2}'
cli 0 run nightly -o json
is '.state == "succeeded"'
cli 0 cancel wait@open
until_true "the run that was under way ends" sh -c "'$sluice' show wait@open -o json | grep -q '\"state\":\"cancelled\"'"
cli 0 shutdown --cancel
daemon=
cli 0 fsck
grep -q min_reader state/data.mdb || fail "the store does not say who may read it"

# --- damage
cp state/data.mdb good.mdb
dd if=/dev/urandom of=state/data.mdb bs=4096 seek=2 count=60 conv=notrunc 2>/dev/null
run 70 "$sluiced"
says "$err" 'damaged'
says "$err" 'sluice restore'
head -c 20000 good.mdb >state/data.mdb
run 70 "$sluiced"
says "$err" 'cut off'
cp good.mdb state/data.mdb

# --- quota: 1 MiB, filled by bodies of events
printf 'deployment: test\nworkers: 2\nlimits: {store: 1MiB}\nretention: {runs: 7d, events: 7d}\nhooks: {in: {scheme: none, id_header: X-Id}}\n' >sluice.yaml
step slow '' 'while [ ! -e go ]; do sleep 0.05; done'
sed -i "s|-e go|-e $work/go|" dags/slow.yaml
start
cli 0 trigger slow --key k
head -c 30000 /dev/zero | tr '\0' x | sed 's/^/{"a":"/; s/$/"}/' >body
send() { curl -s -m 10 -o "$out" -D headers -w '%{http_code}' --unix-socket state/sluice.sock -H "X-Id: $1" -H 'Content-Type: application/json' -d @body http://localhost/hooks/in; }
refused() { i=$((i + 1)); [ "$(send "q$i")" = 503 ]; }
i=0
until_true "new events are refused" refused
says headers 'Retry-After: '
is '.code == "over-quota"'
grep -q 'limits.store' .log || fail "the log does not say that the store is full"
cli 3 trigger nightly
http 503 /v1/datasets/lake%2Fx/touch -X POST -H 'Content-Type: application/json' -d '{}'
http 503 /v1/backfills -X POST -H 'Content-Type: application/json' -d '{"dag":"nightly","from":"2026-01-01","to":"2026-01-02"}'
http 200 /v1/doctor
is '.store_quota == "refuse" and .store_reserve_bytes > 0 and (.store_disk_kind | length) > 1'
cli 0 doctor -o json
is '[.checks[].text] | any(contains("new work is refused"))'
http 200 /metrics
says "$out" 'sluice_store_alarm 2'
[ "$(curl -s --unix-socket state/sluice.sock http://localhost/readyz)" = ok ] || fail "not ready because of the quota"
: >go
until_true "what runs ends all the same" sh -c "'$sluice' show slow@k -o json | grep -q '\"state\":\"succeeded\"'"
sed -i 's/1MiB/64MiB/' sluice.yaml
kill -HUP "$daemon"
taken() { i=$((i + 1)); [ "$(send "r$i")" = 202 ]; }
until_true "events are taken again" taken
cli 0 shutdown --cancel
daemon=
cli 0 fsck

# --- a full disk
rm -rf state && mkdir state
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=24m,mode=700 tmpfs state 2>/dev/null; then
	trap 'finish; umount -l "$work/state" 2>/dev/null; rm -rf "$work"' EXIT
	rm -f go
	start
	cli 0 trigger slow --key k
	until_true "the step runs" sh -c "'$sluice' show slow@k -o json | grep -q '\"state\":\"running\"'"
	dd if=/dev/zero of=state/filler bs=64k 2>/dev/null
	until_true "new events are refused" refused
	: >go
	until_true "what runs ends on a full disk" sh -c "'$sluice' show slow@k -o json | grep -q '\"state\":\"succeeded\"'"
	kill -0 "$daemon" || fail "the daemon has ended"
	rm state/filler
	until_true "events are taken again" taken
	cli 0 shutdown --cancel
	daemon=
	cli 0 fsck
else
	echo "no small file system can be mounted here: the full disk is not tested"
fi
done_with store_old
