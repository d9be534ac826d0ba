"""Measurements: one command, `make bench`; every claim a ratio within one run."""
