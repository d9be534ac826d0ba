"""`sesame.mail.smtp`, against a real mail server: taken over, deferred, refused, away."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from aiosmtpd.smtp import SMTP

from sesame.bank.errors import EmailDeferred, EmailRefused, MailServerAway
from sesame.bank.notices import Event, Told
from sesame.catalogue import Language
from sesame.mail.server import Encryption
from sesame.mail.smtp import Smtp
from sesame.web.institution import Institution
from tests.mail.post_office import PASSWORD, SENDER, USER, PostOffice, post_office

_TOLD = Told(
    id=bytes(range(16)),
    to="vera@example.org",
    language=Language.FRENCH,
    event=Event.HOLD,
    at=datetime(2026, 3, 2, 13, 32, tzinfo=UTC),
)
_BANK = Institution()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[PostOffice]:
    """A mail server."""
    async with post_office(tmp_path) as office:
        yield office


@pytest.mark.parametrize("encryption", [Encryption.TLS, Encryption.STARTTLS])
async def test_taken_over_an_encrypted_connection(tmp_path: Path, encryption: Encryption) -> None:
    """With a name and a password; several e-mails by one connection."""
    async with post_office(tmp_path, encryption, login=encryption is Encryption.STARTTLS) as office:
        who = {"user": USER, "password": PASSWORD} if encryption is Encryption.STARTTLS else {}
        carrier = Smtp(office.server(encryption, **who), _BANK)
        await carrier.send(_TOLD)
        await carrier.send(_TOLD)
        await carrier.rest()
        assert office.envelopes == [(SENDER, ["vera@example.org"])] * 2
        assert office.encrypted
        assert PASSWORD not in repr(office.server(encryption, **who))


async def test_none_that_is_not_known(tmp_path: Path) -> None:
    """A certificate of nobody whom we trust, or a name of another server: nothing leaves."""
    async with post_office(tmp_path, Encryption.TLS) as office:
        carrier = Smtp(office.server(Encryption.TLS, authority=None), _BANK)
        with pytest.raises(MailServerAway, match="certificate is not to be trusted"):
            await carrier.send(_TOLD)
        assert not office.taken


async def test_starttls_that_is_not_offered(office: PostOffice) -> None:
    """Whoever takes it out of the answer gets no e-mail: it does not go on without."""
    with pytest.raises(MailServerAway, match="offers no such encryption"):
        await Smtp(office.server(Encryption.STARTTLS), _BANK).send(_TOLD)
    assert not office.taken


async def test_a_password_that_is_wrong(tmp_path: Path) -> None:
    """Is ours to mend: no e-mail is given up for it. It is in no message."""
    async with post_office(tmp_path, Encryption.STARTTLS, login=True) as office:
        server = office.server(Encryption.STARTTLS, user=USER, password="faux mot")
        with pytest.raises(MailServerAway, match=r"login, status 535") as away:
            await Smtp(server, _BANK).send(_TOLD)
        assert "faux" not in str(away.value)


@pytest.mark.parametrize(
    ("to_recipient", "to_message", "expected"),
    [
        ("450 later", "250 OK", EmailDeferred),
        ("550 unknown vera@example.org", "250 OK", EmailRefused),
        ("250 OK", "451 later", EmailDeferred),
        ("250 OK", "554 no", EmailRefused),
        ("421 closing", "250 OK", MailServerAway),
    ],
)
async def test_a_status_says_whether_to_try_again(
    office: PostOffice, to_recipient: str, to_message: str, expected: type[Exception]
) -> None:
    """For now, for good, or nothing at all; and the connection serves the next one."""
    office.to_recipient, office.to_message = to_recipient, to_message
    carrier = Smtp(office.server(), _BANK)
    with pytest.raises(expected) as said:
        await carrier.send(_TOLD)
    assert "vera" not in str(said.value)
    office.to_recipient = office.to_message = "250 OK"
    await carrier.send(_TOLD)
    await carrier.rest()
    assert len(office.taken) == 1


async def test_a_server_that_is_dead(office: PostOffice) -> None:
    """Nobody listens; and one that hangs up in the middle."""

    async def drop(server: SMTP) -> None:
        assert server.transport is not None
        cast("asyncio.WriteTransport", server.transport).abort()

    server = office.server()
    office.before = drop
    with pytest.raises(MailServerAway):
        await Smtp(server, _BANK).send(_TOLD)
    office.before = None
    carrier = Smtp(server, _BANK)
    await carrier.send(_TOLD)
    await carrier.rest()
    with pytest.raises(MailServerAway, match="SMTPConnectError"):
        await Smtp(PostOffice(port=1).server(), _BANK).send(_TOLD)


async def test_a_server_that_takes_its_time(office: PostOffice) -> None:
    """An answer that does not come is not waited for."""

    async def sleep(_server: SMTP) -> None:
        await asyncio.sleep(30)

    office.before = sleep
    async with asyncio.timeout(20):
        with pytest.raises(MailServerAway, match="no answer in time"):
            await Smtp(office.server(), _BANK, longest=0.3).send(_TOLD)


async def test_a_server_that_drawls(office: PostOffice) -> None:
    """Each answer comes in time, and all of them together do not."""

    async def slowly(_server: SMTP) -> None:
        await asyncio.sleep(0.2)

    office.before_recipient = office.before = slowly
    with pytest.raises(MailServerAway, match="no answer in time"):
        await Smtp(office.server(), _BANK, longest=0.3).send(_TOLD)


async def test_what_is_no_mail_server() -> None:
    """Bytes that are no SMTP, without an end."""

    async def chatter(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"\xff\x00" * 4096)
                await writer.drain()
                await asyncio.sleep(0)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(chatter, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(MailServerAway):
        await Smtp(PostOffice(port=port).server(), _BANK, longest=0.5).send(_TOLD)
    server.close()


async def test_an_address_that_is_none_is_not_sent_to(office: PostOffice) -> None:
    """Refused for good, before anybody is asked; no line of ours is smuggled in by one."""
    carrier = Smtp(office.server(), _BANK)
    for address in (
        "vera",
        "vera@example.org\r\nBcc: x@example.org",
        "véra@example.org",
        "vera@exämple.org",
        "",
    ):
        told = Told(
            id=_TOLD.id, to=address, language=_TOLD.language, event=_TOLD.event, at=_TOLD.at
        )
        with pytest.raises(EmailRefused):
            await carrier.send(told)
    assert not office.taken
    assert office.connections == 0


async def test_no_address_is_logged(office: PostOffice, caplog: pytest.LogCaptureFixture) -> None:
    """By us or the library, at any level."""
    with (
        caplog.at_level(logging.DEBUG, logger="aiosmtplib"),
        caplog.at_level(logging.DEBUG, "sesame"),
    ):
        office.to_recipient = "550 unknown"
        with pytest.raises(EmailRefused):
            await Smtp(office.server(), _BANK).send(_TOLD)
    ours = [r for r in caplog.records if r.name.startswith(("sesame", "aiosmtplib"))]
    assert not [record for record in ours if "vera" in record.getMessage()]
    assert "vera" not in repr(_TOLD)
