#!/bin/bash
# The hook storm of tests/sys/scenario_storm.sh in its long form.
#
# usage: tests/torture/storm.sh [--short]
set -eu
requests=20000
[ "${1-}" = --short ] && requests=2000
STORM=${STORM:-$requests} bash "${SLUICE_SRC_DIR:?}/tests/sys/scenario_storm.sh"
