"""Two persons lower what is expected of a counter that began too high, and never a used one."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, select

from sesame.bank.agreements import Agreements
from sesame.bank.approvals import Asked, Barred, Kind, Verdict, Wish
from sesame.bank.approving import ask, decide
from sesame.bank.audit_chain import Finding
from sesame.bank.audit_chain import Kind as Found
from sesame.bank.auditing import Report, audit, audit_one
from sesame.bank.customers import NewCard, NewCustomer, enrol
from sesame.bank.dossier import read_timeline
from sesame.bank.errors import (
    AskedAlready,
    NotAllowed,
    NothingToRelease,
    NotLowered,
    Undecided,
    UnsuitableReason,
)
from sesame.bank.lowering import Unlowered, ask_to_lower, still_falls, unlowered
from sesame.bank.person import erase, export_person
from sesame.bank.replay import replay
from sesame.bank.stream import StreamedLine
from sesame.bank.timeline import Clause
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Outcome, Refused, verify_login
from sesame.cap.token import Code
from sesame.catalogue import Language
from sesame.emv.pan import Pan, luhn_digit
from sesame.store.approvals import read_approval
from sesame.store.audit import read_lines
from sesame.store.backup import back_up
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState, Standing, set_card_state
from sesame.store.chains import find_last_atcs
from sesame.store.engine import open_store
from sesame.store.notices import NOTICES
from tests.bank.branch import attempt
from tests.desk.office import ADDRESS, Office, Person, open_office
from tests.places import Place
from tests.portal.town import Customer

Answer = TypeVar("Answer")
WHY = "Faute de frappe à l’import : 9812 pour 812"
STATED = 9812  # by the import


async def import_nora(office: Office, number: int = 0) -> Customer:
    """A customer whose bank card stands at 812, and was enrolled at 9812 by a slip."""
    omar, payload = office.town.omar, f"49701098765{number:04}"
    nora = replace(
        omar,
        user_code=UserCode(f"NRAA234{number + 2}"),
        name="Nora Weil",
        record=replace(omar.record, pan=Pan(payload + luhn_digit(payload))),
        atc=812,
    )
    new = NewCustomer(
        user_code=nora.user_code,
        name=nora.name,
        language=Language.FRENCH,
        old_code=None,
        cards=[NewCard(kind=nora.kind, record=nora.record, last_atc=STATED)],
    )
    await enrol(office.bank, new)
    return nora


async def log_in(office: Office, whose: Customer, code: str | None = None) -> Outcome:
    """What becomes of the next code of a card, or of *code*."""
    typed = Code(code or await office.town.code_of(whose))
    return await verify_login(office.bank, attempt(whose.user_code, typed))


async def ask_for(  # noqa: PLR0913 -- whose, to what, and what is otherwise
    office: Office,
    whose: Customer,
    to: int = 812,
    *,
    by: Person | None = None,
    last4: str | None = None,
    why: str = WHY,
) -> Asked:
    """The adviser's request, unless *by* another."""
    return await ask_to_lower(
        office.bank,
        office.staff(by or office.ada),
        whose.user_code,
        last4 or whose.record.pan.last4,
        to,
        reason=why,
        address=ADDRESS,
    )


async def last_atc(office: Office, whose: Customer) -> int:
    """Of the first card."""
    return (await office.bank.store.read_access(whose.user_code)).cards[0].last_atc


async def _refused(why: Unlowered, asking: Awaitable[Asked]) -> None:
    with pytest.raises(NotLowered) as found:
        await asking
    assert found.value.why == why


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff."""
    office = await open_office(tmp_path)
    yield office
    await office.bank.store.close()


@pytest.fixture
async def nora(office: Office) -> Customer:
    """Its customer whom a slip shuts out."""
    return await import_nora(office)


@pytest.fixture
def place(office: Office, tmp_path: Path) -> Iterator[Place]:  # noqa: ARG001 -- which makes it
    """Whoever owns the tables of that bank."""
    place = Place(f"sqlite:///{tmp_path}/bank.db")
    yield place
    place.close()


async def test_asked_by_one_and_granted_by_another(office: Office, nora: Customer) -> None:
    """The next code is accepted, the chains say so, the customer is told; and no code twice."""
    refused = await office.town.code_of(nora)
    assert await log_in(office, nora, refused) == Refused()
    asked = await ask_for(office, nora, nora.atc)
    assert asked.payload == {
        "card": 1,
        "from": STATED,
        "to": 813,
        "last4": nora.record.pan.last4,
        "name": "Nora Weil",
    }
    assert await still_falls(office.bank, asked)
    assert await last_atc(office, nora) == STATED
    await office.agree(office.paul, asked)
    assert not await still_falls(office.bank, asked)
    assert await last_atc(office, nora) == 813
    for code in (office.ada.user_code, office.paul.user_code, nora.user_code):
        said = json.loads((await office.lines(code))[-1])
        assert (said["event"], said["verdict"]) == ("approval-decided", "approved")
        assert (said["lowered"], said["request"]) == ([[1, STATED, 813]], asked.id.hex())
    assert "lowered" not in (await office.lines(nora.user_code))[-2]
    notices = await office.bank.store.read(lambda c: list(c.execute(select(NOTICES))))
    assert [(one.user_code, one.event) for one in notices] == [(nora.user_code, "counter-lowered")]
    told = (await read_timeline(office.bank, nora.user_code)).entries
    assert Clause("counter-lowered", {"before": STATED, "to": 813}, (1,)) in [
        clause for entry in told for clause in entry.clauses
    ]
    assert await log_in(office, nora, refused) == Refused()
    fresh = await office.town.code_of(nora)
    assert isinstance(await log_in(office, nora, fresh), Accepted)
    assert await log_in(office, nora, fresh) == Refused()
    await _refused(Unlowered.ACCEPTED, ask_for(office, nora, 100))
    assert await _whole(office)


async def _whole(office: Office) -> bool:
    report: Report = await audit(office.bank.store, None)
    return report.findings == []


async def test_a_second_slip(office: Office, nora: Customer) -> None:
    """What was agreed to was too high again: it falls once more, while no code was accepted."""
    await office.agree(office.paul, await ask_for(office, nora, 8120))
    await _refused(Unlowered.NOT_LOWER, ask_for(office, nora, 8120))
    await office.agree(office.paul, await ask_for(office, nora, 812))
    assert await last_atc(office, nora) == 812
    assert isinstance(await log_in(office, nora), Accepted)
    assert await _whole(office)


async def test_who_may(office: Office, nora: Customer) -> None:
    """Advisers and officers ask, another officer decides; nobody does both."""
    with pytest.raises(NotAllowed):
        await ask_for(office, nora, by=office.aude)
    with pytest.raises(UnsuitableReason):
        await ask_for(office, nora, why="")
    asked = await ask_for(office, nora, by=office.odile)
    with pytest.raises(AskedAlready):
        await ask_for(office, nora, 700)
    for by, why in (
        (office.odile, Barred.SAME_PERSON),
        (office.ada, Barred.NO_RIGHT),
        (office.aude, Barred.NO_RIGHT),
    ):
        with pytest.raises(Undecided) as found:
            await office.agree(by, asked)
        assert found.value.why is why
    await decide(office.bank, office.staff(office.paul), asked.id, Verdict.REFUSED, ADDRESS)
    assert await last_atc(office, nora) == STATED
    assert "lowered" not in (await office.lines(nora.user_code))[-1]
    assert await _whole(office)


async def test_what_is_not_asked_for(office: Office, nora: Customer) -> None:
    """No such card, nothing stated, not lower; each by its name, and nothing is written."""
    vera, before = office.town.vera, await office.lines(office.ada.user_code)
    await _refused(Unlowered.NO_CARD, ask_for(office, nora, last4="0000"))
    await _refused(Unlowered.NO_CARD, ask_for(office, replace(vera, user_code=nora.user_code)))
    await _refused(Unlowered.NOTHING, ask_for(office, vera, 0))
    assert isinstance(await log_in(office, vera), Accepted)
    await _refused(Unlowered.NOTHING, ask_for(office, vera, 0))
    for to in (STATED, 65535, -1):
        await _refused(Unlowered.NOT_LOWER, ask_for(office, nora, to))
    key = (bucket_of(nora.user_code), nora.user_code)
    await office.bank.store.write(lambda c: set_card_state(c, key, 1, CardState.RETIRED))
    await _refused(Unlowered.NO_CARD, ask_for(office, nora))
    assert await office.lines(office.ada.user_code) == before
    assert unlowered(Standing(1, 9, 9), 8) is None


async def test_a_code_that_was_accepted_after_it_was_asked(office: Office, nora: Customer) -> None:
    """The card had got there: a yes finds nothing to do, whatever it says of the beginning."""
    asked = await ask_for(office, nora)
    nora.atc = STATED
    assert isinstance(await log_in(office, nora), Accepted)
    assert not await still_falls(office.bank, asked)
    with pytest.raises(NothingToRelease):
        await office.agree(office.paul, asked)
    payload = {"card": 1, "from": STATED + 1, "to": 812}
    wish = Wish(Kind.COUNTER, nora.user_code, payload, WHY)
    with pytest.raises(AskedAlready):
        await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    await decide(office.bank, office.staff(office.paul), asked.id, Verdict.REFUSED, ADDRESS)
    asked = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    with pytest.raises(NothingToRelease):
        await office.agree(office.paul, asked)
    assert await last_atc(office, nora) == STATED + 1
    assert not any('"lowered"' in line for line in await office.lines(nora.user_code))
    assert await _whole(office)


async def test_a_card_that_a_restore_made_unsure(
    office: Office, nora: Customer, place: Place
) -> None:
    """What was accepted after the backup nobody knows: it is neither asked for nor agreed to."""
    asked = await ask_for(office, nora)
    place.execute("UPDATE incarnation SET generation = generation + 1")
    assert not await still_falls(office.bank, asked)
    with pytest.raises(NothingToRelease):
        await office.agree(office.paul, asked)
    await decide(office.bank, office.staff(office.paul), asked.id, Verdict.REFUSED, ADDRESS)
    await _refused(Unlowered.UNSURE, ask_for(office, nora))
    assert await last_atc(office, nora) == STATED


async def test_a_code_and_a_yes_at_once(office: Office) -> None:
    """Whichever comes first wins whole: the counter falls and the code is low, or neither."""
    for turn in range(6):
        other = await import_nora(office, turn)
        other.atc = STATED
        asked = await ask_for(office, other)
        code = await office.town.code_of(other)
        fall = office.agree(office.paul, asked)
        entry = log_in(office, other, code)
        both = (fall, entry) if turn % 2 else (entry, fall)
        done = await asyncio.gather(*both, return_exceptions=True)
        accepted = any(isinstance(one, Accepted) for one in done)
        assert accepted == any(isinstance(one, NothingToRelease) for one in done), done
        assert await last_atc(office, other) == (STATED + 1 if accepted else 812)
    assert await _whole(office)


async def test_what_an_owner_of_the_tables_does(
    office: Office, nora: Customer, place: Place
) -> None:
    """A counter that fell by no request, a beginning that was raised: an audit finds each."""
    code, first = nora.user_code, Finding(Found.ATC_LOWERED, nora.user_code, 1)
    otherwise = Finding(Found.DISAGREES, code, 1)
    for statement, found in (
        ("UPDATE cards SET last_atc = 812 WHERE last_atc > 800", [first]),
        ("UPDATE begun_counters SET last_atc = 812", [otherwise]),
        ("UPDATE begun_counters SET last_atc = 9900", [otherwise]),
        ("UPDATE begun_counters SET last_atc = 0", [otherwise]),
    ):
        place.execute(statement)
        assert (await audit(office.bank.store, None)).findings == found, statement
        assert (await audit_one(office.bank.store, None, code)).findings == found
        place.execute("UPDATE cards SET last_atc = ? WHERE last_atc > 800", STATED)
        place.execute("UPDATE begun_counters SET last_atc = ?", STATED)
    assert await _whole(office)
    await office.agree(office.paul, await ask_for(office, nora))
    version = len(await office.lines(code))
    place.execute("UPDATE cards SET last_atc = 811 WHERE last_atc > 800")
    place.execute("UPDATE begun_counters SET last_atc = ?", STATED)
    assert (await audit(office.bank.store, None)).findings == [
        Finding(Found.ATC_LOWERED, code, version),
        Finding(Found.DISAGREES, code, version),
    ]


async def test_a_yes_while_an_audit_reads(
    office: Office, nora: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a chain's lines and its cards: it is no finding, for both are read once more."""
    asked = await ask_for(office, nora)
    store, read = office.bank.store, office.bank.store.read
    agreed: list[Asked] = []

    async def read_slowly(look: Callable[[Connection], Answer]) -> Answer:
        if getattr(look, "func", None) is find_last_atcs and not agreed:
            agreed.append(await office.agree(office.paul, asked))
        return await read(look)

    monkeypatch.setattr(store, "read", read_slowly)
    assert (await audit(store, None)).findings == []
    assert len(agreed) == 1
    assert await last_atc(office, nora) == 812


@pytest.mark.parametrize("said", ["[[1,9812,811]]", "[[1,9812,812],[2,9,8]]", "[]"])
async def test_a_line_that_says_another_fall(office: Office, nora: Customer, said: str) -> None:
    """It is held against the request by itself, whatever hash it has of it."""
    asked = await office.agree(office.paul, await ask_for(office, nora))
    row = await office.bank.store.read(lambda connection: read_approval(connection, asked.id))
    assert row is not None
    last = (await office.lines(nora.user_code))[-1]
    found = []
    for line in (last, last.replace("[[1,9812,812]]", said)):
        agreements = Agreements()
        agreements.look(nora.user_code, 3, line.encode())
        found.append(list(agreements.findings([], {asked.id: row}, [], {})))
    assert found == [[], [Finding(Found.DISAGREES, nora.user_code, 3)]]


async def test_a_request_that_was_altered(office: Office, nora: Customer, place: Place) -> None:
    """Its lines say so."""
    asked = await office.agree(office.paul, await ask_for(office, nora))
    payload = json.dumps({**asked.payload, "to": 811}, sort_keys=True, separators=(",", ":"))
    place.execute("UPDATE approvals SET payload = CAST(? AS BLOB)", payload)
    findings = (await audit(office.bank.store, None)).findings
    assert {one.kind for one in findings} == {Found.DISAGREES}


async def test_what_is_held_of_a_person(office: Office, nora: Customer, place: Place) -> None:
    """The export says where a card began; an erasure leaves nothing of it."""
    exported = json.loads(
        await export_person(office.bank.store, nora.user_code, office.town.clock())
    )
    assert [(card["last_atc"], card["begun_at"]) for card in exported["cards"]] == [
        (STATED, STATED)
    ]
    await erase(
        office.bank.store,
        nora.user_code,
        by="x",
        now=office.town.clock(),
        random_bytes=office.bank.random_bytes,
    )
    assert place.everything()["begun_counters"] == []
    assert await _whole(office)


# ── After a restore ──────────────────────────────────────────────────────────────────────────────


async def _streamed(office: Office, *codes: str) -> list[StreamedLine]:
    lines = []
    for code in codes:
        key = (bucket_of(code), code)
        found = await office.bank.store.read(lambda c, key=key: read_lines(c, *key))  # type: ignore[misc]  # of this turn
        lines += [StreamedLine(code, version, line) for version, line, _ in found]
    return lines


async def _restore(office: Office, backup: Path) -> None:
    await office.bank.store.close()
    office.town.bank = replace(office.bank, store=open_store(f"sqlite:///{backup}"))


async def _fall_and_use(office: Office, nora: Customer) -> list[StreamedLine]:
    """Lower the counter, use a code, and all that the stream has of it."""
    await office.agree(office.paul, await ask_for(office, nora))
    assert isinstance(await log_in(office, nora), Accepted)
    return await _streamed(office, nora.user_code, office.ada.user_code, office.paul.user_code)


async def test_a_replay_has_it_fall_again(office: Office, nora: Customer, tmp_path: Path) -> None:
    """In its turn, so that the code after it counts; again it changes nothing."""
    backup = tmp_path / "backup.db"
    await asyncio.to_thread(back_up, f"sqlite:///{tmp_path}/bank.db", backup)
    lines = await _fall_and_use(office, nora)
    await _restore(office, backup)
    for _ in range(2):
        await replay(office.bank, lines)
        assert await last_atc(office, nora) == 813
    await _refused(Unlowered.ACCEPTED, ask_for(office, nora, 100))


async def test_a_replay_into_another_history(
    office: Office, nora: Customer, tmp_path: Path
) -> None:
    """Lowers nothing, and nothing is lowered from there any more: a code was taken below."""
    backup = tmp_path / "backup.db"
    await asyncio.to_thread(back_up, f"sqlite:///{tmp_path}/bank.db", backup)
    lines = await _fall_and_use(office, nora)
    await _restore(office, backup)
    assert await log_in(office, nora) == Refused()
    done = await replay(office.bank, lines)
    assert nora.user_code in done.forked
    assert await last_atc(office, nora) == STATED
    await _refused(Unlowered.NOTHING, ask_for(office, nora))


async def test_a_replay_without_the_code(office: Office, nora: Customer, tmp_path: Path) -> None:
    """The stream broke off behind the fall: the card is unsure, and nobody lowers it further."""
    backup = tmp_path / "backup.db"
    await asyncio.to_thread(back_up, f"sqlite:///{tmp_path}/bank.db", backup)
    lines = await _fall_and_use(office, nora)
    await _restore(office, backup)
    cut = [line for line in lines if b'"event":"login"' not in line.line]
    await replay(office.bank, cut)
    assert await last_atc(office, nora) == 812
    await office.bank.store.read_access(nora.user_code)
    await _refused(Unlowered.UNSURE, ask_for(office, nora, 100))
    assert await log_in(office, nora) == Refused()
