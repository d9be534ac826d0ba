"""`sesame.bank.person`: all that is held of one person; and nothing, once they are erased."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from sesame.bank.audit_chain import Kind
from sesame.bank.auditing import Report, audit
from sesame.bank.customers import enrol
from sesame.bank.details import Details, PostalAddress, WantedCard
from sesame.bank.errors import (
    AlreadyErased,
    CardTaken,
    NoSuchCustomer,
    TooBusy,
    UnderHold,
    UserCodeTaken,
)
from sesame.bank.person import erase, export_person
from sesame.bank.replay import replay
from sesame.bank.stream import StreamedLine
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Refused
from sesame.postal import LetterFormat
from sesame.store.buckets import bucket_of
from sesame.store.details import insert_details
from sesame.store.dispatches import DispatchRow, insert_dispatch
from sesame.store.notices import insert_notice
from sesame.store.orders import insert_order
from sesame.store.retention import HoldRow, add_hold
from tests.bank.branch import ADDRESS, OLD_CODE, OMAR, VERA, Branch, Person, new_customer
from tests.bank.chains import live
from tests.custody.keystores import chance

_TABLES = (
    "customers",
    "customer_details",
    "cards",
    "sessions",
    "devices",
    "card_orders",
    "dispatches",
    "holds",
    "notices",
    "readers",
    "audit_personal",
    "customer_words",
)


async def _export(branch: Branch, person: Person) -> dict[str, Any]:
    content = await export_person(branch.bank.store, person.user_code, branch.clock())
    return json.loads(content)  # type: ignore[no-any-return]  # an object


async def _erase(branch: Branch, user_code: str = VERA.user_code) -> None:
    await erase(
        branch.bank.store,
        user_code,
        by="Maître Aubry",
        now=branch.clock(),
        random_bytes=chance("erasure"),
    )


async def _hold(branch: Branch, user_code: str) -> None:
    hold = HoldRow(user_code=user_code, set_at=0, set_by="x", reason="y")
    await branch.bank.store.write(partial(add_hold, hold=hold))


def _left(branch: Branch, person: Person) -> dict[str, int]:
    """How many rows of each table are theirs."""
    query = "SELECT count(*) FROM {} WHERE user_code = '{}'"
    return {
        table: branch.rows(query.format(table, person.user_code))[0][0]
        for table in (*_TABLES, "audit_lines", "access", "pan_index")
    }


async def test_everything_that_is_held(branch: Branch) -> None:
    """In words, and as data; with no secret."""
    await live(branch)
    _know_a_device(branch)
    _tell_an_address(branch)
    said = await _export(branch, VERA)
    assert said["details"] == {
        "line_2": "Appartement 4",
        "line_3": "",
        "line_4": "12 rue des Tilleuls",
        "line_5": "",
        "postcode": "75011",
        "city": "PARIS",
        "country": "FR",
        "letter_format": "large-print",
        "email": "vera@example.org",
        "card_kind": "bank",
        "old_code_to_come": True,
        "reference": "A-17",
    }
    assert (said["user_code"], said["name"], said["language"]) == ("VERA2345", "Véra Tissot", "fr")
    assert said["access"]["steps"] == 4
    assert said["access"]["suspended_until"] is None
    assert {card["begun_at"] for card in said["cards"]} == {None}
    assert [(card["pan"], card["last_atc"]) for card in said["cards"]] == [
        (f"•••• {VERA.card.record.pan.last4}", 2)
    ]
    assert (len(said["sessions"]), len(said["devices"])) == (2, 1)
    assert [(line["event"], line["address"]) for line in said["lines"]] == [
        ("enrolment", ""),
        *[("login", ADDRESS)] * 3,
    ]
    assert "lines of the log, 4" in said["words"]["en"][0]
    assert said["words"]["fr"][0].startswith("Voici tout ce que la banque détient")
    text = json.dumps(said)
    secrets = ("token_hash", "device_hash", "import_digest", "sealed", "head", "old_code", "salt")
    for column in secrets:
        for table in (*_TABLES, "access"):
            values = branch.place.write(partial(_column, table=table, column=column))
            assert not any(value and value in text for value in values)
    assert VERA.card.record.pan.digits not in text


async def test_what_was_ordered_and_sent_is_held_too(branch: Branch) -> None:
    """Orders, letters, readers, holds and messages; no hash, no sealed PIN, nobody else's code."""
    _order_a_card(branch)
    secret = b"\xa7" * 32
    branch.change("UPDATE card_orders SET sealed_pin = ?, activation_hash = ?", secret, secret)
    said = await _export(branch, VERA)
    at = "1970-01-01T00:00:00+00:00"
    (order,) = said["orders"]
    assert (order["kind"], order["reason"], order["ordered"]) == ("sesame", "first", at)
    (letter,) = said["letters"]
    assert (letter["reference"], letter["kind"], letter["due"]) == ("7QK4-XM2P", "reader", at)
    assert said["readers"] == [{"serial": "SR1-1", "model": "Sesame R1", "state": "sent"}]
    assert said["holds"] == [{"card": 1, "by": "desk", "reason": "", "at": at}]
    before = "Courrier revenu : n’habite pas à l’adresse indiquée"  # as rows of before have it
    branch.change("UPDATE holds SET reason = ?", before)
    assert (await _export(branch, VERA))["holds"][0]["reason"] == "returned"
    (notice,) = said["notices"]
    assert (notice["event"], notice["at"], notice["facts"]) == ("order", at, {})
    assert not (await _export(branch, OMAR))["orders"]
    text = json.dumps(said)
    assert secret.hex() not in text
    assert "_K7P2M4X" not in text
    assert "PIN" in said["words"]["en"][3]


def _order_a_card(branch: Branch) -> None:
    """As if a card had been ordered for Vera, with a reader and a letter, and held since."""
    key = (bucket_of(VERA.user_code), VERA.user_code)

    def write(connection: Connection) -> None:
        insert_order(
            connection, key, kind="sesame", reason="first", replaces=None, by="_K7P2M4X", at=1
        )
        insert_dispatch(connection, DispatchRow("7QK4-XM2P", *key, "reader", 1, 1))
        insert_notice(connection, key, notice=bytes(16), event="order", facts=b"{}", at=1)

    branch.place.write(write)
    branch.change("INSERT INTO readers VALUES ('SR1-1', 'Sesame R1', 'sent', ?, ?, 1)", *key)
    branch.change("INSERT INTO holds VALUES (?, ?, 1, 'desk', '_K7P2M4X', '', 1, NULL)", *key)


def _know_a_device(branch: Branch) -> None:
    """As if Vera had signed in from a browser that is to be known."""
    key = (bucket_of(VERA.user_code), VERA.user_code)
    branch.change(
        "INSERT INTO devices VALUES (?, ?, ?, 1, 2)", *key, b"known device" * 2 + bytes(8)
    )


def _tell_an_address(branch: Branch) -> None:
    """As if Vera had been imported with an address."""
    key = (bucket_of(VERA.user_code), VERA.user_code)
    address = PostalAddress(
        line_2="Appartement 4", line_4="12 rue des Tilleuls", postcode="75011", city="PARIS"
    )
    details = Details(
        address=address,
        letter_format=LetterFormat.LARGE_PRINT,
        card_kind=WantedCard.BANK,
        email="vera@example.org",
        old_code_to_come=True,
        reference="A-17",
    )
    branch.place.write(partial(insert_details, rows=[(key, details.row(), b"digest of all" * 2)]))


def _column(connection: Connection, table: str, column: str) -> list[str]:
    """The values of a column, as hexadecimal or text; none where there is no such column."""
    found = connection.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608 -- of the test
    rows = [row._mapping.get(column) for row in found]  # noqa: SLF001 -- SQLAlchemy's public name
    return [one.hex() if isinstance(one, bytes) else str(one or "") for one in rows]


async def test_what_is_said_of_an_access_that_is_suspended(branch_on_file: Branch) -> None:
    """Until when; and of an address that was erased, that it was."""
    await branch_on_file.fail(VERA.user_code, 3)
    branch_on_file.change("DELETE FROM audit_personal WHERE version = 2")
    said = await _export(branch_on_file, VERA)
    assert said["access"]["failures_in_a_row"] == 0
    assert "is suspended until 2026-03-02T09:15" in said["words"]["en"][2]
    assert "The old code still works" in said["words"]["en"][1]
    assert [line["address_erased"] for line in said["lines"]] == [False, True, False, False]


async def test_a_person_who_is_erased(branch: Branch) -> None:
    """Nothing but lines is left, which name nobody; the chain is whole; others are untouched."""
    await live(branch)
    session = await branch.login(VERA, VERA.card.code(3))
    assert isinstance(session, Accepted)
    _know_a_device(branch)
    _tell_an_address(branch)
    _order_a_card(branch)
    assert [_left(branch, VERA)[table] for table in _TABLES[5:10]] == [1, 1, 1, 2, 1]
    assert _left(branch, VERA)["customer_details"] == 1
    assert _left(branch, VERA)["customer_words"] == 2
    omar = _left(branch, OMAR)
    await _erase(branch)
    nothing = dict.fromkeys(_TABLES, 0)
    assert _left(branch, VERA) == nothing | {"audit_lines": 6, "access": 1, "pan_index": 1}
    assert _left(branch, OMAR) == omar
    assert await audit(branch.bank.store, None) == Report(customers=3, lines=9)
    lines, _ = await branch.chain(VERA)
    last = json.loads(lines[-1][1])
    assert (last["event"], last["by"], last["version"]) == ("erased", "Maître Aubry", 6)
    assert branch.row(VERA.user_code)["old_code"] is None
    assert branch.row(VERA.user_code)["session_epoch"] == 2  # the old code's end was 1
    said = await _export(branch, VERA)
    assert (said["name"], said["cards"], said["devices"], said["sessions"]) == (None, [], [], [])
    assert {line["address"] for line in said["lines"]} == {None}
    assert "This person was erased" in said["words"]["en"][1]
    with pytest.raises(AlreadyErased):
        await _erase(branch)


async def test_who_is_erased_signs_in_no_more(branch: Branch) -> None:
    """Neither by a code nor by the old code; and neither user code nor card is given again."""
    await _erase(branch)
    for code in (VERA.card.code(1), OLD_CODE):
        assert isinstance(await branch.login(VERA, code), Refused)
    assert (await audit(branch.bank.store, None)).findings == []
    with pytest.raises(UserCodeTaken):
        await enrol(branch.bank, new_customer(VERA))
    again = Person(UserCode("VERA6666"), "Véra Tissot", VERA.cards)
    with pytest.raises(CardTaken):
        await enrol(branch.bank, new_customer(again))


async def test_legal_holds_keep_a_person(branch: Branch) -> None:
    """Theirs, and everybody's; another's does not."""
    await _hold(branch, OMAR.user_code)
    await _erase(branch)
    with pytest.raises(UnderHold):
        await _erase(branch, OMAR.user_code)
    await _hold(branch, "")
    with pytest.raises(UnderHold):
        await _erase(branch, "DORA4567")
    with pytest.raises(NoSuchCustomer):
        await _erase(branch, "NEMO3333")
    with pytest.raises(NoSuchCustomer):
        await export_person(branch.bank.store, "NEMO3333", branch.clock())


async def test_a_login_or_a_hold_that_comes_in_between(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the login it is tried again; the hold holds."""
    real, turns = branch.bank.store.write, list[int]()

    async def late(change: Any) -> Any:  # noqa: ANN401 -- any of them
        turns.append(len(turns))
        if turns == [0]:
            await branch.fail(VERA.user_code, 1)
        return await real(change)

    monkeypatch.setattr(branch.bank.store, "write", late)
    await _erase(branch)
    assert turns == [0, 1]
    assert (await audit(branch.bank.store, None)).findings == []

    async def held(change: Any) -> Any:  # noqa: ANN401 -- any of them
        branch.place.write(
            partial(
                add_hold,
                hold=HoldRow(user_code=OMAR.user_code, set_at=0, set_by="x", reason="y"),
            )
        )
        return await real(change)

    monkeypatch.setattr(branch.bank.store, "write", held)
    with pytest.raises(UnderHold):
        await _erase(branch, OMAR.user_code)
    assert _left(branch, OMAR)["customers"] == 1

    async def never(change: Any) -> Any:  # noqa: ANN401, ARG001 -- any of them
        return False

    monkeypatch.setattr(branch.bank.store, "write", never)
    with pytest.raises(TooBusy):
        await _erase(branch, "DORA4567")


async def test_logins_and_an_erasure_at_once(branch: Branch) -> None:
    """Whoever comes first: the chain is whole, and the last login opened nothing that stays."""
    logins = [branch.login(VERA, VERA.card.code(atc)) for atc in range(1, 6)]
    await asyncio.gather(*logins, _erase(branch))
    report = await audit(branch.bank.store, None)
    assert report.found[Kind.TRUNCATED] == 0
    assert report.findings == []
    epoch = branch.row(VERA.user_code)["session_epoch"]
    assert not branch.rows(
        "SELECT 1 FROM sessions WHERE user_code = ? AND session_epoch >= ?", VERA.user_code, epoch
    )


async def test_a_restored_backup_brings_a_person_back(branch_on_file: Branch) -> None:
    """The replay of their erasure ends sessions and devices; then they are erased again."""
    branch = branch_on_file
    _know_a_device(branch)
    before = branch.place.everything()
    epoch = branch.row(VERA.user_code)["session_epoch"]
    await _erase(branch)
    lines, _ = await branch.chain(VERA)
    for table in (*_TABLES, "audit_lines", "access"):
        branch.change(f"DELETE FROM {table}")  # noqa: S608 -- the schema's own names
        for row in before[table]:
            marks = ", ".join("?" * len(row))
            branch.change(f"INSERT INTO {table} VALUES ({marks})", *row)  # noqa: S608
    stream = [StreamedLine(VERA.user_code, version, line) for version, line, _ in lines]
    assert (await replay(branch.bank, stream)).taken == 1
    assert branch.row(VERA.user_code)["session_epoch"] == epoch + 1  # type: ignore[operator]
    assert _left(branch, VERA)["devices"] == 0
    assert branch.rows("SELECT state FROM cards WHERE user_code = ?", VERA.user_code) == [("held",)]
    await _erase(branch)
    assert _left(branch, VERA)["customers"] == 0
    assert (await audit(branch.bank.store, None)).findings == []
