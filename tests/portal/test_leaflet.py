"""docs/reference/leaflet.md tells the truth: its words stand on the pages that it names."""

import html
import re
from pathlib import Path

from tests.portal.browser import Browser
from tests.portal.town import Town

_TABLE = Path(__file__).parents[2] / "docs" / "reference" / "leaflet.md"


def _claims() -> list[tuple[str, str, str]]:
    """Number, address and words, each time that the table says so."""
    claims = []
    for row in re.findall(r"^\| (S\d+ \|.*)$", _TABLE.read_text(encoding="utf-8"), re.MULTILINE):
        number, _, where, _ = row.split(" | ")
        address = ""
        for path, words in re.findall(r"`(/[^`]*)`|“([^”]*)”", where):
            address = path or address
            if words:
                claims.append((number, address, words))
    return claims


def _words_of(page: str) -> str:
    """All that is written on *page*, with plain spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


async def test_the_words_stand_where_the_table_says(town: Town, browser: Browser) -> None:
    """On the pages as anybody gets them, and in the space of who signed in."""
    await browser.log_in("VERA2345", await town.code_of(town.vera))
    claims = _claims()
    assert len(claims) > 40
    addresses = {address for _, address, _ in claims}
    pages = {address: await browser.get(address) for address in addresses}
    assert {address for address, page in pages.items() if page.status_code != 200} == set()
    said = {address: _words_of(page.text) for address, page in pages.items()}
    assert [claim for claim in claims if " ".join(claim[2].split()) not in said[claim[1]]] == []
