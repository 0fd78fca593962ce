#!/bin/bash
# Covers: every fuzz target holds its promises on its corpus (tests/data/fuzz), and the harness fails on the
# planted bug. Not covered: new inputs; `make fuzz` looks for those.
set -u
build=${SLUICE_BUILD_DIR:?} src=${SLUICE_SRC_DIR:?}
bad=0
ran=0

for program in "$build"/tests/fuzz/fuzz_*; do
	[ -f "$program" ] || continue
	name=${program##*/fuzz_}
	case $name in *.* | selftest) continue ;; esac
	files=("$src/tests/data/fuzz/$name"/*)
	if [ "$name" = tzif ]; then
		mapfile -t -O "${#files[@]}" files < <(find /usr/share/zoneinfo/Europe /usr/share/zoneinfo/America -type f | sort | head -n 60)
	fi
	if [ ! -e "${files[0]}" ]; then
		echo "fuzz_$name has no corpus in tests/data/fuzz/$name"
		bad=1
		continue
	fi
	ran=$((ran + 1))
	if ! "$program" "${files[@]}" >"fuzz-$name.out" 2>&1; then
		echo "fuzz_$name failed on its corpus:"
		tail -n 20 "fuzz-$name.out"
		bad=1
	fi
	rm -f "fuzz-$name.out"
done

printf 'BUG' >fuzz-planted
if "$build/tests/fuzz/fuzz_selftest" fuzz-planted >/dev/null 2>&1; then
	echo "the planted bug was not seen"
	bad=1
fi
rm -f fuzz-planted
echo "$ran targets ran"
[ "$ran" -gt 0 ] && [ $bad -eq 0 ]
