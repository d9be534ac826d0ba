"""The page of help: how to reach a person, and what to do when something goes wrong."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sesame.portal.hours import HelpCalendar, calendar
from sesame.portal.portal import Portal
from sesame.web.language import language_of
from sesame.web.opening import PARIS


@dataclass(frozen=True, slots=True)
class HelpPage:
    """assistance.html: the hours at length, and how this site is known from a false one."""

    calendar: HelpCalendar
    address: str | None  # "https://www.example.org"; None in a demonstration


async def get_help(portal: Portal, request: Request) -> Response:
    """`GET /aide`."""
    today = portal.bank.now().astimezone(PARIS).date()
    page = HelpPage(calendar(portal.hours(), today, language_of(request)), portal.public_origin)
    return portal.page(request, "assistance.html", page)
