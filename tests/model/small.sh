#!/bin/bash
# small.sh: the protocol's model holds in the small configurations (all of them and the mutants: make model).
exec bash "$SLUICE_SRC_DIR/tests/model/run" --small
