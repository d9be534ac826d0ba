"""Letters and instruction sheets as PDF: what a bank posts to its customers.

Plain values in, bytes out; a batch of them into one folder. It knows the institution and the
catalogue, and no key, no card and no database: nothing here can print what it was not given.
"""

__all__ = [
    "batch",
    "contents",
    "drawings",
    "errors",
    "letter",
    "scrambling",
    "sheets",
    "typesetting",
]
