"""Activation, one's own hold and its release, in a real browser, by keyboard; and axe."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.chromium import enter, follow
from tests.portal.street import Street
from tests.portal.test_opening import NUMBER, have_wait

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="module")]

_AXE = {"preload": False, "rules": {"target-size": {"enabled": True}}}


async def _check(page: Page) -> None:
    """Axe finds nothing, and nothing has to be scrolled sideways."""
    width = await page.evaluate("innerWidth")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    found = await Axe().run(page, options=_AXE)
    assert found.violations_count == 0, found.generate_report()


async def _fill(page: Page, street: Street, number: str) -> None:
    await page.fill("#user_code", "VERA2345")
    await page.press("#user_code", "Tab")
    await page.keyboard.type(number)
    await page.press("#number", "Tab")
    await page.keyboard.type(await street.town.code_of(street.town.vera))
    await enter(page)


@pytest.mark.parametrize(("language", "width"), [("fr", 1280), ("en", 320)])
async def test_a_cards_life(street: Street, language: str, width: int) -> None:
    """From the login to an active card, held for a night, and released; without script."""
    town = street.town
    if language == "fr":
        await have_wait(town, town.vera)
    async with street.visitor(language=language, width=width, script=False) as page:
        if language == "fr":
            await page.goto("/acces/sesame")
            await follow(page, 'a[href="/activation"]')
            await _fill(page, street, "1234")
            assert await page.evaluate("document.activeElement.id") == "number"
            await _fill(page, street, "0000-0000")
            assert await page.locator("[role=alert]").is_visible()
            assert await page.evaluate("document.activeElement.id") == "number"
            await _fill(page, street, NUMBER)
            await page.wait_for_url("**/espace")
            assert await page.locator("[role=status]").first.is_visible()
        else:
            await street.log_in(page)
        await follow(page, 'a[href="/espace/bloquer"]')
        await follow(page, 'form[action="/espace/bloquer"] button')
        number = re.sub(r"\D", "", await page.locator("output").inner_text())
        assert len(number) == 8
        await follow(page, 'main a[href="/deblocage"]')
        await _fill(page, street, number)
        await page.wait_for_url("**/espace")
        assert await page.locator("[role=status]").first.is_visible()


@pytest.mark.parametrize(("language", "width"), [("fr", 320), ("en", 1280)])
async def test_axe_finds_nothing(street: Street, language: str, width: int) -> None:
    """On each of the pages, empty and mistaken, before the hold and after it."""
    async with street.visitor(language=language, width=width) as page:
        for address in ("/activation", "/activation/repondre", "/deblocage/deux-codes"):
            await page.goto(address)
            await _check(page)
        await page.goto("/deblocage")
        await _fill(page, street, "1")
        assert await page.locator("#number-error").is_visible()
        await _check(page)
        await street.log_in(page)
        await page.goto("/espace/bloquer")
        await _check(page)
        await follow(page, 'form[action="/espace/bloquer"] button')
        await page.wait_for_selector("output")
        number = await page.locator("output").inner_text()
        await _check(page)
        await page.goto("/deblocage")
        await _fill(page, street, number)
        await page.wait_for_url("**/espace")
        await _check(page)
