"""The desk, and what it does after a restore: on a bank with one customer."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

from sesame.bank.customers import CardKind
from sesame.bank.replay import Replayed
from sesame.simulation.book import Count
from sesame.simulation.desk import (
    oppose_card,
    order_card,
    order_to_make,
)
from sesame.simulation.lives import portrait, user_code_of
from sesame.simulation.model import Rule
from sesame.simulation.plan import DAY, START, Plan
from sesame.simulation.recovery import ship, work_off
from sesame.simulation.server import Person
from sesame.simulation.world import Violation, World

_PLAN = Plan(customers=12, days=1, seed=1)
_OF_KIND = {
    kind: next(n for n in range(_PLAN.customers) if portrait(_PLAN, n).cards == (kind,))
    for kind in CardKind
}


class _Town(World):
    """A bank with one customer, whose first card is of a kind."""

    def __init__(self, kind: CardKind = CardKind.SESAME) -> None:
        self.number = _OF_KIND[kind]
        super().__init__(_PLAN, only=[self.number])
        self.user_code = user_code_of(_PLAN, self.number)

    async def lose(self, person: Person) -> None:
        """Have the first card of *person* be lost, and the desk be called."""
        chance = Random(1)  # noqa: S311 -- a model
        await self._to_desk(person, person.cards[1], Count.DESK_LOST, chance)

    async def states(self) -> list[str]:
        """Of the customer's cards."""
        access = await self.bank.store.read_access(self.user_code)
        return [card.state for card in access.cards]


def _lived(town: _Town, work: Callable[[_Town], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await town.populate()
        try:
            await work(town)
        finally:
            await town.close()

    asyncio.run(run())


@pytest.mark.parametrize("kind", CardKind)
def test_a_card_is_opposed_by_the_help_line_and_another_is_ordered(kind: CardKind) -> None:
    """A step in the chain says so; of a bank card, whose system sends another, the desk orders."""

    async def work(town: _Town) -> None:
        staff = town._adviser  # noqa: SLF001 -- who is hired with everybody else
        before = (await town.bank.store.read_access(town.user_code)).version
        await oppose_card(town.bank, staff, town.user_code, 1)
        assert await town.states() == ["held"]
        order = await order_to_make(town.bank, town.user_code)
        assert (order is None) == (kind is CardKind.BANK)
        await order_card(town.bank, staff, town.user_code)
        order = await order_to_make(town.bank, town.user_code)
        assert order is not None
        assert order.replaces == (None if kind is CardKind.BANK else 1)
        assert (await town.bank.store.read_access(town.user_code)).version == before + 2
        await oppose_card(town.bank, staff, town.user_code, 7)  # nobody has it

    _lived(_Town(kind), work)


def test_a_new_card_waits_until_its_owner_activates_it() -> None:
    """By a code and the number; it stands in for the one that was lost, which is over."""

    async def work(town: _Town) -> None:
        person = town.person(town.number)
        await town.lose(person)
        town.at = START + 7 * DAY
        await town._collect(person)  # noqa: SLF001 -- likewise
        assert await town.states() == ["retired", "active"]
        assert person.cards[2].usable
        lines = await ship(town.bank, [town.user_code])
        said = [json.loads(line.line) for line in lines]
        assert [one["event"] for one in said] == ["enrolment", "opposition", "activation"]
        assert (said[-1]["opened"], said[-1]["retired"]) == ([[2, 1]], [[1]])

    _lived(_Town(), work)


def test_a_replay_that_holds_nothing_is_a_violation() -> None:
    """The desk knows which cards it held; with a stream the bank must know it as well."""

    async def work(town: _Town) -> None:
        person = town.person(town.number)
        database = town._database.database  # noqa: SLF001 -- to put it back
        backup = database.backup()
        await town.lose(person)
        stream = await ship(town.bank, [town.user_code])
        database.restore(backup)
        with pytest.raises(Violation) as found:
            await town._recover(person, replayed=True)  # noqa: SLF001
        assert found.value.rule is Rule.NOT_ENDED
        done = await work_off(town.bank, stream)
        assert (done.taken, done.closed) == (1, 1)
        await town._recover(person, replayed=True)  # noqa: SLF001
        assert await town.states() == ["held"]
        assert await order_to_make(town.bank, town.user_code) is not None
        database.restore(backup)
        assert await work_off(town.bank, None) == Replayed()
        await town._recover(person, replayed=False)  # noqa: SLF001
        assert await town.states() == ["held"]
        backup.copy.close()

    _lived(_Town(), work)


def test_a_card_that_a_backup_does_not_know_is_made_again() -> None:
    """Its number is no other card's, and its owner waits for the next one."""

    async def work(town: _Town) -> None:
        person = town.person(town.number)
        backup = town._database.database.backup()  # noqa: SLF001
        await town.lose(person)
        town.at = START + 7 * DAY
        await town._collect(person)  # noqa: SLF001
        stream = await ship(town.bank, [town.user_code])
        town._database.database.restore(backup)  # noqa: SLF001
        await work_off(town.bank, stream)
        await town._recover(person, replayed=True)  # noqa: SLF001
        assert not person.past.cards[2].active
        person.past.devices.clear()  # the backup knows none
        town.at += 4 * DAY
        await town._collect(person)  # noqa: SLF001
        assert person.cards[3].usable
        assert await town.states() == ["retired", "active"]
        backup.copy.close()

    _lived(_Town(), work)
