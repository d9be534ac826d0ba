"""Looking customers up before a real browser, at a desk of this file's own."""

from functools import partial

import pytest
from axe_playwright_python.async_playwright import Axe

from sesame.bank.moments import to_row
from tests.chromium import enter, follow, shows
from tests.desk.test_browser import _AXE, Corridor, chromium, corridor  # noqa: F401 -- fixtures
from tests.desk.test_customer import fill, live

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="module")]


async def test_axe_finds_nothing_where_customers_are_looked_up(
    corridor: Corridor,  # noqa: F811 -- the fixture
) -> None:
    """Who is calling, the search with its mistakes and results, and a customer; by keyboard."""
    office = corridor.office
    await live(office)
    at = to_row(office.town.clock())
    await office.bank.store.write(partial(fill, at=at))
    async with corridor.visitor(script=True) as page:

        async def check() -> None:
            for width in (1280, 320):
                await page.set_viewport_size({"width": width, "height": 900})
                wide = await page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, page.url
            found = await Axe().run(page, options=_AXE)
            assert found.violations_count == 0, found.generate_report()

        await corridor.log_in(page, office.ada)
        await check()
        await shows(page, "Véra Tissot")
        await follow(page, "text=Chercher un abonné >> nth=0")
        await check()
        for typed, status in (("v", "Entrez un peu plus"), ("zz", "Personne."), ("1", "Erreur")):
            await page.fill("#search", typed)
            await enter(page)
            assert status in await page.inner_text("main") + await page.title()
            await check()
        assert await page.evaluate("document.activeElement.id") == "search"
        await page.fill("#search", "tissot vera")
        await enter(page)
        assert page.url.endswith("/guichet/client/VERA2345")
        await check()
