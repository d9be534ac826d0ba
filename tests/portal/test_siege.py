"""Hours before three real browsers: somebody who fails on purpose, and an owner who gets in.

All come from one address, so that what is refused to the one is counted against the others.
"""

from datetime import UTC, datetime

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.chromium import follow
from tests.portal.street import Street
from tests.portal.town import wrong_code

pytestmark = [
    pytest.mark.needs("chromium"),
    pytest.mark.asyncio(loop_scope="module"),
]

_MORNING = datetime(2026, 3, 3, 8, 5, tzinfo=UTC)
_HOURS = 4
_OTHERS = 6  # user codes that nobody has, each hour


async def _try(page: Page, user_code: str, *codes: str) -> str:
    """Type them into the form of one code or of two, and send it; the path where that leads."""
    form = "/acces/sesame" if len(codes) == 1 else "/acces/deux-codes"
    if not await page.locator(f'form[action="{form}"]').count():  # a refusal shows the next one
        await page.goto(form)
    await page.fill("#user_code", user_code)
    for field, code in zip(("#code", "#next_code"), codes, strict=False):
        await page.fill(field, code)
    await follow(page, "form.panel button")
    return page.url.partition("//")[2].partition("/")[2]


async def test_a_vandal_and_the_owner(street: Street) -> None:
    """Hour after hour her own browser gets in, and at last another one with two codes.

    The vandal fails on her user code three times an hour, then on others too: the address is
    asked for two codes, and at last nothing more from it is judged, but for her own browser.
    """
    town, bank = street.town, street.town.bank
    vera, omar = town.vera, town.omar
    town.clock.time = _MORNING
    wrong = wrong_code(await town.code_of(vera))
    async with street.visitor() as home, street.visitor() as vandal, street.visitor() as cafe:
        assert await _try(home, vera.user_code, await town.code_of(vera)) == "espace"
        for hour in range(_HOURS):
            others = [f"NEMA{hour:02d}{number:02d}" for number in range(_OTHERS)]
            for user_code in (*[vera.user_code] * 3, *others):
                assert await _try(vandal, user_code, wrong) == "acces/sesame"
            assert await _try(home, vera.user_code, await town.code_of(vera)) == "espace"
            town.clock.advance(hours=1)
        # Nobody failed on Omar's user code; the café does not know him, and shares the address.
        first = await town.code_of(omar)
        assert await _try(cafe, omar.user_code, first) == "acces/sesame"
        assert "deux codes Sésame de suite sont demandés" in await cafe.inner_text("[role=alert]")
        assert await _try(cafe, omar.user_code, first, await town.code_of(omar)) == "espace"

        for _ in range(301):
            bank.sources.add("127.0.0.1", bank.limits.source, bank.now(), judged=True)
        for page in (vandal, cafe):
            await page.context.clear_cookies(name="sesame_device")
            code = await town.code_of(vera)
            assert await _try(page, vera.user_code, code) == "acces/sesame"
            assert "Trop de codes refusés" in await page.inner_text("[role=alert]")
            found = await Axe().run(page, options={"preload": False})
            assert found.violations_count == 0, found.generate_report()
        assert await _try(home, vera.user_code, await town.code_of(vera)) == "espace"
