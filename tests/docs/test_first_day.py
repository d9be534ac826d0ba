"""The tutorial of a first day is walked as it is written: its files, its commands, its pages.

A command of `sesame` is run in this process, whose clock can be moved; the servers are its own
applications at two doors of this machine; pages are read and pressed by their words in Chromium.
"""

import csv
import re
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader

from sesame import app
from sesame.cap.token import Code
from sesame.cli import bureau, customers, issuing, staff, staff_cards
from sesame.cli.main import main, parser
from sesame.emv.pin import Pin
from sesame.reader.code import make_code
from sesame.reader.virtual_slot import VirtualSlot
from sesame.settings import read_settings
from tests.bureaux import POST
from tests.chromium import PATIENCE, launch_here
from tests.cli.at_terminal import on_a_terminal

pytestmark = pytest.mark.needs("chromium")

_TUTORIAL = Path(__file__).parent.parent.parent / "docs" / "tutorial" / "first-day.md"
_STEP = re.compile(
    r"    (?P<command>.+)"
    r"|(?:Write this into|.*Write this into) `(?P<file>[\w.]+)`.*"
    r"|```(?P<fence>\w*)"
    r"|- Open `(?P<open>[^`]+)`\."
    r"|- Sign in as (?P<who>\S+)\."
    r"|- Write `(?P<value>[^`]+)` into « (?P<field>[^»]+) »\."
    r"|- Tick « (?P<tick>[^»]+) »\."
    r"|- Press « (?P<press>[^»]+) »(?P<all> until there is none)?\..*"
    r"|- You see « (?P<see>[^»]+) »\..*"
    r"|\| (?P<name>[^|]+) \| (?P<number>M-\d) \| (?P<role>[^|]+) \|"
    r"|## \d+\. (?P<later>Two working days later).*"
)
_DOORS = {"http://127.0.0.1:8000": False, "http://127.0.0.1:8002": True}  # whether it is the desk


class Day:
    """The folder, the clock, the people, and what they have seen so far."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._later = timedelta()  # than the machine's clock, which chips and openssl go by
        self._capsys = capsys
        self._doors: dict[str, str] = {}
        self._servers: list[tuple[uvicorn.Server, threading.Thread]] = []
        self._pins: dict[str, str] = {}
        self.seen: dict[str, str] = {}  # placeholders of the tutorial, and what they stand for

    def __call__(self) -> datetime:
        """The time."""
        return datetime.now(UTC) + self._later

    def wait_two_working_days(self) -> None:
        """As the tutorial says."""
        left = 2
        while left:
            self._later += timedelta(days=1)
            day = POST.day(self())
            left -= day.weekday() < 5 and not POST.is_holiday(day)

    def filled(self, text: str) -> str:
        """*text* with what its words in capitals stand for."""
        for word in re.findall(r"[A-ZÈ]+(?:-[A-ZÈ]+)+|\b(?:BATCH|SECRET)\b", text):
            text = text.replace(word, self._stands_for(word))
        return text

    def _stands_for(self, word: str) -> str:
        if word.startswith("CODE-OF-"):
            return self._code(word.removeprefix("CODE-OF-"))
        return self.seen[word]

    def _code(self, who: str) -> str:
        (card,) = self.folder.glob(f"*/{self.seen[f'CARD-OF-{who}']}.card")
        with VirtualSlot(card) as slot:
            made = make_code(slot, Pin(self.seen[f"PIN-OF-{who}"]))
        assert isinstance(made, Code)
        return made.digits

    def run(self, command: str) -> None:
        """Run *command*, and keep what it says."""
        if " serve " in command:
            self._serve(parser().parse_args(shlex.split(command)[1:]).desk)
            return
        command = self.filled(command)
        if not command.startswith("sesame "):
            subprocess.run(
                ["/bin/sh", "-c", command], cwd=self.folder, capture_output=True, check=True
            )
            return
        if command.startswith("sesame code "):
            self._make_code(command)
            return
        self._capsys.readouterr()
        assert main(shlex.split(command)[1:]) == 0, self._capsys.readouterr().err
        self._keep(command, self._capsys.readouterr().out)

    def _make_code(self, command: str) -> None:
        """As somebody does at a terminal: asked for the PIN, which is not shown."""
        card = Path(shlex.split(command)[2]).stem
        (who,) = (
            word.removeprefix("CARD-OF-")
            for word, reference in self.seen.items()
            if word.startswith("CARD-OF-") and reference == card
        )
        pin = self.seen[f"PIN-OF-{who}"]
        typed = [f"{pin}\n".encode()]
        status, printed, shown = on_a_terminal(*shlex.split(command)[1:], typed=typed)
        assert (status, pin in shown) == (0, False), shown
        assert re.search(r"[0-9]{4} ?[0-9]{4}", printed), printed

    def none_left(self) -> bool:
        """Whether nobody may print anything on this day: it is the first, and cards have left."""
        return not self._later and "card-posted" in self.seen

    def _keep(self, command: str, said: str) -> None:
        for page in said.split("GUICHET — CARTE SÉSAME DE ")[1:]:
            who = page.split()[0].upper()
            found = re.findall(r"\xa0: (\S.*)$", page, re.MULTILINE)
            reference, number, _, pin = found[:4]
            self.seen |= {
                f"CARD-OF-{who}": reference,
                f"NUMBER-OF-{who}": number,
                f"PIN-OF-{who}": pin,
            }
        if batch := re.search(r"^Lot (\S+)\xa0: \d+ lettres", said, re.MULTILINE):
            self.seen["BATCH"] = batch[1]
        if " posted " in command:
            self.seen["card-posted"] = "yes"
        if secret := re.search(r"Secret à usage unique\xa0: (\S+)", said):
            self.seen["SECRET"] = secret[1]
        if " letters " in command and self.none_left():
            assert "Aucune lettre de cette sorte" in said
        if "customers import" in command:
            with (self.folder / "codes.csv").open(encoding="utf-8", newline="") as file:
                codes = {
                    row["reference"].strip("'"): row["user_code"] for row in csv.DictReader(file)
                }
            self.seen["USER-CODE-OF-NORA"] = codes["C-1"]
        if " letters " in command:
            self._read_letters(command)

    def _read_letters(self, command: str) -> None:
        kind, folder = re.findall(r"letters (\w+) --folder (\S+)", command)[0]
        for path in (self.folder / folder).glob("*.pdf"):
            pages = PdfReader(BytesIO(path.read_bytes())).pages
            words = " ".join(page.extract_text() for page in pages)
            if "Nora" not in words:
                continue
            if kind == "card":
                self.seen["CARD-OF-NORA"] = path.stem.partition("-")[2]
            if kind == "pin":
                (pin,) = re.findall(r"\b([0-9])\s([0-9])\s([0-9])\s([0-9])\b", words)
                self.seen["PIN-OF-NORA"] = "".join(pin)
            if kind == "reader":
                (self.seen["ACTIVATION-NUMBER"],) = re.findall(r"[0-9]{4}-[0-9]{4}", words)
            if kind == "welcome":
                assert self.seen["USER-CODE-OF-NORA"] in words.replace(" ", "")

    def _serve(self, desk: bool) -> None:  # noqa: FBT001 -- as the flag of the command
        settings = read_settings(self.folder / "bank.toml")
        own = app.of_desk(settings) if desk else settings
        bank = app.open_bank(own, app.open_custodian(own))
        build = app.build_desk if desk else app.build_asgi
        listener = socket.create_server(("127.0.0.1", 0))
        said = f"http://{own.host}:{own.port}"
        self._doors[said] = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(build(own, bank), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        self._servers.append((server, thread))

    def door(self, address: str) -> str:
        """Where *address* of the tutorial is, here."""
        for said, real in self._doors.items():
            address = address.replace(said, real)
        return address

    def close(self) -> None:
        """Stop the servers."""
        for server, thread in self._servers:
            server.should_exit = True
            thread.join()


class Screen:
    """What is on the screen: a private window for each person."""

    def __init__(self, day: Day, chromium: Browser) -> None:
        self._day = day
        self._chromium = chromium
        self._page: Page | None = None
        self._officer = ""

    @property
    def page(self) -> Page:
        """The window in front."""
        assert self._page is not None
        return self._page

    def window(self) -> None:
        """Open another one, and close the one before."""
        if self._page is not None:
            self._page.context.close()
        context = self._chromium.new_context(locale="fr-FR", java_script_enabled=False)
        self._page = context.new_page()

    def open(self, address: str) -> None:
        """Go there; a first access and the portal by a new window."""
        if self._page is None or "/guichet/personnel" not in address:
            self.window()
        self.page.goto(self._day.door(address))

    def sign_in(self, who: str) -> None:
        """By staff code and a new code."""
        self.window()
        self.page.goto(self._day.door("http://127.0.0.1:8002/guichet"))
        self.write(self._day.seen[f"STAFF-CODE-OF-{who.upper()}"], "Code d’agent")
        self.write(self._day.filled(f"CODE-OF-{who.upper()}"), "Code Sésame")
        self.press("Valider")
        self.see("Se déconnecter")

    def write(self, value: str, label: str) -> None:
        """Type *value* into the field of that *label*."""
        self.page.get_by_label(label, exact=True).fill(value)
        if label == "Prénom et nom":
            self._officer = value.partition(" ")[0].upper()

    def tick(self, label: str) -> None:
        """The box or choice whose label begins so."""
        self.page.get_by_label(re.compile(f"^{re.escape(label)}")).check()

    def press(self, words: str) -> None:
        """The button or link that begins with *words*."""
        one = re.compile(f"^{re.escape(words)}")
        button = self.page.get_by_role("button", name=one)
        found = button if button.count() else self.page.get_by_role("link", name=one)
        with self.page.expect_navigation(timeout=PATIENCE):
            found.last.click()
        if words == "Enregistrer ma carte":
            code = self.page.locator("#staff_code").input_value()
            self._day.seen[f"STAFF-CODE-OF-{self._officer}"] = code
        if self.page.url.endswith("/guichet/personnel"):
            self._read_staff()

    def _read_staff(self) -> None:
        for person in self.page.locator("li.panel").all():
            name = person.locator("h2").inner_text().partition(" ")[0].upper()
            (code,) = re.findall(r"Code d’agent\s:\s(\S+)", person.inner_text())
            self._day.seen[f"STAFF-CODE-OF-{name}"] = code

    def press_all(self, words: str) -> None:
        """Until there is none."""
        while self.page.get_by_role("button", name=re.compile(f"^{words}")).count():
            self.press(words)

    def see(self, words: str) -> None:
        """*words* stand on the page."""
        shown = " ".join(self.page.inner_text("body").split())
        assert " ".join(words.split()) in shown, (self.page.url, shown)

    def ask_for(self, name: str, number: str, role: str) -> None:
        """A row of the table: the same form again."""
        self.press("Personnel")
        self.press("Demander l’ouverture d’un compte")
        self.write(name, "Prénom et nom")
        self.write(number, "Matricule")
        first_name = name.partition(" ")[0].upper()
        self.write(self._day.seen[f"NUMBER-OF-{first_name}"], "Numéro de la carte")
        self.tick(role)
        self.write("Embauche", "Raison")
        self.press("Demander")
        self.see(name)


@pytest.fixture
def day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Day]:
    """An empty folder, and a French computer whose clock is ours."""
    day = Day(tmp_path, capsys)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    monkeypatch.setenv("TZ", "Europe/Paris")  # where the bank's days are, so that cards are valid
    time.tzset()
    monkeypatch.setattr(app, "utc_now", day)
    for module in (bureau, customers, issuing, staff_cards):
        monkeypatch.setattr(module, "harden", lambda: None)
    for module in (issuing, staff, staff_cards):
        monkeypatch.setattr(module, "utc_now", day)
    yield day
    day.close()
    monkeypatch.undo()
    time.tzset()


def test_no_pin_stands_in_a_command() -> None:
    """A shell keeps what is typed into it."""
    commands = [
        line
        for line in _TUTORIAL.read_text(encoding="utf-8").splitlines()
        if line.startswith("    ")
    ]
    assert len(commands) > 20
    assert not [line for line in commands if "PIN" in line]


def test_each_step_of_the_first_day(day: Day) -> None:
    """In order, until Nora is in; and every list item is a step that is understood."""
    lines = _TUTORIAL.read_text(encoding="utf-8").splitlines()
    with ThreadPoolExecutor(1) as at_screen:  # Playwright has a thread: commands loop in this one
        playwright = at_screen.submit(lambda: sync_playwright().start()).result()
        try:
            screen = Screen(day, at_screen.submit(launch_here, playwright).result())
            walked = _walk(day, screen, lines, lambda work: at_screen.submit(work).result())
        finally:
            at_screen.submit(playwright.stop).result()
    assert walked > 90


def _walk(
    day: Day, screen: Screen, lines: list[str], look: Callable[[Callable[[], None]], None]
) -> int:
    """Do what each line says, *look* where that is at the screen; how many steps there were."""
    walked, file, fenced = 0, "", False
    for number, line in enumerate(lines, start=1):
        step = _STEP.fullmatch(line)
        if fenced and not line.startswith("```"):
            with (day.folder / file).open("a", encoding="utf-8") as written:
                written.write(f"{line}\n")
            continue
        assert step or not line.startswith(("- ", "    ")), f"line {number}: {line}"
        if step is None:
            continue
        found = step.groupdict()
        walked += 1
        try:
            if found["command"]:
                day.run(found["command"])
            elif found["file"]:
                file = found["file"]
            elif found["fence"] is not None:
                fenced = not fenced
            elif found["later"]:
                day.wait_two_working_days()
            else:
                look(lambda found=found: _at_screen(day, screen, found))  # type: ignore[misc]  # of this turn
        except Exception as error:
            error.add_note(f"{_TUTORIAL.name}, line {number}: {line}")
            raise
    return walked


def _at_screen(day: Day, screen: Screen, found: dict[str, str]) -> None:
    """One step in the window in front."""
    if found["open"]:
        screen.open(found["open"])
    elif found["who"]:
        screen.sign_in(found["who"])
    elif found["value"]:
        screen.write(day.filled(found["value"]), found["field"])
    elif found["tick"]:
        screen.tick(found["tick"])
    elif found["all"]:
        screen.press_all(found["press"])
    elif found["press"]:
        screen.press(found["press"])
    elif found["see"]:
        screen.see(found["see"])
    else:
        screen.ask_for(found["name"], found["number"], found["role"])
