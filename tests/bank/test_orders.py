"""Cards for many by two persons, one in the place of another, and what is sent once more."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import Connection, insert, select, update

from sesame.bank import issuing, orders
from sesame.bank.approvals import Barred, Verdict
from sesame.bank.approving import decide
from sesame.bank.details import WantedCard
from sesame.bank.dispatching import find_signer
from sesame.bank.errors import (
    AskedAlready,
    EndlessReader,
    MalformedReader,
    MovedMeanwhile,
    NoReaderListed,
    NoSuchCustomer,
    NoSuchLetter,
    NoSuchReader,
    NotAllowed,
    NothingToOrder,
    ReaderListedTwice,
    TakesTwo,
    TooManyReaders,
    Undecided,
    UnsuitableReaders,
)
from sesame.bank.issuing import CardRules, NoRoom, make_cards
from sesame.bank.orders import ask_for_cards, carry_out, counts_of, wanting
from sesame.bank.renewal import Renewal
from sesame.bank.replay import replay
from sesame.bank.returned_mail import ask_for_another, record_returned, reprint_welcome, send_again
from sesame.bank.staff import Role
from sesame.bank.staffing import close_member
from sesame.bank.stock import MOST_READERS, Correction, balances, correct, read_serials, take_in
from sesame.bank.stream import StreamedLine
from sesame.bank.user_code import UserCode
from sesame.emv.pan import Pan, luhn_digit
from sesame.store.buckets import bucket_of
from sesame.store.dispatches import CARD, DISPATCHES, DispatchRow, insert_dispatch, list_dispatches
from sesame.store.engine import Store
from sesame.store.holds import HOLDS
from sesame.store.issuing import take_orders
from sesame.store.notices import NOTICES
from sesame.store.orders import OrderRow, Wanting, insert_order, list_orders
from tests.bureaux import Works, sealed_pins
from tests.desk.office import ADDRESS


async def _orders(works: Works, user_code: UserCode) -> list[OrderRow]:
    key = (bucket_of(user_code), user_code)
    return await works.bank.store.read(lambda connection: list_orders(connection, key))


async def _letters(works: Works, user_code: UserCode) -> list[DispatchRow]:
    key = (bucket_of(user_code), user_code)
    return await works.bank.store.read(lambda connection: list_dispatches(connection, key))


async def _states(works: Works, user_code: UserCode) -> list[str]:
    access = await works.bank.store.read_access(user_code)
    return [card.state for card in access.cards]


async def _make(works: Works) -> int:
    made = await make_cards(
        works.bank,
        works.maker,
        works.by(0),
        rules=CardRules(),
        post=works.post,
        write=lambda _batch, _cards: bytes(32),
    )
    return made.cards


async def _post(works: Works, reference: str) -> None:
    """Have one letter be at the post."""
    posted = update(DISPATCHES).where(DISPATCHES.c.reference == reference)
    values = posted.values(printed_at=1, posted_at=2)
    await works.bank.store.write(lambda connection: connection.execute(values))


# ── Many at once ─────────────────────────────────────────────────────────────────────────────────


async def test_for_many_by_two_persons(works: Works) -> None:
    """Each who wants one, once, however often it is carried out and by how many."""
    codes = [await works.new_customer(f"Client {number}") for number in range(5)]
    bank_card = await works.new_customer("Omar Said", WantedCard.BANK)
    await works.new_customer("Rien Voulu", WantedCard.NONE)
    assert await wanting(works.bank) == {"sesame": 5, "bank": 1}
    asked = await works.ask()
    assert counts_of(asked) == (5, 1)
    with pytest.raises(AskedAlready):
        await works.ask()
    assert await carry_out(works.bank, works.post) == 0
    late = await works.new_customer("Tard Venue")
    await works.office.agree(works.office.paul, asked)
    done = await asyncio.gather(*(carry_out(works.bank, works.post) for _ in range(2)))
    assert sum(done) == 6
    assert await carry_out(works.bank, works.post) == 0
    for code in (*codes, bank_card):
        (order,) = await _orders(works, code)
        assert (order.reason, order.ordered_by) == ("first", works.by(0).user_code)
        (line,) = [line for line in await works.office.lines(code) if "card-ordered" in line]
        assert json.loads(line)["request"] == asked.id.hex()
    assert not await _orders(works, late)
    assert sorted(one.kind for one in await _letters(works, bank_card)) == ["reader", "welcome"]
    assert await wanting(works.bank) == {"sesame": 1, "bank": 0}


async def test_cut_off_in_between(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on where it was."""
    for number in range(5):
        await works.new_customer(f"Client {number}")
    await works.office.agree(works.office.paul, await works.ask())
    monkeypatch.setattr(orders, "_A_COMMIT", 2)
    whole, calls = take_orders, []

    def cut(*arguments: object, **named: object) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return whole(*arguments, **named)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(orders, "take_orders", cut)
    with pytest.raises(KeyboardInterrupt):
        await carry_out(works.bank, works.post)
    monkeypatch.setattr(orders, "take_orders", whole)
    assert await carry_out(works.bank, works.post) == 3


class _Overtaken:
    """A store between two of whose reads somebody else is through."""

    def __init__(self, store: Store, between: Callable[[], Awaitable[object]]) -> None:
        self._store = store
        self._between: Callable[[], Awaitable[object]] | None = between

    async def read(self, query: Callable[[Connection], object]) -> object:
        """What is read, which is not so any more once it is told."""
        answer = await self._store.read(query)
        if isinstance(answer, list) and answer and isinstance(answer[0], Wanting):
            between, self._between = self._between, None
            if between is not None:
                await between()
        return answer

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


async def test_overtaken_in_between(works: Works) -> None:
    """Whoever looked first and comes second orders nothing twice."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.office.agree(works.office.paul, await works.ask())
    store = _Overtaken(works.bank.store, works.carry_out)
    slow = replace(works.bank, store=store)  # type: ignore[arg-type]  # as good as one
    assert await carry_out(slow, works.post) == 0
    assert len(await _orders(works, user_code)) == 1


async def test_whose_account_was_closed(works: Works) -> None:
    """So finds the statement that was to write."""
    by = works.by(0)
    await works.new_customer("Nora Lebrun")
    await works.order_all()
    await close_member(
        works.bank,
        works.office.staff(works.office.odile),
        UserCode(by.user_code),
        ADDRESS,
        reason="Partie le 2 mars",
    )
    with pytest.raises(NotAllowed):
        await take_in(works.bank, [("A-1", "R1")], by)
    with pytest.raises(NotAllowed):
        await _make(works)
    assert not await balances(works.bank)


async def test_who_may_not(works: Works) -> None:
    """An adviser asks for none; who asked does not grant; refused or old, nothing is ordered."""
    user_code = await works.new_customer("Nora Lebrun")
    office = works.office
    with pytest.raises(NotAllowed):
        await ask_for_cards(
            works.bank, office.staff(office.ada), reason="Nouveaux clients", address=ADDRESS
        )
    asked = await works.ask()
    own = office.staff(works.issuers[0], [Role.OFFICER])
    with pytest.raises(Undecided) as barred:
        await decide(works.bank, own, asked.id, Verdict.APPROVED, address=ADDRESS)
    assert barred.value.why == Barred.SAME_PERSON
    paul = office.staff(office.paul)
    await decide(works.bank, paul, asked.id, Verdict.REFUSED, address=ADDRESS)
    assert await carry_out(works.bank, works.post) == 0
    await office.agree(office.paul, await works.ask())
    works.next_day(31)
    assert await carry_out(works.bank, works.post) == 0
    assert not await _orders(works, user_code)
    for person in (office.ada, office.paul):
        with pytest.raises(NotAllowed):
            await find_signer(works.bank, person.user_code, Role.ISSUER)


async def test_nobody_wants_one(works: Works) -> None:
    """Then there is nothing to be granted, and nothing to be made."""
    with pytest.raises(NothingToOrder):
        await works.ask()
    assert await _make(works) == 0


async def test_no_room_for_another_card(works: Works) -> None:
    """Two live cards are all that an attempt looks at; the order stays and says why."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    assert await _make(works) == 1
    key = (bucket_of(user_code), user_code)
    for _ in range(2):
        await works.bank.store.write(
            lambda connection: insert_order(
                connection,
                key,
                kind="sesame",
                reason="renewal",
                replaces=1,
                by=works.by(0).user_code,
                at=1,
            )
        )
    assert await _make(works) == 1
    made = await make_cards(
        works.bank,
        works.maker,
        works.by(0),
        rules=CardRules(),
        post=works.post,
        write=lambda _batch, _cards: bytes(32),
    )
    assert (made.cards, len(made.refused)) == (0, 1)
    assert isinstance(made.refused[0].why, NoRoom)
    assert await _states(works, user_code) == ["waiting", "waiting"]


async def test_who_has_two_cards_gets_what_replaces_one(works: Works) -> None:
    """Held or active, it goes by that; a third one beside them is not made."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    key = (bucket_of(user_code), user_code)
    assert await _make(works) == 1
    for replaces, state in ((None, "held"), (1, "active"), (None, "active")):
        changed = f"UPDATE cards SET state = '{state}' WHERE card_number <= 2"  # noqa: S608 -- of the test
        await works.bank.store.write(
            lambda connection, changed=changed: connection.exec_driver_sql(changed)  # type: ignore[misc]  # of this turn
        )
        await works.bank.store.write(
            lambda connection, replaces=replaces: insert_order(  # type: ignore[misc]  # of this turn
                connection, key, kind="sesame", reason="lost", replaces=replaces, by="", at=1
            )
        )
        await _make(works)
    assert await _states(works, user_code) == ["active", "active", "waiting"]


async def test_two_who_make_the_same(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """In two folders, which no lock keeps apart: one file is recorded, the other is told."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()

    async def second(*_: object) -> set[int]:
        monkeypatch.undo()
        assert await _make(works) == 1
        return set()

    monkeypatch.setattr(issuing, "_taken", second)
    with pytest.raises(MovedMeanwhile):
        await _make(works)
    assert await _states(works, user_code) == ["waiting"]


async def test_no_two_cards_have_one_number(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in one file nor with a card of another customer: it is drawn again."""
    numbers = iter(["1", "1", "1", "2", "2", "3"])

    def draw(prefix: str, _random: object) -> Pan:
        payload = f"{prefix}{next(numbers):0>11}"
        return Pan(payload + luhn_digit(payload))

    monkeypatch.setattr(issuing, "draw_number", draw)
    for name in ("Nora Lebrun", "Nils Olsen", "Nino Rota"):
        await works.new_customer(name)
    await works.order_all()
    made = await make_cards(
        works.bank,
        works.maker,
        works.by(0),
        rules=CardRules(),
        post=works.post,
        write=lambda _batch, _cards: bytes(32),
        most=1,
    )
    assert made.cards == 1
    assert await _make(works) == 2
    assert next(numbers, None) is None


# ── Another PIN ──────────────────────────────────────────────────────────────────────────────────


async def test_another_pin_is_another_card(works: Works) -> None:
    """By two; the old card is over at once, and of its letters none goes any more."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await _make(works)
    asked = await works.reprint(user_code, 1)
    with pytest.raises(Undecided):
        await decide(
            works.bank,
            works.office.staff(works.office.ada, [Role.OFFICER]),
            asked.id,
            Verdict.APPROVED,
            address=ADDRESS,
        )
    await works.office.agree(works.office.paul, asked)
    assert await _states(works, user_code) == ["retired"]
    first, second = await _orders(works, user_code)
    assert first.cancelled_at is not None
    assert (second.reason, second.replaces, second.card_number) == ("pin", 1, None)
    assert second.ordered_by == works.office.ada.user_code
    assert all(one.voided_at for one in await _letters(works, user_code))
    assert await _make(works) == 1
    assert await _states(works, user_code) == ["retired", "waiting"]
    assert await works.bank.store.read(sealed_pins) == [None, 36]
    kinds = [one.kind for one in await _letters(works, user_code) if one.voided_at is None]
    assert sorted(kinds) == ["card", "pin", "reader", "welcome"]


async def test_another_pin_where_a_card_is_coming_already(works: Works) -> None:
    """The card is over, and what an opposition has ordered is what comes: one, not two."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await _make(works)
    key = (bucket_of(user_code), user_code)
    held = "UPDATE cards SET state = 'held'"
    await works.bank.store.write(lambda connection: connection.exec_driver_sql(held))
    await works.bank.store.write(
        lambda connection: insert_order(
            connection, key, kind="sesame", reason="lost", replaces=1, by="", at=1
        )
    )
    await works.office.agree(works.office.paul, await works.reprint(user_code, 1))
    assert await _states(works, user_code) == ["retired"]
    stand = [one.reason for one in await _orders(works, user_code) if one.cancelled_at is None]
    assert stand == ["lost"]
    assert await _make(works) == 1
    assert await _make(works) == 0


# ── Mail that came back ──────────────────────────────────────────────────────────────────────────


async def test_a_card_letter_that_came_back(works: Works) -> None:
    """Its card never signs in; nothing else goes; another comes once somebody says so."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await _make(works)
    (card,) = [one for one in await _letters(works, user_code) if one.kind == CARD]
    with pytest.raises(NoSuchLetter):
        await record_returned(works.bank, card.reference, works.by(0), address=ADDRESS)
    await _post(works, card.reference)
    with pytest.raises(NoSuchLetter):
        await send_again(works.bank, card.reference, works.by(0), works.post, address=ADDRESS)
    came = await record_returned(works.bank, card.reference, works.by(0), address=ADDRESS)
    assert (came.kind, came.retired) == (CARD, True)
    assert await _states(works, user_code) == ["retired"]
    assert sum(one.voided_at is not None for one in await _letters(works, user_code)) == 3
    with pytest.raises(NoSuchLetter):
        await record_returned(works.bank, card.reference, works.by(0), address=ADDRESS)
    assert await wanting(works.bank) == {"sesame": 0, "bank": 0}
    sent = await send_again(works.bank, card.reference, works.by(0), works.post, address=ADDRESS)
    assert sent == CARD
    with pytest.raises(NothingToOrder):
        await send_again(works.bank, card.reference, works.by(0), works.post, address=ADDRESS)
    assert (await _orders(works, user_code))[-1].reason == "returned"
    assert '"event":"mail-returned"' in (await works.office.lines(user_code))[-2]
    assert await _make(works) == 1


async def test_the_lines_of_cards_that_are_made_and_come_back_are_replayed(works: Works) -> None:
    """The issuer's own among them, whose `cards` are a number and no list."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await _make(works)
    (card,) = [one for one in await _letters(works, user_code) if one.kind == CARD]
    await _post(works, card.reference)
    await record_returned(works.bank, card.reference, works.by(0), address=ADDRESS)
    lines = [
        StreamedLine(code, version, line.encode())
        for code in (works.issuers[0].user_code, user_code)
        for version, line in enumerate(await works.office.lines(code), 1)
    ]
    assert any(b'"event":"cards-made"' in line.line for line in lines)
    assert b'"held":[]' in lines[-1].line
    assert b'"retired":[[1]]' in lines[-1].line
    assert (await replay(works.bank, lines)).known == len(lines)


@pytest.mark.parametrize("kind", ["pin", "card"])
async def test_another_pin_in_the_place_of_one_that_was_printed_takes_two(
    works: Works, kind: str
) -> None:
    """By whichever letter: no issuer has a card and a PIN made alone, as nobody reprints one."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await _make(works)
    letters = {one.kind: one.reference for one in await _letters(works, user_code)}
    for posted in ("card", "pin"):
        await _post(works, letters[posted])
    await record_returned(works.bank, letters[kind], works.by(0), address=ADDRESS)
    with pytest.raises(TakesTwo):
        await send_again(works.bank, letters[kind], works.by(0), works.post, address=ADDRESS)
    assert len(await _orders(works, user_code)) == 1
    ask = partial(ask_for_another, works.bank, letters[kind], post=works.post, address=ADDRESS)
    issuer = works.office.staff(works.issuers[0])
    asked = await ask(by=issuer)
    assert (asked.payload["returned"], asked.reason) == (letters[kind], "returned")
    assert asked.payload["last4"]
    with pytest.raises(NothingToOrder):
        await ask(by=issuer)
    as_officer = works.office.staff(works.issuers[0], [Role.OFFICER])
    with pytest.raises(Undecided):
        await decide(works.bank, as_officer, asked.id, Verdict.APPROVED, address=ADDRESS)
    await works.office.agree(works.office.paul, asked)
    last = (await _orders(works, user_code))[-1]
    assert (last.reason, last.replaces, last.card_number) == ("pin", 1, None)
    with pytest.raises(NothingToOrder):
        await ask(by=issuer)
    with pytest.raises(NothingToOrder):
        await send_again(works.bank, letters[kind], works.by(0), works.post, address=ADDRESS)
    with pytest.raises(NoSuchLetter):
        await ask_for_another(works.bank, "NONE-NONE", issuer, works.post, address=ADDRESS)
    assert await _make(works) == 1
    kinds = [one.kind for one in await _letters(works, user_code) if one.posted_at is None]
    assert {"card", "pin", "reader", "welcome"} <= set(kinds)


async def _renewal(works: Works) -> UserCode:
    """Somebody whose card signs in, and for whom another is made in its place and waits."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await _make(works)
    key = (bucket_of(user_code), user_code)
    for change in (
        "UPDATE cards SET state = 'active'",
        "UPDATE card_orders SET activated_at = 1, sealed_pin = NULL",
        "UPDATE dispatches SET printed_at = 1, posted_at = 2",
    ):
        await works.bank.store.write(
            lambda connection, change=change: connection.exec_driver_sql(change)  # type: ignore[misc]  # of this turn
        )
    await works.bank.store.write(
        lambda connection: insert_order(
            connection, key, kind="sesame", reason="renewal", replaces=1, by="_0000000", at=1
        )
    )
    assert await _make(works) == 1
    assert await _states(works, user_code) == ["active", "waiting"]
    return user_code


async def test_a_renewal_that_came_back_is_sent_again_in_the_same_place(works: Works) -> None:
    """The card that nobody has used is over; what is sent replaces the one that still works."""
    user_code = await _renewal(works)
    (card,) = [
        one
        for one in await _letters(works, user_code)
        if one.kind == CARD and one.posted_at is None
    ]
    await _post(works, card.reference)
    await record_returned(works.bank, card.reference, works.by(0), address=ADDRESS)
    assert await _states(works, user_code) == ["active", "retired"]
    await send_again(works.bank, card.reference, works.by(0), works.post, address=ADDRESS)
    last = (await _orders(works, user_code))[-1]
    assert (last.reason, last.replaces) == ("returned", 1)
    assert await _make(works) == 1


async def test_another_pin_for_a_renewal_replaces_what_still_works(works: Works) -> None:
    """Else the old card would work on beside the third."""
    user_code = await _renewal(works)
    await works.office.agree(works.office.paul, await works.reprint(user_code, 2))
    assert await _states(works, user_code) == ["active", "retired"]
    last = (await _orders(works, user_code))[-1]
    assert (last.reason, last.replaces) == ("pin", 1)


async def test_what_waits_for_an_address_is_not_renewed_meanwhile(works: Works) -> None:
    """No third card goes where the second came back from; until somebody sends it again."""
    user_code = await _renewal(works)
    (card,) = [
        one
        for one in await _letters(works, user_code)
        if one.kind == CARD and one.posted_at is None
    ]
    await _post(works, card.reference)
    await record_returned(works.bank, card.reference, works.by(0), address=ADDRESS)
    near = "UPDATE cards SET last_atc = 60001 WHERE card_number = 1"
    await works.bank.store.write(lambda connection: connection.exec_driver_sql(near))
    renewal = Renewal(
        store=works.bank.store,
        now=works.bank.now(),
        today=works.post.day(works.bank.now()),
        random_bytes=works.bank.random_bytes,
        limits=works.bank.limits,
    )
    assert not (await renewal.run()).done
    await send_again(works.bank, card.reference, works.by(0), works.post, address=ADDRESS)
    assert not (await renewal.run()).done
    assert len(await _orders(works, user_code)) == 3


async def test_a_number_in_a_parcel_that_was_stopped_opens_nothing(works: Works) -> None:
    """It lies in a pile, printed, whichever letter came back; what is not printed has none."""
    user_code = await _renewal(works)
    for printed, until in (("NULL", 9), ("1", None)):
        for change in (
            f"UPDATE dispatches SET printed_at = {printed} WHERE order_number = 2",  # noqa: S608 -- of the test
            "UPDATE dispatches SET voided_at = NULL WHERE order_number = 2",
            "UPDATE card_orders SET activation_until = 9 WHERE order_number = 2",
        ):
            await works.bank.store.write(
                lambda connection, change=change: connection.exec_driver_sql(change)  # type: ignore[misc]  # of this turn
            )
        reference = await reprint_welcome(works.bank, user_code, works.by(0), address=ADDRESS)
        await _post(works, reference)
        await record_returned(works.bank, reference, works.by(0), address=ADDRESS)
        assert (await _orders(works, user_code))[1].activation_until == until


async def test_what_a_return_stopped_goes_again_with_it(works: Works) -> None:
    """Also of another order: else a card would have no PIN letter, and nobody would know."""
    user_code = await _renewal(works)
    reference = await reprint_welcome(works.bank, user_code, works.by(0), address=ADDRESS)
    await _post(works, reference)
    await record_returned(works.bank, reference, works.by(0), address=ADDRESS)
    await send_again(works.bank, reference, works.by(0), works.post, address=ADDRESS)
    going = [
        (one.kind, one.order_number)
        for one in await _letters(works, user_code)
        if one.voided_at is None and one.posted_at is None
    ]
    assert sorted(going, key=str) == [("card", 2), ("pin", 2), ("reader", 2), ("welcome", None)]


async def test_a_parcel_that_came_back(works: Works) -> None:
    """Its number activates nothing; the reader is back; the parcel and what waited go again."""
    user_code = await works.new_customer("Nora Lebrun")
    await take_in(works.bank, [("SR1-0001", "Sesame R1")], works.by(0))
    await works.order_all()
    await _make(works)
    (parcel,) = [one for one in await _letters(works, user_code) if one.kind == "reader"]
    await _post(works, parcel.reference)
    for change in (
        "UPDATE dispatches SET reader_serial = 'SR1-0001' WHERE kind = 'reader'",
        "UPDATE readers SET state = 'sent'",
        "UPDATE card_orders SET activation_until = 9",
    ):
        await works.bank.store.write(
            lambda connection, change=change: connection.exec_driver_sql(change)  # type: ignore[misc]  # of this turn
        )
    came = await record_returned(works.bank, parcel.reference, works.by(0), address=ADDRESS)
    assert (came.retired, came.held, came.withdrawn) == (False, 0, True)
    assert await _states(works, user_code) == ["waiting"]
    assert (await _orders(works, user_code))[0].activation_until is None
    (balance,) = await balances(works.bank)
    assert (balance.returned, balance.sent) == (1, 0)
    kind = await send_again(works.bank, parcel.reference, works.by(0), works.post, address=ADDRESS)
    assert kind == "reader"
    going = [one for one in await _letters(works, user_code) if one.voided_at is None]
    assert sorted(one.kind for one in going if one.returned_at is None) == [
        "card",
        "pin",
        "reader",
        "welcome",
    ]
    with pytest.raises(NothingToOrder):
        await send_again(works.bank, parcel.reference, works.by(0), works.post, address=ADDRESS)


async def test_a_notice_that_came_back_loses_no_pin(works: Works) -> None:
    """What it stopped goes again by it; it is not told again itself, and only once."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await _make(works)
    key = (bucket_of(user_code), user_code)
    for reference, kind in (
        ("7QK4-AAAA", "notice"),
        ("7QK4-BBBB", "notice"),
        ("7QK4-CCCC", "reminder"),
    ):
        row = DispatchRow(reference, *key, kind, None, 1)
        await works.bank.store.write(lambda c, row=row: insert_dispatch(c, row))  # type: ignore[misc]  # of this turn
    await _post(works, "7QK4-AAAA")
    came = await record_returned(works.bank, "7QK4-AAAA", works.by(0), address=ADDRESS)
    assert (came.retired, came.held, came.withdrawn) == (False, 0, False)
    going = [one for one in await _letters(works, user_code) if one.voided_at is None]
    # What tells of a change goes all the same: its address is another one, perhaps.
    assert {one.reference for one in going} == {"7QK4-AAAA", "7QK4-BBBB"}
    again = partial(send_again, works.bank, "7QK4-AAAA", works.by(0), works.post, address=ADDRESS)
    assert await again() == "notice"
    going = [
        one
        for one in await _letters(works, user_code)
        if one.voided_at is None and one.posted_at is None
    ]
    kinds = ["card", "notice", "pin", "reader", "reminder", "welcome"]
    assert sorted(one.kind for one in going) == kinds
    with pytest.raises(NothingToOrder):
        await again()


async def test_a_notice_that_stopped_nothing(works: Works) -> None:
    """Nothing waits for it, and nothing is sent."""
    user_code = await works.new_customer("Nora Lebrun")
    row = DispatchRow("7QK4-AAAA", bucket_of(user_code), user_code, "hold", None, 1)
    await works.bank.store.write(lambda connection: insert_dispatch(connection, row))
    await _post(works, row.reference)
    await record_returned(works.bank, row.reference, works.by(0), address=ADDRESS)
    with pytest.raises(NothingToOrder):
        await send_again(works.bank, row.reference, works.by(0), works.post, address=ADDRESS)


@pytest.mark.parametrize("kind", ["welcome", "reader"])
async def test_what_opens_nothing_holds_nothing(works: Works, kind: str) -> None:
    """A user code that came back, or a reader for a bank card: its owner signs in as before."""
    user_code = await works.new_customer("Omar Said", WantedCard.BANK)
    await works.order_all()
    (letter,) = [one for one in await _letters(works, user_code) if one.kind == kind]
    await _post(works, letter.reference)
    before = await works.bank.store.read_access(user_code)
    came = await record_returned(works.bank, letter.reference, works.by(0), address=ADDRESS)
    assert (came.retired, came.held, came.withdrawn) == (False, 0, False)
    access = await works.bank.store.read_access(user_code)
    assert [card.state for card in access.cards] == ["active"]
    assert access.state.session_epoch == before.state.session_epoch
    (notice,) = await works.bank.store.read(
        lambda c: [row for row in c.execute(select(NOTICES)) if row.event == "mail-returned"]
    )
    assert b'"held":0' in notice.facts


async def test_a_number_that_a_return_made_void_comes_again(works: Works) -> None:
    """With the user code that came back: else nothing would activate its owner’s card."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await _make(works)
    for change in (
        "UPDATE dispatches SET printed_at = 1, posted_at = 2",
        "UPDATE card_orders SET activation_until = 9, activation_hash = sealed_pin",
    ):
        await works.bank.store.write(
            lambda connection, change=change: connection.exec_driver_sql(change)  # type: ignore[misc]  # of this turn
        )
    (letter,) = [one for one in await _letters(works, user_code) if one.kind == "welcome"]
    came = await record_returned(works.bank, letter.reference, works.by(0), address=ADDRESS)
    assert came.withdrawn
    await send_again(works.bank, letter.reference, works.by(0), works.post, address=ADDRESS)
    going = [one.kind for one in await _letters(works, user_code) if one.posted_at is None]
    assert sorted(going) == ["reader", "welcome"]


async def _parcel_of_a_card_that_signs_in(works: Works) -> tuple[UserCode, str]:
    """Somebody whose Sésame card signs in, and the reference of their parcel, which is posted."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await _make(works)
    active = "UPDATE cards SET state = 'active'"
    await works.bank.store.write(lambda connection: connection.exec_driver_sql(active))
    (parcel,) = [one for one in await _letters(works, user_code) if one.kind == "reader"]
    await _post(works, parcel.reference)
    return user_code, parcel.reference


async def test_a_card_that_signs_in_is_held(works: Works) -> None:
    """Where its parcel came back; sessions end, the hold is on the list, and its owner is told."""
    user_code, reference = await _parcel_of_a_card_that_signs_in(works)
    before = (await works.bank.store.read_access(user_code)).state.session_epoch
    came = await record_returned(works.bank, reference, works.by(0), address=ADDRESS)
    assert came.held == 1
    access = await works.bank.store.read_access(user_code)
    assert [card.state for card in access.cards] == ["held"]
    assert access.state.session_epoch == before + 1
    held = 'SELECT "by", by_code, reason FROM holds'
    rows = await works.bank.store.read(lambda c: c.exec_driver_sql(held).all())
    assert [tuple(row) for row in rows] == [("desk", works.by(0).user_code, "returned")]
    told = "SELECT facts FROM notices WHERE event = 'mail-returned'"
    facts = await works.bank.store.read(lambda c: c.exec_driver_sql(told).scalar_one())
    assert b'"held":1' in bytes(facts)


@pytest.mark.parametrize(("by", "reason"), [("owner", "returned"), ("desk", "stolen")])
async def test_a_card_that_is_held_already(works: Works, by: str, reason: str) -> None:
    """The desk's word outlasts its owner's number; what the desk said before stays."""
    user_code, reference = await _parcel_of_a_card_that_signs_in(works)
    hold = insert(HOLDS).values(
        bucket=bucket_of(user_code),
        user_code=user_code,
        card_number=1,
        by=by,
        by_code="",
        reason="stolen" if by == "desk" else "",
        at=1,
        release_hash=bytes(32) if by == "owner" else None,
    )
    await works.bank.store.write(lambda connection: connection.execute(hold))
    held = "UPDATE cards SET state = 'held'"
    await works.bank.store.write(lambda connection: connection.exec_driver_sql(held))
    await record_returned(works.bank, reference, works.by(0), address=ADDRESS)
    (kept,) = await works.bank.store.read(lambda c: list(c.execute(select(HOLDS))))
    assert (kept.by, kept.release_hash, kept.reason) == ("desk", None, reason)


async def test_the_user_code_once_more(works: Works) -> None:
    """To whoever is a customer with an address."""
    user_code = await works.new_customer("Nora Lebrun")
    reference = await reprint_welcome(works.bank, user_code, works.by(0), address=ADDRESS)
    (letter,) = await _letters(works, user_code)
    assert (letter.reference, letter.kind) == (reference, "welcome")
    with pytest.raises(NoSuchCustomer):
        await reprint_welcome(works.bank, UserCode("NEMO3333"), works.by(0), address=ADDRESS)


# ── Readers ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_ledger_of_readers(works: Works) -> None:
    """What came in is in stock, sent, returned or discarded; a list twice is in once."""
    readers = read_serials(["serial,model", "A-1", "A-2,R2", "", "A-3"], "R1")
    assert readers == [("A-1", "R1"), ("A-2", "R2"), ("A-3", "R1")]
    assert await take_in(works.bank, readers, works.by(0)) == 3
    assert await take_in(works.bank, readers, works.by(0)) == 0
    await correct(works.bank, "A-1", Correction.DISCARD, works.by(0))
    with pytest.raises(NoSuchReader):
        await correct(works.bank, "A-1", Correction.RETURN, works.by(0))
    one, two = await balances(works.bank)
    assert (one.model, one.came_in, one.stock, one.discarded) == ("R1", 2, 1, 1)
    assert two.came_in == two.stock == 1
    await correct(works.bank, "A-1", Correction.RESTOCK, works.by(0))
    assert (await balances(works.bank))[0].stock == 2
    lines = await works.office.lines(works.by(0).user_code)
    assert '"event":"reader-moved"' in lines[-1]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], NoReaderListed),
        (["serial"], NoReaderListed),
        (["A-1", "A-1"], ReaderListedTwice),
        (["A-1", "é"], MalformedReader),
        (["A-1", "a,b,c"], MalformedReader),
        (["A-1", "a" * 41], MalformedReader),
        # Longer than Python's reader takes a cell.
        (["A-1", "x" * 131_073, "A-3"], EndlessReader),
        (["A-1", '"A-2' + "x" * 131_073], EndlessReader),
        ([f"A-{number}" for number in range(MOST_READERS + 1)], TooManyReaders),
    ],
)
def test_a_list_that_is_none(lines: list[str], why: type[UnsuitableReaders]) -> None:
    """It says in which line, where there is one."""
    with pytest.raises(why) as refused:
        read_serials(lines, "R1")
    assert getattr(refused.value, "line", 2) == 2
