"""What an owner of the tables does to requests and to staff is seen."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sesame.bank.addresses import change
from sesame.bank.agreements import Agreements
from sesame.bank.approvals import Asked, Kind, Verdict, Wish
from sesame.bank.approving import ask, decide
from sesame.bank.audit_chain import Finding
from sesame.bank.audit_chain import Kind as Found
from sesame.bank.auditing import audit
from sesame.bank.details import PostalAddress
from sesame.bank.revealing import reveal_number
from sesame.bank.staff import Role
from sesame.bank.staffing import close_member
from sesame.store.approvals import ApprovalRow
from tests.desk.office import ADDRESS, Office, open_office, person
from tests.places import Place


class _Desk:
    """A bank with its staff, and whoever owns its tables."""

    def __init__(self, office: Office, place: Place) -> None:
        self.office = office
        self.place = place

    async def found(self) -> list[Finding]:
        """What an audit finds."""
        return (await audit(self.office.bank.store, None)).findings

    async def ask_for_number(self) -> Asked:
        """A request of Ada's about Véra's card."""
        wish = Wish(Kind.SHOW_NUMBER, self.office.town.vera.user_code, {"card": 1}, "Litige")
        return await ask(self.office.bank, self.office.staff(self.office.ada), wish, address="")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[_Desk]:
    """With a request that was granted, one that was refused, and one that waits."""
    office = await open_office(tmp_path)
    place = Place(f"sqlite:///{tmp_path}/bank.db")
    desk = _Desk(office, place)
    vera = office.town.vera.user_code
    wish = await office.hold(vera)
    refused = await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    await decide(office.bank, office.staff(office.paul), refused.id, Verdict.REFUSED, ADDRESS)
    await office.agree(
        office.paul, await ask(office.bank, office.staff(office.odile), wish, address=ADDRESS)
    )
    await ask(office.bank, office.staff(office.ada), await office.hold(vera), address=ADDRESS)
    yield desk
    place.close()
    await office.bank.store.close()


async def test_what_is_as_it_was_agreed_to(desk: _Desk) -> None:
    """Every kind, waiting or not, shown or not, of staff who left too."""
    office = desk.office
    await office.live_somewhere(office.town.vera.user_code)
    await office.order(office.town.vera.user_code)
    new = PostalAddress(line_4="3 quai Rambaud", postcode="69002", city="Lyon")
    ada, vera = office.staff(office.ada), office.town.vera.user_code
    await change(office.bank, ada, vera, new, reason="Déménagement", address=ADDRESS)
    asked = await office.agree(office.paul, await desk.ask_for_number())
    await reveal_number(office.bank, office.revealing, ada, asked.id, address=ADDRESS)
    await office.hire(person("Inès Vidal", Role.ISSUER))
    await close_member(
        office.bank, office.staff(office.odile), office.aude.user_code, ADDRESS, reason="Départ"
    )
    report = await audit(office.bank.store, None)
    assert report.findings == []
    assert report.requests == 2 + 3 + 1 + 1 + 1


@pytest.mark.parametrize(
    "change",
    [
        "verdict = NULL, decided_by = NULL, decided_at = NULL",
        "verdict = 'refused'",
        "decided_by = '_2222222'",
        "reason = 'Autre raison'",
        "payload = CAST('{}' AS BLOB)",
        "payload = CAST('{' AS BLOB)",
        "kind = 'nonsense'",
        "requested_by = '_2222222'",
        "subject = 'OMAR6789'",
    ],
)
async def test_a_request_that_was_changed(desk: _Desk, change: str) -> None:
    """Whatever of it: lines of several chains commit to all."""
    desk.place.execute(
        f"UPDATE approvals SET {change} WHERE verdict = 'approved' AND kind = 'lift-hold'"  # noqa: S608
    )
    assert {one.kind for one in await desk.found()} == {Found.DISAGREES}


async def test_a_verdict_that_nobody_gave(desk: _Desk) -> None:
    """It has no line in any chain; of who asked it is told."""
    paul = desk.office.paul.user_code
    desk.place.execute(
        "UPDATE approvals SET verdict = 'approved', decided_by = ?, decided_at = 1 "
        "WHERE verdict IS NULL",
        paul,
    )
    assert await desk.found() == [Finding(Found.DISAGREES, desk.office.ada.user_code, 0)]


async def test_a_request_that_is_gone(desk: _Desk) -> None:
    """Its lines are there, and it is told by the first of them."""
    desk.place.execute("DELETE FROM approvals WHERE verdict IS NULL")
    (finding,) = await desk.found()
    assert finding.kind is Found.DISAGREES
    assert finding.version > 0


async def test_a_request_that_nobody_made(desk: _Desk) -> None:
    """It stands in the table alone."""
    desk.place.execute(
        "INSERT INTO approvals SELECT ?, kind, subject, NULL, payload, reason, requested_by, "
        "requested_at, expires_at, verdict, decided_by, decided_at, used_at FROM approvals "
        "WHERE verdict = 'refused'",
        b"\x07" * 16,
    )
    assert {one.kind for one in await desk.found()} == {Found.DISAGREES}


async def test_a_number_that_could_be_shown_twice(desk: _Desk) -> None:
    """The line says that it was shown."""
    office = desk.office
    asked = await office.agree(office.paul, await desk.ask_for_number())
    ada = office.staff(office.ada)
    await reveal_number(office.bank, office.revealing, ada, asked.id, address=ADDRESS)
    desk.place.execute("UPDATE approvals SET used_at = NULL WHERE id = ?", asked.id)
    assert {one.kind for one in await desk.found()} == {Found.DISAGREES}


@pytest.mark.parametrize(
    ("change", "who"),
    [("roles = 'officer'", "ada"), ("roles = 'adviser auditor'", "ada"), ("begun_at = 1", "ines")],
)
async def test_a_right_that_nobody_agreed_to(desk: _Desk, change: str, who: str) -> None:
    """Roles are those of somebody's first line; who begins has two agree, or the bank itself."""
    ines = person("Inès Vidal", Role.ISSUER)
    await desk.office.hire(ines)
    code = ines.user_code if who == "ines" else desk.office.ada.user_code
    assert await desk.found() == []
    desk.place.execute(f"UPDATE staff SET {change} WHERE user_code = ?", code)  # noqa: S608
    assert await desk.found() == [Finding(Found.DISAGREES, code, 0)]


async def test_somebody_out_of_nowhere_who_decided(desk: _Desk) -> None:
    """A verdict in their own chain is no word for themselves."""
    ines, office = person("Inès Vidal", Role.OFFICER), desk.office
    await office.hire(ines)
    desk.place.execute("UPDATE staff SET begun_at = 1 WHERE user_code = ?", ines.user_code)
    await office.agree(ines, await desk.ask_for_number())
    assert Finding(Found.DISAGREES, ines.user_code, 0) in await desk.found()


def test_a_line_that_is_none() -> None:
    """Is the chain's trouble, not ours; an id that is none is looked for nowhere."""
    agreements = Agreements()
    for line in (
        b'{"request":"',
        b'{"request":"x","event":"approval-requested"}',
        b'{"request":"\xff"}',
        b"[" * 5_000 + b'"request":"',
    ):
        agreements.look("VERA2345", 7, line)
    assert agreements.requests == []
    assert list(agreements.findings([], {}, [], {})) == [Finding(Found.DISAGREES, "VERA2345", 7)]


@pytest.mark.parametrize(
    ("kind", "verdict", "agrees"),
    [
        ("issue", "approved", True),
        ("issue", "refused", False),
        ("issue", None, False),
        ("reprint-pin", "approved", False),
    ],
)
def test_a_card_that_was_ordered_by_a_grant(
    kind: str, verdict: str | None, *, agrees: bool
) -> None:
    """Names a request for many, which two agreed to; it says nothing of the others."""
    row = ApprovalRow(b"\x07" * 16, kind, "_0000000", None, b"{}", "", "_A", 1, 2, verdict, "_B", 2)
    agreements = Agreements()
    line = f'{{"event":"card-ordered","request":"{row.id.hex()}"}}'
    agreements.look("VERA2345", 7, line.encode())
    assert (not list(agreements.findings([], {row.id: row}, [], {}))) == agrees


@pytest.mark.parametrize("event", ["bank-card-given", "bank-card-ended"])
@pytest.mark.parametrize(
    ("kind", "verdict", "asked_by", "agrees"),
    [
        ("bank-cards", "approved", "A", True),
        ("bank-cards", "approved", "B", False),
        ("bank-cards", "refused", "A", False),
        ("bank-cards", None, "A", False),
        ("issue", "approved", "A", False),
    ],
)
def test_a_bank_card_that_was_given_by_a_grant(
    event: str, kind: str, verdict: str | None, asked_by: str, *, agrees: bool
) -> None:
    """Names a request for a file, which two agreed to, and who asked."""
    row = ApprovalRow(b"\x07" * 16, kind, "_0000000", None, b"{}", "", "_A", 1, 2, verdict, "_B", 2)
    agreements = Agreements()
    line = f'{{"event":"{event}","request":"{row.id.hex()}","asked_by":"{asked_by}"}}'
    agreements.look("VERA2345", 7, line.encode())
    assert (not list(agreements.findings([], {row.id: row}, [], {}))) == agrees
    assert list(agreements.findings([], {}, [], {}))
