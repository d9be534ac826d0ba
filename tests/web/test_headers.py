"""Every answer carries the security headers, errors and all."""

from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sesame.web.headers import CSP, CSP_WITH_SCRIPT, SecurityHeaders

Visit = Callable[[ASGIApp], httpx.AsyncClient]


async def _hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def _kept(_request: Request) -> Response:
    return PlainTextResponse("hello", headers={"Cache-Control": "max-age=1"})


async def _with_script(_request: Request) -> Response:
    return PlainTextResponse("hello", headers={"Content-Security-Policy": CSP_WITH_SCRIPT})


async def _broken(_request: Request) -> Response:
    raise RuntimeError("broken")


_APP = Starlette(
    routes=[
        Route("/", _hello),
        Route("/kept", _kept),
        Route("/with-script", _with_script),
        Route("/broken", _broken),
    ],
)


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/nowhere", 404), ("/broken", 500)])
async def test_every_answer_has_them(visit: Visit, path: str, status: int) -> None:
    """Also those that no handler of ours made."""
    async with visit(SecurityHeaders(_APP, https=True)) as browser:
        answer = await browser.get(path)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert answer.headers["strict-transport-security"] == "max-age=63072000"
    assert answer.headers["cache-control"] == "no-store"


async def test_an_answer_may_say_how_long_it_keeps(visit: Visit) -> None:
    """`no-store` is for whatever says nothing."""
    async with visit(SecurityHeaders(_APP, https=True)) as browser:
        answer = await browser.get("/kept")
    assert answer.headers.get_list("cache-control") == ["max-age=1"]


async def test_an_answer_may_bring_a_policy_of_its_own(visit: Visit) -> None:
    """One policy, not two: browsers would obey both."""
    async with visit(SecurityHeaders(_APP, https=True)) as browser:
        answer = await browser.get("/with-script")
    assert answer.headers.get_list("content-security-policy") == [CSP_WITH_SCRIPT]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_plain_http_does_not_speak_of_https(visit: Visit) -> None:
    """RFC 6797, 7.2: no Strict-Transport-Security over plain http."""
    async with visit(SecurityHeaders(_APP, https=False)) as browser:
        answer = await browser.get("/")
    assert "strict-transport-security" not in answer.headers


async def test_search_engines_are_told_only_where_asked(visit: Visit) -> None:
    """A demonstration is not to be found by searching."""
    async with visit(SecurityHeaders(_APP, https=False, noindex=True)) as browser:
        assert (await browser.get("/")).headers["x-robots-tag"] == "noindex, nofollow"
    async with visit(SecurityHeaders(_APP, https=False)) as browser:
        assert "x-robots-tag" not in (await browser.get("/")).headers


def test_scripts_are_allowed_only_in_the_policy_that_says_so() -> None:
    """The policy of the portal knows no script at all; neither allows anything inline."""
    assert "script" not in CSP
    assert CSP.startswith("default-src 'none'")
    assert "script-src 'self'" in CSP_WITH_SCRIPT
    assert "unsafe" not in CSP_WITH_SCRIPT


async def test_what_is_not_http_passes_untouched() -> None:
    """A server's start and end go through to the application."""
    seen: list[str] = []

    async def application(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(_message: Message) -> None:
        pytest.fail("nothing is sent")

    await SecurityHeaders(application, https=True)({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"]
