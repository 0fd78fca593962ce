# Helpers for people and for the tests; shipped.
