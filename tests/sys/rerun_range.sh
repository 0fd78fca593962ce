#!/bin/bash
# Covers: a step with a cursor: its rerun reads the range of its run again, not what came since, and the stored cursor stays where
# the newest run has put it; the next run reads on from there.
# Does not cover: ties and types of cursors (tests/unit/test_plugins_sqlite.c).
set -u
for tool in jq curl python3; do command -v $tool >/dev/null || exit 77; done
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin rerun_range
mkdir dags
sql() { python3 -c 'import sqlite3, sys; d = sqlite3.connect("shop.db"); print(*d.execute(sys.argv[1]).fetchall()); d.commit()' "$1" >/dev/null; }
cat >sluice.yaml <<'E'
deployment: ranges
connections:
  shop: {plugin: sqlite, path: shop.db}
  dwh: {plugin: sqlite, path: dwh.db}
E
cat >dags/orders.yaml <<'E'
dag: orders
steps:
  raw:
    extract: {connection: shop, table: orders, cursor: {column: id}}
    load: {connection: dwh, dataset: dwh/orders, mode: append, stamp: true}
E
sql 'create table orders(id integer primary key, note text)'
sql "insert into orders values (1, 'a'), (2, 'b')"
start
once() { # once ROWS: one more run, which reads so many rows
	cli 0 run orders -o json
	is ".state == \"succeeded\" and .steps[0].rows_in == $1"
}
again() { # again RUN ROWS GENERATION: reruns it; it reads so many rows
	cli 0 rerun "$1" --step raw
	until_true "the end of the rerun" sh -c "'$sluice' show $1 -o json | jq -e '.state == \"succeeded\" and .steps[0].generation == $3'"
	cli 0 show "$1" -o json
	is ".steps[0].rows_in == $2"
}
cursor() { "$sluice" cursor show orders raw -o json | jq -c .cursor; }
once 2
first=$(value .id)
sql "insert into orders values (3, 'c'), (4, 'd'), (5, 'e')"
once 3
second=$(value .id)
sql "insert into orders values (6, 'f')"
at=$(cursor)
again "$first" 2 1
again "$second" 3 1
again "$first" 2 2
checks=$((checks + 1))
[ "$(cursor)" = "$at" ] || fail "the cursor moved from $at to $(cursor)"
once 1
checks=$((checks + 1))
[ "$(cursor)" != "$at" ] || fail "a new run does not move the cursor"
cli 0 shutdown
until_true "sound records" "$sluice" fsck
done_with rerun_range
