#!/bin/bash
# Covers: the daemon's HTTP over its real sockets and store: signed webhooks (202, repeat, forged, kill -9 behind the 202), tokens, Host,
# runs, logs, the stream with resume, 2,000 connections, a slow sender, metrics, shutdown. Does not cover: ambiguous heads and every
# route's refusals (tests/unit/test_http_*.c), speed (tests/bench/http.sh).
set -eu
command -v python3 >/dev/null || exit 77
exec python3 "${SLUICE_SRC_DIR:?}/tests/sys/http_daemon.py"
