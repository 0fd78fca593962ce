#!/bin/bash
# Covers: every YAML example of README.md, the plugins' READMEs, the man pages (literal blocks that begin with `# check`) and every
# file of dags/ compiles against the shipped plugins. Does not cover: what they do when they run.
set -u
exec python3 "${SLUICE_SRC_DIR:?}/tests/sys/examples.py"
