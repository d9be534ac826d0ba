"""Errors say what, where and what to do, and keep the card's own words."""

import re

from sesame.emv import errors
from sesame.emv.errors import CardRefused, MalformedTlv
from sesame.errors import SesameError


def test_a_refusal_keeps_the_status_word() -> None:
    """Only the edge makes a sentence of it."""
    error = CardRefused(0x6985, "GENERATE AC")
    assert (error.sw, error.command) == (0x6985, "GENERATE AC")
    assert str(error) == "the card answered GENERATE AC with 6985"


def test_an_error_can_be_moved() -> None:
    """The offset inside a template becomes the offset inside all that was handed in."""
    error = MalformedTlv("the tag is cut", offset=3, remedy="Read it again.")
    moved = error.moved(14)
    assert (moved.problem, moved.offset, moved.remedy) == ("the tag is cut", 17, "Read it again.")
    assert str(moved) == "TLV at byte 17: the tag is cut. Read it again."


def test_the_tree_is_whole() -> None:
    """The module opens with every error that there is, all of one root."""
    listed = re.findall(r"^ [├└] (\w+)", errors.__doc__ or "", re.MULTILINE)
    assert listed == [kind.__name__ for kind in errors.EmvError.__subclasses__()]
    assert issubclass(errors.EmvError, SesameError)
