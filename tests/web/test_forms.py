"""A small form is read, anything else is refused unread."""

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from sesame.web.errors import MalformedForm
from sesame.web.forms import MOST_BYTES, read_form

_FORM = "application/x-www-form-urlencoded"


def _request(*chunks: bytes, content_type: str = _FORM) -> Request:
    async def messages() -> AsyncIterator[Message]:
        for chunk in chunks:
            yield {"type": "http.request", "body": chunk, "more_body": True}
        yield {"type": "http.request", "body": b"", "more_body": False}

    source = messages()
    headers = [(b"content-type", content_type.encode())] if content_type else []
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    return Request(scope, source.__anext__)


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=8))
async def test_fields_come_out_as_they_were_written(fields: dict[str, str]) -> None:
    """Whatever the letters, in one piece or in several."""
    body = urlencode(fields).encode()
    assert await read_form(_request(body[:7], body[7:])) == fields


async def test_a_charset_behind_the_type_is_no_matter() -> None:
    """Browsers differ there; the encoding of forms does not."""
    request = _request(b"code=1", content_type=_FORM.upper() + "; charset=utf-8")
    assert await read_form(request) == {"code": "1"}


@pytest.mark.parametrize("kind", ["", "multipart/form-data; boundary=x", "application/json"])
async def test_another_type_is_refused(kind: str) -> None:
    """415, before a byte is read."""
    with pytest.raises(MalformedForm) as refusal:
        await read_form(_request(b"code=1", content_type=kind))
    assert refusal.value.status == 415


async def test_a_long_body_is_refused() -> None:
    """413, as soon as it is too long."""
    with pytest.raises(MalformedForm) as refusal:
        await read_form(_request(b"a=" + bytes(MOST_BYTES - 2), b"b"))
    assert refusal.value.status == 413
    assert await read_form(_request(b"a=" + b"b" * (MOST_BYTES - 2)))


@pytest.mark.parametrize("body", [b"code=1&code=2", b"&".join([b"a=1"] * 17)])
async def test_other_fields_than_a_form_has_are_refused(body: bytes) -> None:
    """A field twice, or more fields than any form of ours."""
    with pytest.raises(MalformedForm) as refusal:
        await read_form(_request(body))
    assert refusal.value.status == 400


@given(st.binary(max_size=200))
async def test_any_bytes_are_fields_or_our_error(body: bytes) -> None:
    """No body makes another error."""
    try:
        fields = await read_form(_request(body))
    except MalformedForm:
        return
    assert all(isinstance(part, str) for item in fields.items() for part in item)
