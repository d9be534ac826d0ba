"""`sesame.mail.message`: an e-mail says what was done, and nothing that others could use."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from sesame.bank.notices import Event, Told
from sesame.catalogue import Language
from sesame.mail.message import message_of
from sesame.web.institution import Institution
from sesame.web.notice_words import WORDS

_SENDER = "ne-pas-repondre@tilleul.example"
_TOLD = Told(
    id=bytes(range(16)),
    to="vera@example.org",
    language=Language.FRENCH,
    event=Event.HOLD,
    at=datetime(2026, 7, 1, 22, 32, tzinfo=UTC),
)


def _sent(told: Told) -> EmailMessage:
    """As a mail program reads it."""
    made = message_of(told, Institution(), _SENDER)
    return message_from_bytes(made.as_bytes(), policy=SMTP)


def test_every_event_has_words() -> None:
    """And nothing has words that no event needs."""
    assert set(WORDS) == {event.value for event in Event}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("event", Event)
def test_nothing_to_click_and_nobody_named(event: Event, language: Language) -> None:
    """Plain text, in one language; the number to call, and that we never send a link."""
    message = _sent(replace(_TOLD, event=event, language=language))
    text = message.get_content()
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    assert message["Content-Language"] == language
    named = text.replace("Coop@net", "")
    assert not re.search(r"https?:|www\.|@|<|\{|example", named)
    assert "01\u00a099\u00a000\u00a026\u00a040" in text
    assert ("lien" if language is Language.FRENCH else "link") in text
    assert ("code Sésame" if language is Language.FRENCH else "Sésame code") in text
    for header in message.values():
        assert "\n" not in header


def test_what_a_mail_program_goes_by() -> None:
    """The same id at each try, nothing personal in it, and no holiday reply."""
    message = _sent(_TOLD)
    assert message["Message-ID"] == f"<{bytes(range(16)).hex()}@tilleul.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["From"] == f"Banque coopérative du Tilleul <{_SENDER}>"
    assert message["To"] == "vera@example.org"
    assert message["Subject"] == "Vos codes Sésame sont bloqués"
    assert "Received" not in message


def test_it_says_when_in_paris() -> None:
    """An hour after midnight in summer is another day than in UTC."""
    text = _sent(_TOLD).get_content()
    assert "C’était le jeudi 2\u00a0juillet\u00a02026 à\u00a00\u00a0h\u00a032." in text
    text = _sent(replace(_TOLD, language=Language.ENGLISH)).get_content()
    assert "This was on Thursday 2\u00a0July\u00a02026 at\u00a000:32" in text
