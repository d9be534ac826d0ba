"""`sesame keys import-block|export-block`: what leaves, what comes, and under which key."""

from dataclasses import replace
from pathlib import Path

import psec.tr31
import pytest

from sesame.cli.key_blocks import PathTaken, write_new
from sesame.cli.main import main
from sesame.custody.ceremony import Component, protection_material
from sesame.custody.key_life import with_key
from sesame.custody.keystore import Keystore
from sesame.custody.records import Act
from sesame.custody.tr31 import ProtectionKey, Version
from sesame.emv.keys import odd_parity, xor
from tests.cli.at_terminal import on_a_terminal
from tests.cli.test_key_life import BY, DEED, SECOND
from tests.custody.keystores import IMK, PASSPHRASE, chance, quick_keystore

KBPK = bytes(range(0x40, 0x60))
KBPK_B = bytes(range(0x10, 0x28))

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:psec")


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")


def kept(path: Path, text: str) -> Path:
    """*text* in a file for its owner alone."""
    path.touch(mode=0o600)
    path.write_text(f"{text}\n", encoding="utf-8")
    return path


@pytest.fixture
def trousseau(tmp_path: Path) -> Path:
    """A keystore whose `dpa-02` is the published key, and may leave."""
    path = quick_keystore(tmp_path / "trousseau").path
    kept(tmp_path / "phrase", PASSPHRASE.text)
    kept(tmp_path / "kbpk", KBPK.hex())
    exportable = replace(SECOND, exportable=True)
    Keystore.change(
        path,
        PASSPHRASE,
        lambda old: with_key(old, exportable, Act.CEREMONY, DEED),
        random=chance("second"),
    )
    return path


def command(action: str, trousseau: Path, *more: object, kbpk: bool = True) -> list[str]:
    """`sesame keys ACTION` with its passphrase and, unless typed, its protection key."""
    folder = trousseau.parent
    words = ["keys", action, trousseau, *more, *BY, "--passphrase-file", folder / "phrase"]
    words += ["--kbpk-file", folder / "kbpk"] if kbpk else []
    return [str(word) for word in words]


def new(label: str, dki: str) -> tuple[object, ...]:
    """The options that name a new key."""
    return ("--label", label, "--dki", dki)


@pytest.mark.parametrize(
    ("more", "kbpk", "header"),
    [
        ((), KBPK, "E0TX00N"),
        (("--version", "B"), KBPK_B, "E0TX00N"),
        (("--re-exportable",), KBPK[:16], "E0TX00E"),
    ],
)
def test_another_library_opens_what_left(
    trousseau: Path,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    kbpk: bytes,
    header: str,
) -> None:
    """The key, its header and its check value; the record stays, and is printed."""
    kept(trousseau.parent / "kbpk", kbpk.hex())
    block = trousseau.parent / "bloc"
    assert main(command("export-block", trousseau, "dpa-02", block, *more)) == 0
    printed = capsys.readouterr().out
    assert "Exportation d’une clé (bloc TR-31)" in printed
    assert "08D7B4" in printed
    theirs, key = psec.tr31.unwrap(kbpk, block.read_text().strip())
    assert key == IMK
    assert theirs.blocks["KC"] == "0008D7B4"
    assert str(theirs)[5:12] == header
    record = Keystore.open(trousseau, PASSPHRASE).records[-1]
    assert (record.act, record.label) == (Act.EXPORT, "dpa-02")
    for secret in (kbpk, IMK):
        assert secret.hex() not in (printed + block.read_text()).lower()


@pytest.mark.parametrize(("exportability", "exportable"), [("N", False), ("E", True)])
@pytest.mark.parametrize("version", ["B", "D"])
def test_what_another_library_wrapped_comes_in(
    trousseau: Path,
    capsys: pytest.CaptureFixture[str],
    version: str,
    exportability: str,
    exportable: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    """New, with the exportability that its block says."""
    kbpk = {"B": KBPK_B, "D": KBPK}[version]
    kept(trousseau.parent / "kbpk", kbpk.hex())
    value = xor(IMK, bytes(range(16)))
    wrapped = psec.tr31.wrap(kbpk, f"{version}0000E0TN00{exportability}0000", value)
    block = kept(trousseau.parent / "bloc", wrapped)
    assert main(command("import-block", trousseau, block, *new("dpa-03", "1A"))) == 0
    key = Keystore.open(trousseau, PASSPHRASE).key("dpa-03")
    assert (key.value, key.dki, key.exportable) == (odd_parity(value), 0x1A, exportable)
    printed = capsys.readouterr().out
    assert "Importation d’une clé (bloc TR-31)" in printed
    assert key.check_value.hex().upper() in printed


def test_a_protection_key_of_two_officers(trousseau: Path) -> None:
    """Typed unseen like the components of any key, and compared."""
    block = trousseau.parent / "bloc"
    parts = bytes(range(1, 33)), xor(KBPK, bytes(range(1, 33)))
    material = protection_material(Version.D, 32)
    typed: list[bytes] = []
    for part in parts:
        component = Component(material, part)
        typed += [component.check_value.hex().encode() + b"\n", part.hex().encode() + b"\n", b"\n"]
    typed.append(ProtectionKey(Version.D, KBPK).check_value.hex().encode() + b"\n")
    status, printed, shown = on_a_terminal(
        *command("export-block", trousseau, "dpa-02", block, kbpk=False), typed=typed
    )
    assert status == 0
    assert "PROCÈS-VERBAL" in printed
    assert psec.tr31.unwrap(KBPK, block.read_text().strip())[1] == IMK
    for part in (*parts, KBPK, IMK):
        assert part.hex() not in (printed + shown).lower()


def refusal(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one sentence of an exit with status 1."""
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert len(printed.err.splitlines()) == 1
    assert KBPK.hex() not in printed.err.lower()
    return printed.err


def test_refusals_of_an_export(trousseau: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What may not leave, what stands there, and a protection key that others may read."""
    folder = trousseau.parent
    block = folder / "bloc"
    before = trousseau.read_bytes()
    exports = ("export-block", trousseau)
    assert "n’est pas exportable" in refusal(capsys, command(*exports, "dpa-01", block))
    assert "pas de clé dpa-09" in refusal(capsys, command(*exports, "dpa-09", block))
    assert "existe déjà" in refusal(capsys, command(*exports, "dpa-02", trousseau))
    kept(folder / "kbpk", KBPK.hex()[:-3])
    assert "(KBPK) ne peut y être lue" in refusal(capsys, command(*exports, "dpa-02", block))
    kept(folder / "kbpk", KBPK.hex()[:16])
    assert "Cette clé ne convient pas" in refusal(capsys, command(*exports, "dpa-02", block))
    kept(folder / "kbpk", KBPK.hex()).chmod(0o640)
    assert "(KBPK) ne peut y être lue" in refusal(capsys, command(*exports, "dpa-02", block))
    assert trousseau.read_bytes() == before
    assert not block.exists()


def test_a_block_that_cannot_be_written_is_on_record(
    trousseau: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record says more than happened, never less."""
    nowhere = trousseau.parent / "nulle part" / "bloc"
    assert "ne peut y être lu ou écrit" in refusal(
        capsys, command("export-block", trousseau, "dpa-02", nowhere)
    )
    assert Keystore.open(trousseau, PASSPHRASE).records[-1].act is Act.EXPORT


def test_what_came_there_meanwhile_stays(tmp_path: Path) -> None:
    """Also between the first look and the writing."""
    path = kept(tmp_path / "bloc", "autre chose")
    with pytest.raises(PathTaken):
        write_new(path, b"bloc")
    assert path.read_text() == "autre chose\n"


def test_refusals_of_an_import(trousseau: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file, no block, an altered one, a key for something else or one that is here already."""
    before = trousseau.read_bytes()
    block = trousseau.parent / "bloc"
    imports = command("import-block", trousseau, block, *new("dpa-03", "1A"))
    assert "ne peut y être lu" in refusal(capsys, imports)
    kept(block, "pas un bloc")
    assert "pas un bloc TR-31" in refusal(capsys, imports)
    good = psec.tr31.wrap(KBPK, "D0000E0TX00N0000", xor(IMK, bytes(range(16))))
    kept(block, good[:-1] + ("0" if good[-1] != "0" else "1"))
    assert "Le bloc ne s’ouvre pas" in refusal(capsys, imports)
    kept(block, psec.tr31.wrap(KBPK, "D0000P0TX00N0000", bytes(range(16))))
    assert "clé maîtresse d’émetteur" in refusal(capsys, imports)
    kept(block, psec.tr31.wrap(KBPK, "D0000E0TX00N0000", IMK))
    assert "La clé dpa-03 ne peut s’ajouter" in refusal(capsys, imports)
    kept(block, psec.tr31.wrap(KBPK, "D0000E0TX00N0000", IMK[:8] * 2))
    assert "Cette clé ne convient pas" in refusal(capsys, imports)
    taken = command("import-block", trousseau, block, *new("dpa-02", "03"))
    assert "La clé dpa-02 ne peut s’ajouter" in refusal(capsys, taken)
    assert trousseau.read_bytes() == before
