#!/bin/bash
# Covers: the units of contrib/systemd as systemd-analyze sees them; a start with LISTEN_FDS (the API's unix socket and a TCP one, by
# hand), READY, RELOADING, STOPPING and the watchdog told to NOTIFY_SOCKET; pools that a service manager starts when it is asked at
# SLUICE_POOL_STARTER, and starts again when one was killed.
# Does not cover: a running systemd; two users.
set -u
for tool in jq curl python3; do command -v $tool >/dev/null || exit 77; done
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin service
manager=$SLUICE_SRC_DIR/tests/sys/service.py
helpers=()
end_helpers() {
	[ ${#helpers[@]} = 0 ] || kill "${helpers[@]}" 2>/dev/null
	finish
}
trap end_helpers EXIT

if command -v systemd-analyze >/dev/null; then
	echo "# the units"
	mkdir units
	for unit in sluiced.service sluiced.socket sluice-pool.socket sluice-pool@.service; do
		sed "s|@sbindir@/sluiced|/bin/true|; s|@libexecdir@/sluice/sluice-pool|/bin/true|; s|@sysconfdir@|/etc|" \
			"$SLUICE_SRC_DIR/contrib/systemd/$unit.in" >"units/$unit"
	done
	SYSTEMD_UNIT_PATH=$work/units: timeout 60 systemd-analyze verify --man=no units/sluiced.service units/sluiced.socket \
		units/sluice-pool.socket units/sluice-pool@x.service >.verify 2>&1
	checks=$((checks + 1))
	faults=$(grep -F "units/" .verify)
	[ -z "$faults" ] || fail "systemd-analyze finds fault: $faults"
	sed 's/^OOMPolicy=/OOMPolicyy=/' units/sluiced.service >units/planted.service
	SYSTEMD_UNIT_PATH=$work/units: timeout 60 systemd-analyze verify --man=no units/planted.service >.verify 2>&1
	checks=$((checks + 1))
	found=$(grep -cF 'OOMPolicyy' .verify)
	[ "$found" -ge 1 ] || fail "systemd-analyze does not find a planted fault"
fi

mkdir -m 700 state
mkdir dags
printf 'deployment: service\nhttp: {listen: "127.0.0.1:1"}\n' >sluice.yaml
printf 'dag: d\nsteps: {a: {task: {plugin: exec, command: ["true"]}}}\n' >dags/d.yaml
python3 "$manager" notify "$work/notify" "$work/told" &
helpers+=($!)
python3 "$manager" starter "$work/starter" "$SLUICE_BUILD_DIR/core/pool/sluice-pool" "$work/state" 2>pool.log &
helpers+=($!)
until_true "the manager's sockets" test -S notify -a -S starter
NOTIFY_SOCKET=$work/notify WATCHDOG_USEC=200000 SLUICE_POOL_STARTER=$work/starter \
	python3 "$manager" exec "$work/state/sluice.sock" "$sluiced" >.log 2>&1 &
daemon=$!
ready() { [ "$(curl -s -m 5 --unix-socket state/sluice.sock http://localhost/readyz)" = ok ]; }
until_true "the daemon" ready
# shellcheck disable=SC2034 # tcp uses it
port=$(sed -n 's/^port //p' .log)

echo "# sockets that were handed over, notifications"
http 200 /livez
tcp 200 /livez
until_true "READY" grep -qx READY=1 told
until_true "the watchdog" grep -qx WATCHDOG=1 told
kill -HUP "$daemon"
until_true "RELOADING" grep -q '^RELOADING=1 MONOTONIC_USEC=[0-9]' told
twice() { [ "$(grep -cx READY=1 told)" = 2 ]; }
until_true "the end of the reload" twice

echo "# pools of the service manager"
cli 0 run d
pid=$(sed -n 's/^pid=//p' state/pool/*.lock)
checks=$((checks + 1))
[ "$(awk '{print $4}' "/proc/$pid/stat")" != "$daemon" ] || fail "the daemon started the pool itself"
kill -9 "$pid"
cli 0 run d
checks=$((checks + 1))
[ "$(sed -n 's/^pid=//p' state/pool/*.lock | tail -1)" != "$pid" ] || fail "no other pool"
cli 0 run d
kill -TERM "$daemon"
wait "$daemon"
daemon=''
until_true "STOPPING" grep -qx STOPPING=1 told
checks=$((checks + 1))
[ -S state/sluice.sock ] || fail "the manager's socket was removed"
pkill_pool() { for lock in state/pool/*.lock; do kill "$(sed -n 's/^pid=//p' "$lock")" 2>/dev/null; done; }
pkill_pool
done_with service
