"""Coop@net before a real browser: a server at a door of this machine, and Debian's Chromium."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import uvicorn
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from sesame.portal.answers import ANSWERS
from sesame.portal.cards import Card
from sesame.portal.routes import build
from sesame.portal.trial import STEPS
from sesame.web.institution import Institution
from sesame.web.opening import Closure, OpeningHours
from sesame.web.rendering import Site
from tests.chromium import follow, launch
from tests.portal.town import SIMULATOR, Town, open_town

# Every page that anybody can open, each layout and each state of a step once.
PAGES = [
    "/",
    "/acces",
    "/acces/sesame",
    "/acces/sesame?motif=session",
    "/acces/deux-codes",
    "/acces/repondre",
    "/acces/ancien-code",
    "/activation",
    "/activation/deux-codes",
    "/activation/repondre",
    "/deblocage",
    "/aide",
    "/mode-d-emploi",
    *(f"/mode-d-emploi/{card}" for card in Card),
    "/mode-d-emploi/carte-bancaire?caracteres=grands",
    "/premier-essai",
    *(f"/premier-essai/carte-sesame/{number}" for number in range(1, len(STEPS) + 1)),
    "/premier-essai/carte-bancaire/ecrans",
    f"/premier-essai/carte-bancaire/ecrans/{ANSWERS[0].name}",
    "/deconnexion",
    "/nulle-part",
]


@dataclass
class Street:
    """A bank whose door is a real server, and a browser before it."""

    town: Town
    chromium: Browser
    address: str

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Let the bank's clock say *moment*, and afterwards what it said before."""
        before, self.town.clock.time = self.town.clock.time, moment
        yield
        self.town.clock.time = before

    @asynccontextmanager
    async def visitor(
        self, *, width: int = 1280, height: int = 900, language: str = "fr", script: bool = True
    ) -> AsyncIterator[Page]:
        """A page of a new browser, which may print nothing to its console."""
        context = await self.chromium.new_context(
            base_url=self.address,
            viewport={"width": width, "height": height},
            java_script_enabled=script,
        )
        await context.add_cookies(
            [{"name": "sesame_language", "value": language, "url": self.address}]
        )
        page = await context.new_page()
        complaints = _listen(page)
        yield page
        await context.close()
        assert complaints == []

    async def log_in(self, page: Page) -> None:
        """Sign Véra in, with a fresh code."""
        await page.goto("/acces/sesame")
        await page.fill("#user_code", "VERA2345")
        await page.fill("#code", await self.town.code_of(self.town.vera))
        await follow(page, "form.panel button")
        assert page.url.endswith("/espace")


def _listen(page: Page) -> list[str]:
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # A page of a status above 399 is reported too; that is what some of them are.
        if "the server responded with a status of" not in message.text:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


@asynccontextmanager
async def open_street(folder: Path) -> AsyncIterator[Street]:
    """One server and one Chromium before a new bank in *folder*."""
    town = await open_town(folder)
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = build(town.portal(site=_site()))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    async with async_playwright() as playwright:
        chromium = await launch(playwright)
        yield Street(town, chromium, address)
        await chromium.close()
    server.should_exit = True
    await serving
    await town.bank.store.close()


def _site() -> Site:
    """A demonstration whose help line is closed exceptionally the week after."""
    closure = Closure(
        first=date(2026, 3, 9), last=date(2026, 3, 10), reason="Formation de toute l’équipe."
    )
    return Site(
        institution=Institution(hours=OpeningHours(closures=(closure,))),
        demonstration=True,
        beside=SIMULATOR,
        https=False,
    )
