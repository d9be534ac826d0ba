"""Nothing in the clear: behind a proxy that ends https, plain requests are turned away."""

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from sesame.catalogue import N_, translator
from sesame.web.language import language_of

_REFUSED = N_("Cette adresse ne s’ouvre qu’en https. Écrivez https:// devant son nom.")


class HttpsOnly:
    """Wraps a whole application: what did not come over https reaches no handler.

    The server sets the scheme, from `X-Forwarded-Proto` of a named proxy alone. It is no
    redirect: a code that was posted in the clear would be lost twice.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or as the application does."""
        if scope["type"] != "http" or scope["scheme"] == "https":
            await self._app(scope, receive, send)
            return
        language = language_of(HTTPConnection(scope))
        headers = {
            "Cache-Control": "no-store",
            "Content-Language": language.value,
            "X-Content-Type-Options": "nosniff",
        }
        response = PlainTextResponse(translator(language)(_REFUSED) + "\n", 403, headers)
        await response(scope, receive, send)
