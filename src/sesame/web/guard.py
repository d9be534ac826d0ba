"""Where a request comes from, and where an answer may lead.

A form is posted from a page of ours and nowhere else. Three signs are read, each where it is
there: ``Sec-Fetch-Site`` and ``Origin`` (Fetch Standard), and the form's own proof
(`sesame.web.tickets`). Nobody must send the first two: old browsers and scripts do not.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping

from starlette.requests import Request

from sesame.web.errors import ForeignRequest

# No second slash or backslash at the front, which browsers read as another host; no control
# characters, which they delete before they read.
_INTERNAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_LONGEST = 512  # characters


def require_same_origin(request: Request, public_origin: str | None) -> None:
    """Let pass what our own pages send.

    Args:
        request: the POST in question.
        public_origin: scheme, host and port that customers see; None where that is what the
            request itself names (`Host`).

    Raises:
        ForeignRequest: the browser says that another site's page sent it.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in {"same-origin", "none"}:
        raise ForeignRequest(f"Sec-Fetch-Site says {site!r}: open the form here, send it from here")
    origin = request.headers.get("origin")
    own = public_origin or f"{request.url.scheme}://{request.headers.get('host', '')}"
    if origin is not None and origin != own:
        raise ForeignRequest(f"Origin says {origin!r}, this site is {own!r}: open the form here")


def internal_path(address: str, default: str) -> str:
    """*address* where it surely stays on this site, else *default*.

    Absolute paths of printable ASCII, as browsers write them, with a query or not.
    """
    if len(address) <= _LONGEST and _INTERNAL.fullmatch(address):
        return address
    return default


def proof(token: str, purpose: str) -> str:
    """What this session's button for *purpose* sends, so that no other site can press it."""
    return hmac.digest(token.encode(), purpose.encode(), hashlib.sha256).hex()


def require_proof(fields: Mapping[str, str], token: str, purpose: str) -> None:
    """Let pass what this session's own button sends.

    Raises:
        ForeignRequest: the proof is missing, of another session or for something else.
    """
    if not hmac.compare_digest(fields.get("proof", "").encode(), proof(token, purpose).encode()):
        raise ForeignRequest(f"no proof to {purpose} in this session: open the page again")
