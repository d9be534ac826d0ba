"""Door 1: Coop@net, the pages for customers. It parses, asks the bank once, and shows."""

__all__ = [
    "account",
    "accounts",
    "devices",
    "formats",
    "forms",
    "guard",
    "home",
    "login",
    "portal",
    "routes",
]
