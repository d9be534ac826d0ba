"""Security headers on every answer, errors included.

Plain ASGI: the headers are made once, at start, and each answer gets the same ones. How long
it is kept and which policy it obeys, an answer may say itself.
"""

from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# CSP Level 3. Everything comes from this site, nothing is inline, nobody frames it.
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# The same with scripts and requests of its own, for an application that needs them.
CSP_WITH_SCRIPT = f"{CSP}; script-src 'self'; connect-src 'self'"

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: then browsers send `Origin: null` with our own forms (Fetch Standard,
    # "append a request Origin header"). Other sites see nothing either way.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",  # for browsers before CSP's frame-ancestors
}
# For this host alone: what stands on its subdomains is not ours to promise.
_TWO_YEARS = "max-age=63072000"


class SecurityHeaders:
    """Wraps a whole application, so that its error pages are covered too."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        csp: str = CSP,
        https: bool,
        noindex: bool = False,
        answered: Callable[[str], None] = lambda _status: None,
    ) -> None:
        """Make the headers.

        Args:
            app: the application.
            csp: its Content-Security-Policy, for every answer that brings none of its own.
            https: customers reach it over https, so it says so for two years (RFC 6797).
            noindex: search engines are told to leave it out.
            answered: is told the status of each answer.
        """
        self._app = app
        self._answered = answered
        self._csp = csp.encode()
        headers = dict(_ALWAYS)
        if https:
            headers["Strict-Transport-Security"] = _TWO_YEARS
        if noindex:
            headers["X-Robots-Tag"] = "noindex, nofollow"
        self._headers = _encode(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, with our headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answered(str(message["status"]))
                sent = message["headers"]
                message["headers"] = [*sent, *self._headers]
                given = {name for name, _ in sent}
                if b"cache-control" not in given:
                    message["headers"].append((b"cache-control", b"no-store"))
                if b"content-security-policy" not in given:
                    message["headers"].append((b"content-security-policy", self._csp))
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _encode(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
