# Models for spin; `make model` runs tests/model/run.
