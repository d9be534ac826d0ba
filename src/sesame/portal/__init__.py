"""Door 1: Coop@net, the pages for customers. It parses, asks the bank once, and shows."""

__all__ = [
    "account",
    "accounts",
    "devices",
    "formats",
    "forms",
    "guard",
    "help",
    "help_block",
    "home",
    "hours",
    "login",
    "portal",
    "routes",
]
