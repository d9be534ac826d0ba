"""Every page and form of the desk, as a browser finds them: from home by links, for each role."""

import re
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from typing import Self

from sesame.bank.addresses import change
from sesame.bank.approvals import Kind, Verdict, Wish
from sesame.bank.approving import ask, decide
from sesame.bank.customers import NewCustomer, enrol
from sesame.bank.details import PostalAddress
from sesame.bank.opening_days import set_day
from sesame.bank.orders import ask_for_cards
from sesame.bank.staff import Role
from sesame.bank.user_code import UserCode
from sesame.catalogue import Language
from sesame.desk.guard import CHALLENGE, FIRST_ACCESS, HOME, LOGIN, TWO_CODES
from sesame.desk.routes import build
from sesame.store.buckets import bucket_of
from sesame.store.dispatches import DispatchRow, insert_dispatch
from tests.desk.caller import suspend
from tests.desk.office import ADDRESS, SOMEWHERE, Office, Person, person
from tests.desk.test_pages import desk_of
from tests.portal.browser import Browser
from tests.portal.test_opening import have_wait

_LINK = re.compile(r'<a[^>]* href="(/guichet[^"#]*)')
_WRITTEN = {"text", "date", "time", "textarea"}


@dataclass(frozen=True)
class Field:
    """A field of a form: its type as HTML has it, and what it holds or would send."""

    name: str
    kind: str
    value: str

    @property
    def is_written(self) -> bool:
        """Whether people type into it."""
        return self.kind in _WRITTEN


@dataclass
class Form:
    """A form that is posted, and where it stood."""

    page: str
    action: str
    fields: list[Field] = field(default_factory=list)

    def filled(self, good: Mapping[str, str]) -> dict[str, str]:
        """What a browser sends where what is written is *good*, and the first of each is chosen."""
        sent: dict[str, str] = {}
        ticked = False
        for one in self.fields:
            if one.is_written:
                sent[one.name] = good.get(one.name, "")
            elif one.kind != "checkbox":
                sent.setdefault(one.name, one.value)
            elif not ticked:
                sent[one.name], ticked = one.value, True
        return sent


class _Forms(HTMLParser):
    """The forms of one page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._page = page
        self._open: Form | None = None
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, or a field of the one that is open."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(self._page, values.get("action", ""))
            if values.get("method") == "post":
                self.found.append(self._open)
        elif tag in {"input", "textarea", "button"} and self._open and values.get("name"):
            kind = values.get("type", "text") if tag == "input" else tag
            field = Field(values["name"], kind, values.get("value", ""))
            self._open.fields.append(field)

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a form."""
        if tag == "form":
            self._open = None


@dataclass
class Walker:
    """Somebody before the desk, and all that they came by."""

    browser: Browser
    pages: list[str] = field(default_factory=list)  # addresses, with their queries
    forms: list[Form] = field(default_factory=list)  # each once

    async def walk(self, start: Iterable[str]) -> Self:
        """Go from *start* by every link, each once."""
        waiting = list(start)
        known = {(form.action, *(one.name for one in form.fields)) for form in self.forms}
        while waiting:
            address = waiting.pop()
            self.pages.append(address)
            page = await self.browser.get(address)
            assert page.status_code in {200, 303}, address
            parser = _Forms(address)
            parser.feed(page.text)
            for form in parser.found:
                key = (form.action, *(one.name for one in form.fields))
                if key not in known:
                    known.add(key)
                    self.forms.append(form)
            links = dict.fromkeys(map(unescape, _LINK.findall(page.text)))
            waiting += [link for link in links if link not in {*self.pages, *waiting}]
        return self


@dataclass
class Walk:
    """One of each role, and somebody who is not signed in."""

    office: Office
    walkers: Mapping[str, Walker]

    @property
    def forms(self) -> list[tuple[Browser, Form]]:
        """Every form, with who has it before them."""
        return [(one.browser, form) for one in self.walkers.values() for form in one.forms]

    @property
    def good(self) -> dict[str, str]:
        """What can be written into a field, by its name, so that it is not at fault."""
        vera = self.office.town.vera
        day = self.office.town.clock() + timedelta(days=9)
        return {
            "staff_code": self.office.ada.typed,
            "search": "tissot",
            "user_code": vera.user_code,
            "last4": vera.record.pan.last4,
            "to": "0",
            "reason": "Pièce d’identité vue",
            "confirm_reason": "Pièce d’identité vue",
            "line_4": "5 quai Rambaud",
            "postcode": "69002",
            "city": "Lyon",
            "country": "FR",
            "name": "Zoé Faure",
            "personnel_number": "Z-77",
            "psn": "01",
            "pan": person("Zoé Faure").record.pan.digits,
            "day": f"{day:%Y-%m-%d}",
            "opens": "09:00",
            "closes": "12:00",
            "value": "4",
            "sha256": "ab" * 32,
            "count": "3",
            "model": "R1",
            "serials": "A-1\r\nA-2",
            "reference": "7QK4-XM2P",
        }


async def walk_desk(office: Office, stack: AsyncExitStack) -> Walk:
    """Walk the desk of *office* in every role, after so much has happened that each form is there.

    The browsers are open until *stack* is left.
    """
    ines = person("Inès Vidal", Role.ISSUER)
    await office.agree(office.paul, await office.hire(ines))
    await _have_much_happen(office, ines)
    walkers = {}
    for who in (office.ada, ines, office.odile, office.aude):
        browser = await stack.enter_async_context(Browser(build(desk_of(office, who.name))))
        await _sign_in(browser, office, who)
        walkers[who.name] = await Walker(browser).walk([HOME])
    browser = await stack.enter_async_context(Browser(build(desk_of(office, "nobody"))))
    ways = [LOGIN, TWO_CODES, CHALLENGE, FIRST_ACCESS]
    walkers[""] = await Walker(browser).walk(ways)
    return Walk(office, walkers)


async def _sign_in(browser: Browser, office: Office, who: Person) -> None:
    answer = await browser.fill_in(LOGIN, staff_code=who.typed, code=await office.code_of(who))
    assert answer.headers["location"] == HOME


async def _have_much_happen(office: Office, issuer: Person) -> None:
    """Véra is suspended, moved, waits for a card, and a letter to her came back; Nora wants one."""
    bank, town, ada = office.bank, office.town, office.staff(office.ada)
    vera = town.vera.user_code
    await suspend(office, town.vera)
    await office.live_somewhere(vera)
    await have_wait(town, town.vera)
    moved = PostalAddress(line_4="3 quai Rambaud", postcode="69002", city="Lyon")
    await change(bank, ada, vera, moved, reason="Déménagement", address=ADDRESS)
    key = (bucket_of(vera), vera)
    row = DispatchRow("7QK4-XM2P", *key, "welcome", None, 1, None, 2, 3, 4)
    await bank.store.write(lambda connection: insert_dispatch(connection, row))
    nora = NewCustomer(
        user_code=UserCode("NORA2345"),
        name="Nora Lebrun",
        language=Language.FRENCH,
        old_code=None,
        cards=[],
        details=SOMEWHERE,
    )
    await enrol(bank, nora)
    many = await ask_for_cards(bank, office.staff(issuer), reason="Nouveaux", address=ADDRESS)
    await decide(bank, office.staff(office.paul), many.id, Verdict.REFUSED, address=ADDRESS)
    wish = Wish(Kind.SHOW_NUMBER, vera, {"card": 1}, "Litige du 2 mars")
    await office.agree(office.paul, await ask(bank, ada, wish, address=ADDRESS))
    day = town.clock().date() + timedelta(days=3)
    await set_day(bank, office.staff(office.odile), day, None, reason="Travaux", address=ADDRESS)
