"""Those who come to the bank: owners, vandals, replayers, and what becomes of their requests.

Each writes its own log. What they do is drawn from a seed; in what order it comes through is
the machine's affair.
"""

import asyncio
import random
import re
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

import httpx

from sesame.bank.user_code import UserCode
from tests.bank.branch import OLD_CODE, Card, Person
from tests.history import records, town
from tests.history.model import CODE, TWO_CODES
from tests.history.model import OLD_CODE as BY_OLD_CODE
from tests.history.records import Log

_PATHS = {CODE: "/acces/sesame", TWO_CODES: "/acces/deux-codes", BY_OLD_CODE: "/acces/ancien-code"}
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_NO_ANSWER = {records.LOST, records.UNREACHED, records.UNAVAILABLE}
_LATER = {records.SUSPENDED, records.TWO_CODES_WANTED}
_LOOKS_IN = 1 / 4  # of those who were accepted open the page that they came for
_PATIENCE = 100  # times that a browser loads again before its owner gives up

# How an answer is told from others with its status: by the words that people read.
_WORDS = (
    (422, "Connexion refusée", records.REFUSED),
    (422, "deux codes Sésame de suite sont demandés", records.TWO_CODES_WANTED),
    (422, "l’ancien code ne suffit pas", records.TWO_CODES_WANTED),
    (429, "suspendu", records.SUSPENDED),
    (503, "aucun essai n’a été compté", records.BUSY),
    (503, "momentanément indisponible", records.UNAVAILABLE),
)


@dataclass
class World:
    """What clients share: the servers, the cards, and what was already typed."""

    seed: int
    servers: Mapping[str, httpx.AsyncBaseTransport]
    logs: Path
    pace: float = 0.05  # seconds that a client rests at most
    over: bool = False
    era: int = 0  # whose turn it is: with suspensions of hours, others come after a while
    opened: int = 0  # pages behind the login
    under_way: Counter[str] = field(default_factory=Counter)  # requests, by server
    made: dict[tuple[UserCode, int], int] = field(default_factory=lambda: defaultdict(int))
    accepted: dict[tuple[UserCode, int], int] = field(default_factory=lambda: defaultdict(int))
    typed: dict[UserCode, deque[int]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=8))
    )

    def make(self, person: Person, number: int = 1, ahead: int = 1) -> int:
        """The ATC of a code that was not accepted yet: a fresh one, while the window lasts.

        Whoever was turned away so often types the first of what they made.
        """
        key = (person.user_code, number)
        last, window = self.accepted[key], person.cards[number - 1].profile.window
        if self.made[key] + ahead > last + window and ahead < window:
            return last + ahead
        self.made[key] = max(self.made[key], last) + ahead
        return self.made[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Typing:
    """What is typed into a form."""

    user_code: UserCode
    means: str
    typed: tuple[str, ...]
    knows: str
    made: tuple[tuple[int, int], ...] = ()
    shared: bool = False

    @property
    def fields(self) -> dict[str, str]:
        """As the form sends it."""
        names = ("old_code",) if self.means == BY_OLD_CODE else ("code", "next_code")
        shared = {"shared": "1"} if self.shared else {}
        return {"user_code": self.user_code, **dict(zip(names, self.typed, strict=False)), **shared}


class Browser:
    """One browser: its cookies, its form, its log."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.chance = random.Random(f"{world.seed} {name}")  # noqa: S311 -- the order of a test
        self.cookies: dict[str, str] = {}
        self.log = Log(world.logs, name)
        self._form: dict[str, str] = {}  # that the last answer brought

    async def attempt(self, typing: Typing, *, at_once: int = 1) -> str:
        """Open a form, send it, and again until somebody answers; the answer."""
        return await self.send(await self.form(), typing, at_once=at_once)

    async def form(self) -> dict[str, str]:
        """A new form: the one on the page that is open, or of whatever server answers."""
        form, self._form = self._form, {}
        if form:
            return form
        for _ in range(_PATIENCE):
            response = await self._speak(self._any_server(), "GET", _PATHS[CODE], {})
            if response is not None and response.status_code == 200:
                return dict(_HIDDEN.findall(response.text))
            await asyncio.sleep(self.chance.uniform(0.02, 0.2))
        raise RuntimeError("no server gives out forms")

    async def send(
        self, form: Mapping[str, str], typing: Typing, *, at_once: int = 1, to: str | None = None
    ) -> str:
        """Send *form*, *at_once* so many times, and again until somebody answers.

        To the server *to*, or to any.
        """
        for _ in range(_PATIENCE):
            answers = await asyncio.gather(*(self._send(form, typing, to) for _ in range(at_once)))
            answered = [answer for answer in answers if answer not in _NO_ANSWER]
            if answered:
                if records.ACCEPTED in answered:
                    for number, atc in typing.made:
                        key = (typing.user_code, number)
                        self.world.accepted[key] = max(self.world.accepted[key], atc)
                if answered[0] in _LATER:
                    await asyncio.sleep(self.chance.uniform(0, 0.2))
                return answered[0]
            await asyncio.sleep(self.chance.uniform(0.02, 0.2))
        return records.LOST

    async def _send(self, form: Mapping[str, str], typing: Typing, to: str | None) -> str:
        server = to or self._any_server()
        number = self.log.began(
            server=server,
            user_code=typing.user_code,
            attempt=form["form"],
            means=typing.means,
            typed=typing.typed,
            knows=typing.knows,
            made=typing.made,
            devices=self._devices(),
            shared=typing.shared,
        )
        self.world.under_way[server] += 1
        try:
            response = await self._speak(
                server, "POST", _PATHS[typing.means], {**form, **typing.fields}
            )
        except httpx.TransportError:
            self.log.ended(number, answer=records.LOST)
            return records.LOST
        finally:
            self.world.under_way[server] -= 1
        if response is None:
            self.log.ended(number, answer=records.UNREACHED)
            return records.UNREACHED
        answer = _answer(response)
        new = _new_cookies(response)
        self._form = dict(_HIDDEN.findall(response.text))
        self.log.ended(
            number,
            answer=answer,
            status=response.status_code,
            retry_after=int(response.headers.get("retry-after", 0)) or None,
            token=new.get("sesame_session"),
            gave=_secrets(new.get("sesame_device", "")),
        )
        looks_in = self.world.opened == 0 or self.chance.random() < _LOOKS_IN
        if answer == records.ACCEPTED and looks_in:
            await self._look_in(response.headers["location"], new["sesame_session"])
        return answer

    async def _look_in(self, path: str, session: str) -> None:
        """Open the page behind the login, at any server."""
        cookies = {"sesame_session": session}
        page = await self._speak(self._any_server(), "GET", path, {}, cookies)
        if page is not None:
            self.log.looked_in(page.status_code)
            self.world.opened += page.status_code == 200

    async def _speak(
        self,
        server: str,
        method: str,
        path: str,
        fields: Mapping[str, str],
        cookies: Mapping[str, str] = MappingProxyType({}),  # beside those that it keeps
    ) -> httpx.Response | None:
        """The answer; None where there is no connection, or where a page is lost."""
        request = httpx.Request(
            method,
            f"http://{server}{path}",
            content=urlencode(fields).encode(),
            headers={
                "content-type": "application/x-www-form-urlencoded",
                "cookie": "; ".join(f"{k}={v}" for k, v in {**self.cookies, **cookies}.items()),
            },
        )
        try:
            response = await self.world.servers[server].handle_async_request(request)
            await response.aread()
        except httpx.ConnectError:
            return None
        except httpx.TransportError:
            if method == "GET":
                return None
            raise
        # The session's is not kept: nobody here looks at pages.
        new = _new_cookies(response)
        self.cookies.update({k: v for k, v in new.items() if k != "sesame_session"})
        return response

    def _any_server(self) -> str:
        return self.chance.choice(list(self.world.servers))

    def _devices(self) -> list[str]:
        return _secrets(self.cookies.get("sesame_device", ""))


def _answer(response: httpx.Response) -> str:
    if response.status_code == 303:
        return records.ACCEPTED
    for status, words, answer in _WORDS:
        if response.status_code == status and words in response.text:
            return answer
    return f"something with status {response.status_code}"


def _new_cookies(response: httpx.Response) -> dict[str, str]:
    new: dict[str, str] = {}
    for header in response.headers.get_list("set-cookie"):
        new.update({name: morsel.value for name, morsel in SimpleCookie(header).items()})
    return new


def _secrets(cookie: str) -> list[str]:
    return cookie.split(".") if cookie else []


# ── What they type ───────────────────────────────────────────────────────────────────────────────


def _code(person: Person, atc: int, knows: str, *, number: int = 1, shared: bool = False) -> Typing:
    return Typing(
        user_code=person.user_code,
        means=CODE,
        typed=(town.code_of(person.cards[number - 1], atc).digits,),
        knows=f"{knows}: ATC {atc} of card {number}",
        made=((number, atc),),
        shared=shared,
    )


def _pair(person: Person, first: int, second: int, knows: str, *, number: int = 1) -> Typing:
    card = person.cards[number - 1]
    digits = tuple(town.code_of(card, atc).digits for atc in (first, second))
    return Typing(
        user_code=person.user_code,
        means=TWO_CODES,
        typed=digits,
        knows=f"{knows}: ATC {first} and {second} of card {number}",
        made=((number, first), (number, second)),
    )


def _old_code(user_code: UserCode, *, right: bool) -> Typing:
    return Typing(
        user_code=user_code,
        means=BY_OLD_CODE,
        typed=(OLD_CODE.typed if right else "chataignier-1789",),
        knows=f"the {'right' if right else 'wrong'} old code",
    )


def _wrong(user_code: UserCode, card: Card, atc: int, guess: int) -> Typing:
    wrong = f"{town.code_of(card, atc).token ^ guess:08d}"
    return Typing(
        user_code=user_code, means=CODE, typed=(wrong,), knows=f"a wrong code that claims ATC {atc}"
    )


# ── Who they are ─────────────────────────────────────────────────────────────────────────────────


async def owner(browser: Browser, person: Person) -> None:
    """A fresh code, now and then with some unused before it, or sent by an impatient click."""
    chance = browser.chance
    number = chance.randint(1, len(person.cards))
    atc = browser.world.make(person, number, ahead=chance.choice((1, 1, 1, 2, 5)))
    browser.world.typed[person.user_code].append(atc)
    typing = _code(person, atc, "a fresh code", number=number)
    answer = await browser.attempt(typing, at_once=chance.choice((1, 1, 2)))
    if answer == records.TWO_CODES_WANTED:
        await browser.attempt(_next_to(browser, person, number, atc))


async def passer_by(browser: Browser, person: Person) -> None:
    """The owner at a shared computer."""
    atc = browser.world.make(person)
    browser.world.typed[person.user_code].append(atc)
    answer = await browser.attempt(_code(person, atc, "a fresh code", shared=True))
    if answer == records.TWO_CODES_WANTED:
        await browser.attempt(_next_to(browser, person, 1, atc))


def _next_to(browser: Browser, person: Person, number: int, atc: int) -> Typing:
    """The code that was not enough, and one more."""
    key = (person.user_code, number)
    browser.world.made[key] = max(browser.world.made[key], atc + 1)
    return _pair(person, atc, atc + 1, "the code that was not enough, and the next", number=number)


async def vandal(browser: Browser, person: Person) -> None:
    """Wrong codes of every kind; from a browser that may once have been the owner's."""
    chance, atc = browser.chance, browser.world.accepted[person.user_code, 1] + 1
    kind = chance.random()
    if kind < 0.2:
        await browser.attempt(_old_code(person.user_code, right=False))
    elif kind < 0.3:
        await browser.attempt(_pair(person, atc + 9, atc + chance.randint(0, 8), "out of order"))
    else:
        wrong = _wrong(person.user_code, person.card, atc, chance.randint(1, 7))
        await browser.attempt(wrong, at_once=chance.choice((1, 1, 2)))


async def careless(browser: Browser, person: Person) -> None:
    """An owner who mistypes often, and corrects in the same form or a new one."""
    chance = browser.chance
    atc = browser.world.make(person)
    form = await browser.form()
    if chance.random() < 0.6:
        await browser.send(form, _wrong(person.user_code, person.card, atc, 3))
        await asyncio.sleep(chance.choice((0, 0, 0.8)))
    if chance.random() < 0.5:
        form = await browser.form()
    await browser.send(form, _code(person, atc, "what was mistyped before"))
    if chance.random() < 0.3:
        await browser.send(form, _code(person, atc, "the same once more"))


async def replayer(browser: Browser, person: Person) -> None:
    """A code that was typed before."""
    typed = browser.world.typed[person.user_code]
    if typed:
        await browser.attempt(_code(person, browser.chance.choice(typed), "a code from before"))


async def edge(browser: Browser, person: Person) -> None:
    """A code at the window's end, and one beyond it."""
    last = browser.world.accepted[person.user_code, 1]
    beyond = browser.chance.randint(0, 1)
    atc = last + person.card.profile.window + beyond
    await browser.attempt(_code(person, atc, "beyond the window" if beyond else "the window’s end"))


async def pair(browser: Browser, person: Person) -> None:
    """Two codes in a row: as they should be, or too far apart, or the wrong way round."""
    chance = browser.chance
    ahead = chance.choice((1, 2, 20, person.card.profile.window + 5))
    first = browser.world.make(person, ahead=ahead)
    second = first + chance.choice((1, 1, 2, 8, 9))
    key = (person.user_code, 1)
    browser.world.made[key] = max(browser.world.made[key], second)
    if chance.random() < 0.1:
        first, second = second, first
    browser.world.typed[person.user_code].append(second)
    await browser.attempt(_pair(person, first, second, "two codes"))


async def old_timer(browser: Browser, person: Person) -> None:
    """The old code, right or wrong; it may be retired by now."""
    right = browser.chance.random() < 0.8
    await browser.attempt(_old_code(person.user_code, right=right), at_once=1 + right)


async def stranger(browser: Browser, user_code: UserCode) -> None:
    """A user code that nobody has."""
    chance = browser.chance
    if chance.random() < 0.3:
        await browser.attempt(_old_code(user_code, right=True))
    else:
        wrong = _wrong(user_code, town.ADA.card, chance.randint(1, 9), 0)
        await browser.attempt(wrong, at_once=chance.choice((1, 2)))


async def crowd(browsers: Sequence[Browser], person: Person) -> None:
    """One fresh code in many browsers at once, at one server or at all of them."""
    world, chance = browsers[0].world, browsers[0].chance
    to = chance.choice([None, *world.servers])
    atc = world.make(person)
    world.typed[person.user_code].append(atc)
    forms = await asyncio.gather(*(browser.form() for browser in browsers))
    typing = _code(person, atc, "a code that many have", shared=True)
    await asyncio.gather(
        *(browser.send(form, typing, to=to) for browser, form in zip(browsers, forms, strict=True))
    )


Kind = Callable[[Browser, Person], Awaitable[None]]

# Who comes for whom. Clo's old code lives on until her owner comes, late.
_ROSTER: Sequence[tuple[Kind, Person]] = (
    (owner, town.ADA),
    (replayer, town.ADA),
    (edge, town.ADA),
    (owner, town.BOB),
    (careless, town.BOB),
    (vandal, town.BOB),
    (vandal, town.BOB),
    (old_timer, town.CLO),
    (careless, town.CLO),
    (owner, town.DAN),
    (passer_by, town.DAN),
    (pair, town.EVE),
    (vandal, town.EVE),
    (old_timer, town.EVE),
    (owner, town.FRED),
    (replayer, town.FRED),
)
_LATE = 0.5  # seconds
_CROWD = 9


async def everybody(world: World, steps: int | None) -> None:
    """All come at once, each so many times; None: until the world says that it is over."""
    browsers: list[Browser] = []

    def open_browser(name: str) -> Browser:
        browsers.append(Browser(world, name))
        return browsers[-1]

    coming = []
    for place, (kind, person) in enumerate(_ROSTER):
        browser = open_browser(f"{kind.__name__}-{person.name.lower()}-{place}")
        late = _LATE if (kind, person) == (careless, town.CLO) else 0.0
        coming.append(_again(browser, _in_turn(partial(kind, browser), person, world), steps, late))
    for user_code in town.STRANGERS:
        browser = open_browser(f"stranger-{user_code.lower()}")
        coming.append(_again(browser, partial(stranger, browser, user_code), steps))
    for person in (town.ADA, town.FRED):
        many = [open_browser(f"crowd-{person.name.lower()}-{n}") for n in range(_CROWD)]
        once = _in_turn(partial(crowd, many), person, world)
        coming.append(_again(many[0], once, steps and -(-steps // 3)))
    try:
        await asyncio.gather(*coming)
    finally:
        for browser in browsers:
            browser.log.close()


def _in_turn(
    come: Callable[[Person], Awaitable[None]], person: Person, world: World
) -> Callable[[], Awaitable[None]]:
    return lambda: come(town.of_era(person, world.era))


async def _again(
    browser: Browser, once: Callable[[], Awaitable[None]], steps: int | None, late: float = 0.0
) -> None:
    await asyncio.sleep(late)
    done = 0
    while not browser.world.over and (steps is None or done < steps):
        await once()
        done += 1
        await asyncio.sleep(browser.chance.uniform(0, browser.world.pace))
