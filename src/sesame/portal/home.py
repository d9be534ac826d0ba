"""The home page of Coop@net, and « Accès à vos comptes » where the means is chosen."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sesame.portal.portal import Portal


@dataclass(frozen=True, slots=True)
class HomePage:
    """home.html: nothing but what every page shows."""


@dataclass(frozen=True, slots=True)
class AccessPage:
    """access.html: nothing but what every page shows."""


async def get_home(portal: Portal, request: Request) -> Response:
    """`GET /`."""
    return portal.page(request, "home.html", HomePage())


async def get_access(portal: Portal, request: Request) -> Response:
    """`GET /acces`."""
    return portal.page(request, "access.html", AccessPage())
