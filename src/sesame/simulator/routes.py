"""The simulator's addresses, and the application that answers them."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sesame.catalogue import N_
from sesame.reader.slot import CLOCK, Clock
from sesame.simulator.api import api_routes
from sesame.simulator.drawer import Drawer, Kind, Oddity
from sesame.simulator.readers import Readers
from sesame.simulator.till_pages import Till, TillCard, till_routes
from sesame.web.guard import require_same_origin
from sesame.web.headers import CSP_WITH_SCRIPT, SecurityHeaders
from sesame.web.institution import Institution
from sesame.web.language import language_route
from sesame.web.problems import problem_handlers
from sesame.web.rendering import Renderer, Site

_RESET = "/remise-a-neuf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """What the application is made of."""

    drawer: Callable[[], Drawer]  # read anew for each page and each card
    portal_url: str  # of Coop@net, where the codes are used
    desk_url: str | None = None
    reset: Callable[[], Awaitable[None]]  # makes the whole demonstration anew
    institution: Institution = field(default_factory=Institution)
    https: bool = False  # True behind a proxy that speaks it
    public_origin: str | None = None  # as for `require_same_origin`
    clock: Clock = CLOCK
    random_bytes: Callable[[int], bytes] = secrets.token_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnCard:
    """A card as the drawer shows it; sentences are French, the template translates them."""

    name: str  # to the script
    title: str
    sort: str
    look: str  # a class of the style sheet
    pin: str = field(default="", repr=False)
    user_code: str = ""
    staff_code: str = ""
    old_code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePage:
    """table.html: the reader, and the drawer of cards."""

    portal_url: str
    cards: list[DrawnCard]
    odd_cards: list[DrawnCard]
    staff: list[DrawnCard]
    desk_url: str | None
    just_renewed: bool
    reset_address: str = _RESET


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPage:
    """reset.html: what making everything anew means, and the question."""

    address: str = _RESET


_KINDS = {Kind.BANK: N_("Carte bancaire"), Kind.SESAME: N_("Carte Sésame")}
_ODDITIES = {
    Oddity.PAYMENT_ONLY: (
        N_("Carte d’une autre banque"),
        N_("Elle paie, mais ne fait pas de code."),
    ),
    Oddity.MUTE: (N_("Carte muette"), N_("Sa puce est usée et ne répond plus.")),
    Oddity.EXPIRED: (N_("Carte expirée"), N_("Sa date est passée.")),
    Oddity.BLOCKED: (N_("Carte bloquée"), N_("Trois codes secrets faux l’ont bloquée.")),
}


def build(simulator: Simulator) -> ASGIApp:
    """The whole application. Its lifespan keeps the time of the readers."""
    readers = Readers(simulator.clock, simulator.random_bytes)
    site = Site(
        institution=simulator.institution,
        demonstration=True,
        beside=simulator.portal_url,
        https=simulator.https,
    )
    renderer = Renderer("sesame.simulator", site)

    async def get_table(request: Request) -> Response:
        return renderer.render(request, "table.html", _table(simulator, request))

    async def reset(request: Request) -> Response:
        if request.method != "POST":
            return renderer.render(request, "reset.html", ResetPage())
        require_same_origin(request, simulator.public_origin)
        await readers.renew(simulator.reset)
        return RedirectResponse("/?neuf", status_code=303)

    async def get_favicon(_request: Request) -> Response:
        return RedirectResponse(renderer.static.address("mark.svg"), status_code=303)

    async def get_robots(_request: Request) -> Response:
        return PlainTextResponse("User-agent: *\nDisallow: /\n")

    @contextlib.asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        keeping_time = asyncio.create_task(readers.keep_time())
        yield
        keeping_time.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping_time
        await readers.put_away()

    application = Starlette(
        routes=[
            Route("/", get_table),
            Route(_RESET, reset, methods=["GET", "POST"]),
            *api_routes(readers, simulator.drawer, simulator.public_origin),
            *till_routes(
                Till(
                    readers=readers,
                    renderer=renderer,
                    cards=lambda: _at_the_till(simulator.drawer()),
                    clock=simulator.clock,
                    random_bytes=simulator.random_bytes,
                    public_origin=simulator.public_origin,
                )
            ),
            Route("/favicon.ico", get_favicon),
            Route("/robots.txt", get_robots),
            language_route(secure=simulator.https),
            renderer.static.mount(),
        ],
        exception_handlers=dict(problem_handlers(renderer, form=_RESET)),
        lifespan=lifespan,
    )
    # A redirect to the same address without its last slash would repeat the Host header.
    application.router.redirect_slashes = False
    return SecurityHeaders(application, csp=CSP_WITH_SCRIPT, https=simulator.https, noindex=True)


def _table(simulator: Simulator, request: Request) -> TablePage:
    drawer = simulator.drawer()
    return TablePage(
        portal_url=simulator.portal_url,
        cards=[
            DrawnCard(
                name=customer.user_code,
                title=customer.name,
                sort=_KINDS[customer.kind],
                look=customer.kind.value,
                pin=customer.pin,
                user_code=customer.user_code,
                old_code=customer.old_code,
            )
            for customer in drawer.customers
        ],
        odd_cards=[
            DrawnCard(
                name=odd.oddity.value,
                title=_ODDITIES[odd.oddity][0],
                sort=_ODDITIES[odd.oddity][1],
                look="odd",
                pin=odd.pin,
            )
            for odd in drawer.odd_cards
        ],
        staff=[
            DrawnCard(
                name=member.staff_code,
                title=member.name,
                sort=member.role,
                look=Kind.SESAME.value,
                pin=member.pin,
                staff_code=member.staff_code,
            )
            for member in drawer.staff
        ],
        desk_url=simulator.desk_url,
        just_renewed="neuf" in request.query_params,
    )


def _at_the_till(drawer: Drawer) -> list[TillCard]:
    customers = [
        TillCard(
            name=customer.user_code,
            title=customer.name,
            sort=_KINDS[customer.kind],
            look=customer.kind.value,
            pin=customer.pin,
            path=customer.card,
            makes_codes=True,
        )
        for customer in drawer.customers
    ]
    odd_cards = [
        TillCard(
            name=odd.oddity.value,
            title=_ODDITIES[odd.oddity][0],
            sort=_ODDITIES[odd.oddity][1],
            look="odd",
            pin=odd.pin,
            path=odd.card,
            makes_codes=False,
        )
        for odd in drawer.odd_cards
    ]
    return customers + odd_cards
