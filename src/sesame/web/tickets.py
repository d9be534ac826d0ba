"""The ticket of a form: which browser was given it, and what only that browser's form can open.

Its id is chance, its proof ties it to the browser that asked for it: a MAC under that browser's
cookie, which no other site can make (against CSRF). The same form sent twice by that browser is
the same attempt, and opens the same session.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sesame.web.errors import ForeignRequest

BROWSER_LENGTH = 32  # bytes
FORM_ID_LENGTH = 16  # bytes
_BROWSER = re.compile(rf"[0-9a-f]{{{2 * BROWSER_LENGTH}}}")
_FORM_ID = re.compile(rf"[0-9a-f]{{{2 * FORM_ID_LENGTH}}}")


@dataclass(frozen=True, slots=True, repr=False)
class FormTicket:
    """One form given to one browser."""

    id: bytes  # 16 bytes
    browser: bytes  # 32 bytes, a secret between us and the browser

    @property
    def proof(self) -> str:
        """What only this browser's form carries, in hex."""
        return self._mac(b"form").hex()

    @property
    def session_seed(self) -> bytes:
        """32 bytes that only this browser's form can lead to."""
        return self._mac(b"session")

    @property
    def device_seed(self) -> bytes:
        """32 bytes for the secret by which this browser may be known once it is accepted."""
        return self._mac(b"device")

    @property
    def challenge_bound_to(self) -> bytes:
        """32 bytes of this browser, so that its next form may ask the same challenge again."""
        return hmac.digest(self.browser, b"challenge", hashlib.sha256)

    def _mac(self, purpose: bytes) -> bytes:
        return hmac.digest(self.browser, purpose + b"\x00" + self.id, hashlib.sha256)


def read_browser(cookie: str | None) -> bytes | None:
    """The browser's secret, or None where the cookie is missing or none of ours."""
    if cookie is None or not _BROWSER.fullmatch(cookie):
        return None
    return bytes.fromhex(cookie)


def read_ticket(fields: Mapping[str, str], browser: bytes | None) -> FormTicket:
    """The ticket that came back with *fields*.

    Raises:
        ForeignRequest: this browser was not given such a form.
    """
    form = fields.get("form", "")
    if browser is None or not _FORM_ID.fullmatch(form):
        raise ForeignRequest("the form or its cookie is not ours: open the form again")
    ticket = FormTicket(bytes.fromhex(form), browser)
    if not hmac.compare_digest(ticket.proof.encode(), fields.get("proof", "").encode()):
        raise ForeignRequest("the form was given to another browser: open the form again")
    return ticket
