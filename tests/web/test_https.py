"""`sesame.web.https`: what came in the clear reaches no handler."""

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from sesame.web.https import HttpsOnly


async def _visit(address: str, **headers: str) -> tuple[httpx.Response, list[str]]:
    reached: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["scheme"])
        await PlainTextResponse("in")(scope, receive, send)

    transport = httpx.ASGITransport(HttpsOnly(application))
    async with httpx.AsyncClient(transport=transport) as client:
        return await client.post(address, headers=headers, content=b"code=34567890"), reached


async def test_https_goes_through() -> None:
    """As the server understood it."""
    answer, reached = await _visit("https://bank.test/acces/sesame")
    assert (answer.status_code, reached) == (200, ["https"])


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Proto": "https"}])
async def test_plain_http_is_turned_away(headers: dict[str, str]) -> None:
    """Whatever the request itself claims: only the server's own scheme counts."""
    answer, reached = await _visit("http://bank.test/acces/sesame", **headers)
    assert (answer.status_code, reached) == (403, [])
    assert "qu’en https" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers  # RFC 6797, 7.2


async def test_in_english_too() -> None:
    """For a browser that chose it."""
    answer, _ = await _visit("http://bank.test/", Cookie="sesame_language=en")
    assert "over https only" in answer.text
    assert answer.headers["content-language"] == "en"


async def test_the_lifespan_goes_through() -> None:
    """It has no scheme."""
    seen = []

    async def application(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(_message: object) -> None:
        pytest.fail("it answered by itself")

    await HttpsOnly(application)({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"]
