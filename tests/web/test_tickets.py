"""A form belongs to one browser."""

from dataclasses import replace

import pytest

from sesame.web.errors import ForeignRequest
from sesame.web.tickets import FormTicket, read_browser, read_ticket

_TICKET = FormTicket(id=bytes(range(16)), browser=bytes(range(32)))


def test_a_form_comes_back_to_its_browser() -> None:
    """With the id and the proof that it was given."""
    fields = {"form": _TICKET.id.hex(), "proof": _TICKET.proof}
    assert read_ticket(fields, _TICKET.browser).id == _TICKET.id


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"form": _TICKET.id.hex()},
        {"form": _TICKET.id.hex(), "proof": ""},
        {"form": _TICKET.id.hex(), "proof": _TICKET.proof.upper()},
        {"form": _TICKET.id.hex(), "proof": "é" + _TICKET.proof[1:]},
        {"form": bytes(16).hex(), "proof": _TICKET.proof},
        {"form": "", "proof": _TICKET.proof},
        {"form": _TICKET.id.hex() + "00", "proof": _TICKET.proof},
    ],
)
def test_another_form_is_refused(fields: dict[str, str]) -> None:
    """One that we never gave to this browser."""
    with pytest.raises(ForeignRequest):
        read_ticket(fields, _TICKET.browser)


def test_another_browser_is_refused() -> None:
    """One with another cookie, and one without."""
    fields = {"form": _TICKET.id.hex(), "proof": _TICKET.proof}
    for browser in (bytes(32), None):
        with pytest.raises(ForeignRequest):
            read_ticket(fields, browser)


def test_every_form_of_every_browser_has_its_own_session_and_device() -> None:
    """And what the page shows, the proof, is not what opens it."""
    tickets = (_TICKET, replace(_TICKET, id=bytes(16)), replace(_TICKET, browser=bytes(32)))
    secrets = {secret for ticket in tickets for secret in (ticket.session_seed, ticket.device_seed)}
    assert len(secrets) == 6
    assert _TICKET.proof not in {secret.hex() for secret in secrets}
    assert all(len(secret) == 32 for secret in secrets)


def test_a_ticket_keeps_its_secret() -> None:
    """In a log or a traceback it says nothing."""
    assert _TICKET.browser.hex() not in repr(_TICKET)
    assert str(_TICKET.browser) not in repr(_TICKET)


@pytest.mark.parametrize("cookie", [None, "", "00", "0" * 63, "0" * 65, "G" * 64, "é" * 64])
def test_a_cookie_that_is_none_of_ours(cookie: str | None) -> None:
    """Counts as none."""
    assert read_browser(cookie) is None
    assert read_browser("0a" * 32) == b"\x0a" * 32
