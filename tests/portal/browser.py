"""A browser without pictures, for tests that read what a page says."""

import re

import httpx
from starlette.types import ASGIApp

ORIGIN = "http://bank.test"
_FRENCH = re.compile(
    r"\b(cartes?|code secret|Revenir|essai|Rien|personne|Guichet|abonnée?s?|demandes?|Demander"
    r"|lettres?|vous|votre|est|les|une|pour|dans|sur|qui|pas|ou|et)\b"
)


class Browser(httpx.AsyncClient):
    """A browser without pictures: it keeps cookies and sends forms as they stand on a page."""

    def __init__(self, app: ASGIApp, *, base_url: str = ORIGIN) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        super().__init__(transport=transport, base_url=base_url)

    async def open_form(self, query: str = "", way: str = "/acces/sesame") -> dict[str, str]:
        """The hidden fields of a new login form."""
        return hidden_fields((await self.get(way + query)).text)

    async def log_in(self, user_code: str, code: str, **more: str) -> httpx.Response:
        """Open a form, fill it in, send it."""
        return await self.fill_in("/acces/sesame", user_code=user_code, code=code, **more)

    async def log_in_with_two(self, user_code: str, code: str, next_code: str) -> httpx.Response:
        """The same with two codes."""
        fields = {"user_code": user_code, "code": code, "next_code": next_code}
        return await self.fill_in("/acces/deux-codes", **fields)

    async def log_in_with_old_code(
        self, user_code: str, old_code: str, **more: str
    ) -> httpx.Response:
        """The same with the old code."""
        fields = {"user_code": user_code, "old_code": old_code}
        return await self.fill_in("/acces/ancien-code", **fields, **more)

    async def fill_in(self, way: str, **fields: str) -> httpx.Response:
        """Open a form of *way* and send it with *fields*."""
        return await self.post(way, data=await self.open_form(way=way) | fields)

    async def press(self, address: str, action: str) -> httpx.Response:
        """Open the page at *address* and press the button of its form that is sent to *action*."""
        return await self.post(action, data=fields_of((await self.get(address)).text, action))


def hidden_fields(page: str) -> dict[str, str]:
    """The hidden fields on *page*, which holds one form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def fields_of(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the first form on *page* that is sent to *action*."""
    form = page.partition(f'<form method="post" action="{action}">')[2].partition("</form>")[0]
    assert form, f"no form on the page is sent to {action}"
    return hidden_fields(form)


def french_in(page: str) -> list[str]:
    """Words on *page* that are French and no English ones; what is said to be French is passed."""
    said = re.sub(r"<(\w+) lang=\"fr\".*?</\1>", " ", page, flags=re.DOTALL)
    return _FRENCH.findall(re.sub(r"<[^>]*>", " ", said))


def without_chance(page: str) -> str:
    """*page* without what is new in every form."""
    return re.sub(r'name="(form|proof)" value="[0-9a-f]+"', r'name="\1"', page)
