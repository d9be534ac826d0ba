"""`sesame verify`: a code that some card made, looked into by whoever holds the keys."""

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import pytest

from sesame.cap.mode import LOGIN, Inputs, Mode, signature
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.cap.token import Code, show
from sesame.card import card_file
from sesame.card.memory import CardData
from sesame.card.personalisation import sesame_card
from sesame.cli.main import main
from sesame.custody.custodian import CardRecord, KeyRef
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.emv.keys import DesKey, card_key_b
from sesame.reader.code import make_code
from sesame.reader.virtual_slot import VirtualSlot
from tests.card.cards import DATA
from tests.custody.codes import make_code as code_of
from tests.custody.keystores import IMK, PASSPHRASE, chance, issuer_key, quick_keystore

SIGNED = {"amount": 125000, "payee": "34567890"}
SIGN = ("--mode", "sign", "--amount", "1250,00", "--payee", "34567890")
MODES = {
    "code": (LOGIN, ()),
    "respond": (Inputs(mode=Mode.M3, challenge="20451"), ("--challenge", "20451")),
    "m1": (
        Inputs(mode=Mode.M1, challenge="7", amount=1250),
        ("--challenge", "7", "--amount", "12.5"),
    ),
    "tds": (
        Inputs(mode=Mode.TDS, fields=("1", "0023")),
        ("--field", "1", "--field", "0023"),
    ),
}


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")


class Bench:
    """A keystore, a card of it, and the command."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.keystore = quick_keystore(folder / "keys").path
        self.phrase = folder / "phrase"
        self.phrase.touch(mode=0o600)
        self.phrase.write_text(PASSPHRASE.text, encoding="utf-8")
        self.card = folder / "card"
        self.data: CardData = DATA
        image, counters = sesame_card(self.data, dki=1, dpa_key=self._key())
        card_file.create(self.card, image, counters)

    def _key(self) -> DesKey:
        custodian = KeystoreIssuingCustodian(Keystore.open(self.keystore, PASSPHRASE))
        record = CardRecord(
            pan=self.data.pan,
            psn=self.data.psn,
            profile=SESAME_CARD.name,
            key=KeyRef("dpa-01"),
            dki=1,
        )
        return asyncio.run(custodian.card_key(record))

    def code(self, inputs: Inputs = LOGIN) -> str:
        """What the reader shows of the card."""
        made = make_code(VirtualSlot(self.card), self.data.pin, inputs=inputs)
        assert isinstance(made, Code)
        return show(made.token)

    def verify(self, *lines: str, options: tuple[str, ...] = (), last_atc: int = 0) -> int:
        """The exit status of `sesame verify`, which reads *lines*."""
        self._patch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return main(
            [
                *("verify", str(self.keystore), "--passphrase-file", str(self.phrase)),
                *("--profile", SESAME_CARD.name, "--last-atc", str(last_atc), *options),
            ]
        )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Everything that it takes."""
    return Bench(tmp_path, monkeypatch)


@pytest.mark.parametrize("mode", MODES)
def test_a_code_of_each_mode(bench: Bench, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The number and the PSN out of the card's file; and the next one too."""
    inputs, options = MODES[mode]
    for atc in (1, 2):
        code = bench.code(inputs)
        where = ("--card", str(bench.card), "--mode", mode, *options)
        assert bench.verify(code, options=where) == 0
        assert capsys.readouterr() == (f"Code bon. Compteur (ATC)\u00a0: {atc}\n", "")


def test_the_dki_is_that_of_the_key(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A card of the second generation, named by its key alone; under another DKI it is wrong."""
    second = replace(issuer_key("dpa-02"), dki=2)
    Keystore.add(bench.keystore, PASSPHRASE, second, random=chance("second"))
    pan, psn = bench.data.pan, bench.data.psn
    code = code_of(card_key_b(DesKey(IMK), pan.digits, psn), SESAME_CARD, atc=1, dki=2, psn=psn)
    typed = (pan.digits, show(code.token))
    options = ("--key", "dpa-02", "--psn", psn)
    assert bench.verify(*typed, options=options) == 0
    assert bench.verify(*typed, options=(*options, "--dki", "02")) == 0
    assert bench.verify(*typed, options=(*options, "--dki", "01")) == 1
    assert "Code faux" in capsys.readouterr().err
    assert bench.verify(*typed, options=("--key", "dpa-09")) == 1
    assert "Il n’y a pas de clé dpa-09" in capsys.readouterr().err


def test_a_signature(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """As the card's IAF wants it; another amount or payee is another signature."""
    code = bench.code(signature(SESAME_CARD.iaf, amount=125000, payee="34567890", currency="978"))
    where = ("--card", str(bench.card))
    assert bench.verify(code, options=where + SIGN) == 0
    for other in (("--amount", "1250,01"), ("--payee", "34567891")):
        assert bench.verify(code, options=where + SIGN + other) == 1
    assert capsys.readouterr().err.count("Code faux") == 2


def test_the_card_number_typed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Two lines: the number, the code. Neither is repeated, whatever becomes of it."""
    code = bench.code()
    assert bench.verify(bench.data.pan.digits, code, options=("--psn", bench.data.psn)) == 0
    assert bench.verify(bench.data.pan.digits, code, options=("--psn", "77")) == 1
    printed = "".join(capsys.readouterr())
    assert bench.data.pan.digits not in printed
    assert code not in printed
    assert code.replace(" ", "") not in printed


@pytest.mark.parametrize(
    ("last_atc", "sentence"),
    [
        (1, "Code déjà utilisé, ou dépassé\u00a0: son compteur (ATC) est 1, le dernier accepté"),
        (5, "Code déjà utilisé, ou dépassé\u00a0: son compteur (ATC) est 1, le dernier accepté"),
    ],
)
def test_a_code_that_is_spent(
    bench: Bench, last_atc: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says which ATC, and exits with 1."""
    code = bench.code()
    assert bench.verify(code, options=("--card", str(bench.card)), last_atc=last_atc) == 1
    assert sentence in capsys.readouterr().err


def test_a_code_too_far_ahead(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Thirty-two unused codes: the window of a Sésame card is thirty-one."""
    for _ in range(31):
        bench.code()
    assert bench.verify(bench.code(), options=("--card", str(bench.card))) == 1
    assert "est 32, à plus de 31 du dernier accepté (0)" in capsys.readouterr().err


def test_a_login_code_is_no_signature(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, with its ATC."""
    code = bench.code()
    assert bench.verify(code, options=("--card", str(bench.card), *SIGN)) == 1
    assert "C’est un code de connexion, au compteur (ATC) 1" in capsys.readouterr().err


def test_what_binds_nothing_is_not_compared(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """A challenge of zero makes a login code: the card cannot tell them apart."""
    code = bench.code()
    respond = ("--card", str(bench.card), "--mode", "respond", "--challenge", "000")
    assert bench.verify(code, options=respond) == 1
    assert "Rien à vérifier" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "options", "sentence"),
    [
        (["4761730000000011", "12a"], (), "Un code est un nombre"),
        (["4761730000000011", ""], (), "Un code est un nombre"),
        (["4761730000000012", "1"], (), "Ce n’est pas un numéro de carte"),
        ([], (), "Ce n’est pas un numéro de carte"),
        ([], ("--last-atc", "65536"), "Un compteur (ATC) va de 0 à 65535."),
        ([], ("--last-atc", "-1"), "Un compteur (ATC) va de 0 à 65535."),
        ([], ("--mode", "respond", "--challenge", "123456789"), "un défi a huit chiffres au plus"),
        ([], ("--mode", "m1", "--amount", "1,234"), "un montant s’écrit 1234,56"),
        ([], ("--mode", "m1", "--amount", "beaucoup"), "un montant s’écrit 1234,56"),
        ([], ("--mode", "m1", "--amount", "1e99999999"), "un montant s’écrit 1234,56"),
        ([], ("--mode", "m1", "--amount", "1_0"), "un montant s’écrit 1234,56"),
        ([], ("--amount", "500"), "ce mode ne prend ni montant ni monnaie"),
        ([], ("--challenge", "500"), "ce mode ne prend pas de défi"),
        ([], ("--field", "500"), "ce mode ne prend pas de nombre à signer"),
        ([], ("--payee", "500"), "--mode code ne prend pas --payee"),
        ([], ("--currency", "978"), "ce mode ne prend ni montant ni monnaie"),
        ([], (*SIGN, "--challenge", "1"), "--mode sign ne prend pas --challenge"),
        ([], (*SIGN, "--field", "1"), "--mode sign ne prend pas --field"),
        (
            [],
            ("--mode", "respond", "--challenge", "20451", "--amount", "500"),
            "ce mode ne prend ni montant",
        ),
        ([], ("--mode", "sign", "--payee", "1"), "signer un montant nul"),
        ([], ("--mode", "tds"), "et il y en a 0"),
        (["4761730000000011"], ("--dki", "100"), "Un DKI est un octet"),
        (["4761730000000011"], ("--dki", "0102"), "Un DKI est un octet"),
        (["4761730000000011", "1"], ("--psn", "1"), "et un PSN de deux chiffres"),
        (["4761730000000011", "33554432"], ("--key", "dpa-99"), "dpa-99"),
    ],
)
def test_what_makes_no_question(
    bench: Bench,
    lines: list[str],
    options: tuple[str, ...],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line that says what, and an exit status."""
    assert bench.verify(*lines, options=options) == 1
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.out == ""
    assert "Traceback" not in printed.err


def test_a_card_without_the_application(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """The profile names its AID."""
    options = ("--card", str(bench.card), "--profile", "cap-mchip-10")
    assert bench.verify("1", options=options) == 1
    assert "n’a pas l’application de ce profil" in capsys.readouterr().err


def test_another_profile(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """A number that no card of the other profile shows, or that no ATC of it gives."""
    options = ("--card", str(bench.card), "--profile", BANK_CARD.name)
    assert bench.verify("00000001", options=options) == 1
    assert "Aucune carte de ce profil" in capsys.readouterr().err
