"""Servers that people would install instead, under the same load on the same PostgreSQL."""
