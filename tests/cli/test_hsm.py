"""`sesame hsm`: what it prints, what it refuses, what it never shows; on SoftHSM2."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sesame.cli.main import main
from sesame.cli.sentences import SENTENCES
from sesame.custody.cryptoki import Attribute
from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import HsmError
from sesame.custody.hsm_keys import _template, generate
from tests.cli.test_key_life import BY
from tests.custody.keystores import IMK
from tests.custody.tokens import MODULE, OAEP, OFFICER_PIN, PIN, empty_token, softhsm

pytestmark = pytest.mark.needs("softhsm2")

_COMES_OUT = {Attribute.EXTRACTABLE: True}
_LABELS = iter(f"jeton {number}" for number in range(100))


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests; and the module is set up for them."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    softhsm()


def _secret(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(f"{text}\n", encoding="utf-8")
    return path


class Token:
    """A token of one's own, and `sesame hsm` with it."""

    def __init__(self, folder: Path) -> None:
        self.label = next(_LABELS)
        self.pin = _secret(folder / "pin", PIN.text)
        self.officer_pin = _secret(folder / "officer pin", OFFICER_PIN.text)

    def __call__(self, action: str, *more: object) -> int:
        """The exit status of an action."""
        where = ("--module", MODULE, "--label", self.label, "--pin-file", self.pin)
        by = BY if action in {"generate", "unwrap"} else ()
        return main(["hsm", action, *map(str, (*where, *by, *more))])

    def init(self) -> int:
        """The first one."""
        return self("init", "--officer-pin-file", self.officer_pin)


@pytest.fixture
def token(tmp_path: Path) -> Token:
    """Not yet made."""
    return Token(tmp_path)


def _table(printed: str) -> Sequence[Sequence[str]]:
    return [line.split() for line in printed.splitlines()]


def test_from_nothing_to_a_token_in_order(token: Token, capsys: pytest.CaptureFixture[str]) -> None:
    """Made, filled, listed, checked: each key with its record, and nothing secret."""
    assert token.init() == 0
    assert f"jeton «\u00a0{token.label}\u00a0» est créé, sans clé" in capsys.readouterr().out
    assert token("check") == 1
    assert "clés d’usage seal dans le jeton\u00a0: 0." in capsys.readouterr().err
    assert token("generate") == 0
    said = capsys.readouterr().out
    assert said.count("PROCÈS-VERBAL") == said.count("Brice Noé, émission") == 6
    assert said.count("Création d’une clé dans le jeton") == 5
    assert said.count("Mise en service d’une clé") == 1
    assert said.count(f"{token.label} ({MODULE})") == 6
    assert token("list") == 0
    head, *keys = _table(capsys.readouterr().out)
    assert head == ["Clé", "Usage", "Contrôle", "DKI", "État"]
    assert [(key, usage, *more) for key, usage, _, *more in keys] == [
        ("dpa-01", "issuer-ac", "01", "en", "service"),
        *(("seal-01", "seal"), ("pan-index-01", "pan-index")),
        *(("audit-01", "audit"), ("session-01", "session")),
    ]
    assert all(re.fullmatch("[0-9A-F]{6}", row[2]) for row in keys)
    assert all(row[2] in said for row in keys)
    assert token("check") == 0
    printed = capsys.readouterr()
    assert "tout est en ordre. Nombre de clés\u00a0: 5." in printed.out
    assert not printed.err


def test_one_key_more(token: Token, capsys: pytest.CaptureFixture[str]) -> None:
    """With the name, usage and DKI that were given: a DKI for an issuer key, and for no other."""
    token.init()
    second = ("generate", "--key", "dpa-02", "--usage", "issuer-ac")
    assert token(*second, "--dki", "02") == 0
    said = capsys.readouterr().out
    for fact in ("dpa-02", "issuer-ac", "Index de dérivation (DKI)  02", "fin"):
        assert fact in said
    for half in (("--key", "dpa-03"), ("--usage", "issuer-ac")):
        assert token("generate", *half) == 1
        assert "--key et --usage ensemble" in capsys.readouterr().err
    seal = ("generate", "--key", "seal-07", "--usage", "seal", "--dki", "07")
    for words in (second, seal, ("generate", "--dki", "01")):
        assert token(*words) == 1
        assert "Donnez --dki avec une clé d’émetteur" in capsys.readouterr().err
    assert token(*second, "--dki", "1") == 1
    assert "un octet en hexadécimal" in capsys.readouterr().err
    assert token(*second, "--dki", "03") == 1
    assert "La clé dpa-02 ne peut s’ajouter" in capsys.readouterr().err
    assert token(*second[:2], "dpa-03", *second[3:], "--dki", "02") == 1
    assert "son index (DKI)" in capsys.readouterr().err


def test_nobody_makes_keys_alone(token: Token, capsys: pytest.CaptureFixture[str]) -> None:
    """One officer, or the same twice: the token is not even opened."""
    assert token("generate", "--officer", "Ada Brun, sécurité") == 1
    assert "au moins deux personnes différentes" in capsys.readouterr().err


def test_a_key_from_elsewhere(
    token: Token, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrapped for the token by whoever has it, and told by its check value."""
    token.init()
    capsys.readouterr()
    assert token("wrapping-key") == 0
    pem = capsys.readouterr().out
    public = load_pem_public_key(pem.encode())
    assert isinstance(public, RSAPublicKey)
    wrapped = tmp_path / "wrapped"
    wrapped.write_bytes(public.encrypt(IMK, OAEP))
    what = ("--key", "dpa-02", "--usage", "issuer-ac", "--dki", "02", "--hash", "sha1")
    assert token("unwrap", wrapped, *what, "--check-value", "C0FFEE") == 1
    assert "est 08D7B4, et C0FFEE était annoncé" in capsys.readouterr().err
    assert token("unwrap", wrapped, *what, "--check-value", "08d7b4") == 0
    printed = capsys.readouterr().out
    assert "Importation d’une clé (chiffrée pour le jeton)" in printed
    assert token("list") == 0
    printed += capsys.readouterr().out
    assert "dpa-02  issuer-ac  08D7B4    02   nouvelle" in printed
    assert IMK.hex() not in printed.lower()


def test_what_is_to_be_unwrapped_is_looked_at_first(
    token: Token, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not there, a check value that is none: the token is not even opened."""
    what = ("--key", "dpa-02", "--usage", "issuer-ac", "--dki", "02")
    assert token("unwrap", tmp_path / "nowhere", *what, "--check-value", "08D7B4") == 1
    assert "ce fichier ne peut être lu" in capsys.readouterr().err
    for text in ("", "08D7", "08D7B4FF", "chèque"):
        assert token("unwrap", tmp_path / "nowhere", *what, "--check-value", text) == 1
        assert "six chiffres hexadécimaux" in capsys.readouterr().err


def test_what_goes_wrong_is_said_in_french(
    token: Token, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No such token, one that exists, another PIN, no module; the PIN is never repeated."""
    assert token("list") == 1
    assert f"aucun emplacement ne contient de jeton «\u00a0{token.label}" in capsys.readouterr().err
    token.init()
    assert token.init() == 1
    assert f"il y a déjà un jeton «\u00a0{token.label}" in capsys.readouterr().err
    token.pin = _secret(tmp_path / "another pin", "pas le bon PIN")
    assert token("list") == 1
    said = capsys.readouterr().err
    assert "C_Login répond CKR_PIN_INCORRECT" in said
    assert "pas le bon PIN" not in said
    nothing = ("--module", tmp_path / "nothing.so", "--label", "x", "--pin-file", token.pin)
    assert main(["hsm", "list", *map(str, nothing)]) == 1
    assert "ce module PKCS#11 ne se charge pas" in capsys.readouterr().err
    token.pin.chmod(0o644)
    assert token("list") == 1
    assert "laisse d’autres utilisateurs" in capsys.readouterr().err


def test_a_label_has_thirty_two_bytes(token: Token, capsys: pytest.CaptureFixture[str]) -> None:
    """As PKCS#11 has it; accents count twice."""
    for label in ("", "é" * 17):
        token.label = label
        assert token.init() == 1
        assert "1 à 32 octets" in capsys.readouterr().err


def test_every_error_of_an_hsm_has_its_sentence() -> None:
    """Nobody reads English who did not ask for it."""
    kinds = HsmError.__subclasses__()
    assert len(kinds) == 13
    assert set(kinds) <= set(SENTENCES)


def test_a_key_that_could_come_out_is_named(
    token: Token, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `list` and `check` alike."""
    login = empty_token(token.label)
    session = login.open(writes=True)
    with monkeypatch.context() as careless:
        careless.setattr(
            "sesame.custody.hsm_keys._template",
            lambda label, usage, right=_template: {**right(label, usage), **_COMES_OUT},
        )
        generate(session, "dpa-01", KeyUsage.ISSUER_AC)
    session.close()
    for action in ("list", "check"):
        assert token(action) == 1
        assert "«\u00a0dpa-01\u00a0» du jeton pourrait en sortir" in capsys.readouterr().err
