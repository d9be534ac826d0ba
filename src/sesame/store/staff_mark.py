"""How rows of staff are told from those of customers, by their key alone.

It needs no database: the custody process goes by it too (docs/reference/custody-socket.md).
"""

# What the code of a member of staff begins with. No customer's does: `bank.user_code` lets A to Z
# and 0 to 9 through.
STAFF_MARK = "_"


def is_staff_context(context: bytes) -> bool:
    """Whether *context* is of a card of staff: as `cards.seal_context` makes it of the row's key.

    A card opens for the context that it was sealed to and no other, so nobody calls it otherwise.
    """
    return f"|{STAFF_MARK}".encode() in context
