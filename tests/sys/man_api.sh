#!/bin/bash
# Covers: every resource, error code and metric of the code stands in sluice-api.7 and the other way round. Does not cover: what the
# text says of them.
set -u
src=${SLUICE_SRC_DIR:?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

code_side() {
	cat "$src"/core/http/*.c "$src"/core/daemon/*.c | tr '\n\t' '  ' | tr -s ' ' >"$work/all"
	grep -oE '\{VET_(GET|POST|DELETE), "[^"]*"' "$work/all" | sed 's/{VET_//; s/, "/ /; s/"$//'
	grep -oE '"sluice_[a-z_]+", "' "$work/all" | sed 's/^"//; s/", "$//'
	{
		grep -oE 'reply_problem(_with)?\([^;]*;' "$work/all" | grep -oE '(, [0-9]{3}|, status|ERR_FULL \?|:), "?[a-z-]*"?|"[a-z-]+"' | grep -oE '"[a-z-]+"'
		grep -oE 'refuse\(q, k, [^;]*;' "$work/all" | grep -oE '"[a-z-]+"'
		grep -oE '\{ERR_[A-Z_]+, [0-9]{3}, "[a-z-]+"' "$work/all" | grep -oE '"[a-z-]+"'
		grep -oE 'code = "[a-z-]+"' "$work/all" | grep -oE '"[a-z-]+"'
	} | tr -d '"'
}

man_side() {
	awk '/^\.Sh RESOURCES/ {on = 1} /^\.Sh HOOKS/ {on = 0} /^\.Sh (ERROR CODES|METRICS)/ {on = 1} /^\.Sh EXAMPLES/ {on = 0}
		on && /^\.It Li / {sub(/^\.It Li /, ""); print}' "$1" | sort -u
}

code_side | sort -u >"$work/code"
man_side "$src/man/sluice-api.7" >"$work/man"
[ "$(wc -l <"$work/code")" -gt 60 ] || { echo "too little was found in the code"; exit 1; }
if ! diff -u "$work/code" "$work/man"; then
	echo "code (-) and sluice-api.7 (+) differ"
	exit 1
fi
echo "$(wc -l <"$work/man") resources, error codes and metrics stand in code and man page"
# The comparison can fail.
sed '/^\.It Li GET \/v1\/why$/d' "$src/man/sluice-api.7" >"$work/bug.7"
if diff -q "$work/code" <(man_side "$work/bug.7") >/dev/null; then
	echo "a missing resource went unnoticed: this test proves nothing"
	exit 1
fi
