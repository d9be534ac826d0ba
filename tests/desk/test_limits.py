"""`/guichet/limites`: officers ask for another value, another officer decides."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from sesame.bank.desk_limits import desk_limits
from sesame.bank.limits import Limits
from sesame.desk.routes import build
from tests.desk.office import Office, Person
from tests.desk.test_pages import LOGIN, desk_of, fields_of
from tests.portal.browser import Browser

LIMITS = "/guichet/limites"
REQUESTS = "/guichet/demandes"
DECIDE = f"{REQUESTS}/decider"
_REASON = "Trop d’abonnés suspendus deux fois"


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """A browser before the desk."""
    async with Browser(build(desk_of(office))) as browser:
        yield browser


async def _sign_in(browser: Browser, office: Office, who: Person) -> None:
    await browser.fill_in(LOGIN, staff_code=who.typed, code=await office.code_of(who))


async def _ask(browser: Browser, **fields: str) -> httpx.Response:
    hidden = fields_of((await browser.get(LIMITS)).text, LIMITS)
    wanted = {"limit": "lifts_of_customer", "value": "3", "reason": _REASON}
    return await browser.post(LIMITS, data=hidden | wanted | fields)


async def _read(browser: Browser, address: str) -> str:
    return (await browser.get(address)).text.replace("\u00a0", " ").replace("\u202f", " ")


async def test_a_limit_is_changed_by_two(office: Office, browser: Browser) -> None:
    """The page says what holds, since when and by whom; whoever asked cannot agree."""
    await _sign_in(browser, office, office.odile)
    assert LIMITS in (await browser.get("/guichet")).text
    before = await _read(browser, LIMITS)
    assert "Suspensions levées pour un même abonné, en 24 heures : 2" in before
    assert re.search(r"De \d+ à \d+\. Celle du programme", " ".join(before.split()))
    assert (await _ask(browser)).headers["location"] == REQUESTS
    page = await _read(browser, REQUESTS)
    for said in (
        "Changer une limite du guichet",
        "un même abonné",
        "Aujourd’hui : 2. Demandé : 3.",
    ):
        assert said in page
    assert f'action="{DECIDE}"' not in page
    assert "attend déjà une décision" in (await _ask(browser, value="4")).text
    assert await desk_limits(office.bank) == Limits()
    await _sign_in(browser, office, office.paul)
    agree = fields_of((await browser.get(REQUESTS)).text, DECIDE) | {"verdict": "approved"}
    assert (await browser.post(DECIDE, data=agree)).headers["location"] == REQUESTS
    after = " ".join((await _read(browser, LIMITS)).split())
    assert "abonné, en 24 heures : 3" in after
    assert f"demandée par Odile Ferrand ({office.odile.typed})" in after
    assert f"accordée par Paul Nogaret ({office.paul.typed})" in after


async def test_who_may(office: Office, browser: Browser) -> None:
    """Auditors look; advisers see nothing; only an officer's form asks."""
    assert (await browser.get(LIMITS)).headers["location"].startswith(LOGIN)
    await _sign_in(browser, office, office.aude)
    assert "Demander un changement" not in await _read(browser, LIMITS)
    asked = await browser.post(LIMITS, data={"limit": "lifts_of_customer", "value": "3"})
    assert asked.status_code == 403
    await _sign_in(browser, office, office.ada)
    assert LIMITS not in (await browser.get("/guichet")).text
    assert (await browser.get(LIMITS)).status_code == 403
    assert (await browser.post(LIMITS, data={})).status_code == 403


async def test_what_cannot_be_asked_for(office: Office, browser: Browser) -> None:
    """Is refused beside its field, with what was typed, and nothing is asked."""
    await _sign_in(browser, office, office.odile)
    for fields, said in (
        ({"value": "6"}, "entre les bornes de cette limite"),
        ({"value": "2"}, "entre les bornes de cette limite"),
        ({"value": "-1"}, "entre les bornes de cette limite"),
        ({"value": "²"}, "entre les bornes de cette limite"),
        ({"value": "1" * 99}, "entre les bornes de cette limite"),
        ({"limit": "tries"}, "Choisissez la limite"),
        ({"limit": ""}, "Choisissez la limite"),
        ({"reason": "x"}, "Dites pourquoi"),
    ):
        response = await _ask(browser, **fields)
        assert response.status_code == 422
        assert said in response.text
        assert "Erreur – Limites" in response.text
    assert "Changer une limite" not in await _read(browser, REQUESTS)
