"""`sesame keys wrap-for-hsm`: a key of a ceremony on its way into a token, on SoftHSM2."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sesame.cap.profiles import BANK_CARD
from sesame.cli.main import main
from sesame.custody import hsm_keys
from sesame.custody.ceremony import Component, material_of
from sesame.custody.custodian import (
    CardRecord,
    Inquiry,
    IssuingCustodian,
    KeyRef,
    KeyUsage,
    Question,
)
from sesame.custody.hsm import open_issuing_hsm
from sesame.custody.hsm_wrapping import fingerprint, read_wrapping_key
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.custody.records import Act
from sesame.emv.keys import xor
from sesame.emv.pan import Pan
from tests.cli.at_terminal import on_a_terminal
from tests.cli.test_key_life import BY
from tests.custody.codes import make_code
from tests.custody.keystores import IMK, PASSPHRASE, quick_keystore
from tests.custody.test_ceremony import ONE
from tests.custody.tokens import MODULE, OFFICER_PIN, PIN, softhsm

pytestmark = pytest.mark.needs("softhsm2")

_LABELS = iter(f"carried {number}" for number in range(100))
OLD = CardRecord(
    pan=Pan("4761730000000011"), psn="00", profile=BANK_CARD.name, key=KeyRef("dpa-01"), dki=1
)
NEW = replace(OLD, pan=Pan("4761730000000029"), key=KeyRef("dpa-02"), dki=2)


def secret(path: Path, text: str) -> Path:
    """*text* in a file for its owner alone."""
    path.touch(mode=0o600)
    path.write_text(f"{text}\n", encoding="utf-8")
    return path


class Room:
    """A keystore of ceremonies and, elsewhere, a token; what is said about them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.label = next(_LABELS)
        self.trousseau = quick_keystore(folder / "trousseau").path
        self.wrapping_key = folder / "wrapping.pem"
        self.wrapped = folder / "wrapped"
        self._phrase = secret(folder / "phrase", PASSPHRASE.text)
        self._pin = secret(folder / "pin", PIN.text)
        self._officer_pin = secret(folder / "officer pin", OFFICER_PIN.text)
        self._capsys = capsys

    def hsm(self, action: str, *more: object) -> str:
        """What `sesame hsm ACTION` prints."""
        where = ("--module", MODULE, "--label", self.label, "--pin-file", self._pin)
        by = BY if action in {"generate", "unwrap"} else ()
        assert main(["hsm", action, *map(str, (*where, *by, *more))]) == 0
        return self._capsys.readouterr().out

    def token(self) -> None:
        """A token that has made its own keys, and a wrapping key, which is given away."""
        self.hsm("init", "--officer-pin-file", self._officer_pin)
        self.hsm("generate")
        self.wrapping_key.write_text(self.hsm("wrapping-key"))

    def ceremony(self, *more: str) -> None:
        """The published key is made as dpa-02, of two components that are typed."""
        typed: list[bytes] = []
        for part in (ONE, xor(IMK, ONE)):
            component = Component(material_of(KeyUsage.ISSUER_AC), part)
            check = component.check_value.hex().encode()
            typed += [check + b"\n", component.written.encode() + b"\n", b"\n"]
        status, printed, _ = on_a_terminal(
            *("keys", "ceremony", self.trousseau, "--passphrase-file", self._phrase),
            *("--label", "dpa-02", "--dki", "02", *BY, *more),
            typed=[*typed, b"08D7B4\n"],
        )
        assert (status, "08D7B4" in printed) == (0, True)

    def wrap(self, label: str, *more: str, by: Sequence[str] = BY) -> int:
        """The exit status of the command."""
        words = ["keys", "wrap-for-hsm", self.trousseau, label, "--out", self.wrapped]
        words += ["--wrapping-key", self.wrapping_key, "--passphrase-file", self._phrase]
        return main([*map(str, words), *by, *more])

    def refusal(self, label: str, by: Sequence[str] = BY) -> str:
        """The one sentence of an exit with status 1, after which the keystore is as before."""
        before = self.trousseau.read_bytes()
        assert self.wrap(label, by=by) == 1
        printed = self._capsys.readouterr()
        assert not printed.out
        assert len(printed.err.splitlines()) == 1
        assert self.trousseau.read_bytes() == before
        return printed.err

    def said(self) -> str:
        """What was printed last."""
        return self._capsys.readouterr().out


@pytest.fixture
def room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Room:
    """The token is not yet made; the module is set up for it, and speaks to Frenchmen."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    monkeypatch.setattr(hsm_keys, "_WRAPPING_BITS", 2048)  # made in a quarter of the time
    softhsm()
    return Room(tmp_path, capsys)


async def fits(custodian: IssuingCustodian, card: CardRecord, maker: IssuingCustodian) -> bool:
    """Does *custodian* recognise a code of *card*, whose key *maker* personalised?"""
    code = make_code(await maker.card_key(card), BANK_CARD, atc=5, dki=card.dki)
    question = Question(await custodian.register(card, b"row"), b"row", (5,))
    (found,) = await custodian.match([Inquiry(code, (question,))])
    return [fit.atc for fit in found] == [5]


async def test_from_components_into_a_token(room: Room) -> None:
    """Made by two officers, carried in, and the same key: either home judges the other's codes.

    The token's own dpa-01 goes on: cards of both generations sign in side by side.
    """
    room.token()
    room.ceremony("--exportable")
    assert room.wrap("dpa-02", "--hash", "sha1") == 0
    printed = room.said()
    for fact in ("chiffrée pour un HSM", "dpa-02", "issuer-ac", "(DKI)", "08D7B4", "Ada Brun"):
        assert fact in printed
    assert fingerprint(read_wrapping_key(room.wrapping_key)).hex() in printed
    assert printed.count("Signature\u00a0: ") == 2
    what = ("--key", "dpa-02", "--usage", "issuer-ac", "--dki", "02", "--hash", "sha1")
    listed = room.hsm("unwrap", room.wrapped, *what, "--check-value", "08D7B4")
    for fact in ("chiffrée pour le jeton", "dpa-02", "08D7B4", "Brice Noé"):
        assert fact in listed
    assert IMK.hex() not in (printed + listed).lower()
    assert IMK not in room.wrapped.read_bytes()

    keystore = Keystore.open(room.trousseau, PASSPHRASE)
    record = keystore.records[-1]
    assert (record.act, record.label, record.dki) == (Act.WRAP, "dpa-02", 2)
    home = KeystoreIssuingCustodian(keystore)
    with open_issuing_hsm(MODULE, room.label, PIN) as token:
        assert await fits(token, NEW, home)
        assert await fits(home, NEW, token)
        assert not await fits(home, OLD, token)  # each has a dpa-01 of its own
        codes = [
            make_code(await token.card_key(c), BANK_CARD, atc=7, dki=c.dki) for c in (OLD, NEW)
        ]
        sealed = [await token.register(card, b"row") for card in (OLD, NEW)]
        answers = await token.match(
            [
                Inquiry(codes[c], (Question(sealed[k], b"row", (7,)),))
                for c in (0, 1)
                for k in (0, 1)
            ]
        )
        assert [[fit.atc for fit in answer] for answer in answers] == [[7], [], [], [7]]


def test_the_keystore_says_it_again(room: Room) -> None:
    """A second wrapping is another record, and `sesame keys records` has both acts."""
    room.token()
    room.ceremony("--exportable")
    assert room.wrap("dpa-02") == 0
    first = room.wrapped.read_bytes()
    room.wrapped.unlink()
    assert room.wrap("dpa-02") == 0
    assert len(first) == len(room.wrapped.read_bytes()) == 2048 // 8
    room.said()
    words = (
        "keys",
        "records",
        room.trousseau,
        "--passphrase-file",
        room.trousseau.parent / "phrase",
    )
    assert main([str(word) for word in words]) == 0
    acts = re.findall("^Acte +(.+)$", room.said(), re.MULTILINE)
    assert acts == ["Cérémonie de clé", *["Exportation d’une clé (chiffrée pour un HSM)"] * 2]


def test_refusals(room: Room) -> None:
    """One officer, no wrapping key, no such key, one that was made to stay, a file in the way."""
    assert "deux personnes différentes" in room.refusal("dpa-02", by=BY[2:])
    assert "ce n’est pas la clé publique d’un HSM" in room.refusal("dpa-02")
    room.token()
    assert "pas de clé dpa-02" in room.refusal("dpa-02")
    room.ceremony()
    assert "La clé dpa-02 n’est pas exportable" in room.refusal("dpa-02")
    assert "La clé seal-01 n’est pas exportable" in room.refusal("seal-01")
    assert not room.wrapped.exists()
    room.wrapped.write_text("autre chose")
    assert "existe déjà" in room.refusal("dpa-02")
    assert room.wrapped.read_text() == "autre chose"


def test_a_key_that_cannot_be_written_is_on_record(room: Room) -> None:
    """The record says more than happened, never less."""
    room.token()
    room.ceremony("--exportable")
    room.wrapped = room.wrapped.parent / "nulle part" / "wrapped"
    assert room.wrap("dpa-02") == 1
    assert Keystore.open(room.trousseau, PASSPHRASE).records[-1].act is Act.WRAP
