#!/bin/bash
# A thousand jobs elsewhere under kills (submitted.py says what is checked), after its planted bug was found.
#
# usage: submitted.sh [--short]
set -u
build=${SLUICE_BUILD_DIR:?} py=${SLUICE_SRC_DIR:?}/tests/torture/submitted.py
make -s -C "$build" tests/torture/elsewhere.la || exit 1
kills=120
[ "${1-}" = --short ] && kills=40
timeout 300 python3 "$py" "$build" --jobs 100 --kills 8 --bug || exit 1
timeout 1200 python3 "$py" "$build" --jobs 1000 --kills "$kills"
