"""What CAP adds to EMV: which bits of a card's answer become the digits of a code.

CAP and DPA were never published; the facts and their grades stand in
docs/reference/emv-cap.md.
"""

__all__ = ["errors", "mode", "profile", "profiles", "tds", "terminal_data", "token", "verification"]
