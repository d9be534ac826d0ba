"""Cookies that carry secrets: for one host, unseen by scripts, gone when the browser closes.

One that says how long is kept so long.

RFC 6265bis, 4.1.3.2: the prefix ``__Host-`` binds a cookie to one host over https, so that no
neighbour under the same domain can plant it. Plain http on loopback cannot have it.
"""

from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Cookie:
    """One such cookie."""

    plain_name: str
    secure: bool  # False only for plain http on loopback
    max_age: int | None = None  # seconds; None: until the browser closes

    @property
    def name(self) -> str:
        """The name as the browser knows it."""
        return f"__Host-{self.plain_name}" if self.secure else self.plain_name

    def read(self, request: HTTPConnection) -> str | None:
        """What *request* carries, in whatever state it may be."""
        return request.cookies.get(self.name)

    def set(self, response: Response, value: str) -> None:
        """Have *response* give the browser this cookie."""
        # Lax, not Strict: who follows a link from a letter is still signed in, and keeps the
        # forms that are open in other windows. Every POST is checked by itself.
        response.set_cookie(
            self.name,
            value,
            max_age=self.max_age,
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def delete(self, response: Response) -> None:
        """Have *response* take the cookie away."""
        response.delete_cookie(self.name, secure=self.secure, httponly=True, samesite="lax")
