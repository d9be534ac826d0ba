"""A customer's whole course before real browsers: from a row of a file to a second card.

One database; portal and desk are two servers on it, with one clock. Who presses what nobody asked
them to, and who agrees to their own request, is in tests/desk/test_browser.py.
"""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, Page, async_playwright, expect
from pypdf import PdfReader
from starlette.types import ASGIApp

from sesame import app
from sesame.bank.dispatching import record_posted
from sesame.bank.old_code import OldCode
from sesame.bank.stock import take_in
from sesame.bank.user_code import UserCode
from sesame.cap.token import Code
from sesame.card.card_file import create
from sesame.card.cps import decode_groupings
from sesame.cli import customers
from sesame.cli.main import main
from sesame.custody.bureau_file import read_bureau_file
from sesame.desk.routes import build as build_desk
from sesame.emv.pin import Pin
from sesame.portal.routes import build as build_portal
from sesame.reader.code import make_code
from sesame.reader.virtual_slot import VirtualSlot
from sesame.store.dispatches import CARD, PIN, READER, WELCOME
from sesame.store.schema import migrate
from tests.bureaux import Works, bureau, open_works
from tests.chromium import follow, launch, shows
from tests.custody.keystores import PASSPHRASE
from tests.desk.office import Person
from tests.desk.test_pages import desk_of
from tests.test_posting import destroy_one, make, print_kind

pytestmark = pytest.mark.needs("chromium")

_OLD_CODE = "quai-1971"
_ROW = "reference,name,line_4,postcode,city,old_code_hash,card_kind\n"
_PICTURES = os.environ.get("SESAME_PICTURES")  # a folder, to look at each station


@dataclass
class Town:
    """Both servers, and a browser before them."""

    works: Works
    chromium: Browser
    portal: str
    desk: str
    shown: int = 0

    @asynccontextmanager
    async def window(self, address: str) -> AsyncIterator[Page]:
        """Of a browser of its own, without script."""
        context = await self.chromium.new_context(
            base_url=address, locale="fr-FR", java_script_enabled=False
        )
        page = await context.new_page()
        yield page
        await context.close()

    @asynccontextmanager
    async def staff(self, who: Person) -> AsyncIterator[Page]:
        """The desk, with *who* signed in."""
        async with self.window(self.desk) as page:
            await page.goto("/guichet")
            await page.fill("#staff_code", who.typed)
            await page.fill("#code", await self.works.office.code_of(who))
            await follow(page, "form.panel button")
            assert page.url.endswith("/guichet")
            yield page

    async def see(self, page: Page, words: str) -> None:
        """*words* stand on *page*."""
        self.shown += 1
        if _PICTURES:
            await page.screenshot(path=f"{_PICTURES}/{self.shown:02}.png", full_page=True)
        await shows(page, words, "body")


@asynccontextmanager
async def _serving(application: ASGIApp) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A bank with its staff, nobody of whose customers has been imported yet."""
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    migrate(url)
    works = await open_works(url, tmp_path)
    async with (
        _serving(build_portal(works.office.town.portal())) as portal,
        _serving(build_desk(desk_of(works.office))) as desk,
        async_playwright() as playwright,
    ):
        chromium = await launch(playwright)
        yield Town(works, chromium, portal, desk)
        await chromium.close()
    await works.bank.store.close()


async def test_from_a_row_to_a_second_card(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enrolled, issued, activated, in; the old code dead; lost, stopped, replaced, in again."""
    monkeypatch.setattr(customers, "harden", lambda: None)
    works = town.works
    monkeypatch.setattr(app, "utc_now", works.clock)
    user_code = await _enrol(works, tmp_path)
    await take_in(works.bank, [(f"SR1-000{n}", "Sesame R1") for n in range(2)], works.by(0))
    async with town.window(town.portal) as home:
        await _old_code(home, user_code)
        await town.see(home, "Nora Lebrun")  # in by the old code, until a first success
        await _ask_and_agree(town)
        card, number = await _make_and_post(works, tmp_path / "first", [CARD, PIN, READER, WELCOME])
        await _activate(town, home, user_code, number, card)
        await town.see(home, "Nora Lebrun")
        async with town.window(town.portal) as elsewhere:
            await _old_code(elsewhere, user_code)
            await town.see(elsewhere, "Connexion refusée")
        await _sign_in(home, user_code, card.code())
        await _lose(town, user_code)
        await home.goto("/espace")
        await town.see(home, "Connexion")
        assert "/acces" in home.url
        await _sign_in(home, user_code, card.code())
        await town.see(home, "Connexion refusée")
        second, number = await _make_and_post(works, tmp_path / "second", [CARD, PIN, READER])
        await _activate(town, home, user_code, number, second)
        await town.see(home, "Nora Lebrun")
        async with town.window(town.portal) as elsewhere:
            await _sign_in(elsewhere, user_code, second.code())
            await elsewhere.wait_for_url("**/espace")
            await town.see(elsewhere, "Nora Lebrun")


@dataclass
class Holder:
    """A virtual card, and the PIN that its letter says."""

    card: Path
    pin: str

    def code(self) -> str:
        """The next code, as the reader shows it."""
        with VirtualSlot(self.card) as slot:
            made = make_code(slot, Pin(self.pin))
        assert isinstance(made, Code)
        return made.digits


async def _enrol(works: Works, folder: Path) -> UserCode:
    """Import one row, at the command line; the user code that it was given."""
    old_code = works.bank.old_codes.hash(OldCode(_OLD_CODE))
    phrase = folder / "phrase"
    phrase.touch(mode=0o600)
    phrase.write_text(f"{PASSPHRASE.text}\n", encoding="utf-8")
    (folder / "settings.toml").write_text(
        'database = "sqlite:///bank.db"\nkeystore = "keys"\nkeystore_passphrase_file = "phrase"\n'
        'public_url = "http://127.0.0.1:8000"\ndemonstration = true\n'
    )
    rows = folder / "rows.csv"
    rows.touch(mode=0o600)
    rows.write_text(f'{_ROW}C-1,Nora Lebrun,3 rue des Lilas,75011,PARIS,"{old_code}",sesame\n')
    codes = folder / "codes.csv"
    arguments = ["customers", "import", str(rows), "--user-codes", str(codes), "--by", "A. Aubry"]
    more = ["--settings", str(folder / "settings.toml")]
    assert await asyncio.to_thread(main, [*arguments, *more]) == 0
    return UserCode(codes.read_text(encoding="utf-8").split()[-1].rpartition(",")[2])


async def _ask_and_agree(town: Town) -> None:
    """An issuer asks at the desk for all who want a card; an officer agrees there."""
    async with town.staff(town.works.issuers[0]) as page:
        await follow(page, "text=Demandes")
        await follow(page, "nav.places >> text=Émission des cartes")  # from any page
        await town.see(page, "Abonnés qui attendent une première carte : 1")
        await page.fill("#reason", "Nouveaux clients")
        await follow(page, "text=Demander l’envoi")
        await town.see(page, "Demandé par Inès Vidal")
    async with town.staff(town.works.office.paul) as page:
        await follow(page, "text=Voir les demandes")
        await town.see(page, "Nouveaux clients")
        await follow(page, "button:has-text('Accorder')")
        await town.see(page, "Accordée par Paul Nogaret")
    assert await town.works.carry_out() == 1


async def _make_and_post(works: Works, folder: Path, kinds: list[str]) -> tuple[Holder, str]:
    """Make the card, and print and post each letter on its day; the card, and its number."""
    folder.mkdir()  # noqa: ASYNC240 -- a test's own disk
    assert await make(works, folder / "bureau.cms") == 1
    certificate, key = bureau()
    (made,) = read_bureau_file(folder / "bureau.cms", certificate=certificate, key=key).cards
    create(folder / "nora.card", *decode_groupings(made.groupings))
    days, words = [], dict[str, str]()
    for _ in range(20):
        if len(words) == len(kinds):
            break
        works.next_day()
        kind = kinds[len(words)]
        printed = await print_kind(works, kind, folder / kind)
        if not printed.letters:
            continue
        days.append(works.post.day(works.clock.time))
        (letter,) = (folder / kind).glob("*.pdf")
        pages = PdfReader(BytesIO(letter.read_bytes())).pages
        words[kind] = " ".join(page.extract_text() for page in pages)
        await record_posted(works.bank, printed.batch, works.by(0), None, works.post)
        await destroy_one(works, printed.batch, folder / kind)
    assert len(set(days)) == len(kinds)  # never two on one day
    (pin,) = re.findall(r"\b([0-9])\s([0-9])\s([0-9])\s([0-9])\b", words[PIN])
    (number,) = re.findall(r"[0-9]{4}-[0-9]{4}", words[READER])
    return Holder(folder / "nora.card", "".join(pin)), number


async def _activate(town: Town, page: Page, user_code: UserCode, number: str, card: Holder) -> None:
    """From the first page, as the letter says."""
    await page.goto("/acces")
    await follow(page, "a[href='/activation']")
    await town.see(page, "Activer une nouvelle carte Sésame")
    await page.fill("#user_code", user_code)
    await page.fill("#number", number)
    await page.fill("#code", card.code())
    await follow(page, "form.panel button")
    await page.wait_for_url("**/espace")


async def _old_code(page: Page, user_code: UserCode) -> None:
    await page.goto("/acces/ancien-code")
    await page.fill("#user_code", user_code)
    await page.fill("#old_code", _OLD_CODE)
    await follow(page, "form.panel button")


async def _sign_in(page: Page, user_code: UserCode, code: str) -> None:
    await page.goto("/acces/sesame")
    await page.fill("#user_code", user_code)
    await page.fill("#code", code)
    await follow(page, "form.panel button")


async def _lose(town: Town, user_code: UserCode) -> None:
    """She calls; the adviser finds her, sees what happened, and stops the card."""
    async with town.staff(town.works.office.ada) as page:
        await follow(page, "text=Chercher un abonné >> nth=0")
        await page.fill("#search", "lebrun")
        await follow(page, "form.panel button")
        await town.see(page, user_code)
        await follow(page, "text=Faire opposition, ou remplacer une carte")
        await page.check("#card-1-1")
        await page.check("#loss-lost")
        await follow(page, "text=Faire opposition et commander")
        await town.see(page, "Une carte de remplacement est commandée")
        await follow(page, "text=Revenir à cette personne")
        held = re.compile(r"Bloquée par Ada Lemoine .*: carte perdue")
        await expect(page.locator("main")).to_contain_text(held)
        await town.see(page, "par Ada Lemoine")
        response = await page.goto("/guichet/personnel/nouveau")
        assert response is not None
        assert response.status == 403
        await town.see(page, "Votre rôle ne le permet pas")
