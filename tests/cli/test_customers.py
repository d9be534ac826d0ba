"""`sesame customers import`: a rehearsal first, a report that says what to do, files of its own."""

import asyncio
import hashlib
import json
import stat
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from sesame.bank.customer_file import Trouble
from sesame.bank.importing import Counts, Import
from sesame.bank.old_code import OldCode, OldCodes
from sesame.cli import customers, import_words
from sesame.cli.main import main
from sesame.store.schema import migrate
from tests.custody.keystores import PASSPHRASE, quick_keystore
from tests.places import Place

_HEADER = "user_code,reference,name,line_4,postcode,city,old_code_hash,card_kind,pan,psn,dki\n"
_PAN = "4970101234567893"
_ANN = f"ANNA2345,,Ann,1 rue Basse,75011,PARIS,will-be-set,bank,{_PAN},00,01\n"
_BOB = ",R-7,Bob,2 rue Basse,75011,PARIS,will-be-set,sesame,,,\n"
_EVE = "EVEE2345,,Eve,3 rue Basse,7501,PARIS,will-be-set,sesame,,,\n"


class Office:
    """A bank's settings, database and keys in a folder, and a file to be imported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "customers.csv"
        self.codes = folder / "codes.csv"
        self.errors = folder / "errors.jsonl"
        self.settings = folder / "settings.toml"
        self.settings.write_text(
            'database = "sqlite:///bank.db"\nkeystore = "keys"\n'
            'keystore_passphrase_file = "phrase"\npublic_url = "http://127.0.0.1:8000"\n'
            "demonstration = true\n"
        )
        quick_keystore(folder / "keys")
        self.url = f"sqlite:///{folder / 'bank.db'}"
        migrate(self.url)

    def run(self, *rows: str, more: tuple[str, ...] = (), header: str = _HEADER) -> int:
        """The exit status of an import of *rows*."""
        self.file.touch(mode=0o600)
        self.file.write_text(header + "".join(rows), encoding="utf-8")
        return self.again(*more)

    def again(self, *more: str) -> int:
        """The same, of the file that is there."""
        named = ["--settings", str(self.settings), "--by", "Aubry"]
        return main(["customers", "import", str(self.file), *named, *more])

    @property
    def imported(self) -> int:
        """How many customers there are."""
        place = Place(self.url)
        ((number,),) = place.execute("SELECT count(*) FROM customers")
        place.close()
        return int(number)


@pytest.fixture
def office(tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An office that speaks English; this process may be looked into by those after it."""
    assert secret == tmp_path / "phrase"
    assert PASSPHRASE.text in secret.read_text(encoding="utf-8")
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setattr(customers, "harden", lambda: None)
    return Office(tmp_path)


def _count(said: str, name: str) -> int:
    """The number behind *name* in a report."""
    (line,) = [line for line in said.splitlines() if line.startswith(f"  {name} ")]
    return int(line.split()[-1].replace(",", ""))


def test_an_import(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run keeps nothing; the import writes the user codes for its owner; then all are in."""
    assert office.run(_ANN, _BOB, more=("--dry-run",)) == 0
    said = capsys.readouterr()
    assert "a dry run, nothing is kept" in said.out
    digest = f"  SHA-256        {hashlib.sha256(office.file.read_bytes()).hexdigest()}\n"
    assert digest in said.out
    assert (_count(said.out, "rows read"), _count(said.out, "to enrol")) == (2, 2)
    assert office.imported == 0
    assert office.again("--user-codes", str(office.codes)) == 0
    said = capsys.readouterr()
    assert _count(said.out, "enrolled") == 2
    assert digest in said.out
    assert stat.S_IMODE(office.codes.stat().st_mode) == 0o600
    header, line = office.codes.read_text().splitlines()
    assert header == "reference,user_code"
    assert line.startswith("R-7,")
    assert office.again("--user-codes", f"{office.codes}.2") == 0
    said = capsys.readouterr()
    assert (_count(said.out, "enrolled"), _count(said.out, "there already")) == (0, 2)
    assert Path(f"{office.codes}.2").read_bytes() == office.codes.read_bytes()
    assert said.err == ""


def test_an_old_code_that_comes_later(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """The same file again, with the hash where it said that one would be set."""
    assert office.run(_BOB, more=("--user-codes", str(office.codes))) == 0
    capsys.readouterr()
    hashed = OldCodes().hash(OldCode("tilleul-1971"))
    assert (
        office.run(
            _BOB.replace("will-be-set", f'"{hashed}"'), more=("--user-codes", f"{office.codes}.2")
        )
        == 0
    )
    said = capsys.readouterr().out
    assert (_count(said, "enrolled"), _count(said, "there already")) == (0, 0)
    assert _count(said, "old codes") == 1
    assert hashed not in said
    assert Path(f"{office.codes}.2").read_bytes() == office.codes.read_bytes()


def test_a_broken_row(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is done, until who asks says that it may be left out."""
    codes = ("--user-codes", str(office.codes))
    assert office.run(_ANN, _EVE, _BOB, more=(*codes, "--errors", str(office.errors))) == 1
    said = capsys.readouterr().out
    assert "nothing was done" in said
    assert "Line 3, postcode: a French postcode has five digits." in said
    assert (office.imported, office.codes.exists()) == (0, False)
    assert stat.S_IMODE(office.errors.stat().st_mode) == 0o600
    (error,) = map(json.loads, office.errors.read_text(encoding="utf-8").splitlines())
    assert (error["line"], error["field"], error["trouble"]) == (3, "postcode", "postcode")
    assert error["text"].startswith("Line 3")
    assert office.again(*codes, "--skip-broken") == 3
    said = capsys.readouterr().out
    assert (_count(said, "enrolled"), _count(said, "refused")) == (2, 1)
    assert office.imported == 2


def test_many_errors(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """The first twenty one by one, and all of them counted by kind; no value of any row."""
    rows = [_ANN.replace("ANNA", f"A{n:03}").replace("893", "894") for n in range(30)]
    assert office.run(*rows, _BOB, more=("--dry-run",)) == 1
    said = capsys.readouterr()
    assert said.out.count("Luhn’s check fails") == 20
    assert "and 10 further errors" in said.out
    assert _count(said.out, "luhn") == 30
    shown = said.out + said.err
    assert not any(value in shown for value in (_PAN[:12], "Ann", "rue Basse"))


def test_an_excel_file(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Semicolons are told, and can be taken; so is UTF-16."""
    header, row = (text.replace(",", ";") for text in (_HEADER, _ANN))
    assert office.run(row, header=header) == 1
    assert "Add --delimiter semicolon" in capsys.readouterr().err
    assert office.again("--delimiter", "semicolon") == 0
    office.file.write_text(_HEADER + _ANN, encoding="utf-16")
    assert office.again() == 1
    assert "UTF-16" in capsys.readouterr().err
    office.file.write_text(_ANN, encoding="utf-8")
    assert office.again() == 1
    assert "Column 1 of the header is none" in capsys.readouterr().err


def test_json_lines(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """By the file's name, or by the option."""
    values = zip(_HEADER.strip().split(","), _ANN.strip().split(","), strict=True)
    office.file = office.folder / "customers.ndjson"
    assert office.run(json.dumps(dict(values)), header="") == 0
    office.file = office.folder / "customers.txt"
    assert office.run(_ANN) == 1
    assert "by --format" in capsys.readouterr().err
    assert office.again("--format", "csv") == 0
    assert _count(capsys.readouterr().out, "there already") == 1


def test_a_file_that_others_may_read(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said, for card numbers may stand in it; and it is read."""
    assert office.run(_ANN, more=("--dry-run",)) == 0
    assert capsys.readouterr().err == ""
    office.file.chmod(0o640)
    assert office.again("--dry-run") == 0
    assert "chmod 600" in capsys.readouterr().err


def test_which_user_codes(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """None is generated for nobody to read; those of ours can be checked."""
    assert office.run(_BOB) == 1
    assert "Say by --user-codes" in capsys.readouterr().out
    assert office.run(_ANN, more=("--check-characters",)) == 1
    assert "check character is not the right one" in capsys.readouterr().out


def test_no_file_is_written_over(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """What stands there may be of another import; what one that was cut off left is replaced."""
    office.codes.write_text("mine")
    assert office.run(_ANN, more=("--user-codes", str(office.codes))) == 1
    assert "this file exists" in capsys.readouterr().err
    office.errors.write_text("mine")
    assert office.again("--errors", str(office.errors)) == 1
    assert "this file exists" in capsys.readouterr().err
    assert (office.codes.read_text(), office.errors.read_text(), office.imported) == (
        "mine",
        "mine",
        0,
    )
    left = Path(f"{office.folder / 'new.csv'}.part")
    left.write_text("left")
    assert office.run(_BOB, more=("--user-codes", str(office.folder / "new.csv"))) == 0
    assert not left.exists()


def test_what_is_not_there(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """File, database, and the tables of this version."""
    assert office.again() == 1
    assert "customers.csv: the system refuses" in capsys.readouterr().err
    assert office.run(_ANN, more=("--database", f"sqlite:///{office.folder}/none.db")) == 1
    assert "there is no such database" in capsys.readouterr().err
    assert not (office.folder / "none.db").exists()
    migrate(office.url, to="0009")
    assert office.again() == 1
    assert "sesame database migrate" in capsys.readouterr().err


def test_which_keys(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of the keystore, which --key may repeat and not contradict; or those of --key."""
    assert office.run(_ANN, more=("--key", "01=dpa-01", "--dry-run")) == 0
    assert office.again("--key", "01=dpa-02") == 1
    assert "the keystore has no such key" in capsys.readouterr().err
    text = office.settings.read_text().replace('keystore = "keys"\n', 'custody = "socket"\n')
    office.settings.write_text(text.replace('keystore_passphrase_file = "phrase"\n', ""))
    assert office.again("--key", "01=dpa-01") == 1
    assert "does not answer" in capsys.readouterr().err


def test_an_import_that_is_cut_off(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and how to go on; the list of user codes has no name yet."""
    codes = office.codes

    real = Import.read

    async def cut_off(self: Import, *args: Any, **options: Any) -> Counts:  # noqa: ANN401 -- as they came
        counts = await real(self, *args, **options)
        if self.keep:
            raise KeyboardInterrupt
        return counts

    monkeypatch.setattr(Import, "read", cut_off)
    assert office.run(_ANN, _BOB, more=("--user-codes", str(codes))) == 130
    said = capsys.readouterr().out
    assert "run the same command again" in said
    assert _count(said, "enrolled") == 2
    assert not codes.exists()
    monkeypatch.undo()
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setattr(customers, "harden", lambda: None)
    assert office.again("--user-codes", str(codes)) == 0
    assert _count(capsys.readouterr().out, "there already") == 2
    assert "R-7" in codes.read_text()


def _meanwhile(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Have *do* happen once an import that keeps its customers has enrolled them all."""
    real = Import.read

    async def read(self: Import, *args: Any, **options: Any) -> Counts:  # noqa: ANN401 -- as they came
        counts = await real(self, *args, **options)
        if self.keep:
            monkeypatch.setattr(Import, "read", real)
            await asyncio.to_thread(do)
        return counts

    monkeypatch.setattr(Import, "read", read)


def test_the_same_command_twice_at_once(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is refused, and takes nothing of the first one's user codes away."""
    codes = ("--user-codes", str(office.codes))
    second: list[int] = []
    _meanwhile(monkeypatch, lambda: second.append(office.again(*codes)))
    assert office.run(_ANN, _BOB, more=codes) == 0
    assert second == [1]
    assert "another command is writing this file" in capsys.readouterr().err
    assert "R-7" in office.codes.read_text()


def test_user_codes_that_somebody_else_made_meanwhile(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stay; ours are where it is said."""
    _meanwhile(monkeypatch, lambda: office.codes.write_text("mine"))
    assert office.run(_ANN, _BOB, more=("--user-codes", str(office.codes))) == 1
    assert "codes.csv.part: give it another name" in capsys.readouterr().err
    assert office.codes.read_text() == "mine"
    assert "R-7" in Path(f"{office.codes}.part").read_text()


def test_the_errors_of_the_same_command_again(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replace those of a dry run, and of an import that was cut off."""
    more = ("--errors", str(office.errors), "--skip-broken")

    def interrupt() -> None:
        raise KeyboardInterrupt

    assert office.run(_ANN, _EVE, more=("--dry-run", *more)) == 1
    before = office.errors.read_bytes()
    _meanwhile(monkeypatch, interrupt)
    assert office.again(*more) == 130
    assert "run the same command again" in capsys.readouterr().out
    assert office.errors.read_bytes() == before
    assert office.again(*more) == 3
    assert office.errors.read_bytes() == before
    office.file.write_text(_HEADER + _ANN)
    for _ in range(2):  # over an error, over nothing
        assert office.again(*more) == 0
        assert office.errors.read_bytes() == b""
    assert not Path(f"{office.errors}.part").exists()


def test_what_can_be_known_before(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """Is said before anything is done, and nothing else: nothing was broken off."""
    office.codes.write_text("mine")
    folder = office.folder / "none"
    for name, words in ((office.codes, "this file exists"), (folder / "c", "No such file")):
        assert office.run(_ANN, more=("--skip-broken", "--user-codes", str(name))) == 1
        said = capsys.readouterr()
        assert words in said.err
        assert said.out == ""
    assert office.run(_ANN, more=("--skip-broken",), header="") == 1
    said = capsys.readouterr()
    assert "Column 1 of the header is none" in said.err
    assert said.out == ""
    assert office.imported == 0


def test_a_bar_where_there_is_a_terminal(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nowhere else, so that a log stays readable."""

    class Terminal(StringIO):
        """A screen."""

        def isatty(self) -> bool:
            """It is one."""
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert office.run(_ANN) == 0
    assert "Checking" in screen.getvalue()
    assert "Enrolling" in screen.getvalue()
    assert "Enrolling" not in capsys.readouterr().out


def test_every_trouble_has_words() -> None:
    """Of a line or of the file."""
    told = {*import_words.PROBLEMS, *import_words.FILE}
    assert told == set(Trouble)
