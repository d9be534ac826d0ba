"""Every address of Coop@net and its handler."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from sesame import logs
from sesame.bank.errors import TooBusy
from sesame.custody.errors import CustodyBusy, CustodyError
from sesame.portal.account import get_signed_out, get_space, post_sign_out
from sesame.portal.answers import get_answer, get_displays
from sesame.portal.connections import (
    CONNECTIONS,
    get_connections,
    post_end_all,
    post_end_one,
    post_end_others,
    post_forget_devices,
)
from sesame.portal.guard import CHALLENGE, LOGIN, OLD_CODE, TWO_CODES
from sesame.portal.help import get_help
from sesame.portal.holding import HOLDING, get_hold, post_hold
from sesame.portal.home import get_access, get_home
from sesame.portal.instructions import get_instructions, get_instructions_index
from sesame.portal.login import (
    get_challenge,
    get_codes,
    get_old_code,
    get_two_codes,
    post_challenge,
    post_codes,
    post_old_code,
    post_two_codes,
)
from sesame.portal.opening import OPENING, get_opening, post_opening
from sesame.portal.portal import Portal
from sesame.portal.rehearsal import BRAVO, REHEARSAL, get_bravo, get_rehearsal, post_rehearsal
from sesame.portal.signed_in import SPACE, get_left, post_left
from sesame.portal.trial import get_trial_start, get_trial_step
from sesame.store.errors import StoreUnavailable
from sesame.web.headers import SecurityHeaders
from sesame.web.language import language_route
from sesame.web.problems import problem_handlers

_RETRY = "60"  # seconds
_RETRY_SOON = "2"  # where others were only faster

_Handler = Callable[[Portal, Request], Awaitable[Response]]


def routes(portal: Portal) -> list[BaseRoute]:
    """One table."""

    def route(path: str, **handlers: _Handler) -> Route:
        async def answer(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            return await handlers[method](portal, request)

        # One route an address, so that a wrong method is told all right ones (405, Allow).
        return Route(path, answer, methods=list(handlers))

    return [
        route("/", GET=get_home),
        route("/acces", GET=get_access),
        route(LOGIN, GET=get_codes, POST=post_codes),
        route(TWO_CODES, GET=get_two_codes, POST=post_two_codes),
        route(OLD_CODE, GET=get_old_code, POST=post_old_code),
        route(CHALLENGE, GET=get_challenge, POST=post_challenge),
        *(route(path, GET=get_opening, POST=post_opening) for path in OPENING),
        route("/mode-d-emploi", GET=get_instructions_index),
        route("/mode-d-emploi/{card}", GET=get_instructions),
        route("/premier-essai", GET=get_trial_start),
        route("/premier-essai/{card}/ecrans", GET=get_displays),
        route("/premier-essai/{card}/ecrans/{display}", GET=get_answer),
        route("/premier-essai/{card}/{step}", GET=get_trial_step),
        route(SPACE, GET=get_space),
        route(f"{SPACE}/reste", GET=get_left, POST=post_left),
        route(CONNECTIONS, GET=get_connections),
        route(f"{CONNECTIONS}/terminer", POST=post_end_one),
        route(f"{CONNECTIONS}/autres", POST=post_end_others),
        route(f"{CONNECTIONS}/toutes", POST=post_end_all),
        route(f"{CONNECTIONS}/appareils", POST=post_forget_devices),
        route(HOLDING, GET=get_hold, POST=post_hold),
        route(REHEARSAL, GET=get_rehearsal, POST=post_rehearsal),
        route(BRAVO, GET=get_bravo),
        route("/aide", GET=get_help),
        route("/deconnexion", GET=get_signed_out, POST=post_sign_out),
        route("/favicon.ico", GET=_get_favicon),
        route("/robots.txt", GET=_get_robots),
        language_route(secure=portal.site.https),
        portal.renderer.static.mount(),
    ]


def build(portal: Portal, *, beside: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The whole application: Coop@net, and *beside* it routes of other doors."""
    handlers = problem_handlers(portal.renderer, form=LOGIN)

    async def unavailable(request: Request, error: Exception) -> Response:
        logs.page_unanswered(error)
        problem = HTTPException(503, headers={"Retry-After": _RETRY})
        return await handlers[HTTPException](request, problem)

    async def too_busy(request: Request, _error: Exception) -> Response:
        problem = HTTPException(503, headers={"Retry-After": _RETRY_SOON})
        return await handlers[HTTPException](request, problem)

    application = Starlette(
        routes=[*beside, *routes(portal)],
        exception_handlers={
            **handlers,
            StoreUnavailable: unavailable,
            CustodyError: unavailable,
            TooBusy: too_busy,
            CustodyBusy: too_busy,
        },
    )
    # A redirect to the same address without its last slash would repeat the Host header.
    application.router.redirect_slashes = False
    site = portal.site
    return SecurityHeaders(
        application,
        https=site.https,
        noindex=site.demonstration,
        answered=portal.bank.meters.responses.add,
    )


async def _get_favicon(portal: Portal, _request: Request) -> Response:
    return RedirectResponse(portal.renderer.static.address("mark.svg"), status_code=303)


async def _get_robots(_portal: Portal, _request: Request) -> Response:
    """Nothing here is for search engines: the bank's own site is elsewhere."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")
