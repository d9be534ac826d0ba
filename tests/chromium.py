"""Debian's Chromium before a test. It calls nobody by itself, and is slow on a busy machine."""

from playwright import async_api, sync_api

PATIENCE = 60_000  # milliseconds
EXECUTABLE = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
]

# Of a whole process: what is expected of a page ends the test as soon as it is there.
async_api.expect.set_options(timeout=PATIENCE)
sync_api.expect.set_options(timeout=PATIENCE)


async def launch(playwright: async_api.Playwright) -> async_api.Browser:
    """Start it, for tests on an event loop."""
    return await playwright.chromium.launch(
        executable_path=EXECUTABLE, args=ARGUMENTS, timeout=PATIENCE
    )


def launch_here(playwright: sync_api.Playwright) -> sync_api.Browser:
    """Start it, for tests without an event loop."""
    return playwright.chromium.launch(executable_path=EXECUTABLE, args=ARGUMENTS, timeout=PATIENCE)


async def shows(page: async_api.Page, words: str, where: str = "main") -> None:
    """Wait until *words* stand at *where* of *page*, whatever the spaces between them."""
    await async_api.expect(page.locator(where)).to_contain_text(words, use_inner_text=True)


async def follow(page: async_api.Page, selector: str) -> None:
    """Click what leads to another page, or the same one anew, and wait until that is there."""
    async with page.expect_navigation(timeout=PATIENCE):
        await page.click(selector)


async def enter(page: async_api.Page) -> None:
    """Send a form by the Enter key, and wait for what comes of it."""
    async with page.expect_navigation(timeout=PATIENCE):
        await page.keyboard.press("Enter")
