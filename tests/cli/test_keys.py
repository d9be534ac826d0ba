"""`sesame keys`: what it prints, what it refuses, what it never shows."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sesame.cli.main import main
from sesame.cli.sentences import sentence
from sesame.custody.errors import CustodyError, KeystoreError, SealBroken
from sesame.custody.keystore import COST, Keystore
from sesame.custody.passphrase import Passphrase
from tests.cli.at_terminal import on_a_terminal
from tests.custody.keystores import PASSPHRASE, quick_keystore


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")


def sesame(*arguments: object) -> int:
    """The exit status of `sesame` with these arguments."""
    return main([str(argument) for argument in arguments])


@pytest.fixture
def trousseau(tmp_path: Path) -> Path:
    """A keystore of a demonstration, at a cost of tests."""
    return quick_keystore(tmp_path / "trousseau").path


# ── What it does ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("demo", [False, True])
def test_create(
    tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str], *, demo: bool
) -> None:
    """A keystore at full cost, made now, by chance; the table of its keys; a word of advice."""
    path = tmp_path / "mon trousseau"
    before = datetime.now(UTC)
    options = ["--demo"] if demo else []
    assert sesame("keys", "create", path, "--passphrase-file", secret, *options) == 0
    printed = capsys.readouterr()
    keystore = Keystore.open(path, PASSPHRASE)
    assert keystore.cost == COST
    assert keystore.demo is demo
    assert all(before <= key.created <= datetime.now(UTC) for key in keystore.keys)
    assert not printed.err
    assert printed.out.startswith(f"{path}\u00a0: le trousseau est créé.\n")
    assert "Gardez la phrase de passe" in printed.out
    for key in keystore.keys:
        assert re.search(
            rf"^{key.label} +{key.usage} +{key.check_value.hex().upper()} ",
            printed.out,
            re.MULTILINE,
        )
    for value in [*(key.value.hex() for key in keystore.keys), PASSPHRASE.text]:
        assert value not in printed.out.lower()


def test_list(trousseau: Path, secret: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names, usages, check values and times, under a head."""
    assert sesame("keys", "list", trousseau, "--passphrase-file", secret) == 0
    head, first, *others = capsys.readouterr().out.splitlines()
    assert head.split() == ["Clé", "Usage", "Contrôle", "Créée", "DKI", "État"]
    key = Keystore.open(trousseau, PASSPHRASE).keys[0]
    assert first.split() == [
        *("dpa-01", "issuer-ac", key.check_value.hex().upper(), "2025-03-14T09:26:53+00:00"),
        *("01", "en", "service"),
    ]
    assert others[0].split()[-1] == "2025-03-14T09:26:53+00:00"  # only issuer keys have states
    assert len(others) == 5


def test_check(trousseau: Path, secret: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In order, though only a demonstration, and at a cost that says so."""
    assert sesame("keys", "check", trousseau, "--passphrase-file", secret) == 0
    printed = capsys.readouterr()
    assert not printed.err
    assert "tout est en ordre. Nombre de clés\u00a0: 6." in printed.out
    assert "1\u00a0× 8\u00a0Kio" in printed.out
    assert "clés de démonstration" in printed.out
    assert "coût est trop bas" in printed.out


def test_check_of_a_real_one(
    tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence and no reservation."""
    path = tmp_path / "trousseau"
    sesame("keys", "create", path, "--passphrase-file", secret)
    capsys.readouterr()
    assert sesame("keys", "check", path, "--passphrase-file", secret) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


# ── Where the passphrase comes from ──────────────────────────────────────────────────────────────


def test_from_standard_input(
    trousseau: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, in UTF-8 whatever the shell's language."""
    line = f"{PASSPHRASE.text}\n".encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line), encoding="ascii"))
    assert sesame("keys", "list", trousseau, "--passphrase-stdin") == 0
    assert "dpa-01" in capsys.readouterr().out


def test_never_as_an_argument(trousseau: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no option for it, and not two ways at once."""
    for options in (["--passphrase", "x"], ["--passphrase-file", "x", "--passphrase-stdin"]):
        with pytest.raises(SystemExit, match="2"):
            sesame("keys", "list", trousseau, *options)
    assert "not allowed with" in capsys.readouterr().err


def test_without_a_terminal(
    trousseau: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the two options instead of waiting."""
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSPHRASE.text))
    assert sesame("keys", "list", trousseau) == 1
    printed = capsys.readouterr()
    assert "donnez --passphrase-file ou --passphrase-stdin" in printed.err
    assert not printed.out


def test_typed_twice(tmp_path: Path) -> None:
    """Asked twice when a keystore is made, and not shown while it is typed."""
    path = tmp_path / "trousseau"
    words = PASSPHRASE.text.encode() + b"\n"
    status, printed, shown = on_a_terminal("keys", "create", path, typed=[words, words])
    assert status == 0
    assert "dpa-01" in printed
    assert "Phrase de passe\u00a0: |" in shown
    assert "La même, encore une fois\u00a0: |" in shown
    assert PASSPHRASE.text not in printed + shown
    assert Keystore.open(path, PASSPHRASE).path == path


def test_typed_once(trousseau: Path) -> None:
    """Once is enough to open one."""
    words = PASSPHRASE.text.encode() + b"\n"
    status, printed, shown = on_a_terminal("keys", "list", trousseau, typed=[words])
    assert status == 0
    assert "dpa-01" in printed
    assert "encore" not in shown


def test_typed_otherwise_the_second_time(tmp_path: Path) -> None:
    """No keystore is made under a slip of the finger."""
    path = tmp_path / "trousseau"
    typed = [b"quatre mots au sort\n", b"quatre mots au tors\n"]
    status, printed, shown = on_a_terminal("keys", "create", path, typed=typed)
    assert status == 1
    assert not printed
    assert "Les deux phrases de passe diffèrent" in shown
    assert "quatre" not in shown
    assert not path.exists()


def test_nothing_typed(trousseau: Path) -> None:
    """Ctrl-D is an answer."""
    status, _, shown = on_a_terminal("keys", "check", trousseau, typed=[b"\x04"])
    assert status == 1
    assert "Aucune phrase de passe n’a été tapée." in shown


# ── What it refuses ──────────────────────────────────────────────────────────────────────────────


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one sentence of an exit with status 1."""
    capsys.readouterr()
    assert sesame(*arguments) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert len(printed.err.splitlines()) == 1
    assert PASSPHRASE.text not in printed.err
    return printed.err


def test_refusals_of_the_file(
    trousseau: Path, secret: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each names the file, says what is wrong with it, and what to do."""
    options = ["--passphrase-file", secret]
    nothing = tmp_path / "rien"
    assert f"{nothing}\u00a0: ce fichier n’existe pas" in refusal(
        capsys, "keys", "list", nothing, *options
    )
    assert "existe déjà" in refusal(capsys, "keys", "create", trousseau, *options)
    long = tmp_path / ("t" * 300)
    assert "(File name too long)" in refusal(capsys, "keys", "create", long, *options)
    assert "(File name too long)" in refusal(capsys, "keys", "list", long, *options)
    assert "le système refuse (not a file)" in refusal(capsys, "keys", "list", tmp_path, *options)
    good = trousseau.read_bytes()
    trousseau.chmod(0o640)
    assert "le mode 0640" in refusal(capsys, "keys", "check", trousseau, *options)
    trousseau.chmod(0o600)
    trousseau.write_bytes(good[:-9])
    assert "abîmé" in refusal(capsys, "keys", "check", trousseau, *options)
    trousseau.write_bytes(good.replace(b'"version": 2', b'"version": 7'))
    assert "(format 7)" in refusal(capsys, "keys", "check", trousseau, *options)
    assert trousseau.read_bytes() != good  # left as it was found, and not put right


def test_refusals_of_the_passphrase(
    trousseau: Path, secret: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong, weak, of several lines, exposed or not there."""
    options = ["--passphrase-file", secret]
    secret.write_text("une autre phrase de passe")
    assert "ce n’est pas la phrase de passe" in refusal(
        capsys, "keys", "check", trousseau, *options
    )
    secret.write_text("sésame")
    new = tmp_path / "nouveau"
    assert "au moins 12 caractères" in refusal(capsys, "keys", "create", new, *options)
    secret.write_text("")
    assert "trop simple" in refusal(capsys, "keys", "create", new, *options)
    secret.write_text("deux\nlignes")
    assert "une ligne" in refusal(capsys, "keys", "create", new, *options)
    secret.chmod(0o644)
    assert "le mode 0644" in refusal(capsys, "keys", "create", new, *options)
    secret.unlink()
    assert "No such file" in refusal(capsys, "keys", "create", new, *options)
    assert not new.exists()


def _leaves(error: type[CustodyError]) -> list[type[CustodyError]]:
    return [error, *(leaf for below in error.__subclasses__() for leaf in _leaves(below))]


@pytest.mark.parametrize("error", _leaves(KeystoreError)[1:])
def test_every_error_of_a_file_has_a_french_sentence(error: type[CustodyError]) -> None:
    """With the places of the sentence filled by what the error knows."""
    made = error.__new__(error)
    vars(made).update(path=Path("/trousseau"), mode=0o640, reason="raison", version=9, problem="")
    said = sentence(made)
    assert said.startswith("/trousseau\u00a0: ")
    assert not set("{}") & set(said)


def test_other_errors_speak_for_themselves() -> None:
    """What the commands never meet stays in English, for engineers."""
    assert sentence(SealBroken("altered")) == str(SealBroken("altered"))


def test_a_passphrase_that_was_typed_is_not_repeated(
    trousseau: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a wrong one either: it may be right elsewhere."""
    path = tmp_path / "autre"
    path.touch(mode=0o600)
    path.write_text("la phrase d’un autre fichier")
    said = refusal(capsys, "keys", "check", trousseau, "--passphrase-file", path)
    assert Passphrase("la phrase d’un autre fichier").text not in said
