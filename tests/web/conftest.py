"""A small application on `sesame.web`, as the portal and the simulator are."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from sesame.web.institution import Institution
from sesame.web.rendering import Renderer, Site

# The simulator's folder serves as the package: it has a frame.html and files of its own.
PACKAGE = "sesame.simulator"


@pytest.fixture
def renderer() -> Renderer:
    """Pages of a demonstration on plain http."""
    site = Site(
        institution=Institution(),
        demonstration=True,
        beside="http://127.0.0.1:8001/",
        https=False,
    )
    return Renderer(PACKAGE, site)


@pytest.fixture
def visit() -> Callable[[ASGIApp], httpx.AsyncClient]:
    """A browser before an application; errors become answers, as on a server."""

    def open_client(app: ASGIApp) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://bank.test")

    return open_client


@pytest.fixture
def static_folder() -> Path:
    """Where the shared style sheets and pictures stand."""
    return Path(__file__).parents[2] / "src" / "sesame" / "web" / "static"
