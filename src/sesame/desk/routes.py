"""Every address of the desk and its handler."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from sesame import logs
from sesame.bank.errors import TooBusy
from sesame.custody.errors import CustodyBusy, CustodyError
from sesame.desk.addresses import (
    ADDRESS,
    CONFIRM,
    get_address,
    get_confirm,
    post_address,
    post_confirm,
)
from sesame.desk.bank_cards import BANK_CARDS, get_bank_cards, post_bank_cards
from sesame.desk.campaign import REMIND, WHO, get_campaign, get_who, post_remind
from sesame.desk.codes import CODES, get_codes, post_codes
from sesame.desk.counter import get_counter, post_counter
from sesame.desk.customer import get_customer
from sesame.desk.desk import Desk
from sesame.desk.guard import (
    CAMPAIGN,
    CHALLENGE,
    CUSTOMER,
    FIRST_ACCESS,
    HOME,
    LOGIN,
    PEOPLE,
    REQUESTS,
    SEARCH,
    SIGN_OUT,
    TWO_CODES,
    Handler,
)
from sesame.desk.home import get_home, post_sign_out
from sesame.desk.hours import HOURS, TAKE_BACK, get_hours, post_hours, post_take_back
from sesame.desk.issuing import (
    AGAIN,
    ASK,
    ISSUING,
    READERS,
    RETURNED,
    get_issuing,
    get_reprint,
    post_again,
    post_ask,
    post_readers,
    post_reprint,
    post_returned,
)
from sesame.desk.limits import LIMITS, get_limits, post_limits
from sesame.desk.login import get_login, post_login
from sesame.desk.lowering import get_lowering, post_lowering
from sesame.desk.new_number import NEW_NUMBER, get_new_number, post_new_number
from sesame.desk.numbers import SHOW, get_number, get_show, post_number, post_show
from sesame.desk.opposition import get_opposition, post_opposition
from sesame.desk.people import (
    CLOSE,
    NEW,
    get_close,
    get_first_access,
    get_new,
    get_people,
    post_close,
    post_first_access,
    post_new,
)
from sesame.desk.request_list import get_list
from sesame.desk.requests import (
    COUNTER,
    DECIDE,
    LIFT,
    LIST,
    NUMBER,
    REPRINT,
    get_lift,
    get_requests,
    post_decide,
    post_lift,
)
from sesame.desk.search import get_search, post_search
from sesame.desk.suspension import get_suspension, post_suspension
from sesame.store.errors import StoreUnavailable
from sesame.web.headers import SecurityHeaders
from sesame.web.language import language_route
from sesame.web.problems import problem_handlers

_RETRY = "60"  # seconds
_RETRY_SOON = "2"  # where others were only faster


def routes(desk: Desk) -> list[BaseRoute]:
    """One table."""

    def route(path: str, **handlers: Handler) -> Route:
        async def answer(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            return await handlers[method](desk, request)

        return Route(path, answer, methods=list(handlers))

    return [
        route("/", GET=_get_root),
        route(HOME, GET=get_home),
        route(LOGIN, GET=get_login, POST=post_login),
        route(TWO_CODES, GET=get_login, POST=post_login),
        route(CHALLENGE, GET=get_login, POST=post_login),
        route(FIRST_ACCESS, GET=get_first_access, POST=post_first_access),
        route(SIGN_OUT, POST=post_sign_out),
        route(SEARCH, GET=get_search, POST=post_search),
        route(CUSTOMER, GET=get_customer),
        route(REQUESTS, GET=get_requests),
        route(LIFT, GET=get_lift, POST=post_lift),
        route(DECIDE, POST=post_decide),
        route(LIST, GET=get_list),
        route(NUMBER, GET=get_number, POST=post_number),
        route(COUNTER, GET=get_lowering, POST=post_lowering),
        route(BANK_CARDS, GET=get_bank_cards, POST=post_bank_cards),
        route(SHOW, GET=get_show, POST=post_show),
        route(NEW_NUMBER, GET=get_new_number, POST=post_new_number),
        route(CAMPAIGN, GET=get_campaign),
        route(WHO, GET=get_who),
        route(REMIND, POST=post_remind),
        route(PEOPLE, GET=get_people),
        route(NEW, GET=get_new, POST=post_new),
        route(CLOSE, GET=get_close, POST=post_close),
        route(HOURS, GET=get_hours, POST=post_hours),
        route(TAKE_BACK, POST=post_take_back),
        route(LIMITS, GET=get_limits, POST=post_limits),
        route(ADDRESS, GET=get_address, POST=post_address),
        route(CONFIRM, GET=get_confirm, POST=post_confirm),
        route(ISSUING, GET=get_issuing),
        route(ASK, POST=post_ask),
        route(RETURNED, POST=post_returned),
        route(AGAIN, POST=post_again),
        route(READERS, POST=post_readers),
        route(REPRINT, GET=get_reprint, POST=post_reprint),
        route(f"{CUSTOMER}/opposition", GET=get_opposition, POST=post_opposition),
        route(f"{CUSTOMER}/suspension", GET=get_suspension, POST=post_suspension),
        *[route(f"{CUSTOMER}/{way}", GET=get_codes, POST=post_codes) for way in CODES],
        route(f"{CUSTOMER}/carte-au-guichet", GET=get_counter, POST=post_counter),
        route("/favicon.ico", GET=_get_favicon),
        route("/robots.txt", GET=_get_robots),
        language_route(secure=desk.site.https),
        desk.renderer.static.mount(),
    ]


def build(desk: Desk) -> ASGIApp:
    """The whole application. It runs no script, on any page."""
    handlers = problem_handlers(desk.renderer, form=LOGIN)

    async def unavailable(request: Request, error: Exception) -> Response:
        logs.page_unanswered(error)
        problem = HTTPException(503, headers={"Retry-After": _RETRY})
        return await handlers[HTTPException](request, problem)

    async def too_busy(request: Request, _error: Exception) -> Response:
        problem = HTTPException(503, headers={"Retry-After": _RETRY_SOON})
        return await handlers[HTTPException](request, problem)

    application = Starlette(
        routes=routes(desk),
        exception_handlers={
            **handlers,
            StoreUnavailable: unavailable,
            CustodyError: unavailable,
            TooBusy: too_busy,
            CustodyBusy: too_busy,
        },
    )
    application.router.redirect_slashes = False  # as in `sesame.portal.routes`
    return SecurityHeaders(
        application,
        https=desk.site.https,
        noindex=True,
        answered=desk.bank.meters.responses.add,
    )


async def _get_root(_desk: Desk, _request: Request) -> Response:
    return RedirectResponse(HOME, status_code=303)


async def _get_favicon(desk: Desk, _request: Request) -> Response:
    return RedirectResponse(desk.renderer.static.address("mark.svg"), status_code=303)


async def _get_robots(_desk: Desk, _request: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")
