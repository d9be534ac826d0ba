"""Errors become pages with a sentence and a way on, and nothing of the error."""

from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sesame.web.errors import ForeignRequest, MalformedForm
from sesame.web.problems import problem_handlers
from sesame.web.rendering import Renderer

Visit = Callable[[ASGIApp], httpx.AsyncClient]
Browse = Callable[[], httpx.AsyncClient]
_SECRET = "12345678"


async def _foreign(_request: Request) -> Response:
    raise ForeignRequest(_SECRET)


async def _malformed(_request: Request) -> Response:
    raise MalformedForm(_SECRET, status=413)


async def _closed(_request: Request) -> Response:
    raise HTTPException(503, _SECRET, headers={"Retry-After": "60"})


async def _broken(_request: Request) -> Response:
    local = _SECRET
    raise RuntimeError(local)


@pytest.fixture
def browse(renderer: Renderer, visit: Visit) -> Browse:
    """A browser before an application with every problem."""
    app = Starlette(
        routes=[
            Route("/foreign", _foreign),
            Route("/malformed", _malformed),
            Route("/broken", _broken),
            Route("/closed", _closed),
        ],
        exception_handlers=dict(problem_handlers(renderer, form="/new")),
    )
    return lambda: visit(app)


@pytest.mark.parametrize(
    ("asked", "status", "says", "way_on"),
    [
        ("GET /nowhere", 404, "Cette page n’existe pas", "/"),
        ("POST /broken", 405, "Cette adresse ne s’ouvre pas ainsi", "/"),
        ("GET /broken", 500, "Une erreur s’est produite de notre côté", "/"),
        ("GET /closed", 503, "Service momentanément indisponible", "/"),
        ("GET /foreign", 403, "Ce formulaire ne peut pas être envoyé", "/new"),
        ("GET /malformed", 413, "Cette demande n’a pas pu être comprise", "/"),
    ],
)
async def test_each_problem_has_its_page(
    browse: Browse, asked: str, status: int, says: str, way_on: str
) -> None:
    """With its status; what the error said stays inside."""
    async with browse() as browser:
        answer = await browser.request(*asked.split())
    assert answer.status_code == status
    assert f"<title>Erreur – {says} – Coop@net</title>" in answer.text
    assert f"<h1>{says}</h1>" in answer.text
    assert f'class="button" href="{way_on}"' in answer.text
    assert _SECRET not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("asked", "next_step"),
    [
        ("GET /nowhere", "Vérifiez l’adresse, ou repartez de la page d’accueil."),
        ("POST /broken", "Reprenez depuis la page d’accueil, par les liens et les boutons."),
        ("GET /broken", "Réessayez dans quelques minutes."),
        ("GET /closed", "Réessayez dans quelques instants."),
        ("GET /foreign", "reprenez avec un nouveau formulaire."),
        ("GET /malformed", "Reprenez depuis la page d’accueil, par les liens et les boutons."),
    ],
)
async def test_each_problem_says_what_to_do_next(
    browse: Browse, asked: str, next_step: str
) -> None:
    """In its own words, before the button."""
    async with browse() as browser:
        answer = await browser.request(*asked.split())
    assert next_step in answer.text


async def test_an_english_title_begins_with_error(browse: Browse) -> None:
    """WCAG technique G88: read aloud first."""
    async with browse() as browser:
        browser.cookies.set("sesame_language", "en")
        answer = await browser.get("/nowhere")
    assert "<title>Error – This page does not exist – Coop@net</title>" in answer.text


async def test_a_wrong_method_is_told_the_right_ones(browse: Browse) -> None:
    """RFC 9110, 15.5.6: 405 comes with Allow."""
    async with browse() as browser:
        answer = await browser.delete("/broken")
    assert {method.strip() for method in answer.headers["allow"].split(",")} == {"GET", "HEAD"}
