"""The desk, and what it does after a restore: on a bank with one customer."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from sesame.bank.customers import NewCard
from sesame.bank.replay import Replayed
from sesame.bank.restored import beat, nothing_seen
from sesame.bank.user_code import UserCode
from sesame.cap.profiles import BANK_CARD
from sesame.simulation.desk import hold, issue, renew
from sesame.simulation.lives import portrait, user_code_of
from sesame.simulation.plan import Plan
from sesame.simulation.recovery import Shipped, work_off
from sesame.simulation.world import World
from sesame.store.access import Access
from sesame.store.incarnation import mark_as_backup

_PLAN = Plan(customers=5, days=1, seed=1)


def _at_desk(work: Callable[[World, UserCode], Coroutine[Any, Any, None]]) -> list[Access]:
    """The customer's row before *work* and after it."""

    async def run() -> list[Access]:
        world = World(_PLAN, only=[3])
        await world.populate()
        user_code = user_code_of(_PLAN, 3)
        rows = [await world.bank.store.read_access(user_code)]
        await work(world, user_code)
        rows.append(await world.bank.store.read_access(user_code))
        await world.close()
        return rows

    return asyncio.run(run())


async def _new_card(world: World) -> NewCard:
    kind = portrait(_PLAN, 3).cards[0]
    return (await issue(world.custodian, kind, owner=3, number=1, generation=1, pin="9999")).new


def test_whatever_the_desk_does_is_a_step() -> None:
    """So an attempt that was judged before loses its swap."""

    async def work(world: World, user_code: UserCode) -> None:
        await hold(world.bank, user_code, 1)
        held = await world.bank.store.read_access(user_code)
        assert held.cards[0].state == "held"
        await renew(world.bank, user_code, 1, await _new_card(world))

    before, after = _at_desk(work)
    assert after.version == before.version + 2
    assert after.cards[0].state == "active"
    assert after.cards[0].sealed != before.cards[0].sealed


def test_what_was_shipped_is_worked_off_in_its_order() -> None:
    """A new card knows nothing of the ATCs, or of the opposition, of the one before."""

    async def work(world: World, user_code: UserCode) -> None:
        shipped = Shipped()
        shipped.note_accepted(user_code, ((1, BANK_CARD.window),))
        shipped.note_held(user_code, 1)
        shipped.note_renewed(user_code, 1, await _new_card(world))
        shipped.note_accepted(user_code, ((1, 2),))
        assert await work_off(world.bank, shipped, []) == Replayed()

    before, after = _at_desk(work)
    assert (after.cards[0].state, after.cards[0].last_atc) == ("active", 2)
    assert after.version == before.version  # nobody is served who could lose a swap


def test_without_a_stream_a_new_cards_use_is_not_known() -> None:
    """And a card that was held is so again."""

    async def work(world: World, user_code: UserCode) -> None:
        shipped = Shipped()
        shipped.note_renewed(user_code, 1, await _new_card(world))
        shipped.note_accepted(user_code, ((1, 2),))
        shipped.note_held(user_code, 1)
        await work_off(world.bank, shipped, None)

    _, after = _at_desk(work)
    assert (after.cards[0].state, after.cards[0].last_atc) == ("held", 0)


def test_a_desk_that_enters_cards_again_makes_none_sure() -> None:
    """They are of the life before the one that begins next."""

    async def work(world: World, user_code: UserCode) -> None:
        shipped = Shipped()
        shipped.note_renewed(user_code, 1, await _new_card(world))
        await work_off(world.bank, shipped, None)
        await world.bank.store.write(mark_as_backup)
        await beat(world.bank, await nothing_seen(world.bank))

    before, after = _at_desk(work)
    assert (before.cards[0].sure, after.cards[0].sure) == (True, False)
