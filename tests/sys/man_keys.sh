#!/bin/bash
# Covers: the reference parts of sluice-dag.5, sluice.yaml.5 and sluice-plugin.7 are what the tables of keys and options say (names,
# types, bounds, defaults, choices, sentences); functions and roots of ${...}, error classes, exit codes and options of sluiced
# stand in their pages, and the pages name no other; files that the code map names exist. Does not cover: the prose.
#
# usage: man_keys.sh [--write]    --write puts the generated parts into the pages
set -u
src=${SLUICE_SRC_DIR:?} build=${SLUICE_BUILD_DIR:?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0 n=0

between() { # FILE MARK
	awk -v b=".\\\\\" $2: begin" -v e=".\\\\\" $2: end" '$0 == e {on = 0} on {print} $0 == b {on = 1}' "$1"
}

generate() {
	local kind
	for kind in dag config dag-later config-later; do
		"$build/tests/sys/keys_mdoc" $kind >"$work/$kind" || exit 1
	done
	"$build/core/worker/sluice-worker" --plugins "$build/plugins/.libs" --describe 2>"$work/describe.err" |
		python3 "$src/tests/sys/plugin_mdoc.py" >"$work/plugins" || exit 1
}

parts="sluice-dag.5:keys:dag sluice.yaml.5:keys:config sluice-dag.5:later:dag-later
sluice.yaml.5:later:config-later sluice-plugin.7:plugins:plugins"

write_part() { # PAGE MARK FILE
	awk -v b=".\\\\\" $2: begin" -v e=".\\\\\" $2: end" -v f="$3" '
		$0 == e {on = 0} !on {print} $0 == b {on = 1; while ((getline line < f) > 0) print line}' "$1" >"$work/page" &&
		cat "$work/page" >"$1"
}

# A comparison must notice what is missing on either side.
compare() { # WHAT CODE MAN
	n=$((n + $(wc -l <"$2")))
	if [ ! -s "$2" ] || ! diff -u "$2" "$3" >"$work/diff"; then
		head -40 "$work/diff"
		echo "$1: code (-) and man page (+) differ"
		bad=1
		return
	fi
	sed '$d' "$3" >"$work/less"
	{ cat "$3"; echo zzz; } >"$work/more"
	if diff -q "$2" "$work/less" >/dev/null || diff -q "$2" "$work/more" >/dev/null; then
		echo "$1: a planted bug went unnoticed"
		bad=1
	fi
}

items() { # FILE SECTION: what its list items name
	awk -v s="$2" '$0 == ".Sh " s || $0 == ".Ss " s {on = 1; next} /^\.S[hs] / {on = 0} on && /^\.It /' "$1"
}

words() { # FILE AFTER: the names in the first array behind a line that matches
	awk -v m="$2" '$0 ~ m {on = 1} on {print} on && /};/ {exit}' "$1" | grep -oE "$3" | tr -d '{"'
}

functions_and_roots() {
	words "$src/core/dag/expr_fn.c" 'struct expr_fn FUNCTIONS' '\{"[a-z_]+"' | sort -u >"$work/code"
	items "$src/man/sluice-dag.5" EXPRESSIONS | grep -oE 'Fn [a-z_]+' | cut -d' ' -f2 | sort -u >"$work/man"
	compare "functions of expressions" "$work/code" "$work/man"
	{
		words "$src/core/dag/expr_check.c" 'struct root ROOTS' '\{"[a-z_]+"'
		grep -q 'EXPR_ITEM' "$src/core/dag/expr.h" && echo item
	} | sort -u >"$work/code"
	items "$src/man/sluice-dag.5" EXPRESSIONS | sed -n 's/^\.It Cm //p' | sort -u >"$work/man"
	compare "roots of expressions" "$work/code" "$work/man"
}

classes() {
	{
		grep -oE 'SLU_(OK|E_[A-Z_]+)\] = "[a-z]+"' "$src/core/worker/report.c" | sed 's/\] = "/ /; s/"$//'
	} | sort >"$work/code"
	awk '/^\.It Dv SLU_/ {name = $3; next} /^Class / && name {sub(/[.:,].*/, ""); print name, $2; name = ""}' \
		"$src/man/sluice-plugin.7" | sort >"$work/man"
	compare "error classes of plugins" "$work/code" "$work/man"
	grep -oE '\bSLU_(OK|E_[A-Z_]+) =' "$src/core/include/sluice/plugin.h" | cut -d' ' -f1 | sort >"$work/code"
	cut -d' ' -f1 "$work/man" >"$work/man2"
	compare "error codes of the header" "$work/code" "$work/man2"
	{
		cut -d' ' -f2 "$work/man"
		echo lost
	} | grep -vx ok | sort -u >"$work/code"
	items "$src/man/sluice-dag.5" Retries | sed -n 's/^\.It Cm //p' | sort -u >"$work/man"
	compare "classes of retries" "$work/code" "$work/man"
}

exit_codes() {
	sed -n 's/^\tEXIT_[A-Z_]* = \([0-9]*\),*$/\1/p' "$src/core/cli/cli.h" | sort >"$work/code"
	items "$src/man/sluice.1" "EXIT STATUS" | awk '{print $2}' | sort >"$work/man"
	compare "exit codes of sluice" "$work/code" "$work/man"
	sed -n 's/^\tEXIT_CODE_[A-Z_]* = \([0-9]*\),*$/\1/p' "$src/core/daemon/daemon.h" | sort >"$work/code"
	items "$src/man/sluiced.8" "EXIT STATUS" | awk '{print $2}' | sort >"$work/man"
	compare "exit codes of sluiced" "$work/code" "$work/man"
}

daemon_options() {
	"$build/core/daemon/sluiced" --help | sed '/^Examples/,$d' | grep -oE -- '(^| |\[)--?[a-z]+' | grep -oE -- '-+[a-z]+' | sort -u >"$work/code"
	awk '/^\.(It|Op|Fl) /' "$src/man/sluiced.8" |
		grep -oE 'Fl (Fl )?[a-z]+' | sed 's/^Fl Fl /--/; s/^Fl /-/' | sort -u >"$work/man"
	compare "options of sluiced" "$work/code" "$work/man"
}

code_map() {
	# shellcheck disable=SC2016 # backquotes of Markdown
	grep -oE '`(core|plugins|tests|contrib|dags|man)/[A-Za-z0-9_./-]+`' "$src/core/README.md" | tr -d '`' | sort -u >"$work/named"
	[ -s "$work/named" ] || bad=1
	while read -r name; do
		[ -e "$src/$name" ] || { echo "core/README.md names $name, which is not there"; bad=1; }
	done <"$work/named"
	n=$((n + $(wc -l <"$work/named")))
	# a header goes with its .c, a unit test with what it tests, the public headers with sluice-plugin(7)
	(cd "$src" && find core plugins tests \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' \)) |
		grep -vE '^(core/include|tests/data|tests/unit/test_[^/]*\.c$)' | sort >"$work/files"
	while read -r name; do
		case $name in *.h) [ -e "$src/${name%.h}.c" ] && continue ;; esac
		grep -qxF "$name" "$work/named" || { echo "core/README.md does not name $name"; bad=1; }
	done <"$work/files"
}

generate
if [ "${1-}" = --write ]; then
	for part in $parts; do
		IFS=: read -r page mark file <<<"$part"
		write_part "$src/man/$page" "$mark" "$work/$file"
	done
	exit 0
fi
for part in $parts; do
	IFS=: read -r page mark file <<<"$part"
	between "$src/man/$page" "$mark" >"$work/$page.$mark"
	compare "$page, $mark (man_keys.sh --write puts it right)" "$work/$file" "$work/$page.$mark"
done
functions_and_roots
classes
exit_codes
daemon_options
code_map
[ "$bad" -eq 0 ] || exit 1
echo "$n lines, names and files stand in code and man pages alike"
