"""French, unless this browser has chosen otherwise; the choice is a plain link."""

from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp

from sesame.catalogue import Language
from sesame.web.language import language_of, language_route, switch_address

Visit = Callable[[ASGIApp], httpx.AsyncClient]


def _request(cookie: str = "", raw_path: bytes = b"/acces", query: bytes = b"") -> Request:
    return Request(
        {
            "type": "http",
            "raw_path": raw_path,
            "query_string": query,
            "headers": [(b"cookie", cookie.encode())],
        }
    )


@pytest.mark.parametrize(
    ("cookie", "language"),
    [
        ("", Language.FRENCH),
        ("sesame_language=fr", Language.FRENCH),
        ("sesame_language=en", Language.ENGLISH),
        ("sesame_language=de", Language.FRENCH),
        ("sesame_language=../../en", Language.FRENCH),
    ],
)
def test_the_cookie_chooses(cookie: str, language: Language) -> None:
    """What it does not know is French."""
    assert language_of(_request(cookie)) is language


def test_the_link_leads_back_to_where_it_stood() -> None:
    """Path and query as the browser wrote them."""
    request = _request(raw_path=b"/acces/s%C3%A9same", query=b"retour=/espace&x=1")
    assert switch_address(Language.ENGLISH, request) == (
        "/langue/en?retour=%2Facces%2Fs%25C3%25A9same%3Fretour%3D%2Fespace%26x%3D1"
    )


async def test_choosing_sets_the_cookie_and_goes_back(visit: Visit) -> None:
    """For a year; the choice is no secret."""
    async with visit(Starlette(routes=[language_route(secure=True)])) as browser:
        answer = await browser.get("/langue/en", params={"retour": "/acces?a=b"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/acces?a=b"
    assert answer.headers["set-cookie"] == (
        "sesame_language=en; HttpOnly; Max-Age=31536000; Path=/; SameSite=lax; Secure"
    )


@pytest.mark.parametrize("retour", ["https://evil.test", "//evil.test", "/\\evil.test", ""])
async def test_the_link_leads_nowhere_else(visit: Visit, retour: str) -> None:
    """An address that is not ours becomes the home page."""
    async with visit(Starlette(routes=[language_route(secure=False)])) as browser:
        answer = await browser.get("/langue/fr", params={"retour": retour})
    assert answer.headers["location"] == "/"


async def test_a_language_that_we_do_not_speak_has_no_address(visit: Visit) -> None:
    """And sets no cookie."""
    async with visit(Starlette(routes=[language_route(secure=False)])) as browser:
        answer = await browser.get("/langue/de")
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers
