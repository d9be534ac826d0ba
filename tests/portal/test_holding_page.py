"""« Bloquer vos codes Sésame »: a confirmation, a number shown once, and the way back."""

import re
from collections.abc import AsyncIterator

import pytest

from sesame.bank.errors import TooBusy
from sesame.portal.routes import build
from tests.portal.browser import Browser, fields_of
from tests.portal.town import Town

_PAGE = "/espace/bloquer"
_ONLY_CODES = (
    "Seuls vos codes Sésame sont bloqués. Vos paiements ne le sont pas\u00a0: appelez l’opposition."
)


@pytest.fixture
async def here(town: Town, browser: Browser) -> Browser:
    """A browser in which Véra is signed in."""
    await browser.log_in("VERA2345", await town.code_of(town.vera))
    return browser


@pytest.fixture
async def there(town: Town, here: Browser) -> AsyncIterator[Browser]:
    """Another one, in which she is signed in too, on another server."""
    assert here.cookies
    async with Browser(build(town.portal())) as other:
        await other.log_in("VERA2345", await town.code_of(town.vera))
        yield other


def _number(page: str) -> str:
    found = re.search(r'<output class="challenge"[^>]*>(\d{4})&nbsp;(\d{4})</output>', page)
    assert found
    return f"{found[1]}-{found[2]}"


async def test_codes_are_held_and_released_by_their_owner(
    town: Town, here: Browser, there: Browser
) -> None:
    """Found from the space; this session goes on, the other has ended, a code is refused."""
    assert f'href="{_PAGE}"' in (await here.get("/espace")).text
    held = await here.press(_PAGE, _PAGE)
    assert held.status_code == 200
    assert _ONLY_CODES in held.text
    assert 'href="tel:' in held.text
    number = _number(held.text)
    assert (await here.get("/espace")).status_code == 200
    assert (await there.get("/espace")).status_code == 303
    refused = await there.log_in("VERA2345", await town.code_of(town.vera))
    assert refused.status_code == 422
    nothing = (await here.get(_PAGE)).text
    assert "il n’y a rien à bloquer" in nothing
    assert number[:4] not in re.sub(r'"[0-9a-f]+"', "", nothing)
    code = await town.code_of(town.vera)
    back = await there.fill_in("/deblocage", user_code="VERA2345", number=number, code=code)
    assert (back.status_code, back.headers["location"]) == (303, "/espace")
    assert "Vos codes Sésame sont débloqués." in (await there.get("/espace")).text
    async with Browser(build(town.portal())) as third:
        again = await third.log_in("VERA2345", await town.code_of(town.vera))
        assert again.status_code == 303


async def test_a_second_click_shows_the_same_number(here: Browser) -> None:
    """A browser shows the second answer only; a form of before has nothing to hold."""
    earlier = fields_of((await here.get(_PAGE)).text, _PAGE)
    fields = fields_of((await here.get(_PAGE)).text, _PAGE)
    first, second = [await here.post(_PAGE, data=fields) for _ in range(2)]
    assert _number(first.text) == _number(second.text)
    assert first.headers["cache-control"] == "no-store"
    stale = await here.post(_PAGE, data=earlier)
    assert "il n’y a rien à bloquer" in stale.text


async def test_a_session_of_the_old_code_may_hold(town: Town, browser: Browser) -> None:
    """It may do nothing else."""
    await browser.log_in_with_old_code("VERA2345", town.vera.old_code)
    held = await browser.press(_PAGE, _PAGE)
    assert _ONLY_CODES in held.text
    refused = await browser.log_in("VERA2345", await town.code_of(town.vera))
    assert refused.status_code == 422


async def test_no_other_page_holds(town: Town, here: Browser) -> None:
    """Nor another site, nor a proof of another button, nor a form without an id, nor nobody."""
    fields = fields_of((await here.get(_PAGE)).text, _PAGE)
    foreign = {"origin": "https://evil.test"}
    assert (await here.post(_PAGE, data=fields, headers=foreign)).status_code == 403
    other = fields_of((await here.get("/espace")).text, "/deconnexion")["proof"]
    assert (await here.post(_PAGE, data=fields | {"proof": other})).status_code == 403
    assert (await here.post(_PAGE, data=fields | {"form": "x"})).status_code == 403
    async with Browser(build(town.portal())) as nobody:
        led = await nobody.post(_PAGE, data=fields)
        assert led.status_code == 303
        assert led.headers["location"].startswith("/acces/sesame?retour=%2Fespace%2Fbloquer")
    signed_in = await here.log_in("VERA2345", await town.code_of(town.vera))
    assert signed_in.status_code == 303


async def test_others_who_are_faster_are_told(
    here: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503: nothing is held, and the same form may be sent again."""
    fields = fields_of((await here.get(_PAGE)).text, _PAGE)

    async def busy(*_given: object) -> None:
        raise TooBusy

    with monkeypatch.context() as patched:
        patched.setattr("sesame.portal.holding.hold_own", busy)
        assert (await here.post(_PAGE, data=fields)).status_code == 503
    assert _number((await here.post(_PAGE, data=fields)).text)
