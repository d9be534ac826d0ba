"""PINs by chance: which are never drawn, and that all others are alike."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest

from sesame.custody.errors import ChanceFails
from sesame.custody.key import Random
from sesame.custody.pin_draw import draw_pin, is_weak

ALL = [f"{number:04d}" for number in range(10_000)]


def _numbers(numbers: Iterator[int]) -> Random:
    return lambda many: next(numbers).to_bytes(many)


def test_how_many_are_weak() -> None:
    """The table of docs/explanation/why-these-numbers.md."""
    assert sum(is_weak(pin) for pin in ALL) == 410
    assert not any(len(set(pin)) == 1 and not is_weak(pin) for pin in ALL)


@pytest.mark.parametrize(
    "pin",
    [
        *("0000", "7777", "1234", "0123", "6789", "7890", "9012", "4321", "3210", "0987"),
        *("1212", "6969", "1122", "9988", "1900", "1984", "1999", "2000", "2026", "2099"),
        *("2580", "0852"),
    ],
)
def test_what_finders_of_cards_try_is_weak(pin: str) -> None:
    """Alike, runs that go round, pairs, years, the middle of the keypad."""
    assert is_weak(pin)


@pytest.mark.parametrize("pin", ["4711", "8642", "1221", "1357", "3112", "1004", "5683", "2108"])
def test_all_others_are_drawn(pin: str) -> None:
    """Dates too: of a PIN by chance nobody knows that it is the holder's birthday."""
    assert not is_weak(pin)
    assert draw_pin(_numbers(iter([int(pin)]))).digits == pin


def test_every_pin_is_as_likely_as_the_others() -> None:
    """Each of the 65,536 numbers that chance can give, once: each PIN comes four times.

    A remainder of division would give 5,536 of them seven times and the others six.
    """
    drawn: Counter[str] = Counter()
    numbers = iter([number * 40_503 % 65_536 for number in range(65_536)])  # odd: each once
    with suppress(StopIteration):
        while True:
            drawn[draw_pin(_numbers(numbers)).digits] += 1
    assert set(drawn.values()) == {4}
    assert set(drawn) == {pin for pin in ALL if not is_weak(pin)}


def test_what_is_printed_on_the_card_is_not_its_pin() -> None:
    """Four neighbours of its number, or its date of expiry."""
    numbers = iter([4711, 1129, 5037])
    assert draw_pin(_numbers(numbers), printed=("9250004711223340", "1129")).digits == "5037"


@pytest.mark.parametrize("bytes_of", [b"\x00\x00", b"\xff\xff", b"\x04\xd2"])
def test_what_is_no_chance_makes_no_pin(bytes_of: bytes) -> None:
    """A source that always says the same ends in an error, not in a loop."""
    with pytest.raises(ChanceFails, match="no chance"):
        draw_pin(lambda _: bytes_of)
