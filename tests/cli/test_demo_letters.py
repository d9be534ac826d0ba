"""`sesame demo --letters`: what the demonstration's bank posts, read as others read it."""

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shutil import which

import pytest
from pypdf import PdfReader

from sesame.bank.customer_row import Row, Rules, read_row
from sesame.bank.importing import countries
from sesame.card.card_file import open_card
from sesame.cli.main import main
from sesame.demonstration import occupied
from sesame.simulator.drawer import DemoCustomer, Drawer, Kind, load
from tests.bank.branch import quick_old_codes
from tests.cli.at_terminal import on_a_terminal
from tests.contract.running import sesame

_COUNTS = {"card": 5, "pin": 2, "reader": 5, "welcome": 5, "sheet": 8}
_GROUPED = r"[0-9]{4}-[0-9]{4}"


@dataclass(frozen=True)
class _Letters:
    """A folder of letters, and the demonstration that they are of."""

    folder: Path
    data: Path
    printed: str

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """The words of each, as `pdftotext` finds them, with plain spaces."""
        return {path.name: _text_of(path) for path in sorted(self.folder.iterdir())}

    @cached_property
    def drawer(self) -> Drawer:
        return load(self.data / "simulator.json")

    def of(self, kind: str, customer: DemoCustomer) -> str:
        """The one letter of *kind* to *customer*."""
        (text,) = (
            text
            for name, text in self.texts.items()
            if name.startswith(f"{kind}-") and customer.name in text
        )
        return text


def _text_of(path: Path) -> str:
    command = [which("pdftotext") or "pdftotext", str(path), "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split())


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> _Letters:
    """Of a new demonstration, with a space in the names of both folders."""
    above = tmp_path_factory.mktemp("post")
    data, folder = above / "a demonstration", above / "all letters"
    done = sesame("demo", "--data", str(data), "--letters", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    return _Letters(folder, data, done.stdout)


def _write(data: Path, folder: Path, *more: str) -> int:
    """The command in this process, which knows Typst already; its status."""
    return main(["demo", "--data", str(data), "--letters", str(folder), *more])


def test_names_say_the_kind_and_all_are_there(letters: _Letters) -> None:
    """A letter of each kind for each customer, a PIN for Sésame cards alone, and eight sheets."""
    names = [path.name for path in letters.folder.iterdir()]
    assert Counter(name.partition("-")[0] for name in names) == _COUNTS
    assert all(re.fullmatch(r"[a-z]+-[A-Za-z0-9-]+\.pdf", name) for name in names)
    assert all(PdfReader(letters.folder / name).pages for name in names)
    assert {name for name in names if name.startswith("sheet")} == {
        f"sheet-{card}-{language}-{size}.pdf"
        for card in ("bank", "sesame")
        for language in ("fr", "en")
        for size in ("normal", "large-print")
    }
    for kind, count in _COUNTS.items():
        assert re.search(rf"{kind}-\*\.pdf +{count} ", letters.printed)
    assert "25 PDF" in letters.printed


def test_they_are_their_owners_alone(letters: _Letters) -> None:
    """Folder 0700, files 0600; nothing else was left beside them."""
    assert letters.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in letters.folder.iterdir()} == {0o600}
    assert (letters.data / "letters.seed").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in letters.folder.parent.iterdir()} == {
        "a demonstration",
        "all letters",
    }


def test_the_pin_is_that_of_the_simulators_file(letters: _Letters) -> None:
    """In its own letter, where its digits stand apart, and in no other; none of a bank card."""
    posted = {name: text for name, text in letters.texts.items() if not name.startswith("sheet-")}
    for customer in letters.drawer.customers:
        spaced = rf"(?<![0-9-]){' ?'.join(customer.pin)}(?![0-9-])"
        found = [name for name, text in posted.items() if re.search(spaced, text)]
        if customer.kind is Kind.SESAME:
            assert len(found) == 1
            assert found[0].startswith("pin-")
            assert customer.name in posted[found[0]]
        else:
            assert not found


def test_a_user_code_stands_in_a_welcome_letter_alone(letters: _Letters) -> None:
    """And the old code in none."""
    for customer in letters.drawer.customers:
        found = [name for name, text in letters.texts.items() if customer.user_code in text]
        assert len(found) == 1
        assert found[0].startswith("welcome-")
        assert customer.user_code in letters.of("welcome", customer)
        assert not any(customer.old_code in text for text in letters.texts.values())


def test_an_activation_number_stands_in_a_readers_letter_alone(letters: _Letters) -> None:
    """Of a Sésame card, with the serial number; another for each customer."""
    told = {
        customer.user_code: re.findall(_GROUPED, letters.of("reader", customer))
        for customer in letters.drawer.customers
    }
    for customer in letters.drawer.customers:
        serial_alone = customer.kind is Kind.BANK
        assert len(told[customer.user_code]) == (1 if serial_alone else 2)
    assert len({number for numbers in told.values() for number in numbers}) == 7
    for name, text in letters.texts.items():
        if not name.startswith("reader-"):
            # A reference has letters; should one have none, it stands in its name too.
            assert set(re.findall(_GROUPED, text)) <= {name.partition("-")[2][:9]}


def test_no_letter_of_a_bank_card_speaks_of_activation(letters: _Letters) -> None:
    """As `/activation` says: there is nothing to activate; nor does a PIN come apart."""
    for customer in letters.drawer.customers:
        card, reader = letters.of("card", customer), letters.of("reader", customer)
        bank, english = customer.kind is Kind.BANK, "Dear customer" in card
        nothing = "nothing to activate" if english else "il n’y a rien à activer"
        number = "activation number" if english else "numéro d’activation"
        assert (nothing in card) == bank
        assert (number in card) != bank
        assert (number in reader.lower()) != bank


def test_no_letter_has_the_number_of_a_card(letters: _Letters) -> None:
    """Neither one of these cards nor anything as long, whatever stands between the digits."""
    pans = [_pan_of(customer.card) for customer in letters.drawer.customers]
    assert len({*pans}) == 5
    for text in letters.texts.values():
        assert not re.search(r"(?:[0-9][ -]?){13,}", text)
        assert not any(pan[-8:] in re.sub("[ -]", "", text) for pan in pans)


def _pan_of(card: Path) -> str:
    with open_card(card) as chip:
        return chip._image.data.pan.digits  # noqa: SLF001 -- no command tells it whole


def test_each_customer_is_written_to_as_they_read(letters: _Letters) -> None:
    """In their language and size; name and address stand in each letter, on its first page."""
    french = letters.of("welcome", letters.drawer.customers[0])
    english = letters.of("welcome", letters.drawer.customers[1])
    assert "Bienvenue sur Coop@net" in french
    assert "Welcome to Coop@net" in english
    assert "3 quai des Inventions 99120 VAL-FICTIF" in english
    sizes = Counter(
        round(max(_sizes(letters.folder / name)))
        for name in letters.texts
        if name.startswith("welcome-")
    )
    assert sorted(sizes.values()) == [1, 4]
    assert sizes[max(sizes)] == 1  # the large print


def _sizes(path: Path) -> list[float]:
    sizes: list[float] = []
    PdfReader(path).pages[0].extract_text(
        visitor_text=lambda _, __, ___, ____, size: sizes.append(size)
    )
    return sizes


def test_references_say_nothing_of_each_other(letters: _Letters) -> None:
    """Each letter has one of its own."""
    references = [name.partition("-")[2] for name in letters.texts if not name.startswith("sheet-")]
    assert len(set(references)) == 17


def test_the_second_run_writes_the_same_bytes(letters: _Letters, tmp_path: Path) -> None:
    """Also while the demonstration runs; --reset makes other letters, as it makes other cards."""
    with occupied(letters.data):  # as one that runs has it
        assert _write(letters.data, tmp_path / "new" / "again") == 0
    again = {path.name: path.read_bytes() for path in (tmp_path / "new" / "again").iterdir()}
    assert again == {path.name: path.read_bytes() for path in letters.folder.iterdir()}
    data = shutil.copytree(letters.data, tmp_path / "data")
    assert _write(data, tmp_path / "anew", "--reset") == 0
    anew = {path.name for path in (tmp_path / "anew").iterdir()}
    assert anew & again.keys() == {name for name in again if name.startswith("sheet-")}


def test_a_demonstration_of_before_gets_its_seed(
    letters: _Letters, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that an older version made: nothing else of it is made anew, nor while it runs."""
    data = shutil.copytree(letters.data, tmp_path / "data")
    (data / "letters.seed").unlink()
    before = (data / "keystore.json").read_bytes()
    with occupied(data):
        assert _write(data, tmp_path / "letters") == 1
    assert str(data) in capsys.readouterr().err
    assert _write(data, tmp_path / "letters") == 0
    assert len((data / "letters.seed").read_bytes()) == 43
    assert (data / "keystore.json").read_bytes() == before


def test_where_letters_go_stands_in_the_bank_as_an_import_writes_it(letters: _Letters) -> None:
    """Each of the five would pass the rules of an import."""
    with sqlite3.connect(letters.data / "bank.db") as database:
        database.row_factory = sqlite3.Row
        found = database.execute(
            "SELECT c.name, c.language, d.* FROM customers c JOIN customer_details d "
            "USING (bucket, user_code)"
        ).fetchall()
    assert len(found) == 5
    rules = Rules(countries=countries(), keys={}, check_hash=quick_old_codes().check_hash)
    for details in found:
        names = ("line_2", "line_3", "line_4", "line_5", "postcode", "city", "country")
        fields = {
            name: details[name] for name in ("user_code", "name", "language", "letter_format")
        }
        fields |= {name: details[name] for name in names}
        row = read_row(1, fields | {"card_kind": "sesame", "old_code_hash": "will-be-set"}, rules)
        assert isinstance(row, Row)
        assert [getattr(row.details.address, name) for name in names] == [
            details[name] for name in names
        ]
        assert details["postcode"].startswith("99")  # of nowhere in France
    assert Counter(details["letter_format"] for details in found) == {
        "normal": 4,
        "large-print": 1,
    }
    assert Counter(details["language"] for details in found) == {"fr": 4, "en": 1}


def test_a_folder_that_holds_something_is_left_alone(
    letters: _Letters, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence that names it, and no demonstration is made for nothing."""
    (tmp_path / "holiday.jpg").write_bytes(b"sea")
    data = tmp_path.with_name(f"{tmp_path.name}-data")
    for folder in (tmp_path, tmp_path / "holiday.jpg"):
        assert _write(data, folder) == 1
        assert _one_line(capsys).startswith(str(folder))
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]
    assert not data.exists()
    assert _write(letters.data, letters.folder) == 1  # the same again
    assert len(list(letters.folder.iterdir())) == 25


def test_a_folder_of_something_else_is_no_demonstration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stays as it is, and nothing is written."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "holiday.jpg").touch()
    assert _write(data, tmp_path / "letters") == 1
    assert _one_line(capsys).startswith(str(data))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_path_that_the_system_refuses(
    letters: _Letters, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its reason is told."""
    (tmp_path / "file").touch()
    assert _write(letters.data, tmp_path / "file" / "letters") == 1
    assert _one_line(capsys).startswith(str(tmp_path / "file"))


def test_somebody_whom_no_demonstration_has(
    letters: _Letters, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A drawer that was written by hand."""
    data = shutil.copytree(letters.data, tmp_path / "data")
    drawer = data / "simulator.json"
    drawer.write_text(drawer.read_text().replace("NESLF375", "NESLF376"))
    assert _write(data, tmp_path / "letters") == 1
    assert "simulator.json\u00a0: il manque le tiroir de cartes" in _one_line(capsys)
    assert not (tmp_path / "letters").exists()


def test_without_typst(
    letters: _Letters,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What to install."""
    monkeypatch.setitem(sys.modules, "typst", None)
    monkeypatch.delitem(sys.modules, "sesame.letters.typesetting", raising=False)
    assert _write(letters.data, tmp_path / "letters") == 1
    assert "pip install 'sesame[letters]'" in _one_line(capsys)
    assert not list(tmp_path.iterdir())


def _one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """All that was said: on standard error, without a trace."""
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_killed_before_the_last_letter_nothing_has_its_name(
    letters: _Letters, tmp_path: Path, ending: signal.Signals
) -> None:
    """Asked politely, nothing is left at all; and the next run writes all of them."""
    folder = tmp_path / "letters"
    ended = _ended(ending, letters.data, folder)
    assert ended.returncode == (130 if ending is signal.SIGTERM else -ending)
    left = [".letters.part"] if ending is signal.SIGKILL else []
    assert [path.name for path in tmp_path.iterdir()] == left
    if left:
        assert len(list((tmp_path / ".letters.part").iterdir())) == 3
        assert _write(letters.data, folder) == 0
        assert [path.name for path in tmp_path.iterdir()] == ["letters"]
        assert len(list(folder.iterdir())) == 25


def _ended(
    ending: signal.Signals, data: Path, folder: Path
) -> "subprocess.CompletedProcess[bytes]":
    """The command in a process of its own, which gets *ending* with three letters written."""
    run = (
        "import os, sys, sesame.letters.batch as batch\n"
        "from sesame.cli.main import main\n"
        "def sha256(_, count=iter((1, 2, 3))):\n"
        f"    if next(count) == 3: os.kill(os.getpid(), {int(ending)})\n"
        "    return __import__('hashlib').sha256()\n"
        "batch.sha256 = sha256\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", run, "demo", "--data", str(data), "--letters", str(folder)]
    return subprocess.run(command, capture_output=True, check=False)


def test_progress_is_shown_on_a_terminal(letters: _Letters, tmp_path: Path) -> None:
    """How many of all, on standard error; the counts on standard output."""
    status, printed, shown = on_a_terminal(
        "demo", "--data", letters.data, "--letters", tmp_path / "letters", typed=[]
    )
    assert status == 0
    assert "25 PDF" in printed
    assert "25/25" in shown
