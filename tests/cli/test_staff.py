"""`sesame staff`: the cards that staff come with, and the page that brings a first officer in."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sesame.bank.staffing import enrol_officer
from sesame.cap.profiles import SESAME_CARD
from sesame.cap.token import Code
from sesame.card.card_file import create
from sesame.card.cps import decode_groupings
from sesame.cli import staff_cards
from sesame.cli.main import main
from sesame.custody.bureau_file import read_bureau_file
from sesame.custody.custodian import CardRecord, KeyRef
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan
from sesame.emv.pin import Pin
from sesame.reader.code import make_code
from sesame.reader.slot import Clock
from sesame.reader.virtual_slot import VirtualSlot
from sesame.web.opening import PARIS
from tests.bank.test_staffing import token_of
from tests.bureaux import bureau
from tests.custody import codes
from tests.custody.keystores import quick_keystore
from tests.desk.office import ADDRESS, Office, Person, empty_office

_SECRET = re.compile(r"(?:[2-9A-HJ-NP-Z]{4}-){4}[2-9A-HJ-NP-Z]{4}")


def _page(url: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["staff", "bootstrap", url]) == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an English machine."""
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")


async def _come_in(office: Office, who: Person, secret: str) -> None:
    who.user_code = await enrol_officer(office.bank, secret, who.new, ADDRESS)
    await token_of(office, who)


def test_a_page_for_each_of_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its secret enrols one officer; once two have signed in there is no page any more."""
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    with asyncio.Runner() as runner:
        office = runner.run(empty_office(tmp_path))
        office.town.clock.time = datetime.now(UTC)  # the console's clock is the machine's
        for officer in (office.odile, office.paul):
            page = _page(url, capsys)
            (secret,) = _SECRET.findall(page)
            assert "/guichet/premier-acces" in page
            runner.run(_come_in(office, officer, secret))
        assert main(["staff", "bootstrap", url]) == 1
        runner.run(office.bank.store.close())
    said = capsys.readouterr()
    assert said.out == ""
    assert "Two security officers have signed in already" in said.err


def test_no_database_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """None is made, and a password has no place on a command line."""
    assert main(["staff", "bootstrap", f"sqlite:///{tmp_path / 'none.db'}"]) == 1
    assert main(["staff", "bootstrap", "postgresql+asyncpg://one:secret@server/bank"]) == 1
    assert "secret" not in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# ── Cards ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def desk(tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of a bank with a desk; this process may be looked into by those after it."""
    monkeypatch.setattr(staff_cards, "harden", lambda: None)
    quick_keystore(tmp_path / "keys")
    (tmp_path / "bureau.pem").write_bytes(bureau()[0].public_bytes(Encoding.PEM))
    path = tmp_path / "settings.toml"
    path.write_text(
        'database = "sqlite:///bank.db"\nkeystore = "keys"\n'
        f'keystore_passphrase_file = "{secret.name}"\npublic_url = "http://127.0.0.1:8000"\n'
        'demonstration = true\n[desk]\npublic_url = "http://127.0.0.1:8002"\n'
    )
    return path


def _cards(desk: Path, *names: str) -> int:
    bureau_file = ("--bureau", str(desk.parent / "bureau.pem"), "--out", str(desk.parent / "s.cms"))
    return main(["staff", "cards", *names, "--settings", str(desk), *bureau_file])


def test_cards_for_two(desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each card makes, with its own page's PIN, the code that its own page's number makes.

    It does so at once: this runs at midnight in Paris as well, where a reader's day is another.
    """
    yesterday = int(f"{datetime.now(PARIS) - timedelta(days=1):%Y%m%d}")
    assert _cards(desk, "Odile Ferrand", "Paul Nogaret") == 0
    said = capsys.readouterr().out
    pages = said.split("DESK ")[1:]
    certificate, key = bureau()
    cards = read_bureau_file(tmp_path / "s.cms", certificate=certificate, key=key).cards
    assert len(pages) == len(cards) == 2
    issuing = asyncio.run(_key_of_cards(tmp_path, pages))
    for page, card, own in zip(pages, cards, issuing, strict=True):
        assert f"Reference of the card: {card.reference}\n" in page
        image, counters = decode_groupings(card.groupings)
        create(tmp_path / f"{card.reference}.card", image, counters)
        (pin,) = re.findall(r"^PIN: ([0-9]{4})$", page, re.MULTILINE)
        with VirtualSlot(tmp_path / f"{card.reference}.card") as slot:
            made = make_code(slot, Pin(pin), Clock(today=lambda: yesterday))
        assert isinstance(made, Code)
        assert made.digits == codes.make_code(own, SESAME_CARD, atc=1, dki=1).digits


async def _key_of_cards(folder: Path, pages: list[str]) -> list[DesKey]:
    """The keys of the cards whose numbers stand on *pages*, as the bank derives them."""
    custodian = KeystoreIssuingCustodian(quick_keystore(folder / "again"))
    numbers = [re.findall(r"^Card number: ([0-9 ]+)$", page, re.MULTILINE)[0] for page in pages]
    records = [
        CardRecord(
            pan=Pan(number.replace(" ", "")),
            psn="01",
            profile=SESAME_CARD.name,
            key=KeyRef("dpa-01"),
            dki=1,
        )
        for number in numbers
    ]
    return [await custodian.card_key(record) for record in records]


@pytest.mark.parametrize(
    ("name", "desk_says", "told"),
    [
        ("Odile Ferrand", "card_dki = 2", "set card_key and card_dki under [desk]"),
        ("鈴木", "", "no card can bear this name"),
    ],
)
def test_no_card(
    desk: Path, capsys: pytest.CaptureFixture[str], name: str, desk_says: str, told: str
) -> None:
    """Of a key that the desk does not look for, or without a name: no file, no page."""
    desk.write_text(f"{desk.read_text()}{desk_says}\n")
    assert _cards(desk, name) == 1
    said = capsys.readouterr()
    assert (said.out, told in said.err) == ("", True)
    assert not (desk.parent / "s.cms").exists()


def test_not_over_another_file(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is there stays, and no PIN is told of a card that nobody gets."""
    (desk.parent / "s.cms").write_bytes(b"another")
    assert _cards(desk, "Odile Ferrand") == 1
    assert "PIN" not in capsys.readouterr().out
    assert (desk.parent / "s.cms").read_bytes() == b"another"
