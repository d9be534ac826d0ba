"""`sesame hsm use|retire|destroy|adopt|records`: a rotation in a token of SoftHSM2."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from sesame.bank.customers import enrol
from sesame.cli.main import main
from sesame.custody import hsm_life
from sesame.custody.custodian import KeyUsage
from sesame.custody.hsm import HsmCustodian
from sesame.custody.hsm_keys import find_keys, generate_standard
from sesame.custody.hsm_life import make_key, make_standard
from sesame.custody.hsm_sessions import Login
from sesame.store.schema import migrate
from tests.bank.branch import PEOPLE, new_customer, open_bank
from tests.cli.test_key_life import BY, DEED
from tests.cli.test_key_wrapping import secret
from tests.custody.tokens import MODULE, PIN, empty_token, softhsm

pytestmark = pytest.mark.needs("softhsm2")

_LABELS = iter(f"rotates {number}" for number in range(100))


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests; and the module is set up for them."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    softhsm()


class Command:
    """`sesame hsm …` on one token, for one test."""

    def __init__(self, login: Login, pin: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.login, self._pin, self._capsys = login, pin, capsys

    def says(self, action: str, *more: object, status: int = 0) -> str:
        """What it prints, on the stream that goes with *status*."""
        where = ("--module", MODULE, "--label", self.login.label, "--pin-file", self._pin)
        assert main(["hsm", action, *map(str, (*where, *more))]) == status
        printed = self._capsys.readouterr()
        said, aside = (printed.err, printed.out) if status else (printed.out, printed.err)
        # Off the record, which goes into a file.
        restart = "La garde des clés s’en sert" in aside
        assert bool(aside) == restart == (action == "destroy" and not status)
        return said

    def states(self) -> dict[str, str]:
        """The last column of the table, by key."""
        rows = self.says("list").splitlines()[1:]
        return {row.split()[0]: row.split("  ")[-1].strip() for row in rows}


@pytest.fixture
def hsm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """On a token with the standard keys, and a second issuer key, which is new."""
    login = empty_token(next(_LABELS))
    session = login.open(writes=True)
    make_standard(session, DEED, demo=False)
    make_key(session, "dpa-02", KeyUsage.ISSUER_AC, DEED, dki=2)
    session.close()
    return Command(login, secret(tmp_path / "pin", PIN.text), capsys)


def test_a_rotation(hsm: Command) -> None:
    """Into use, out of it, destroyed: each step prints its record, and the token keeps it."""
    said = hsm.says("use", "dpa-02", *BY)
    assert said.count("PROCÈS-VERBAL") == 2  # the predecessor retires
    assert said.index("Retrait d’une clé") < said.index("Mise en service d’une clé")
    assert said.count("Signature\u00a0: ") == 4
    states = hsm.states()
    assert (states["dpa-01"], states["dpa-02"]) == ("vérifie seulement", "en service")
    said = hsm.says("destroy", "dpa-01", "--no-bank", *BY)
    for fact in ("Destruction d’une clé", "dpa-01", "(DKI)  01", "fin", hsm.login.label):
        assert fact in said
    assert "dpa-01" not in hsm.states()
    said_of_all = hsm.says("check")
    assert "tout est en ordre" in said_of_all
    assert "Sans procès-verbal" not in said_of_all
    records = hsm.says("records")
    assert records.endswith(said)
    assert records.count("PROCÈS-VERBAL") == 6 + 1 + 2 + 1
    assert "dpa-02" in hsm.says("retire", "dpa-02", *BY)
    assert "Aucune" not in hsm.says("list")
    assert hsm.states()["dpa-02"] == "vérifie seulement"


def test_what_is_refused(hsm: Command) -> None:
    """In a sentence, and the token is as it was."""
    before = hsm.says("records"), hsm.says("list")
    for words, says in (
        (("use", "dpa-09"), "Il n’y a pas de clé dpa-09 ici"),
        (("use", "dpa-01"), "est déjà en service"),
        (("retire", "audit-01"), "n’est pas une clé d’émetteur"),
        (("destroy", "dpa-01", "--no-bank"), "La clé dpa-01 est en service."),
        (("destroy", "dpa-02", "--no-bank", "--give-up-cards", 3), "La clé dpa-02 a 0 cartes"),
        (("destroy", "seal-01", "--no-bank"), "n’est pas une clé d’émetteur"),
        (("adopt", "dpa-02", "--dki", "07"), "La clé dpa-02 ne peut s’ajouter"),
    ):
        assert says in hsm.says(*words, *BY, status=1)
    assert (hsm.says("records"), hsm.says("list")) == before


def test_the_last_key_stays(hsm: Command) -> None:
    """Without one custody does not start."""
    hsm.says("destroy", "dpa-02", "--no-bank", *BY)
    hsm.says("retire", "dpa-01", *BY)
    said = hsm.says("destroy", "dpa-01", "--no-bank", *BY, status=1)
    assert "est la dernière d’usage issuer-ac du jeton" in said


def test_destroying_says_of_which_bank(hsm: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """Or that there is none: silence is not taken for one."""
    with pytest.raises(SystemExit, match="2"):
        hsm.says("destroy", "dpa-01", *BY)
    assert "--settings" in capsys.readouterr().err


def bank_of(folder: Path, login: Login) -> Path:
    """The settings of a bank with four cards under `dpa-01` of the token."""
    database = folder / "bank.db"
    migrate(f"sqlite:///{database}")

    async def fill() -> None:
        with HsmCustodian(login, sessions=1, waiting=1) as custodian:
            bank = replace(open_bank(database), custodian=custodian)
            for person in PEOPLE:
                await enrol(bank, new_customer(person))
            await bank.store.close()

    asyncio.run(fill())
    settings = folder / "settings.toml"
    settings.write_text(
        f'database = "sqlite:///{database}"\n'
        'custody = "custody.sock"\n'
        'public_url = "http://localhost:8000"\n'
        "demonstration = true\n"
    )
    return settings


def test_a_key_that_cards_need(hsm: Command, tmp_path: Path) -> None:
    """Refused with their number; who gives that very number up destroys it."""
    settings = bank_of(tmp_path, hsm.login)
    hsm.says("use", "dpa-02", *BY)
    destroy = ("destroy", "dpa-01", "--settings", settings, *BY)
    assert "a 4 cartes" in hsm.says(*destroy, status=1)
    assert "a 4 cartes" in hsm.says(*destroy, "--give-up-cards", 3, status=1)
    assert hsm.states()["dpa-01"] == "vérifie seulement"
    assert "Destruction d’une clé" in hsm.says(*destroy, "--give-up-cards", 4)
    assert "dpa-01" not in hsm.states()


def test_another_bank_s_token(hsm: Command, tmp_path: Path) -> None:
    """Its cards cannot be counted, so nothing is destroyed."""
    other = empty_token(next(_LABELS))
    session = other.open(writes=True)
    generate_standard(session, demo=False)
    session.close()
    settings = bank_of(tmp_path, other)
    said = hsm.says("destroy", "dpa-02", "--settings", settings, *BY, status=1)
    assert "ne sont pas celles avec lesquelles les cartes de cette banque" in said
    assert "dpa-02" in hsm.states()


def test_keys_of_before_the_records(hsm: Command) -> None:
    """Their DKI is put on record; until then they verify, and `list` shows none."""
    login = empty_token(next(_LABELS))
    session = login.open(writes=True)
    generate_standard(session, demo=False)
    session.close()
    hsm.login = login
    assert hsm.states()["dpa-01"] == "nouvelle"
    said = hsm.says("check")
    assert "tout est en ordre" in said
    assert "Sans procès-verbal\u00a0: dpa-01, seal-01, pan-index-01, audit-01, session-01." in said
    assert "son index (DKI)" in hsm.says("use", "dpa-01", *BY, status=1)
    said = hsm.says("adopt", "dpa-01", "--dki", "01", *BY)
    assert "Inscription d’une clé qui était déjà dans le jeton" in said
    hsm.says("use", "dpa-01", *BY)
    assert hsm.states()["dpa-01"] == "en service"
    assert "Sans procès-verbal\u00a0: seal-01, pan-index-01" in hsm.says("check")


def test_keys_and_records_that_disagree(hsm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """`list` shows it, `check` names it, `destroy` puts it right."""
    with monkeypatch.context() as stopped:
        stopped.setattr(hsm_life, "_take_out", lambda *_: None)
        hsm.says("destroy", "dpa-02", "--no-bank", *BY)
    assert hsm.states()["dpa-02"] == "à détruire\u00a0: la destruction s’est arrêtée"
    assert "sesame hsm destroy dpa-02" in hsm.says("check", status=1)
    hsm.says("destroy", "dpa-02", "--no-bank", *BY)
    hsm.says("check")
    session = hsm.login.open(writes=True)
    make_key(session, "dpa-03", KeyUsage.ISSUER_AC, DEED, dki=3)
    (handle,) = [key.handle for key in find_keys(session) if key.label == "dpa-03"]
    session.destroy(handle)
    assert hsm.states()["dpa-03"] == "absente du jeton"
    said = hsm.says("check", status=1)
    assert "La clé dpa-03" in said
    assert said.index("Remettez-la") < said.index("sesame hsm destroy dpa-03")
    (handle,) = [key.handle for key in find_keys(session) if key.label == "seal-01"]
    session.destroy(handle)
    session.close()
    said = hsm.says("check", status=1)
    assert "La clé seal-01 (usage seal)" in said
    assert "Remettez-la" in said
    assert "sesame hsm" not in said


def test_ending_a_destruction_counts_no_cards(
    hsm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were counted before it was put on record, and the key must go now."""
    with monkeypatch.context() as stopped:
        stopped.setattr(hsm_life, "_take_out", lambda *_: None)
        hsm.says("destroy", "dpa-02", "--no-bank", *BY)
    nowhere = tmp_path / "no settings"
    said = hsm.says("destroy", "dpa-02", "--settings", nowhere, *BY)
    assert "Destruction d’une clé" in said
    assert "dpa-02" not in hsm.states()
    assert "no settings" in hsm.says("destroy", "dpa-01", "--settings", nowhere, *BY, status=1)


def test_in_english(hsm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record too, and every part of it."""
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    said = hsm.says("records") + hsm.says("use", "dpa-02", *BY)
    for words in ("MINUTES", "A key made in the token", "A key put to use", "Token  "):
        assert words in said
    assert "Clé" not in said
