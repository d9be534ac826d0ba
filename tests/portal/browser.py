"""A browser without pictures, for tests that read what a page says."""

import re

import httpx
from starlette.types import ASGIApp

ORIGIN = "http://bank.test"


class Browser(httpx.AsyncClient):
    """A browser without pictures: it keeps cookies and sends forms as they stand on a page."""

    def __init__(self, app: ASGIApp, *, base_url: str = ORIGIN) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        super().__init__(transport=transport, base_url=base_url)

    async def open_form(self, query: str = "") -> dict[str, str]:
        """The hidden fields of a new login form."""
        return hidden_fields((await self.get("/acces/sesame" + query)).text)

    async def log_in(self, user_code: str, code: str, **more: str) -> httpx.Response:
        """Open a form, fill it in, send it."""
        form = await self.open_form()
        return await self.post(
            "/acces/sesame", data=form | {"user_code": user_code, "code": code} | more
        )


def hidden_fields(page: str) -> dict[str, str]:
    """The hidden fields on *page*, which holds one form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def without_chance(page: str) -> str:
    """*page* without what is new in every form."""
    return re.sub(r'name="(form|proof)" value="[0-9a-f]+"', r'name="\1"', page)
