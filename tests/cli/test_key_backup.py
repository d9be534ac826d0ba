"""`sesame keys backup|restore`: any two of three officers, and never one alone."""

from itertools import permutations
from pathlib import Path

import pytest

from sesame.cli.main import main
from sesame.custody.errors import KeystoreInaccessible, WrongPassphrase
from sesame.custody.key import Random
from sesame.custody.keystore import Keystore
from sesame.custody.passphrase import Passphrase
from sesame.custody.records import Act
from tests.cli.at_terminal import on_a_terminal
from tests.custody.keystores import PASSPHRASE, quick_keystore

HALVES = ("girafe lune navet", "cactus rivière 7", "ruban ocre mélèze")
PEOPLE = ("Ada Brun, sécurité", "Brice Noé, émission", "Cléo Roy, audit")
NEW = "quatre autres mots au sort"


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")


@pytest.fixture
def trousseau(tmp_path: Path) -> Path:
    """A keystore of a demonstration, and the files of everybody's secrets."""
    texts = {"phrase": PASSPHRASE.text, "new": NEW}
    texts |= {f"half-{place}": half for place, half in enumerate(HALVES, 1)}
    for name, text in texts.items():
        path = tmp_path / name
        path.touch(mode=0o600)
        path.write_text(f"{text}\n", encoding="utf-8")
    return quick_keystore(tmp_path / "trousseau").path


def people(*numbers: int, typed: bool = False) -> list[str]:
    """The options that name these officers, and the files of their halves."""
    words = ["--reason", "chaque mois"]
    for number in numbers:
        words += ["--officer", PEOPLE[number - 1]]
    return words if typed else words + [f"--half={number}" for number in numbers]


def sesame(folder: Path, *words: object) -> int:
    """`sesame keys …`, the files of secrets by their short names."""
    full = [str(word) for word in words]
    for place, word in enumerate(full):
        if word.startswith("--half="):
            full[place] = f"--half-file={folder}/half-{word[-1]}"
    return main(["keys", *full])


def backup(trousseau: Path, *numbers: int) -> int:
    """A backup by these officers."""
    folder = trousseau.parent
    secret = ("--passphrase-file", folder / "phrase")
    return sesame(folder, "backup", trousseau, folder / "copie", *secret, *people(*numbers))


def restore(trousseau: Path, copy: str, *numbers: int) -> int:
    """A restore of *copy* by these officers, in their order."""
    folder = trousseau.parent
    secret = ("--passphrase-file", folder / "new")
    return sesame(folder, "restore", folder / copy, folder / "neuf", *secret, *people(*numbers))


def test_any_two_of_three(trousseau: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy for each pair, in either order; the keys are the same, by their check values."""
    before = Keystore.open(trousseau, PASSPHRASE)
    assert backup(trousseau, 1, 2, 3) == 0
    printed = capsys.readouterr().out
    assert "Sauvegarde du trousseau" in printed
    assert f"{trousseau.parent}/copie-1-3\u00a0: s’ouvre avec Ada Brun et Cléo Roy" in printed
    original = Keystore.open(trousseau, PASSPHRASE)
    assert original.keys == before.keys
    assert original.records[-1].act is Act.BACKUP
    for one, other in permutations((1, 2, 3), 2):
        name = f"copie-{min(one, other)}-{max(one, other)}"
        assert (trousseau.parent / name).stat().st_mode & 0o777 == 0o600
        assert restore(trousseau, name, one, other) == 0
        printed = capsys.readouterr().out
        restored = Keystore.open(trousseau.parent / "neuf", Passphrase(NEW))
        assert restored.keys == before.keys
        assert [r.act for r in restored.records] == [Act.BACKUP, Act.RESTORE]
        for key in restored.keys:
            assert f"{key.label}  {key.usage}  {key.check_value.hex().upper()}" in printed
            assert key.value.hex() not in printed
        restored.path.unlink()


def test_of_two_officers_there_is_one_copy(trousseau: Path) -> None:
    """Which opens with both."""
    assert backup(trousseau, 1, 2) == 0
    copy = trousseau.parent / "copie"
    assert Keystore.open(copy, Passphrase(f"{HALVES[0]} {HALVES[1]}")).keys
    for half in (*HALVES[:2], PASSPHRASE.text):
        with pytest.raises(WrongPassphrase):
            Keystore.open(copy, Passphrase(half))


def test_the_wrong_pair(trousseau: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused, and nothing is made."""
    assert backup(trousseau, 1, 2, 3) == 0
    capsys.readouterr()
    assert restore(trousseau, "copie-1-2", 1, 3) == 1
    assert "ce n’est pas la phrase de passe" in capsys.readouterr().err
    assert not (trousseau.parent / "neuf").exists()


def test_nothing_is_replaced(trousseau: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither by a copy nor by what is restored of one."""
    taken = trousseau.parent / "copie-2-3"
    taken.write_text("autre chose")
    before = trousseau.read_bytes()
    assert backup(trousseau, 1, 2, 3) == 1
    assert "existe déjà" in capsys.readouterr().err
    assert trousseau.read_bytes() == before
    assert not (trousseau.parent / "copie-1-2").exists()
    taken.unlink()
    assert backup(trousseau, 1, 2) == 0
    (trousseau.parent / "neuf").write_text("un trousseau en service")
    assert restore(trousseau, "copie", 1, 2) == 1
    assert "existe déjà" in capsys.readouterr().err
    assert (trousseau.parent / "neuf").read_text() == "un trousseau en service"


def test_a_backup_that_fails_half_way_leaves_no_copy(
    trousseau: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk is full at the third copy: the two before it go."""
    write = Keystore.write_new

    def fill_up(self: Keystore, passphrase: Passphrase, *, random: Random) -> None:
        if self.path.name.endswith("2-3"):
            raise KeystoreInaccessible(self.path, "No space left on device")
        write(self, passphrase, random=random)

    monkeypatch.setattr(Keystore, "write_new", fill_up)
    assert backup(trousseau, 1, 2, 3) == 1
    assert "No space left" in capsys.readouterr().err
    assert not list(trousseau.parent.glob("copie*"))


def test_a_copy_is_read_again(
    trousseau: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that does not hold the same keys is no copy."""
    other = quick_keystore(trousseau.parent / "autre", "other").path

    def write_another(self: Keystore, passphrase: Passphrase, *, random: Random) -> None:
        found = Keystore.open(other, PASSPHRASE)
        object.__setattr__(found, "path", self.path)
        write(found, passphrase, random=random)

    write = Keystore.write_new
    monkeypatch.setattr(Keystore, "write_new", write_another)
    assert backup(trousseau, 1, 2) == 1
    assert "ne contenait pas les mêmes clés" in capsys.readouterr().err
    assert not (trousseau.parent / "copie").exists()


@pytest.mark.parametrize("numbers", [(1,), (1, 1), (1, 2, 3, 3)])
def test_how_many_officers(
    trousseau: Path, capsys: pytest.CaptureFixture[str], numbers: tuple[int, ...]
) -> None:
    """Two or three, each once."""
    assert backup(trousseau, *numbers) == 1
    assert "personnes différentes" in capsys.readouterr().err


def test_a_half_for_each(trousseau: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files for all or for none; a weak half is refused, alone as it is."""
    folder = trousseau.parent
    words = ("backup", trousseau, folder / "copie", "--passphrase-file", folder / "phrase")
    assert sesame(folder, *words, *people(1, 2, typed=True), "--half=1") == 1
    assert "un --half-file pour chaque personne" in capsys.readouterr().err
    (folder / "half-2").write_text("court\n")
    assert sesame(folder, *words, *people(1, 2)) == 1
    assert "trop simple" in capsys.readouterr().err
    assert not (folder / "copie").exists()


def test_halves_that_are_typed(trousseau: Path) -> None:
    """Unseen, twice, strong; then asked once to restore."""
    folder = trousseau.parent
    one, other = (f"{half}\n".encode() for half in HALVES[:2])
    status, printed, shown = on_a_terminal(
        *("keys", "backup", trousseau, folder / "copie", "--passphrase-file", folder / "phrase"),
        *people(1, 2, typed=True),
        typed=[b"court\n", one, other, one, one, other, other],
    )
    assert status == 0
    assert "Ada Brun, votre moitié de phrase de passe\u00a0: " in shown
    assert "trop simple" in shown
    assert "Les deux moitiés diffèrent" in shown
    assert not any(half in printed + shown for half in HALVES)
    status, printed, shown = on_a_terminal(
        *("keys", "restore", folder / "copie", folder / "neuf"),
        *("--passphrase-file", folder / "new", *people(1, 2, typed=True)),
        typed=[one, other],
    )
    assert status == 0
    assert "Restauration du trousseau" in printed
