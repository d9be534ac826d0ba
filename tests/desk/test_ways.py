"""Every way through the desk: what home leads to, for each role, and that no link is a dead end."""

import re
from contextlib import AsyncExitStack
from html import unescape
from itertools import pairwise

import pytest

from sesame.bank.approvals import may_ask
from sesame.bank.staff import Role
from sesame.desk.bank_cards import BANK_CARDS
from sesame.desk.requests import CARD_FORMS
from sesame.desk.routes import build
from tests.desk.office import Office, person
from tests.desk.test_pages import LOGIN, desk_of
from tests.desk.walk import walk_desk
from tests.portal.browser import Browser, french_in
from tests.portal.test_opening import have_wait

_LINK = re.compile(r'<a[^>]* href="(/guichet[^"#]*)')
_HEADING = re.compile(r"<h([1-6])[ >]")
_VERA = "/guichet/client/VERA2345"
_CAMPAIGN = "/guichet/passage"
_ALONE = {
    Role.ADVISER: {f"{_VERA}/opposition", f"{_VERA}/adresse", f"{_VERA}/activation"},
    Role.ISSUER: {"/guichet/emission", BANK_CARDS},
    Role.OFFICER: {"/guichet/personnel/nouveau", "/guichet/horaires"},
    Role.AUDITOR: {"/guichet/personnel", "/guichet/horaires"},
}


def links_of(text: str) -> set[str]:
    """The addresses of the desk that a page leads to."""
    return {unescape(link) for link in _LINK.findall(text)}


@pytest.mark.parametrize("role", Role)
async def test_home_leads_to_all_that_a_role_may_do(office: Office, role: Role) -> None:
    """By links alone, none of which is refused; each page warns, and its headings are in order."""
    await office.live_somewhere(office.town.vera.user_code)
    await have_wait(office.town, office.town.vera)
    who = person("Inès Vidal", role)
    await office.agree(office.paul, await office.hire(who))
    seen = {"/guichet"}
    async with Browser(build(desk_of(office))) as browser:
        await browser.fill_in(LOGIN, staff_code=who.typed, code=await office.code_of(who))
        waiting = ["/guichet"]
        while waiting:
            address = waiting.pop()
            page = await browser.get(address)
            assert page.status_code == 200, address
            assert "Ne demandez jamais le code secret" in page.text, address
            levels = [int(level) for level in _HEADING.findall(page.text)]
            assert levels.count(1) == 1, address
            assert all(below - above <= 1 for above, below in pairwise(levels)), address
            found = links_of(page.text) - seen
            seen |= found
            waiting += found
    forms = {address for kind, _, address in CARD_FORMS if may_ask(kind, frozenset({role}))}
    assert (forms | _ALONE[role] | {_CAMPAIGN, "/guichet/demandes"}) <= seen
    others = {address for kind, _, address in CARD_FORMS} - forms
    assert not others & seen
    counter = {address for address in seen if address.endswith("/carte-au-guichet")}
    assert bool(counter) == (role is Role.ADVISER)
    assert (_VERA in seen) == (role is not Role.ISSUER)  # by the board's lists


async def test_a_form_knows_whom_it_is_about(office: Office) -> None:
    """From a customer's page the user code need not be typed again; nonsense fills in nothing."""
    async with Browser(build(desk_of(office))) as browser:
        ada = office.ada
        await browser.fill_in(LOGIN, staff_code=ada.typed, code=await office.code_of(ada))
        links = links_of((await browser.get(_VERA)).text)
        for kind, _, address in CARD_FORMS:
            there = f"{address}?abonne=VERA2345"
            assert there in links, kind
            assert 'value="VERA2345"' in (await browser.get(there)).text
            nonsense = await browser.get(f"{address}?abonne=%22%3E1234567812345678")
            assert 'name="user_code" type="text" value=""' in nonsense.text


async def test_in_english(office: Office) -> None:
    """No French is left on any page that anybody reaches, nor where a form is filled in wrongly."""
    async with AsyncExitStack() as stack:
        walk = await walk_desk(office, stack)
        left = {}
        for walker in walk.walkers.values():
            walker.browser.cookies.set("sesame_language", "en")
            for address in walker.pages:
                left[address] = french_in((await walker.browser.get(address)).text)
        for browser, form in walk.forms:
            if any(one.is_written for one in form.fields):
                wrong = await browser.post(form.action, data=form.filled({}))
                assert wrong.status_code == 422, form.action
                left[f"POST {form.action}"] = french_in(wrong.text)
    assert not {address: words for address, words in left.items() if words}
