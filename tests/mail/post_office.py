"""A real mail server of the tests' own (aiosmtpd), which can be told to be difficult."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from pathlib import Path
from typing import cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from sesame.mail.server import Encryption, Server
from tests.store.test_postgresql_tls import Authority

SENDER = "ne-pas-repondre@tilleul.example"
USER, PASSWORD = "sesame", "vingt tilleuls en fleur"


@dataclass
class PostOffice:
    """What it took, and how it answers."""

    port: int = 0
    authority: Path | None = None
    taken: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    connections: int = 0
    encrypted: bool = False
    to_recipient: str = "250 OK"
    to_message: str = "250 OK"
    before_recipient: Callable[[SMTP], Awaitable[None]] | None = None  # it answers to one
    before: Callable[[SMTP], Awaitable[None]] | None = None  # it answers to a message

    def server(self, encryption: Encryption = Encryption.NONE, **others: object) -> Server:
        """As settings name it."""
        known = {"authority": self.authority, **others}
        return Server(
            host="127.0.0.1",
            port=self.port,
            encryption=encryption,
            sender=SENDER,
            **known,  # type: ignore[arg-type]  # fields by name
        )

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's names
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: object
    ) -> str:
        """Take a recipient, or not."""
        if self.before_recipient is not None:
            await self.before_recipient(server)
        if self.to_recipient.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a message, or not."""
        if self.before is not None:
            await self.before(server)
        if self.to_message.startswith("2"):
            message = message_from_bytes(cast("bytes", envelope.content), policy=POLICY)
            self.taken.append(message)
            self.envelopes.append((str(envelope.mail_from), list(envelope.rcpt_tos)))
            self.encrypted = _encrypted(server)
        return self.to_message

    def text(self, place: int = -1) -> str:
        """What a message says."""
        return str(self.taken[place].get_content())


def _encrypted(server: SMTP) -> bool:
    assert server.transport is not None
    return server.transport.get_extra_info("sslcontext") is not None


def _check(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
) -> AuthResult:
    known = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=data == known, handled=False)


@asynccontextmanager
async def post_office(
    folder: Path, encryption: Encryption = Encryption.NONE, *, login: bool = False
) -> AsyncIterator[PostOffice]:
    """One that is open."""
    office = PostOffice()
    loop = asyncio.get_running_loop()
    context = None
    if encryption is not Encryption.NONE:
        authority = Authority("mail")
        office.authority = authority.write(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*authority.issue(folder, "mail-server", "127.0.0.1"))

    def connect() -> SMTP:
        office.connections += 1
        starttls = context if encryption is Encryption.STARTTLS else None
        return SMTP(
            office,
            loop=loop,
            hostname="mail.example",
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=login,
            auth_require_tls=starttls is not None,
            authenticator=_check if login else None,
        )

    wrapped = context if encryption is Encryption.TLS else None
    listening = await loop.create_server(connect, "127.0.0.1", 0, ssl=wrapped)
    office.port = listening.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        listening.close()
        await listening.wait_closed()
