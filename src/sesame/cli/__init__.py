"""Thin commands over the same functions that the doors call."""
