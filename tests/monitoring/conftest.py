"""The bank of the bank's tests, on both databases."""

from tests.bank.conftest import branch, branch_on_file, enrolled, file, server, where

__all__ = ["branch", "branch_on_file", "enrolled", "file", "server", "where"]
