"""What the bank remembers: tables, and every statement on them.

The only package that speaks SQL. Each module holds one table, its row type and all its
statements; the two that a login runs are written by hand in `access`.
"""
