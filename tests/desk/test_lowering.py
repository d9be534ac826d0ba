"""`/guichet/demandes/compteur`: an adviser asks that a counter be lowered, an officer decides."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from sesame.bank.verification import Accepted
from sesame.desk.routes import build
from tests.bank.test_lowering import STATED, WHY, ask_for, import_nora, last_atc, log_in
from tests.desk.office import Office, Person
from tests.desk.test_pages import LOGIN, desk_of, fields_of
from tests.portal.browser import Browser
from tests.portal.town import Customer

COUNTER = "/guichet/demandes/compteur"
REQUESTS = "/guichet/demandes"
DECIDE = f"{REQUESTS}/decider"
_STILL = "Aucun code de cette carte n’a été accepté depuis son inscription."


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """A browser before the desk."""
    async with Browser(build(desk_of(office))) as browser:
        yield browser


@pytest.fixture
async def nora(office: Office) -> Customer:
    """Whom a slip at the import shuts out."""
    return await import_nora(office)


async def _sign_in(browser: Browser, office: Office, who: Person) -> None:
    await browser.fill_in(LOGIN, staff_code=who.typed, code=await office.code_of(who))


async def _ask(browser: Browser, nora: Customer, **fields: str) -> httpx.Response:
    hidden = fields_of((await browser.get(COUNTER)).text, COUNTER)
    wanted = {
        "user_code": nora.user_code,
        "last4": nora.record.pan.last4,
        "to": "812",
        "reason": WHY,
    }
    return await browser.post(COUNTER, data=hidden | wanted | fields)


async def _read(browser: Browser, address: str) -> str:
    text = (await browser.get(address)).text
    return " ".join(re.sub(r"<[^>]+>", " ", text).replace("\u00a0", " ").split())


async def test_a_counter_is_lowered_by_two(
    office: Office, browser: Browser, nora: Customer
) -> None:
    """Who decides reads what will happen; whoever asked has no button."""
    await _sign_in(browser, office, office.ada)
    assert f'href="{COUNTER}"' in (await browser.get(REQUESTS)).text
    filled = (await browser.get(f"{COUNTER}?abonne={nora.user_code}")).text
    assert f'value="{nora.user_code}"' in filled
    assert (await _ask(browser, nora)).headers["location"] == REQUESTS
    page = await _read(browser, REQUESTS)
    assert "Abaisser le compteur attendu d’une carte : Nora Weil (NRAA2342)" in page
    last4 = nora.record.pan.last4
    assert f"{last4} Le compteur attendu passe de {STATED} à 812. {_STILL}" in page
    assert DECIDE not in (await browser.get(REQUESTS)).text
    assert "attend déjà une décision" in (await _ask(browser, nora, to="4")).text
    await _sign_in(browser, office, office.paul)
    agree = fields_of((await browser.get(REQUESTS)).text, DECIDE) | {"verdict": "approved"}
    assert (await browser.post(DECIDE, data=agree)).headers["location"] == REQUESTS
    after = await _read(browser, REQUESTS)
    assert f"passe de {STATED} à 812." in after
    assert _STILL not in after
    assert isinstance(await log_in(office, nora), Accepted)
    timeline = await _read(browser, f"/guichet/client/{nora.user_code}")
    assert f"Compteur attendu abaissé de {STATED} à 812 (carte ••••{last4})." in timeline
    assert "Compteur d’une carte corrigé" in timeline


async def test_who_may(office: Office, browser: Browser) -> None:
    """Advisers and officers; an auditor finds neither the page nor the way to it."""
    assert (await browser.get(COUNTER)).headers["location"].startswith(LOGIN)
    await _sign_in(browser, office, office.aude)
    assert (await browser.get(COUNTER)).status_code == 403
    assert (await browser.post(COUNTER, data={})).status_code == 403
    assert COUNTER not in (await browser.get(REQUESTS)).text
    await _sign_in(browser, office, office.odile)
    assert COUNTER in (await browser.get(REQUESTS)).text


async def test_what_cannot_be_asked_for(office: Office, browser: Browser, nora: Customer) -> None:
    """Is refused beside its field, with what was typed, and nothing is asked."""
    vera = office.town.vera
    await _sign_in(browser, office, office.ada)
    of_vera = {"user_code": vera.user_code, "last4": vera.record.pan.last4}
    for fields, said in (
        ({"user_code": "VERA"}, {"user_code": "a 8 caractères"}),
        ({"last4": "0000"}, {"last4": "n’a pas de carte"}),
        ({"last4": "12", "to": ""}, {"last4": "n’a pas de carte", "to": "nombre entier"}),
        (of_vera, {"last4": "rien à abaisser"}),
        ({"to": str(STATED)}, {"to": "pas plus bas"}),
        ({"to": "65536"}, {"to": "de 0 à 65535"}),
        ({"to": "-1"}, {"to": "de 0 à 65535"}),
        ({"to": "²"}, {"to": "de 0 à 65535"}),
        ({"reason": "x"}, {"reason": "Dites pourquoi"}),
    ):
        response = await _ask(browser, nora, **fields)
        assert response.status_code == 422
        found = dict(re.findall(r'id="(\w+)-error">([^<]+)', response.text))
        assert found.keys() == said.keys(), fields
        for name, sentence in said.items():
            assert sentence in found[name]
        assert "Erreur – Demander d’abaisser" in response.text
    assert "Abaisser le compteur" not in await _read(browser, REQUESTS)


async def test_a_code_that_was_accepted(office: Office, browser: Browser, nora: Customer) -> None:
    """Who decides reads that there is nothing left; nobody can ask again."""
    await ask_for(office, nora)
    nora.atc = STATED
    assert isinstance(await log_in(office, nora), Accepted)
    await _sign_in(browser, office, office.paul)
    page = await _read(browser, REQUESTS)
    assert _STILL not in page
    assert "La carte n’est plus où elle en était à la demande" in page
    agree = fields_of((await browser.get(REQUESTS)).text, DECIDE) | {"verdict": "approved"}
    refused = await browser.post(DECIDE, data=agree)
    assert refused.status_code == 409
    assert "un de ses codes a été accepté" in refused.text
    assert await last_atc(office, nora) == STATED + 1
    await browser.post(DECIDE, data=agree | {"verdict": "refused"})
    await _sign_in(browser, office, office.ada)
    asked = await _ask(browser, nora)
    assert asked.status_code == 422
    assert "ne passe jamais sous le dernier accepté" in asked.text.replace("\n", " ")


async def test_in_english(office: Office, browser: Browser) -> None:
    """No French is left on the form, nor on what was asked by it."""
    nora = await import_nora(office)
    await _sign_in(browser, office, office.ada)
    browser.cookies.set("sesame_language", "en")
    assert "Ask for a counter to be lowered" in await _read(browser, COUNTER)
    await _ask(browser, nora)
    page = await _read(browser, REQUESTS)
    assert f"The expected counter goes from {STATED} to 812. No code of this card" in page
