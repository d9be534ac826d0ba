"""A mail server, spoken to by SMTP (RFC 5321), over TLS or after STARTTLS (RFC 3207, RFC 8314).

One connection for the e-mails of a round. Whatever the server does, an e-mail takes no longer
than half a minute (docs/decisions/0040). No answer of the server's is repeated but its status: its
words may hold an address.
"""

import asyncio
import ssl
from collections.abc import Callable

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from sesame.bank.errors import EmailDeferred, EmailRefused, MailServerAway
from sesame.bank.notices import Told
from sesame.mail.message import message_of
from sesame.mail.server import Encryption, Server
from sesame.web.institution import Institution

LONGEST = 30.0  # seconds: connection, TLS, login and one e-mail together
_GOODBYE = 2.0  # seconds
_FOR_GOOD = 500  # the first status that is no matter of time
_CLOSING = 421  # the service closes, whatever was asked


class Smtp:
    """Takes e-mails to *server*; a carrier for the outbox."""

    def __init__(
        self, server: Server, institution: Institution, *, longest: float = LONGEST
    ) -> None:
        """Send nothing yet.

        Raises:
            OSError: there are no certificates in the file that the server's settings name.
        """
        self._server = server
        self._tls = _context(server)
        self._institution = institution
        self._longest = longest
        self._connection: SMTP | None = None

    async def send(self, told: Told) -> None:
        """Have the server take it over.

        Raises:
            EmailRefused: it refuses the recipient or the e-mail for good.
            EmailDeferred: it refuses them for now.
            MailServerAway: it cannot be reached or trusted, does not know us, answers too late or
                something else than SMTP: nothing that the next e-mail would mend.
        """
        message = message_of(told, self._institution, self._server.sender)
        try:
            async with asyncio.timeout(self._longest):
                connection = await self._connected()
                await connection.sendmail(self._server.sender, [told.to], message.as_bytes())
        except SMTPRecipientsRefused as refused:
            raise _said(min(one.code for one in refused.recipients)) from None
        except SMTPDataError as refused:
            raise _said(refused.code) from None
        except SMTPResponseException as refused:
            self._drop()
            raise MailServerAway(f"{_step(refused)} {refused.code}") from None
        except (SMTPException, OSError, ValueError) as error:
            # SMTPException has its time-outs; OSError also TimeoutError, and what TLS refuses.
            self._drop()
            raise MailServerAway(_why(error)) from None
        except asyncio.CancelledError:
            self._drop()
            raise

    async def rest(self) -> None:
        """Take leave of the server."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            async with asyncio.timeout(_GOODBYE):
                await connection.quit()
        except (SMTPException, OSError):
            pass  # what was taken over stays taken over
        finally:
            connection.close()

    async def _connected(self) -> SMTP:
        if self._connection is None or not self._connection.is_connected:
            server = self._server
            self._connection = SMTP(
                hostname=server.host,
                port=server.port,
                local_hostname="sesame.invalid",  # says nothing of this machine (RFC 2606)
                timeout=self._longest,
                use_tls=server.encryption is Encryption.TLS,
                start_tls=server.encryption is Encryption.STARTTLS,
                tls_context=self._tls,
                username=server.user,
                password=server.password,
            )
            await self._connection.connect()
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _context(server: Server) -> ssl.SSLContext | None:
    if server.encryption is Encryption.NONE:
        return None
    return ssl.create_default_context(
        cafile=None if server.authority is None else str(server.authority)
    )


def _said(status: int) -> EmailRefused | EmailDeferred | MailServerAway:
    """What a *status* means that answers an e-mail."""
    if status == _CLOSING:
        return MailServerAway(f"status {status}")
    kind: Callable[[str], EmailRefused | EmailDeferred]
    kind = EmailRefused if status >= _FOR_GOOD else EmailDeferred
    return kind(f"status {status}")


def _step(refused: SMTPResponseException) -> str:
    return "login, status" if isinstance(refused, SMTPAuthenticationError) else "status"


def _why(error: Exception) -> str:
    """*error* without its words."""
    if isinstance(error, SMTPNotSupported) or type(error) is SMTPException:
        return "it offers no such encryption or login"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not to be trusted"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
