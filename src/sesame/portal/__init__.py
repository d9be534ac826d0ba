"""Door 1: Coop@net, the pages for customers. It parses, asks the bank once, and shows."""

__all__ = [
    "account",
    "accounts",
    "answers",
    "cards",
    "connections",
    "devices",
    "forms",
    "guard",
    "help",
    "help_block",
    "home",
    "hours",
    "instructions",
    "login",
    "portal",
    "rehearsal",
    "routes",
    "signed_in",
    "special_days",
    "trial",
]
