"""Cookies that carry secrets are as narrow as the browser allows."""

from starlette.requests import Request
from starlette.responses import Response

from sesame.web.cookies import Cookie

_SECURE = Cookie("sesame_session", secure=True)
_PLAIN = Cookie("sesame_session", secure=False)


def _carrying(header: str) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", header.encode())]})


def test_over_https_it_is_bound_to_this_host() -> None:
    """RFC 6265bis, 4.1.3.2: `__Host-` wants Secure, Path=/ and no Domain."""
    response = Response()
    _SECURE.set(response, "abc")
    assert response.headers["set-cookie"] == (
        "__Host-sesame_session=abc; HttpOnly; Path=/; SameSite=lax; Secure"
    )


def test_over_plain_http_it_has_neither_prefix_nor_secure() -> None:
    """On loopback; the browser would refuse both."""
    response = Response()
    _PLAIN.set(response, "abc")
    assert response.headers["set-cookie"] == "sesame_session=abc; HttpOnly; Path=/; SameSite=lax"


def test_it_is_taken_away_under_the_same_name() -> None:
    """With the same attributes, or browsers keep a prefixed one."""
    response = Response()
    _SECURE.delete(response)
    header = response.headers["set-cookie"]
    assert header.startswith('__Host-sesame_session=""; ')
    assert {"Max-Age=0", "Path=/", "Secure"} <= set(header.split("; "))


def test_each_reads_its_own_name_only() -> None:
    """A cookie without the prefix may come from a neighbour: over https it counts for nothing."""
    assert _SECURE.read(_carrying("sesame_session=planted")) is None
    assert _SECURE.read(_carrying("__Host-sesame_session=ours; sesame_session=x")) == "ours"
    assert _PLAIN.read(_carrying("sesame_session=ours")) == "ours"
