"""`sesame issuing`: cards for the bureau, four batches of letters, and what each command says."""

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from pypdf import PdfReader

from sesame import app
from sesame.bank.help_line import hand_over, order_for_counter
from sesame.bank.issuing import NoRoom, NoticeGone, PinGone
from sesame.bank.user_code import UserCode
from sesame.card.errors import NameUnprintable
from sesame.catalogue import Language
from sesame.cli import issuing
from sesame.cli.main import main
from sesame.cli.sentences import sentence
from sesame.errors import SesameError
from sesame.letters.errors import AddressTooLong, MalformedLetter, UnprintableText
from sesame.store.engine import open_store
from sesame.store.schema import migrate
from tests.bureaux import Works, bureau, open_works
from tests.desk.caller import call_of

Answer = TypeVar("Answer")


class Console:
    """The computer of the issuers, and the moment it shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "settings.toml"
        self.settings.write_text(
            'database = "sqlite:///bank.db"\nkeystore = "keys"\n'
            'keystore_passphrase_file = "phrase"\npublic_url = "http://127.0.0.1:8000"\n'
            "demonstration = true\n"
        )
        certificate, key = bureau()
        (folder / "bureau.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        private = folder / "bureau.key"
        private.touch(mode=0o600)
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.url = f"sqlite:///{folder / 'bank.db'}"
        self.codes: list[str] = []
        self.works: Works | None = None
        self.officer = ""
        self.now = datetime.now(UTC)
        migrate(self.url)

    def __call__(self) -> datetime:
        """The time."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def open(self) -> str:
        """Staff, two customers, and a grant; the user code of the first."""
        with asyncio.Runner() as runner:
            works = runner.run(open_works(self.url, self.folder))
            works.clock.time = self.now
            user_code = runner.run(works.new_customer("Nora Lebrun"))
            runner.run(works.new_customer("Nils Olsen"))
            runner.run(self._granted(works))
            self.codes = [person.typed for person in works.issuers]
            self.officer = works.office.paul.typed
            self.works = works
            runner.run(works.bank.store.close())
        return user_code

    def at_the_desk(self, act: Callable[[Works], Coroutine[None, None, Answer]]) -> Answer:
        """What somebody at the desk does now."""
        works = self.works
        assert works is not None
        works.clock.time = self.now
        works.office.town.bank = replace(works.bank, store=open_store(self.url))
        with asyncio.Runner() as runner:
            done = runner.run(act(works))
            runner.run(works.bank.store.close())
        return done

    async def _granted(self, works: Works) -> None:
        await works.office.agree(works.office.paul, await works.ask())

    def run(self, action: str, *more: str, by: int = 0) -> int:
        """The exit status of an action."""
        named = ["--settings", str(self.settings), "--by", self.codes[by]]
        return main(["issuing", action, *more, *named])


@pytest.fixture
def console(tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    """That computer, in English; this process may be looked into by those after it."""
    assert secret.parent == tmp_path
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setattr(issuing, "harden", lambda: None)
    console = Console(tmp_path)
    monkeypatch.setattr(app, "utc_now", console)
    monkeypatch.setattr(issuing, "utc_now", console)
    return console


def _batch(said: str) -> str:
    (batch,) = re.findall(r"^Batch (\S+): [0-9]+ letters in", said, re.MULTILINE)
    return str(batch)


def test_a_course_at_the_console(
    console: Console, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the grant to a virtual card, and each batch to its end; nothing secret is said."""
    user_code = console.open()
    made = ("--bureau", str(tmp_path / "bureau.pem"), "--out", str(tmp_path / "cards.cms"))
    assert console.run("make", *made) == 0
    said = capsys.readouterr().out
    assert "Ordered as granted: 2." in said
    assert "2 cards in" in said
    assert console.run("make", *made) == 1
    assert "there is something here already" in capsys.readouterr().err
    opened = ("--key", str(tmp_path / "bureau.key"), "--folder", str(tmp_path / "virtual"))
    assert main(["bureau", "open", str(tmp_path / "cards.cms"), *opened]) == 0
    assert len(list((tmp_path / "virtual").glob("*.card"))) == 2
    (tmp_path / "readers.csv").write_text("serial,model\nA-1,R1\nA-2,R1\n", encoding="utf-8")
    (tmp_path / "endless.csv").write_text(f"A-1\n{'x' * 200_000}\n")
    assert console.run("readers", str(tmp_path / "endless.csv")) == 1
    assert "endless.csv: nothing came in. Line 2: it is far too" in capsys.readouterr().err
    assert console.run("readers", str(tmp_path / "readers.csv")) == 0
    assert "R1: came in 2 = in stock 2" in capsys.readouterr().out
    for kind, by in (("card", 0), ("pin", 1), ("reader", 2), ("welcome", 0)):
        console.now += timedelta(days=10)
        folder = tmp_path / kind
        assert console.run("letters", kind, "--folder", str(folder), by=by) == 0
        said = capsys.readouterr().out
        assert "2 letters in" in said
        batch = _batch(said)
        assert console.run("destroy", batch, "--printed", "1", "--folder", str(folder)) == 1
        assert "Nothing was destroyed" in capsys.readouterr().err
        assert console.run("posted", batch, "--date", "2020-01-01") == 1
        assert console.run("posted", batch, "--date", "yesterday") == 1
        capsys.readouterr()
        assert console.run("posted", batch) == 0
        assert console.run("destroy", batch, "--printed", "2", "--folder", str(folder)) == 0
        assert not list(folder.glob("*.pdf"))
        assert "posted." in capsys.readouterr().out
    assert console.run("status") == 0
    said = capsys.readouterr().out
    assert "reader   for you to print: 0, due in all: 0" in said
    assert "R1: came in 2 = in stock 0 + sent 2" in said
    assert user_code not in said
    assert console.run("reader", "A-1", "return") == 0
    assert console.run("reader", "A-1", "return") == 1
    assert "unknown, or not where" in capsys.readouterr().err
    assert console.run("welcome", user_code) == 0
    assert "planned for today" in capsys.readouterr().out


def test_a_card_that_was_handed_over_before(
    console: Console, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`posted` names it, and leaves its day: the PIN letter counts from what came first."""
    console.open()

    async def order(works: Works) -> UserCode:
        user_code = await works.new_customer("Omar Said")
        await order_for_counter(works.bank, call_of(works.office, user_code))
        return user_code

    async def give(works: Works) -> None:
        await hand_over(works.bank, call_of(works.office, user_code))

    user_code = console.at_the_desk(order)
    made = ("--bureau", str(tmp_path / "bureau.pem"), "--out", str(tmp_path / "cards.cms"))
    assert console.run("make", *made) == 0
    console.now += timedelta(days=4)
    folder = tmp_path / "card"
    assert console.run("letters", "card", "--folder", str(folder)) == 0
    batch = _batch(capsys.readouterr().out)
    (reference,) = (
        path.stem.partition("-")[2]
        for path in folder.glob("*.pdf")
        if "Remis au guichet" in _words(path)
    )
    console.at_the_desk(give)
    console.now += timedelta(days=1)
    assert console.run("posted", batch) == 0
    said = capsys.readouterr().out
    assert "were handed over the counter before that day" in said
    assert said.splitlines()[-1] == f"  {reference}"
    assert "void" not in said


def test_mail_that_came_back(
    console: Console, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what stopped, and how it is sent again: once, and only with the address checked."""
    console.open()
    made = ("--bureau", str(tmp_path / "bureau.pem"), "--out", str(tmp_path / "cards.cms"))
    assert console.run("make", *made) == 0
    console.now += timedelta(days=4)
    folder = tmp_path / "card"
    assert console.run("letters", "card", "--folder", str(folder), "--most", "1") == 0
    assert console.run("posted", _batch(capsys.readouterr().out)) == 0
    (letter,) = folder.glob("*.pdf")
    reference = letter.stem.partition("-")[2]
    assert console.run("returned", reference.lower()) == 0
    said = capsys.readouterr().out
    assert f"{reference} (card letter)" in said
    assert "The card will never serve" in said
    assert console.run("returned", reference) == 1
    with pytest.raises(SystemExit):
        console.run("again", reference)
    capsys.readouterr()
    assert console.run("again", reference, "--address-checked") == 0
    assert "another card is ordered" in capsys.readouterr().out
    assert console.run("again", reference, "--address-checked") == 1


def test_slips_are_answered_in_french(
    console: Console,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whole: a mistyped staff code, a list that is none, another count of letters on paper."""
    console.open()
    made = ("--bureau", str(tmp_path / "bureau.pem"), "--out", str(tmp_path / "cards.cms"))
    assert console.run("make", *made) == 0
    console.now += timedelta(days=4)
    folder = tmp_path / "card"
    assert console.run("letters", "card", "--folder", str(folder)) == 0
    batch = _batch(capsys.readouterr().out)
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    whole, console.codes = console.codes, [console.codes[0][:-1] + "0"]
    assert console.run("status") == 1
    assert capsys.readouterr().err == (
        "Un code d’agent a sept caractères, lettres et chiffres, et le dernier vérifie les "
        "autres\u00a0: relisez-le, il n’y a ni 0, ni 1, ni I, ni O.\n"
    )
    console.codes = whole
    file = tmp_path / "readers.csv"
    file.write_text("A-1\nA-1\n", encoding="utf-8")
    assert console.run("readers", str(file)) == 1
    assert capsys.readouterr().err == (
        f"{file}\u00a0: rien n’est entré. Ligne 2\u00a0: A-1 y est une seconde fois. Ôtez-en une.\n"
    )
    assert console.run("destroy", batch, "--printed", "3", "--folder", str(folder)) == 1
    assert capsys.readouterr().err == (
        f"{folder}\u00a0: ce lot a 2 lettres, et 3 sont dites sur papier. Rien n’a été "
        "détruit\u00a0: recomptez, ou imprimez ce qui manque.\n"
    )
    assert console.run("destroy", batch, "--printed", "2", "--folder", str(tmp_path)) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        f"{tmp_path / 'manifest.json'}\u00a0: le système refuse (No such file or directory)."
    )
    assert len(list(folder.glob("*.pdf"))) == 2


def test_who_is_no_issuer(
    console: Console, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is done; and a reader too few is told by its number."""
    console.open()
    made = ("--bureau", str(tmp_path / "bureau.pem"), "--out", str(tmp_path / "cards.cms"))
    whole = console.codes
    console.codes = [console.officer]
    assert console.run("make", *made) == 1
    assert "not that of somebody who issues cards" in capsys.readouterr().err
    assert not (tmp_path / "cards.cms").exists()
    console.codes = whole
    for wrong in ("0", "99999999999999999999"):
        with pytest.raises(SystemExit):
            console.run("make", *made, "--most", wrong)
    assert console.run("make", *made) == 0
    console.now += timedelta(days=4)
    assert console.run("letters", "card", "--folder", str(tmp_path / "card")) == 0
    batch = _batch(capsys.readouterr().out)
    assert console.run("posted", batch) == 0
    console.now += timedelta(days=30)
    assert console.run("letters", "reader", "--folder", str(tmp_path / "reader"), by=2) == 1
    assert "2 readers are missing in stock for 2 parcels" in capsys.readouterr().err
    assert not (tmp_path / "reader").exists()


def test_without_typst(
    console: Console,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says what to install."""
    console.open()
    monkeypatch.setitem(sys.modules, "sesame.posting", None)
    assert console.run("letters", "card", "--folder", str(tmp_path / "card")) == 1
    assert "sesame[letters]" in capsys.readouterr().err


def _words(path: Path) -> str:
    pages = PdfReader(path).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_the_sheets_of_a_bank(
    console: Console, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both, in both languages and sizes, with its own name and numbers; nobody has to say who."""
    with console.settings.open("a", encoding="utf-8") as settings:
        settings.write(
            '[institution]\nname = "Banque des Quais"\nportal = "Quai en ligne"\n'
            'telephone = "01 99 00 77 77"\n'
        )
    folder = tmp_path / "sheets"
    named = ["issuing", "sheets", "--settings", str(console.settings), "--folder", str(folder)]
    assert main(named) == 0
    assert "8 instruction sheets" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {
        f"sheet-{card}-{language}-{size}.pdf"
        for card in ("bank", "sesame")
        for language in ("fr", "en")
        for size in ("normal", "large-print")
    }
    for path in folder.iterdir():
        words = _words(path)
        assert "Banque des Quais" in words
        assert "Quai en ligne" in words
        assert "01 99 00 77 77" in words
        assert "Coop@net" not in words
        assert "01 99 00 26 40" not in words
    assert "Activate it first" in _words(folder / "sheet-sesame-en-normal.pdf")
    assert main(named) == 1
    assert "there is something here already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "why",
    [
        NoRoom(2, 2),
        NoticeGone(),
        PinGone("7QK4-XM2P"),
        AddressTooLong("7QK4-XM2P"),
        UnprintableText("7QK4-XM2P"),
        MalformedLetter("an address has 1 to 5 lines below the name, not 6"),
        NameUnprintable(),
    ],
    ids=lambda why: type(why).__name__,
)
def test_what_is_left_out_is_said_in_the_catalogue(why: SesameError) -> None:
    """In the reader's language; it sends nobody to a command that there is not."""
    french, english = sentence(why, Language.FRENCH), sentence(why, Language.ENGLISH)
    assert len({french, english, str(why)}) == 3
    assert "{" not in french + english
    assert not re.search("retirez|retire one|cancel", french + english)
