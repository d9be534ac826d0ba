"""Problems as RFC 9457 spells them: what, where, what to do next."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from sesame.errors import SesameError

_encode = msgspec.json.Encoder().encode


class Problem(SesameError):
    """A request that gets no outcome, and the answer it gets instead."""

    def __init__(
        self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self._body = _encode({"status": status, "title": title, "detail": detail})
        self._status = status
        self._headers = headers

    def response(self) -> Response:
        """The `application/problem+json` answer."""
        return Response(
            self._body, self._status, self._headers, media_type="application/problem+json"
        )
