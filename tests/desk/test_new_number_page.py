"""A new activation number at the desk: who may, what is checked, and what nobody sees."""

from collections.abc import AsyncIterator

import pytest

from sesame.desk.routes import build
from sesame.web.guard import proof
from tests.desk.office import Office, Person
from tests.desk.test_pages import LOGIN, desk_of, fields_of
from tests.portal.browser import Browser
from tests.portal.test_opening import NUMBER, have_wait

_PAGE = "/guichet/client/VERA2345/activation"


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """A browser before the desk, where Véra's card waits."""
    await have_wait(office.town, office.town.vera)
    async with Browser(build(desk_of(office))) as browser:
        yield browser


async def _log_in(browser: Browser, office: Office, who: Person) -> None:
    code = await office.code_of(who)
    answer = await browser.fill_in(LOGIN, staff_code=who.typed, code=code)
    assert answer.headers["location"] == "/guichet"


async def test_an_adviser_has_one_sent(office: Office, browser: Browser) -> None:
    """The person was checked; the page names the letter, and no number."""
    assert (await browser.get(_PAGE)).status_code == 303
    await _log_in(browser, office, office.ada)
    page = await browser.get(_PAGE)
    assert f"Carte se terminant par {office.town.vera.record.pan.last4}" in page.text
    fields = fields_of(page.text, _PAGE)
    unchecked = await browser.post(_PAGE, data=fields)
    assert unchecked.status_code == 422
    assert "Cochez la case" in unchecked.text
    done = await browser.post(_PAGE, data=fields | {"checked": "1"})
    assert done.status_code == 200
    assert "C’est demandé" in done.text
    assert "est déjà à imprimer" in done.text
    for seen in (page, done):
        assert NUMBER not in seen.text
    again = await browser.post(_PAGE, data=fields | {"checked": "1"})
    assert again.status_code == 422
    office.town.clock.advance(minutes=1)
    nothing = await browser.get("/guichet/client/OMAR6789/activation")
    assert "n’attend son activation" in nothing.text
    assert (await browser.get("/guichet/client/x/activation")).status_code == 404
    assert (await browser.post(_PAGE, data=fields | {"order": "x"})).status_code == 400


@pytest.mark.parametrize("who", ["odile", "aude"])
async def test_nobody_else_does(office: Office, browser: Browser, who: str) -> None:
    """Neither sees the page nor sends its form."""
    await _log_in(browser, office, getattr(office, who))
    assert (await browser.get(_PAGE)).status_code == 403
    token = browser.cookies["sesame_desk_session"]
    forged = {"proof": proof(token, "send a new activation number"), "order": "1", "checked": "1"}
    assert (await browser.post(_PAGE, data=forged)).status_code == 403
