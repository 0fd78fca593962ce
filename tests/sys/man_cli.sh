#!/bin/bash
# Covers: every command and option of `sluice --help` stands in sluice.1 and the other way round. Does not cover: what the
# text says.
set -u
src=${SLUICE_SRC_DIR:?} bin=${SLUICE_BUILD_DIR:?}/core/cli/sluice
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

help_side() {
	local name
	"$bin" --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' | while read -r name; do
		echo "$name"
		"$bin" "$name" --help | sed -n '/^Options:/,$s/^ *\(-[a-zA-Z], \)\{0,1\}--\([a-z-]*\).*/\2/p' |
			grep -vxE 'output|config|url|token-file|help' | sed "s/^/$name --/"
	done | sort
}

man_side() {
	awk '/^\.Sh COMMANDS/ {on = 1; next} /^\.Sh / {on = 0}
		on && /^\.Ss / {name = $2; print name}
		on && /^\.It .*Fl Fl / {sub(/.*Fl Fl /, ""); print name " --" $1}' "$1" | sort
}

help_side >"$work/help"
man_side "$src/man/sluice.1" >"$work/man"
[ -s "$work/help" ] || { echo "sluice --help printed nothing"; exit 1; }
if diff -u "$work/help" "$work/man" >"$work/diff"; then
	echo "$(wc -l <"$work/help") commands and options stand in help and man page"
else
	cat "$work/diff"
	echo "help and man page differ"
	exit 1
fi
# The comparison can fail: an option taken out of the page is noticed.
sed '/^\.It Fl f , Fl Fl follow/d' "$src/man/sluice.1" >"$work/bug.1"
man_side "$work/bug.1" >"$work/bug"
if diff -q "$work/help" "$work/bug" >/dev/null; then
	echo "a missing option went unnoticed: this test proves nothing"
	exit 1
fi
