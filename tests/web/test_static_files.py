"""Style sheets and pictures: kept for good where the address names the version."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp

from sesame.web.rendering import Renderer

Visit = Callable[[ASGIApp], httpx.AsyncClient]


def _app(renderer: Renderer) -> Starlette:
    return Starlette(routes=[renderer.static.mount()])


async def test_an_address_holds_the_hash_of_its_file(
    renderer: Renderer, visit: Visit, static_folder: Path
) -> None:
    """So a new version has a new address, and the old one may be kept for good."""
    content = (static_folder / "theme.css").read_bytes()
    address = renderer.static.address("theme.css")
    assert address == f"/static/theme.css?v={hashlib.sha256(content).hexdigest()[:12]}"
    async with visit(_app(renderer)) as browser:
        answer = await browser.get(address)
    assert answer.content == content
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("query", ["", "?v=", "?v=000000000000", "?w=1"])
async def test_another_address_is_asked_for_again(
    renderer: Renderer, visit: Visit, query: str
) -> None:
    """With an ETag, so that asking is cheap."""
    async with visit(_app(renderer)) as browser:
        answer = await browser.get("/static/theme.css" + query)
        again = await browser.get(
            "/static/theme.css", headers={"If-None-Match": answer.headers["etag"]}
        )
    assert answer.headers["cache-control"] == "no-cache"
    assert again.status_code == 304


async def test_what_the_theme_imports_is_kept_for_good(
    renderer: Renderer, visit: Visit, static_folder: Path
) -> None:
    """Its name carries its version, since a style sheet cannot know hashes."""
    theme = (static_folder / "theme.css").read_text(encoding="utf-8")
    imported = theme.partition('@import url("')[2].partition('"')[0]
    async with visit(_app(renderer)) as browser:
        answer = await browser.get("/static/" + imported)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]


def test_the_vendored_base_is_the_published_one_with_its_licence(static_folder: Path) -> None:
    """As docs/decisions/0011 records it: unchanged, and MIT."""
    vendor = static_folder / "vendor"
    base = (vendor / "simple-2.3.7.min.css").read_bytes()
    record = Path("docs/decisions/0011-why-simple-css-under-a-theme-of-our-own.md")
    recorded = (static_folder.parents[3] / record).read_text(encoding="utf-8")
    assert hashlib.sha256(base).hexdigest() in recorded
    assert "MIT License" in (vendor / "simple-LICENSE.txt").read_text(encoding="utf-8")


def test_a_file_that_is_not_there_is_an_error_at_once(renderer: Renderer) -> None:
    """In the template that names it, not in the browser."""
    with pytest.raises(KeyError):
        renderer.static.address("nowhere.css")


@pytest.mark.parametrize(
    "path",
    [
        "nowhere.css",
        "../templates/base.html",
        "%2e%2e/templates/base.html",
        "..%2f..%2ferrors.py",
        "%2fetc%2fpasswd",
        "a%00b",
        "x" * 300,
        "",
    ],
)
async def test_nothing_else_is_served(renderer: Renderer, visit: Visit, path: str) -> None:
    """No way out of the folders."""
    async with visit(_app(renderer)) as browser:
        assert (await browser.get("/static/" + path)).status_code == 404
