"""`sesame customers cards`: a rehearsal, what two persons have to agree to, and then the cards."""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sesame.bank.bank_cards import Giving, ask_for_bank_cards
from sesame.bank.details import WantedCard
from sesame.bank.user_code import UserCode
from sesame.cli import bank_cards
from sesame.cli.main import main
from sesame.store.schema import migrate
from tests.bank.test_bank_cards import HEADER, digest, pan_of
from tests.bureaux import Works, open_works
from tests.desk.office import ADDRESS


class Console:
    """The card service's file, and the command that gives its cards."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        self.folder, self.runner = folder, runner
        self.file = folder / "cards.csv"
        self.settings = folder / "settings.toml"
        self.settings.write_text(
            'database = "sqlite:///bank.db"\nkeystore = "keys"\n'
            'keystore_passphrase_file = "phrase"\npublic_url = "http://127.0.0.1:8000"\n'
            "demonstration = true\n"
        )
        url = f"sqlite:///{folder / 'bank.db'}"
        migrate(url)
        self.works: Works = runner.run(open_works(url, folder))
        self.works.clock.time = datetime.now(UTC)  # the console's clock is the machine's
        self.nora: UserCode = runner.run(self.works.new_customer("Nora Weil", WantedCard.BANK))
        self.otto: UserCode = runner.run(self.works.new_customer("Otto Weil", WantedCard.BANK))

    def row(self, pan: str) -> str:
        """A card for Nora."""
        return f"{self.nora},,Nora Weil,{pan},00,01,,\n"

    def write(self, *rows: str) -> None:
        """Have the file say so."""
        self.file.touch(mode=0o600)
        self.file.write_text(HEADER + "".join(rows), encoding="utf-8")

    def run(self, *more: str) -> int:
        """The exit status of the command."""
        named = ["--settings", str(self.settings), "--by", "Aubry"]
        return main(["customers", "cards", str(self.file), *named, *more])

    def grant(self) -> None:
        """Have an issuer ask for the file as it is, and an officer agree."""
        works, file = self.works, self.file.read_bytes()
        asking = ask_for_bank_cards(
            works.bank,
            works.office.staff(works.issuers[0]),
            digest(file),
            file.count(b"\n") - 1,
            reason="Envoi du 2 mars",
            address=ADDRESS,
        )
        asked = self.runner.run(asking)
        self.runner.run(works.office.agree(works.office.paul, asked))

    @property
    def cards(self) -> int:
        """How many Nora has."""
        return len(self.runner.run(self.works.bank.store.read_access(self.nora)).cards)


@pytest.fixture
def console(tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """One that speaks English; this process may be looked into by those after it."""
    assert secret == tmp_path / "phrase"
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setattr(bank_cards, "harden", lambda: None)
    with asyncio.Runner() as runner:
        console = Console(tmp_path, runner)
        yield console
        runner.run(console.works.bank.store.close())


def _counts(said: str) -> dict[str, int]:
    """The numbers of a report, by their names."""
    lines = re.findall(r"^  ([a-z ]+?) +([\d,]+)$", said, re.MULTILINE)
    return {name: int(number.replace(",", "")) for name, number in lines}


def test_two_agree_and_it_is_given(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """Unasked, nothing; what to ask for is said. Then once, and again there is nothing to do."""
    console.write(console.row(pan_of(2)))
    assert console.run() == 4
    said = capsys.readouterr().out
    assert "nothing was done" in said
    assert "/guichet/demandes/cartes-bancaires" in said
    assert f"SHA-256        {digest(console.file.read_bytes())}" in said
    assert _counts(said) == {
        "rows read": 1,
        "to give": 1,
        "to end": 0,
        "there already": 0,
        "refused": 0,
    }
    assert console.cards == 1
    console.grant()
    assert console.run("--dry-run") == 0
    assert "a dry run, nothing is kept" in capsys.readouterr().out
    assert console.cards == 1
    assert console.run() == 0
    said = capsys.readouterr().out
    assert _counts(said) == {
        "rows read": 1,
        "given": 1,
        "ended": 0,
        "there already": 0,
        "refused": 0,
    }
    assert console.cards == 2
    assert console.run() == 0
    assert _counts(capsys.readouterr().out)["there already"] == 1
    assert console.cards == 2


def test_a_broken_row(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told, in a file too, without what stands in it; the others go in where that is said."""
    console.write(console.row(pan_of(2)), f"{console.otto},,Nora Weil,{pan_of(3)},00,01,,\n")
    console.grant()
    errors = console.folder / "errors.jsonl"
    assert console.run("--errors", str(errors)) == 1
    said = capsys.readouterr()
    assert "Line 3, name: the customer who is enrolled has another name." in said.out
    assert "nothing was done" in said.out
    assert console.cards == 1
    (one,) = [json.loads(line) for line in errors.read_text(encoding="utf-8").splitlines()]
    assert (one["line"], one["field"], one["trouble"]) == (3, "name", "another-name")
    assert console.run("--dry-run") == 1
    assert console.run("--skip-broken", "--errors", str(errors)) == 3
    assert console.cards == 2
    everything = capsys.readouterr()
    for text in (said.out, said.err, everything.out, everything.err, errors.read_text("utf-8")):
        assert pan_of(2) not in text
        assert pan_of(3) not in text
        assert "Weil" not in text


def test_a_file_of_an_import(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """Its columns are none of this file, and it is said which."""
    console.file.write_text("user_code,name,city,pan,psn,dki\n", encoding="utf-8")
    assert console.run() == 1
    assert "Column 3 of the header is none." in capsys.readouterr().err


def test_nothing_to_give(
    console: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A header alone, or more than is read at once: nobody is asked to agree to that."""
    console.write()
    assert console.run() == 1
    assert "This file is empty" in capsys.readouterr().err
    console.write(console.row(pan_of(2)))
    monkeypatch.setattr(bank_cards, "_LARGEST", 20)
    assert console.run() == 1
    assert "Make several files of it" in capsys.readouterr().err


def test_cut_off(
    console: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was given is told before what went wrong, and the same command does the rest."""
    monkeypatch.setattr("sesame.bank.bank_cards._BATCH", 1)
    console.write(console.row(pan_of(2)), console.row(pan_of(2)[:-1] + "x"))
    console.grant()
    read = Giving.read

    async def stop(giving: Giving, *given: object, **named: object) -> None:
        await read(giving, *given, **named)  # type: ignore[arg-type]  # as they were given
        if giving.grant is not None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Giving, "read", stop)
        assert console.run("--skip-broken") == 130
    said = capsys.readouterr().out
    assert "cut off" in said
    assert _counts(said) == {
        "rows read": 2,
        "given": 1,
        "ended": 0,
        "there already": 0,
        "refused": 1,
    }
    assert console.run("--skip-broken") == 3
    assert _counts(capsys.readouterr().out)["there already"] == 1
