"""Door 1: Coop@net, the pages for customers. It parses, asks the bank once, and shows."""

__all__ = [
    "account",
    "accounts",
    "answers",
    "cards",
    "devices",
    "drawn_reader",
    "formats",
    "forms",
    "guard",
    "help",
    "help_block",
    "home",
    "hours",
    "instructions",
    "login",
    "portal",
    "routes",
    "trial",
]
