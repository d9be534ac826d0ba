"""`sesame bureau open`: from the bank's order to a code that the bank accepts."""

import asyncio
import io
import signal
import stat
import sys
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest
from cryptography import x509

from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol_all
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Refused, verify_login
from sesame.cap.token import Code
from sesame.card.card_file import create, read_summary
from sesame.card.numbering import draw_number
from sesame.catalogue import Language
from sesame.cli import bureau
from sesame.cli.main import main
from sesame.cli.sentences import sentence
from sesame.custody.bureau_file import BureauCard, write_bureau_file
from sesame.custody.errors import BureauCertificateUnusable
from sesame.custody.issuing import CardMaker, CardOrder, MadeCard
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.store.cards import seal_context
from sesame.store.schema import migrate
from tests.bank.branch import attempt, custody_keys, open_bank
from tests.custody.bureaus import NOW, certificate, put_certificate, put_key, rsa_key
from tests.custody.keystores import chance
from tests.places import url_of

USER = UserCode("NESLF37Q")


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")


@dataclass
class Office:
    """A bank that has cards made, and the bureau, each with a folder of their own."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch
    certificate: x509.Certificate

    @property
    def file(self) -> Path:
        """What the bank sends."""
        return self.folder / "batch.cms"

    @property
    def cards(self) -> Path:
        """Where the bureau puts the cards."""
        return self.folder / "cards"

    def sends(self, *cards: BureauCard) -> None:
        """The bank writes its file."""
        write_bureau_file(self.file, cards, certificate=self.certificate, at=NOW, batch="C-7")

    def opens(self, *more: object, status: int = 0) -> str:
        """What `sesame bureau open` says, on the stream that goes with *status*."""
        key = self.folder / "bureau.key"
        options = ("--key", key, "--folder", self.cards, *more)
        assert main(["bureau", "open", *map(str, (self.file, *options))]) == status
        printed = self.capsys.readouterr()
        assert (printed.out == "") == (status != 0)
        return printed.err if status else printed.out

    def code(self, card: Path, pin: str, status: int = 0) -> str:
        """What `sesame code` says."""
        self.patch.setattr("sys.stdin", io.StringIO(f"{pin}\n"))
        assert main(["code", str(card), "--pin-stdin"]) == status
        printed = self.capsys.readouterr()
        return printed.err if status else printed.out


@pytest.fixture
def office(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Office:
    """Nothing sent yet; key and certificate lie side by side."""
    monkeypatch.setattr(bureau, "harden", lambda: None)  # pytest itself would be
    bureaus = certificate()
    put_key(tmp_path / "bureau.key", rsa_key())
    put_certificate(tmp_path / "bureau.pem", bureaus)
    return Office(tmp_path, capsys, monkeypatch, bureaus)


def _maker() -> CardMaker:
    return CardMaker(KeystoreIssuingCustodian(custody_keys()))


def _made(number: int = 1) -> MadeCard:
    order = CardOrder(
        pan=draw_number("9250", chance(f"number {number}")),
        psn="01",
        name="Inès Lefèvre",
        language=Language.FRENCH,
        effective=date(2020, 1, 1),
        expiry=date(2049, 12, 31),
        context=seal_context(USER, number),
    )
    return asyncio.run(_maker().make(order))


def _card(made: MadeCard, reference: str = "7QK4-XM2P") -> BureauCard:
    return BureauCard(reference=reference, language=Language.FRENCH, groupings=made.groupings)


def _enrol(folder: Path, made: MadeCard) -> Bank:
    migrate(url_of(folder / "bank.db"))
    bank = open_bank(folder / "bank.db")
    customer = NewCustomer(
        user_code=USER,
        name="Inès Lefèvre",
        language=Language.FRENCH,
        old_code=None,
        cards=[NewCard(kind=CardKind.SESAME, record=made.record)],
    )
    asyncio.run(enrol_all(bank, [customer], registered=[made.registered]))
    return bank


def test_a_card_from_the_bureau_signs_in(office: Office) -> None:
    """The bank keeps a seal and the bureau makes a chip; the PIN is the letter's.

    The card's first code is that of ATC 1. A wrong PIN makes none, and costs a try.
    """
    made = _made()
    bank = _enrol(office.folder, made)
    pin = _maker().open_pin(made.sealed_pin, seal_context(USER, 1))
    office.sends(_card(made))
    assert office.opens() == f"Lot C-7, cartes faites dans {office.cards}\u00a0: 1.\n"
    path = office.cards / "7QK4-XM2P.card"
    assert stat.S_IMODE(office.cards.stat().st_mode) == 0o700
    assert read_summary(path).counters.atc == 0
    code = Code("".join(office.code(path, pin).split()))
    assert read_summary(path).counters.atc == 1
    wrong = "4711" if pin != "4711" else "8642"
    assert "2 essais" in office.code(path, wrong, status=1)

    async def signs_in() -> None:
        other = Code(f"{code.token ^ 1:08d}")
        assert isinstance(await verify_login(bank, attempt(USER, other)), Refused)
        assert isinstance(await verify_login(bank, attempt(USER, code)), Accepted)
        assert isinstance(await verify_login(bank, attempt(USER, code)), Refused)
        await bank.store.close()

    asyncio.run(signs_in())


def test_nothing_is_said_of_a_card(office: Office) -> None:
    """Neither its number nor its PIN, whatever is done with the file."""
    made = _made()
    pin = _maker().open_pin(made.sealed_pin, seal_context(USER, 1))
    office.sends(_card(made))
    said = office.opens() + office.opens(status=1)
    said = said.replace(str(office.folder), "")
    assert made.record.pan.digits not in said
    assert pin not in said


def test_a_batch_is_made_whole_or_not_at_all(office: Office) -> None:
    """One is there already: it stays, and no other is made. So if it is stopped."""
    office.sends(_card(_made(1), "AAAA"), _card(_made(2), "BBBB"), _card(_made(3), "CCCC"))
    office.opens()
    there = office.cards / "BBBB.card"
    before = there.read_bytes()
    for name in ("AAAA", "CCCC"):
        (office.cards / f"{name}.card").unlink()
    said = office.opens(status=1)
    assert f"{there}\u00a0: cette carte existe déjà" in said
    assert "donnez un autre dossier" in said
    assert there.read_bytes() == before
    assert sorted(path.name for path in office.cards.iterdir()) == ["BBBB.card", "card.key"]
    there.unlink()
    made: list[Path] = []

    def fails_at_third(path: Path, *card: object) -> None:
        if len(made) == 2:
            raise KeyboardInterrupt
        create(path, *card)  # type: ignore[arg-type]  # as they come
        made.append(path)

    with patch.object(bureau, "create", fails_at_third):
        office.opens(status=130)
    assert len(made) == 2
    assert [path.name for path in office.cards.iterdir()] == ["card.key"]
    office.opens()


def test_whoever_is_told_to_stop_leaves_no_part_of_a_batch(office: Office) -> None:
    """In the middle of a card, when its file has its name already; shells and systemd do this."""
    office.sends(_card(_made(1), "AAAA"), _card(_made(2), "BBBB"), _card(_made(3), "CCCC"))

    def told_to_stop(path: Path, *card: object) -> None:
        create(path, *card)  # type: ignore[arg-type]  # as they come
        if path.name == "BBBB.card":
            signal.raise_signal(signal.SIGTERM)  # to this thread: the command has no other

    with patch.object(bureau, "create", told_to_stop), pytest.raises(SystemExit) as ended:
        office.opens()
    assert ended.value.code == 128 + signal.SIGTERM
    assert [path.name for path in office.cards.iterdir()] == ["card.key"]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_what_has_keys_in_its_memory_dumps_no_core(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the key is read."""
    done = []
    monkeypatch.setattr(bureau, "harden", lambda: done.append("hardened"))
    monkeypatch.setattr(bureau, "read_recipient", lambda *_, **__: sys.exit(f"{done}"))
    with pytest.raises(SystemExit, match="hardened"):
        office.opens()


def test_a_card_that_is_none_makes_nobody_s(office: Office) -> None:
    """The file says which one; no value of it."""
    good = _card(_made())
    bad = replace(good, reference="BBBB", groupings=good.groupings[:-1])
    office.sends(good, bad)
    said = office.opens(status=1)
    assert f"{office.file}, carte 2" in said
    assert not office.cards.exists()


def test_the_key_is_asked_for_its_passphrase(office: Office) -> None:
    """At the terminal or from a file; without either it says so."""
    office.sends(_card(_made()))
    (office.folder / "bureau.key").unlink()
    put_key(office.folder / "bureau.key", rsa_key(), "cheval agrafe réséda pile")
    office.patch.setattr("sys.stdin", io.StringIO())
    assert "--passphrase-file" in office.opens(status=1)
    empty = office.folder / "empty"
    empty.touch(mode=0o600)
    assert "est protégée par une phrase de passe" in office.opens(
        "--passphrase-file", empty, status=1
    )
    terminal = io.StringIO()
    office.patch.setattr(terminal, "isatty", lambda: True)
    office.patch.setattr("sys.stdin", terminal)
    office.patch.setattr("getpass.getpass", lambda _: "another passphrase")
    assert "cette clé n’ouvre pas" in office.opens(status=1)
    office.patch.setattr("getpass.getpass", lambda _: "cheval agrafe réséda pile")
    assert "C-7" in office.opens()
    (office.cards / "7QK4-XM2P.card").unlink()
    secret = office.folder / "phrase"
    secret.touch(mode=0o600)
    secret.write_text("cheval agrafe réséda pile\n", encoding="utf-8")
    assert "C-7" in office.opens("--passphrase-file", secret)


def test_what_does_not_open_says_why(office: Office) -> None:
    """Another's certificate, no certificate, a damaged file, no file, no folder."""
    office.sends(_card(_made()))
    other = put_certificate(office.folder / "other.pem", certificate(rsa_key(2048)))
    assert "certificate" in office.opens("--certificate", other, status=1)
    again = put_certificate(office.folder / "again.pem", certificate())
    assert "pas pour ce certificat" in office.opens("--certificate", again, status=1)
    missing = office.folder / "missing.pem"
    said = office.opens("--certificate", missing, status=1)
    assert f"Certificat du façonnier {missing}\u00a0: il ne convient pas" in said
    nowhere = sentence(BureauCertificateUnusable("expired"), Language.FRENCH)
    assert nowhere.startswith("Certificat du façonnier\u00a0: il")  # read from no file
    office.cards.write_text("a file")
    assert str(office.cards) in office.opens(status=1)
    office.file.unlink()
    assert f"{office.file}\u00a0: le système refuse" in office.opens(status=1)
