#!/bin/bash
# Covers: `sluice init`: what it writes, modes, that it overwrites nothing, that the project's own test succeeds at once and fails when
# the project is broken, that a daemon starts on it.
# Does not cover: the plugins' own templates.
set -u
for tool in jq curl; do command -v $tool >/dev/null || exit 77; done
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
begin init
PATH=${SLUICE_BUILD_DIR:?}/core/cli:$PATH
cli 0 init shop
says "$out" 'tests/run.sh'
cd shop || exit 1
checks=$((checks + 3))
[ "$(stat -c %a secrets state state/admin-token tests/run.sh | tr '\n' ' ')" = "700 700 600 755 " ] || fail "modes: $(stat -c '%a %n' secrets state state/admin-token tests/run.sh)"
[ "$(awk '{ if (length > m) m = length } END { print m }' "$out")" -le 80 ] || fail "init is wider than 80 columns"
[ "$(grep -c . README.md)" = 6 ] || fail "the README is not a heading and five lines"
run 0 tests/run.sh
says "$out" 'all tests passed'
project=$PWD
cd /
run 0 "$project/tests/run.sh"
cd "$project" || exit 1
# What stands there as a comment is right as it is.
cp sluice.yaml keep
sed -i 's/^#\(  \)\{0,1\}\([a-z]\)/\1\2/' sluice.yaml
checks=$((checks + 1))
[ "$(grep -c '^  [a-z]' sluice.yaml)" = 5 ] || fail "not five examples in sluice.yaml: $(cat sluice.yaml)"
cli 0 check
cp keep sluice.yaml
cp dags/hello.yaml keep
echo '# mine' >>dags/hello.yaml
cli 0 init .
says "$out" 'kept as it is'
run 0 grep -q '# mine' dags/hello.yaml
sed -i 's/command: \[echo.*/shell: "exit 3"}/' dags/hello.yaml
run 1 tests/run.sh
cp keep dags/hello.yaml
sed -i 's/needs: \[greet\]/needs: [great]/' dags/hello.yaml
run 2 tests/run.sh
cp keep dags/hello.yaml
if command -v git >/dev/null; then
	git init -q . && git add -A
	checks=$((checks + 1))
	git ls-files | grep -qE '^(state|secrets)/' && fail "git would take secrets or state"
fi
start
cli 0 run hello --param name=you
cli 0 shutdown
wait "$daemon"
daemon=''
cd "$work" || exit 1
done_with init
