"""Where people are: lines in the spelling that the bank counts by, some of them shared."""

from dataclasses import replace

import pytest

from sesame.bank.origin import source_address
from sesame.simulation import addresses
from sesame.simulation.plan import Habits

_HABITS = Habits()
_SOME = [*range(300), 499, 500, 4_999, 5_000, 65_535, 65_536, 999_999]


def _lines() -> list[str]:
    return [
        *(addresses.home(number, _HABITS) for number in _SOME),
        *(addresses.work(number, _HABITS) for number in _SOME),
        *(addresses.mobile(number, _HABITS) for number in _SOME),
        *(addresses.vandal(number, _HABITS) for number in (*_SOME, -1, -500)),
        *(one(luck) for one in (addresses.rented, addresses.few, addresses.many) for luck in _SOME),
    ]


def test_a_line_is_what_the_bank_makes_of_its_addresses() -> None:
    """Whichever a household with IPv6 comes from just now."""
    for line in _lines():
        assert {source_address(addresses.host(line, drawn)) for drawn in (0, 7, 1 << 40)} == {line}
    household = addresses.home(1, replace(_HABITS, ipv6=1.0))
    assert len({addresses.host(household, drawn) for drawn in range(100)}) == 100


def test_homes_are_apart_and_other_places_are_shared() -> None:
    """By so many as the habits say; half of the homes have IPv6."""
    homes = [addresses.home(number, _HABITS) for number in range(20_000)]
    assert len(set(homes)) == 20_000
    assert sum("/" in home for home in homes) == pytest.approx(10_000, rel=0.02)
    assert len({addresses.work(number, _HABITS) for number in range(20_000)}) == 40
    assert len({addresses.mobile(number, _HABITS) for number in range(20_000)}) == 4
    assert addresses.work(0, _HABITS) == addresses.OFFICE
    assert addresses.mobile(0, _HABITS) == addresses.GATEWAY


def test_strangers_have_places_of_their_own() -> None:
    """But half of the vandals, and a quarter of a small botnet, who are behind a gateway too."""
    customers = {
        one(number, _HABITS)
        for one in (addresses.home, addresses.work, addresses.mobile)
        for number in range(5_000)
    }
    vandals = [addresses.vandal(number, _HABITS) for number in range(-100, 4_900)]
    assert sum(line in customers for line in vandals) == pytest.approx(2_500, rel=0.05)
    assert {line for line in vandals if line in customers} == {addresses.GATEWAY}
    few = [addresses.few(luck) for luck in range(4_000)]
    assert few.count(addresses.GATEWAY) == 1_000
    assert len(set(few) - customers) == 24
    assert not {addresses.many(luck) for luck in range(9_000)} & {*customers, *few}
    assert not {addresses.rented(luck) for luck in range(100)} & customers
