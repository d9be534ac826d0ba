"""Bank cards for customers that there are: what a row gives and ends, and what it cannot."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from sesame.bank.approvals import Asked, Kind, Verdict
from sesame.bank.approving import decide
from sesame.bank.auditing import audit
from sesame.bank.bank_cards import CardCounts, Giving, ask_for_bank_cards, find_grant
from sesame.bank.customer_file import FileFormat, Problem, Trouble
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.details import Details, WantedCard
from sesame.bank.errors import NotAllowed, NothingToRelease
from sesame.bank.orders import GRANT_GOOD_FOR, wanting
from sesame.bank.person import erase
from sesame.bank.replay import replay
from sesame.bank.restored import look
from sesame.bank.stream import StreamedLine
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Outcome, verify_login
from sesame.cap.token import Code
from sesame.catalogue import Language
from sesame.custody.custodian import KeyRef
from sesame.emv.pan import Pan, luhn_digit
from sesame.postal import LetterFormat
from sesame.store.backup import back_up
from sesame.store.bank_cards import Gift, take_gifts
from sesame.store.begun import BEGUN_COUNTERS
from sesame.store.buckets import bucket_of
from sesame.store.cards import CARDS, CardState, set_card_state
from sesame.store.engine import open_store
from sesame.store.errors import EnrolledMeanwhile, StepLost
from sesame.store.holds import insert_own_holds, put_desk_hold
from sesame.store.notices import NOTICES
from sesame.store.schema import migrate
from tests.bank.branch import attempt
from tests.bureaux import Works, address_of, open_works
from tests.desk.office import ADDRESS
from tests.portal.town import Customer

HEADER = "user_code,reference,name,pan,psn,dki,last_atc,ends\n"


def pan_of(number: int) -> str:
    """A card number by its place."""
    digits = f"49702{number:010d}"
    return digits + luhn_digit(digits)


def row(  # noqa: PLR0913 -- the fields of a row
    whose: Customer | str,
    pan: str,
    *,
    psn: str = "00",
    name: str = "",
    reference: str = "",
    atc: str = "0",
    ends: str = "",
) -> str:
    """A line of the file."""
    code = whose if isinstance(whose, str) else whose.user_code
    name = name or ("" if isinstance(whose, str) else whose.name)
    return f"{code},{reference},{name},{pan},{psn},01,{atc},{ends}\n"


def file_of(*rows: str) -> bytes:
    """A file as the card service exports it."""
    return (HEADER + "".join(rows)).encode()


def digest(file: bytes) -> str:
    """Its SHA-256."""
    return hashlib.sha256(file).hexdigest()


async def new_customer(
    works: Works, name: str, number: int | None = None, *, reference: str | None = None
) -> Customer:
    """Somebody with a bank card, by its place, or with none."""
    omar = works.office.town.omar
    code = UserCode(f"{name[:4].upper()}2345")
    whose = replace(omar, user_code=code, name=name, atc=0)
    cards = []
    if number is not None:
        record = replace(omar.record, pan=Pan(pan_of(number)), psn="00")
        whose = replace(whose, record=record)
        cards = [NewCard(kind=CardKind.BANK, record=record)]
    details = Details(
        address=address_of(name),
        letter_format=LetterFormat.NORMAL,
        card_kind=WantedCard.NONE if number is None else WantedCard.BANK,
        reference=reference,
    )
    await enrol(
        works.bank,
        NewCustomer(
            user_code=code,
            name=name,
            language=Language.FRENCH,
            old_code=None,
            cards=cards,
            details=details,
        ),
    )
    return whose


def with_card(whose: Customer, pan: str, psn: str = "00") -> Customer:
    """The same person, with another card in hand."""
    return replace(whose, record=replace(whose.record, pan=Pan(pan), psn=psn), atc=0)


async def granted(works: Works, file: bytes) -> Asked:
    """That file, asked for by an issuer and agreed to by an officer."""
    rows = file.count(b"\n") - 1
    by = works.office.staff(works.issuers[0])
    asked = await ask_for_bank_cards(
        works.bank, by, digest(file), rows, reason="Envoi du 2 mars", address=ADDRESS
    )
    await works.office.agree(works.office.paul, asked)
    grant = await find_grant(works.bank, digest(file), rows)
    assert grant is not None
    return grant


async def go_through(
    works: Works, file: bytes, grant: Asked | None
) -> tuple[CardCounts, list[Problem]]:
    """What becomes of the rows."""
    problems: list[Problem] = []
    giving = Giving(
        bank=works.bank, keys={1: KeyRef("dpa-01")}, grant=grant, by="Aubry", tell=problems.append
    )
    return await giving.read(BytesIO(file), FileFormat.CSV), problems


async def give(works: Works, *rows: str) -> CardCounts:
    """Have a file of *rows* granted and given; nothing of it is wrong."""
    file = file_of(*rows)
    counts, problems = await go_through(works, file, await granted(works, file))
    assert problems == []
    return counts


async def log_in(works: Works, whose: Customer) -> Outcome:
    """What becomes of the next code of the card in hand."""
    code = await works.office.town.code_of(whose)
    return await verify_login(works.bank, attempt(whose.user_code, Code(code)))


async def states(works: Works, whose: Customer) -> list[str]:
    """Of each card, in their order."""
    access = await works.bank.store.read_access(whose.user_code)
    return [card.state for card in sorted(access.cards, key=lambda card: card.card_number)]


async def last_line(works: Works, whose: Customer) -> dict[str, Any]:
    """What the newest line of somebody's chain says."""
    lines = await works.office.lines(whose.user_code)
    return json.loads(lines[-1])  # type: ignore[no-any-return]


async def told(works: Works) -> list[tuple[str, str]]:
    """Who is told of what, oldest first."""
    query = select(NOTICES.c.user_code, NOTICES.c.event).order_by(NOTICES.c.at)
    rows = await works.bank.store.read(lambda connection: connection.execute(query).all())
    return [(row.user_code, row.event) for row in rows]


async def is_whole(works: Works) -> bool:
    """Whether an auditor finds that chains, cards and requests agree."""
    report = await audit(works.bank.store, None)
    return report.findings == []


async def test_another_card_beside_the_one_that_ends_later(works: Works) -> None:
    """Both make codes; a row of the same card ends the old one when it names it."""
    nora = await new_customer(works, "Nora Weil", 1)
    second = with_card(nora, pan_of(2))
    assert await give(works, row(nora, pan_of(2), atc="7")) == CardCounts(given=1)
    second.atc = 7
    assert isinstance(await log_in(works, second), Accepted)
    assert isinstance(await log_in(works, nora), Accepted)
    ends = row(nora, pan_of(2), atc="7", ends=pan_of(1)[-4:])
    assert await give(works, ends) == CardCounts(ended=1)
    said = await last_line(works, nora)
    assert (said["event"], said["retired"], said["by"]) == ("bank-card-ended", [[1]], "Aubry")
    assert await states(works, nora) == [CardState.RETIRED, CardState.ACTIVE]
    assert not isinstance(await log_in(works, nora), Accepted)
    assert isinstance(await log_in(works, second), Accepted)
    assert await told(works) == [
        (nora.user_code, "bank-card-given"),
        (nora.user_code, "card-retired"),
    ]
    assert await is_whole(works)
    assert await give(works, ends.replace("Nora", "NORA")) == CardCounts(there=1)
    assert len(await told(works)) == 2


async def test_in_the_place_of_a_card_with_the_same_number(works: Works) -> None:
    """A renewed card has another PSN alone; the line says whose word it was."""
    nora = await new_customer(works, "Nora Weil", 1)
    renewed = with_card(nora, pan_of(1), "01")
    file = file_of(row(nora, pan_of(1), psn="01", atc="30", ends=pan_of(1)[-4:]))
    grant = await granted(works, file)
    assert await go_through(works, file, grant) == (CardCounts(given=1), [])
    assert await states(works, nora) == [CardState.RETIRED, CardState.ACTIVE]
    said = await last_line(works, nora)
    assert said["event"] == "bank-card-given"
    assert (said["cards"], said["retired"]) == ([[2, nora.record.profile, 30]], [[1]])
    assert (said["request"], said["by"]) == (grant.id.hex(), "Aubry")
    assert await is_whole(works)
    assert said["asked_by"] in works.issuers[0].user_code
    assert await told(works) == [(nora.user_code, "bank-card-replaced")]
    renewed.atc = 30
    assert isinstance(await log_in(works, renewed), Accepted)
    assert await go_through(works, file, grant) == (CardCounts(there=1), [])


async def test_a_first_card_wants_a_reader(works: Works) -> None:
    """Who was to have no card is one of those to whom a reader is sent."""
    nora = await new_customer(works, "Nora Weil")
    assert await wanting(works.bank) == {"sesame": 0, "bank": 0}
    assert await give(works, row(nora, pan_of(2))) == CardCounts(given=1)
    assert await wanting(works.bank) == {"sesame": 0, "bank": 1}
    assert isinstance(await log_in(works, with_card(nora, pan_of(2))), Accepted)


async def test_a_lost_card_is_replaced(works: Works) -> None:
    """The one that the desk holds goes for ever, and its successor signs in."""
    nora = await new_customer(works, "Nora Weil", 1)
    await works.bank.store.write(
        lambda connection: set_card_state(
            connection, (bucket_of(nora.user_code), nora.user_code), 1, CardState.HELD
        )
    )
    assert await give(works, row(nora, pan_of(2), ends=pan_of(1)[-4:])) == CardCounts(given=1)
    assert await states(works, nora) == [CardState.RETIRED, CardState.ACTIVE]
    assert isinstance(await log_in(works, with_card(nora, pan_of(2))), Accepted)


async def test_whose_it_is_by_the_institutions_own_number(works: Works) -> None:
    """By the reference; names are compared without accents, case and order."""
    nora = await new_customer(works, "Nora Weïl", reference="C-17")
    by_reference = row("", pan_of(2), name="WEIL NORA", reference="C-17")
    assert await give(works, by_reference) == CardCounts(given=1)
    both = row(nora, pan_of(2), reference="C-17")
    assert await give(works, both) == CardCounts(there=1)


async def test_two_rows_of_one_customer(works: Works) -> None:
    """Whoever stands there twice, by whichever of their codes, is told the second time."""
    nora = await new_customer(works, "Nora Weil", reference="C-17")
    file = file_of(
        row(nora, pan_of(1)),
        row(nora, pan_of(2)),
        row("", pan_of(3), name="Nora Weil", reference="C-17"),
    )
    expected = [
        Problem(3, "user_code", Trouble.TWICE, 2),
        Problem(4, "reference", Trouble.TWICE, 2),
    ]
    for grant in (None, await granted(works, file)):
        counts, problems = await go_through(works, file, grant)
        assert (counts, problems) == (CardCounts(given=1, refused=2), expected)


async def test_no_room_for_a_third(works: Works) -> None:
    """Nobody has more than two: one has to end."""
    nora = await new_customer(works, "Nora Weil", 1)
    await give(works, row(nora, pan_of(2)))
    file = file_of(row(nora, pan_of(3)))
    counts, problems = await go_through(works, file, None)
    assert (counts, problems) == (
        CardCounts(refused=1),
        [Problem(2, "pan", Trouble.NO_ROOM, 2)],
    )
    await give(works, row(nora, pan_of(3), ends=pan_of(1)[-4:]))
    assert await states(works, nora) == [CardState.RETIRED, CardState.ACTIVE, CardState.ACTIVE]


async def test_the_file_of_before_ends_nothing_that_came_since(works: Works) -> None:
    """Renewed twice under one number: each file again, and the older one, changes nothing."""
    nora = await new_customer(works, "Nora Weil", 1)
    pan = pan_of(1)
    first = row(nora, pan, psn="01", ends=pan[-4:])
    second = row(nora, pan, psn="02")
    assert await give(works, first) == CardCounts(given=1)
    assert await give(works, second) == CardCounts(given=1)
    for again in (first, second, first):
        assert await give(works, again) == CardCounts(there=1)
    assert await states(works, nora) == [CardState.RETIRED, CardState.ACTIVE, CardState.ACTIVE]
    third = with_card(nora, pan, "02")
    assert isinstance(await log_in(works, third), Accepted)
    assert await give(works, row(nora, pan, psn="02", ends=pan[-4:])) == CardCounts(ended=1)
    assert await states(works, nora) == [CardState.RETIRED, CardState.RETIRED, CardState.ACTIVE]
    assert await give(works, second) == CardCounts(there=1)
    assert isinstance(await log_in(works, third), Accepted)


@pytest.mark.parametrize("state", [CardState.RETIRED, CardState.HELD])
async def test_a_card_that_was_stopped_replaces_none(works: Works, state: CardState) -> None:
    """Whose new card was held or retired meanwhile keeps the old one."""
    nora = await new_customer(works, "Nora Weil", 1)
    await give(works, row(nora, pan_of(2)))
    key = (bucket_of(nora.user_code), nora.user_code)
    await works.bank.store.write(lambda connection: set_card_state(connection, key, 2, state))
    file = file_of(row(nora, pan_of(2), ends=pan_of(1)[-4:]))
    counts, problems = await go_through(works, file, await granted(works, file))
    assert counts == CardCounts(refused=1)
    assert problems == [Problem(2, "pan", Trouble.CARD_STOPPED)]
    assert await states(works, nora) == [CardState.ACTIVE, state]


async def test_whoever_holds_their_codes_is_given_none(works: Works) -> None:
    """Until they lift their own hold, or the desk takes over."""
    nora = await new_customer(works, "Nora Weil", 1)
    key = (bucket_of(nora.user_code), nora.user_code)

    def hold(connection: Connection) -> None:
        insert_own_holds(connection, key, [1], reason="", release_hash=bytes(32), at=1)
        connection.execute(
            update(CARDS).where(CARDS.c.user_code == nora.user_code).values(state=CardState.HELD)
        )

    await works.bank.store.write(hold)
    file = file_of(row(nora, pan_of(2), ends=pan_of(1)[-4:]))
    grant = await granted(works, file)
    counts, problems = await go_through(works, file, grant)
    assert (counts, problems) == (
        CardCounts(refused=1),
        [Problem(2, "pan", Trouble.OWN_HOLD)],
    )
    await works.bank.store.write(
        lambda connection: put_desk_hold(
            connection, key, 1, by=works.office.ada.user_code, reason="stolen", at=2
        )
    )
    assert await go_through(works, file, grant) == (CardCounts(given=1), [])
    assert await states(works, nora) == [CardState.RETIRED, CardState.ACTIVE]


async def test_somebody_else_was_faster(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is planned again, and what is wrong with a row is told once."""
    nora = await new_customer(works, "Nora Weil", 1)
    otto = await new_customer(works, "Otto Weil")
    file = file_of(row(nora, pan_of(2)), row(otto, pan_of(1)))
    grant = await granted(works, file)
    left = [StepLost(), EnrolledMeanwhile()]

    def late(connection: Connection, gifts: Sequence[Gift], *, unsure_for: int) -> None:
        if left:
            raise left.pop()
        take_gifts(connection, gifts, unsure_for=unsure_for)

    monkeypatch.setattr("sesame.bank.bank_cards.take_gifts", late)
    counts, problems = await go_through(works, file, grant)
    assert (counts, problems) == (
        CardCounts(given=1, refused=1),
        [Problem(3, "pan", Trouble.CARD_TAKEN)],
    )
    assert await told(works) == [(nora.user_code, "bank-card-given")]


async def test_json_lines(works: Works) -> None:
    """The same fields, an object a line."""
    nora = await new_customer(works, "Nora Weil")
    fields = {"user_code": nora.user_code, "name": "Nora Weil", "pan": pan_of(2), "psn": "00"}
    line = json.dumps({**fields, "dki": "01", "last_atc": None}).encode() + b"\n"
    counts = CardCounts()
    giving = Giving(
        bank=works.bank,
        keys={1: KeyRef("dpa-01")},
        grant=None,
        by="Aubry",
        tell=print,
        counts=counts,
    )
    assert await giving.read(BytesIO(line), FileFormat.JSON_LINES) == CardCounts(given=1)


async def test_what_a_given_card_began_with_is_looked_at(tmp_path: Path) -> None:
    """Whoever has the tables of SQLite, where no trigger is, and lowers it is found by its line."""
    migrate(f"sqlite:///{tmp_path / 'bank.db'}")
    works = await open_works(f"sqlite:///{tmp_path / 'bank.db'}", tmp_path)
    nora = await new_customer(works, "Nora Weil", 1)
    await give(works, row(nora, pan_of(2), atc="30"))
    assert await is_whole(works)

    def lower(connection: Connection) -> None:
        for table in (BEGUN_COUNTERS, CARDS):
            mine = (table.c.user_code == nora.user_code, table.c.card_number == 2)
            connection.execute(update(table).where(*mine).values(last_atc=3))

    await works.bank.store.write(lower)
    assert not await is_whole(works)
    await works.bank.store.close()


async def test_more_rows_than_a_commit_has(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch by batch; cut off in the middle, the same file does the rest."""
    monkeypatch.setattr("sesame.bank.bank_cards._BATCH", 2)
    names = ["Anna", "Bela", "Carl", "Dora", "Egon"]
    each = [await new_customer(works, f"{name} Weil") for name in names]
    file = file_of(*(row(one, pan_of(place)) for place, one in enumerate(each, 1)))
    grant = await granted(works, file)

    def stop(_counts: CardCounts) -> None:
        raise InterruptedError

    cut = Giving(
        bank=works.bank,
        keys={1: KeyRef("dpa-01")},
        grant=grant,
        by="Aubry",
        tell=print,
        after=stop,
    )
    with pytest.raises(InterruptedError):
        await cut.read(BytesIO(file), FileFormat.CSV)
    assert await go_through(works, file, grant) == (CardCounts(given=3, there=2), [])


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (row("NBDY2345", pan_of(2), name="Nora Weil"), ("user_code", Trouble.NO_CUSTOMER)),
        (row("", pan_of(2), name="Nora Weil", reference="X"), ("reference", Trouble.NO_CUSTOMER)),
        (
            row("OTTO2345", pan_of(2), name="Nora Weil", reference="C-17"),
            ("reference", Trouble.NO_CUSTOMER),
        ),
        (row("", pan_of(2), name="Nora Weil"), ("user_code", Trouble.WHO)),
        (row("NORA2345", pan_of(2), name="Otto Weil"), ("name", Trouble.ANOTHER_NAME)),
        (row("NORA2345", pan_of(9), name="Nora Weil"), ("pan", Trouble.CARD_TAKEN)),
        (row("NORA2345", pan_of(2), name="Nora Weil", ends="99"), ("ends", Trouble.ENDS)),
        (
            row("NORA2345", pan_of(2), name="Nora Weil", ends="0000"),
            ("ends", Trouble.NO_SUCH_CARD),
        ),
        # The card itself is none of those that it could replace.
        (
            row("NORA2345", pan_of(1), name="Nora Weil", ends=pan_of(1)[-4:]),
            ("ends", Trouble.NO_SUCH_CARD),
        ),
        (row("NORA2345", pan_of(2)[:-1] + "x", name="Nora Weil"), ("pan", Trouble.PAN)),
        (row("NORA2345", "", name="Nora Weil"), ("pan", Trouble.MISSING)),
        (row("NORA2345", pan_of(2)), ("name", Trouble.MISSING)),
        (row("NORA2345", pan_of(2), name="Nora Weil", psn="1"), ("psn", Trouble.PSN)),
        (row("NORA2345", pan_of(2), name="Nora Weil", atc="65535"), ("last_atc", Trouble.LAST_ATC)),
    ],
    ids=lambda given: str(given[1]) if isinstance(given, tuple) else "",
)
async def test_what_is_wrong(works: Works, wrong: str, problem: tuple[str, Trouble]) -> None:
    """It is told by its line and its field, and the row beside it is done."""
    await new_customer(works, "Nora Weil", 1, reference="C-17")
    otto = await new_customer(works, "Otto Weil", 9)
    file = file_of(wrong, row(otto, pan_of(5)))
    counts, problems = await go_through(works, file, await granted(works, file))
    assert counts == CardCounts(given=1, refused=1)
    assert [(one.line, one.field, one.trouble) for one in problems] == [(2, *problem)]


async def test_a_card_that_stands_there_twice(works: Works) -> None:
    """Counts once, whoever's it is."""
    nora = await new_customer(works, "Nora Weil")
    otto = await new_customer(works, "Otto Weil")
    file = file_of(row(nora, pan_of(2)), row(otto, pan_of(2)))
    counts, problems = await go_through(works, file, None)
    assert counts == CardCounts(given=1, refused=1)
    assert problems == [Problem(3, "pan", Trouble.TWICE, 2)]


async def test_a_rehearsal_keeps_nothing(works: Works) -> None:
    """It counts what would be."""
    nora = await new_customer(works, "Nora Weil", 1)
    file = file_of(row(nora, pan_of(2), ends=pan_of(1)[-4:]))
    assert await go_through(works, file, None) == (CardCounts(given=1), [])
    assert await states(works, nora) == [CardState.ACTIVE]
    assert await told(works) == []


async def test_two_cards_that_end_alike(works: Works) -> None:
    """The new one replaces both."""
    nora = await new_customer(works, "Nora Weil", 1)
    pan = pan_of(1)
    await give(works, row(nora, pan, psn="01"))
    assert await give(works, row(nora, pan, psn="02", ends=pan[-4:])) == CardCounts(given=1)
    assert await states(works, nora) == [CardState.RETIRED, CardState.RETIRED, CardState.ACTIVE]
    assert (await last_line(works, nora))["retired"] == [[1], [2]]


async def test_by_no_grant_but_that_of_this_file(works: Works) -> None:
    """A byte more, a row less, a request that waits, was refused or is old: none of it counts."""
    nora = await new_customer(works, "Nora Weil")
    file = file_of(row(nora, pan_of(2)))
    by = works.office.staff(works.issuers[0])
    ask = {"reason": "Envoi du 2 mars", "address": ADDRESS}
    asked = await ask_for_bank_cards(works.bank, by, digest(file), 1, **ask)
    assert await find_grant(works.bank, digest(file), 1) is None
    paul = works.office.staff(works.office.paul)
    await decide(works.bank, paul, asked.id, Verdict.REFUSED, ADDRESS)
    assert await find_grant(works.bank, digest(file), 1) is None
    grant = await granted(works, file)
    assert grant.kind is Kind.BANK_CARDS
    assert await find_grant(works.bank, digest(file + b"\n"), 1) is None
    assert await find_grant(works.bank, digest(file), 2) is None
    works.clock.time += GRANT_GOOD_FOR
    assert await find_grant(works.bank, digest(file), 1) is None


async def test_who_asks(works: Works) -> None:
    """An issuer does; and for a file, not for anything else."""
    ada, ines = works.office.staff(works.office.ada), works.office.staff(works.issuers[0])
    ask = {"reason": "Envoi du 2 mars", "address": ADDRESS}
    with pytest.raises(NotAllowed):
        await ask_for_bank_cards(works.bank, ada, "00" * 32, 1, **ask)
    for sha256, rows in (("00" * 31, 1), ("GG" * 32, 1), ("00" * 32, 0)):
        with pytest.raises(NothingToRelease):
            await ask_for_bank_cards(works.bank, ines, sha256, rows, **ask)


async def test_who_was_erased_has_none(works: Works) -> None:
    """They are nobody's customer; their card is free for nobody else."""
    nora = await new_customer(works, "Nora Weil", 1)
    await erase(
        works.bank.store,
        nora.user_code,
        by="Aubry",
        now=works.clock(),
        random_bytes=works.bank.random_bytes,
    )
    file = file_of(row(nora, pan_of(2)))
    _, problems = await go_through(works, file, await granted(works, file))
    assert problems == [Problem(2, "user_code", Trouble.NO_CUSTOMER)]


async def test_a_backup_forgets_it_and_the_file_gives_it_again(tmp_path: Path) -> None:
    """A replay ends the old card again; the card that is given again has to answer first."""
    migrate(f"sqlite:///{tmp_path / 'bank.db'}")
    works = await open_works(f"sqlite:///{tmp_path / 'bank.db'}", tmp_path)
    nora = await new_customer(works, "Nora Weil", 1)
    file = file_of(row(nora, pan_of(2), ends=pan_of(1)[-4:]))
    grant = await granted(works, file)
    backup = tmp_path / "backup.db"
    await asyncio.to_thread(back_up, f"sqlite:///{tmp_path / 'bank.db'}", backup)
    assert await go_through(works, file, grant) == (CardCounts(given=1), [])
    second = with_card(nora, pan_of(2))
    assert isinstance(await log_in(works, second), Accepted)
    lines = [
        StreamedLine(nora.user_code, version, line.encode())
        for version, line in enumerate(await works.office.lines(nora.user_code), 1)
    ]
    await works.bank.store.close()
    works.office.town.bank = replace(works.bank, store=open_store(f"sqlite:///{backup}"))
    await look(works.bank)  # as a server does before it serves
    done = await replay(works.bank, lines)
    assert (done.taken, done.closed, done.forked) == (2, 1, frozenset())
    assert await states(works, nora) == [CardState.RETIRED]
    assert await go_through(works, file, grant) == (CardCounts(given=1), [])
    assert not isinstance(await log_in(works, second), Accepted)  # it may have signed in before
    access = await works.bank.store.read_access(nora.user_code)
    assert [card.sure for card in access.cards if card.card_number == 2] in ([False], [0])
    await works.bank.store.close()
