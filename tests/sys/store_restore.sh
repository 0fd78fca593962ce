#!/bin/bash
# Covers: backup under load (hot, proven, to a file and to standard output), one at a time; restore while a daemon holds the
# store (exit 4), of a file that is none or is damaged (exit 1, nothing changed), of yesterday's backup while the pool still
# runs attempts of the newer store: those are killed, nothing runs twice, nothing runs before `resume --all`; the epoch
# rises, numbers never repeat, what was lost is said, the replaced store is kept; compact; a second daemon (exit 4); the
# records of all that in one chain of the audit.
# Does not cover: two users; a disk that fails.
set -u
here=$(dirname "$0")
# shellcheck source=tests/sys/lib.sh
. "$here/lib.sh"
begin restore
mkdir -p dags marks
printf 'deployment: test\nworkers: 4\n' >sluice.yaml
cat >dags/quick.yaml <<EOF
dag: quick
concurrency: {max_runs: 10}
steps:
  a:
    task: {plugin: exec, command: [/bin/true]}
EOF
# Writes that it began, then waits for its release: a second start of the step would show.
cat >long.sh <<'EOF'
marks=$1
echo begun >>"$marks/$2"
trap 'echo killed >>"$marks/$2"; exit 1' TERM
for _ in $(seq 3000); do
	[ -e "$marks/go" ] && break
	sleep 0.02
done
echo done >>"$marks/$2"
EOF
cat >dags/long.yaml <<EOF
dag: long
concurrency: {max_runs: 3}
steps:
  wait:
    task: {plugin: exec, command: [/bin/bash, $work/long.sh, $work/marks, "\${run.key}"]}
EOF
start
cli 0 run quick -o json
is '.state == "succeeded"'

# --- under load
cli 0 trigger long --key old -o json
until_true "the first long step runs" test -s marks/old
for i in $(seq 40); do "$sluice" trigger quick --key "load$i" >/dev/null; done &
load=$!
cli 0 backup yesterday.mdb
says "$out" 'yesterday.mdb: '
wait "$load"
run 0 bash -c "'$sluice' backup - >piped.mdb"
[ -s piped.mdb ] || fail "nothing came through the pipe"
http 200 /v1/backup -D headers
says headers 'Sluice-Backup: schema=1; epoch=1; uuid='
[ -e state/backup.tmp ] && fail "a copy was left in the state folder"
backups() { # who made one stands in the audit
	"$sluice" audit --limit 1000 -o json | jq -e ".audit | map(select(.verb == \"backup\" and .object == \"store\" and .actor == \"unix:$(id -u)\")) | length == 3"
}
until_true "three backups in the audit" backups
mkdir copy && cp piped.mdb copy/data.mdb && printf 'deployment: copy\nstate: copy\n' >copy.yaml
chmod 700 copy
run 0 "$sluiced" -c copy.yaml --fsck -o json
is '.ok and .records > 40'

# --- while a daemon holds the store
run 4 "$sluiced"
says "$err" "another daemon (pid $daemon)"
cli 4 restore yesterday.mdb
cli 4 compact
cli 4 fsck

# --- what comes after the backup
cli 0 trigger long --key new -o json
newer=$(value '.runs[0]')
until_true "the second long step runs" test -s marks/new
cli 0 run quick --key after -o json
after=$(value .id)
before_next=$(curl -s --unix-socket state/sluice.sock http://localhost/v1/events?limit=1 | jq -r '.events[0].id')

# --- the daemon goes, the pool stays
kill -9 "$daemon"
wait "$daemon" 2>/dev/null
head -c 5000 yesterday.mdb >cut.mdb
cli 1 restore cut.mdb
says "$err" 'cut.mdb'
echo no store at all, but long enough to be looked at >none.mdb
cli 1 restore none.mdb
cli 5 restore nowhere.mdb
sum=$(sha256sum <state/data.mdb)
size=$(stat -c %s yesterday.mdb)
cp yesterday.mdb bad.mdb
for at in $(seq 8300 331 "$size"); do printf '\377\001' | dd of=bad.mdb bs=1 seek="$at" conv=notrunc 2>/dev/null; done
run 1 "$sluice" restore bad.mdb
[ "$(sha256sum <state/data.mdb)" = "$sum" ] || fail "a refused restore has changed the store"
ls state/data.mdb.* >/dev/null 2>&1 && fail "a refused restore left files: $(ls state)"
cli 0 restore yesterday.mdb
says "$out" 'restored the backup of 20'
says "$out" 'not in the backup: '
says "$out" 'sluice resume --all'
[ "$(cat state/data.mdb.before-restore-* | sha256sum)" = "$sum" ] || fail "the replaced store was not kept"
run 0 "$sluiced" --fsck

# --- nothing starts, what ran is ended
start
grep -q 'the store was restored' .log || fail "the log does not say that the store was restored"
until_true "what the restored store does not know is settled" grep -q 'of before the restore is settled' .log
[ "$(tail -n1 marks/new)" = killed ] || fail "the newer attempt was not killed: $(cat marks/new)"
cli 5 show "$newer"
cli 5 show "$after"
cli 0 show long@old -o json
is '.steps[0].state == "ready"'
cli 0 why long@old
says "$out" 'sluice resume --all'
[ "$(grep -c begun marks/old)" = 1 ] || fail "it was started again before anybody said so"
cli 3 run quick --key later
http 200 /v1/doctor
is '.held == true'

# --- on with it
cli 0 resume --all
until_true "the old run's step runs again" sh -c 'grep begun marks/old | sed -n 2p | grep -q .'
[ "$(sed -n 2p marks/old)" = killed ] || fail "two attempts of one step lived at once: $(cat marks/old)"
: >marks/go
until_true "the old run succeeds" bash -c "'$sluice' show long@old -o json | jq -e '.state == \"succeeded\"'"
[ "$(grep -c 'done' marks/old)" = 1 ] || fail "done twice: $(cat marks/old)"
cli 0 run quick --key fresh -o json
is '.state == "succeeded"'
event=$(value '.trigger.events[0]')
[ "$event" -gt "$before_next" ] || fail "event number $event was given away before the restore ($before_next)"
http 200 /v1/backup -D headers
grep -q 'epoch=1;' headers && fail "the epoch did not rise"
cli 0 shutdown --drain
daemon=
cli 0 fsck
cli 0 compact
says "$out" 'MiB before'
cli 0 fsck
start
cli 0 show long@old
# The one chain of the audit goes through the backup, the restore and the compact.
cli 0 audit --limit 1000 -o json
is ".audit | map(select(.verb == \"compact\" and .object == \"store\" and .actor == \"unix:$(id -u)\" and (.detail | endswith(\" bytes before\")))) | length == 1"
is ".audit | map(select(.verb == \"restore\" and .object == \"store\" and .actor == \"unix:$(id -u)\" and (.detail | startswith(\"the backup of 20\")))) | length == 1"
is '.audit | any(.verb == "backup")'
is '[.audit[].verb] | index("compact") < index("restore")'
cli 0 audit --verify
says "$out" 'the chain is whole'
done_with store_restore
