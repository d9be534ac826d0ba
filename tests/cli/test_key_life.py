"""`sesame keys use|retire|destroy|records`: the steps of a rotation, and what they print."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from sesame.bank.customers import enrol
from sesame.cli.main import main
from sesame.custody.key import KeyState
from sesame.custody.key_life import with_key
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.custody.records import Act, Deed, Officer
from sesame.store.schema import migrate
from tests.bank.branch import PEOPLE, new_customer, open_bank
from tests.custody.keystores import NOW, PASSPHRASE, chance, issuer_key, quick_keystore

DEED = Deed(NOW, (Officer("Ada Brun", "sécurité"), Officer("Brice Noé", "émission")), "rotation")
SECOND = replace(issuer_key("dpa-02"), dki=2)
BY = ("--officer", "Ada Brun, sécurité", "--officer", "Brice Noé, émission", "--reason", "fin")


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")


@pytest.fixture
def trousseau(tmp_path: Path) -> Path:
    """A keystore with a second issuer key, which is new."""
    path = quick_keystore(tmp_path / "trousseau").path
    Keystore.change(
        path,
        PASSPHRASE,
        lambda old: with_key(old, SECOND, Act.CEREMONY, DEED),
        random=chance("second"),
    )
    return path


class Command:
    """`sesame keys …` on one keystore, for one test."""

    def __init__(self, path: Path, secret: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._path, self._secret, self._capsys = path, secret, capsys

    def says(self, action: str, *more: object, status: int = 0) -> str:
        """What it prints, on the stream that goes with *status*."""
        words = ["keys", action, self._path, *more, "--passphrase-file", self._secret]
        assert main([str(word) for word in words]) == status
        printed = self._capsys.readouterr()
        said, silent = (printed.err, printed.out) if status else (printed.out, printed.err)
        assert not silent
        return said


@pytest.fixture
def keys(trousseau: Path, secret: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The commands on the keystore."""
    return Command(trousseau, secret, capsys)


def test_a_rotation(keys: Command, trousseau: Path) -> None:
    """Into use, out of it, destroyed: each step prints its record, and the file keeps it."""
    said = keys.says("use", "dpa-02", *BY)
    assert said.count("PROCÈS-VERBAL") == 2  # the predecessor retires
    assert said.index("Retrait d’une clé") < said.index("Mise en service d’une clé")
    assert said.count("Signature\u00a0: ") == 4
    listed = keys.says("list")
    states = {line.split()[0]: line.split("  ")[-1].strip() for line in listed.splitlines()}
    assert states["dpa-01"] == "vérifie seulement"
    assert states["dpa-02"] == "en service"
    old = Keystore.open(trousseau, PASSPHRASE).key("dpa-01")
    said = keys.says("destroy", "dpa-01", "--no-bank", *BY)
    for fact in ("Destruction d’une clé", "dpa-01", old.check_value.hex().upper(), "fin"):
        assert fact in said
    assert "dpa-01" not in keys.says("list")
    records = keys.says("records")
    assert records.endswith(said)
    assert records.count("PROCÈS-VERBAL") == 4
    assert "dpa-02" in keys.says("retire", "dpa-02", *BY)
    keystore = Keystore.open(trousseau, PASSPHRASE)
    assert keystore.key("dpa-02").state is KeyState.VERIFY_ONLY
    assert old.value not in {key.value for key in keystore.keys}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("use", "dpa-09"), "Il n’y a pas de clé dpa-09 ici"),
        (("use", "dpa-01"), "est déjà en service"),
        (("use", "seal-01"), "n’est pas une clé d’émetteur"),
        (("retire", "audit-01"), "n’est pas une clé d’émetteur"),
        (("destroy", "dpa-01", "--no-bank"), "La clé dpa-01 est en service."),
        (("destroy", "dpa-02", "--no-bank", "--give-up-cards", 3), "La clé dpa-02 a 0 cartes"),
        (("destroy", "seal-01", "--no-bank"), "n’est pas une clé d’émetteur"),
    ],
)
def test_what_is_refused(keys: Command, trousseau: Path, words: tuple[str, ...], says: str) -> None:
    """In a sentence, and the file is as it was."""
    before = trousseau.read_bytes()
    assert says in keys.says(*words, *BY, status=1)
    assert trousseau.read_bytes() == before


def test_a_key_retires_once(keys: Command) -> None:
    """The second time there is nothing to do."""
    keys.says("retire", "dpa-01", *BY)
    assert "est retirée" in keys.says("retire", "dpa-01", *BY, status=1)


def test_destroying_says_of_which_bank(keys: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """Or that there is none: silence is not taken for one."""
    with pytest.raises(SystemExit, match="2"):
        keys.says("destroy", "dpa-01", *BY)
    assert "--settings" in capsys.readouterr().err


def bank_of(folder: Path, keystore: Keystore) -> Path:
    """The settings of a bank with four cards under `dpa-01`."""
    database = folder / "bank.db"
    migrate(f"sqlite:///{database}")

    async def fill() -> None:
        bank = replace(open_bank(database), custodian=KeystoreCustodian(keystore))
        for person in PEOPLE:
            await enrol(bank, new_customer(person))
        await bank.store.close()

    asyncio.run(fill())
    settings = folder / "settings.toml"
    settings.write_text(
        f'database = "sqlite:///{database}"\n'
        f'keystore = "{keystore.path}"\n'
        f'keystore_passphrase_file = "{folder}/phrase"\n'
        'public_url = "http://localhost:8000"\n'
        "demonstration = true\n"
    )
    return settings


def test_a_key_that_cards_need(keys: Command, trousseau: Path, tmp_path: Path) -> None:
    """Refused with their number; who gives that very number up destroys it."""
    settings = bank_of(tmp_path, Keystore.open(trousseau, PASSPHRASE))
    keys.says("use", "dpa-02", *BY)
    destroy = ("destroy", "dpa-01", "--settings", settings, *BY)
    assert "a 4 cartes" in keys.says(*destroy, status=1)
    assert "a 4 cartes" in keys.says(*destroy, "--give-up-cards", 3, status=1)
    assert "Destruction d’une clé" in keys.says(*destroy, "--give-up-cards", 4)


def test_another_bank_s_keystore(keys: Command, tmp_path: Path) -> None:
    """Its cards cannot be counted, so nothing is destroyed."""
    settings = bank_of(tmp_path, quick_keystore(tmp_path / "autre", "other"))
    said = keys.says("destroy", "dpa-02", "--settings", settings, *BY, status=1)
    assert "n’est pas celui avec lequel cette base a été faite" in said


def test_in_english(keys: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record too, and every part of it."""
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    said = keys.says("use", "dpa-02", *BY)
    for words in ("MINUTES", "A key put to use", "Check value", "Signature: ___"):
        assert words in said
    assert "Clé" not in said
