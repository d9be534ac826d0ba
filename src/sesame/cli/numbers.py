"""Whole numbers as options of a command, each within its bounds."""

import argparse
from collections.abc import Callable
from contextlib import suppress

from sesame.cli.language import say

# What the columns of a database hold, SQLite's and PostgreSQL's: beyond, neither takes a number.
HIGHEST_32 = 2**31 - 1
HIGHEST_64 = 2**63 - 1


def whole(least: int, most: int) -> Callable[[str], int]:
    """The `type` of an option that is a whole number from *least* to *most*.

    Anything else ends the command with status 2; argparse names the option.
    """

    def read(text: str) -> int:
        with suppress(ValueError):  # of thousands of digits too
            if least <= (number := int(text)) <= most:
                return number
        raise argparse.ArgumentTypeError(
            say("un nombre entier est attendu, de {least} à {most}").format(least=least, most=most)
        )

    return read
