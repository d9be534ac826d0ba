"""Hands and eyes before the page in Debian's Chromium, and ears for what it says aloud."""

import re
from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

CODE = re.compile(r"\d{4} \d{4}")
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

Open = Callable[..., Page]


def insert(page: Page, card: str, how: str = "insert") -> None:
    """Take *card* out of the drawer and put it in."""
    page.locator(f'[data-card="{card}"] [data-event="{how}"]').click()
    expect(page.locator("#card")).to_be_visible()


def press(page: Page, *names: str) -> None:
    """Press keys of the drawing by what they are called."""
    for name in names:
        page.locator("#keys").get_by_role("button", name=name, exact=True).click()


def code_on(page: Page) -> str:
    """The code on the display, once it is there."""
    digits = page.locator("#digits")
    expect(digits).to_have_text(CODE)
    return digits.inner_text()


def violations(page: Page) -> list[str]:
    """What axe finds, in words."""
    results = Axe().run(page, options=WCAG).response["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in results for node in rule["nodes"]]
