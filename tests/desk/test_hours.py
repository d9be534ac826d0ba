"""`/guichet/horaires`: officers give the help line other hours, and the portal tells them."""

from collections.abc import AsyncIterator
from datetime import date

import httpx
import pytest

from sesame.bank.auditing import audit
from sesame.bank.errors import NotAllowed, UnsuitableReason
from sesame.bank.housekeeping import look_at_closures
from sesame.bank.opening_days import days_to_come, set_day, take_day_back
from sesame.bank.staff import Role
from sesame.bank.staffing import close_member
from sesame.desk.routes import build
from sesame.portal.portal import Portal
from sesame.portal.routes import build as build_portal
from sesame.web.institution import Institution
from sesame.web.rendering import Site
from tests.custody.keystores import chance
from tests.desk.office import ADDRESS, Office, Person
from tests.desk.test_pages import LOGIN, desk_of, fields_of
from tests.portal.browser import Browser

HOURS = "/guichet/horaires"
TAKE_BACK = "/guichet/horaires/reprendre"
_TODAY = date(2026, 3, 2)
_REASON = "Travaux dans nos bureaux."


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """A browser before the desk."""
    async with Browser(build(desk_of(office))) as browser:
        yield browser


async def _sign_in(browser: Browser, office: Office, who: Person) -> None:
    await browser.fill_in(LOGIN, staff_code=who.typed, code=await office.code_of(who))


async def _set(browser: Browser, **fields: str) -> httpx.Response:
    hidden = fields_of((await browser.get(HOURS)).text, HOURS)
    return await browser.post(
        HOURS, data=hidden | {"kind": "closed", "day": "2026-03-06", "reason": _REASON} | fields
    )


async def test_a_day_is_set_changed_and_taken_back(office: Office, browser: Browser) -> None:
    """Each change stands in the officer's own chain, and the portal says it half a minute later."""
    portal = Portal(
        bank=office.bank,
        site=Site(institution=Institution(), demonstration=True, https=False),
        random_bytes=chance("portal"),
    )
    async with Browser(build_portal(portal)) as customer:

        async def told() -> str:
            await look_at_closures(office.bank)
            return (await customer.get("/aide")).text.replace("\u00a0", " ")

        assert "exceptionnel" not in await told()
        await _sign_in(browser, office, office.odile)
        assert "Aucun." in (await browser.get(HOURS)).text
        assert (await _set(browser)).headers["location"] == HOURS
        page = (await browser.get(HOURS)).text
        assert "vendredi 6\u00a0mars\u00a0: fermée toute la journée" in page
        assert "Odile Ferrand" in page
        assert _REASON in page
        assert "Fermeture exceptionnelle le vendredi 6 mars." in await told()
        assert _REASON in await told()
        hours = {"kind": "open", "opens": "9:00", "closes": "12:30"}
        await _set(browser, day="2026-03-08", **hours)
        await _set(browser, **hours)
        assert (
            "vendredi 6\u00a0mars\u00a0: de 9\u00a0h à 12\u00a0h\u00a030"
            in (await browser.get(HOURS)).text
        )
        assert "Horaires exceptionnels le dimanche 8 mars, de 9 h à 12 h 30." in await told()
        assert "Fermeture exceptionnelle" not in await told()
        hidden = fields_of((await browser.get(HOURS)).text, TAKE_BACK)
        assert hidden["day"] == "2026-03-06"
        for _ in range(2):  # a second click finds nothing more to do
            taken = await browser.post(TAKE_BACK, data=hidden)
            assert taken.headers["location"] == HOURS
        assert [one.day for one in await days_to_come(office.bank, _TODAY)] == [date(2026, 3, 8)]
        assert "vendredi 6 mars" not in await told()
    lines = [line for line in await office.lines(office.odile.user_code) if "hours-" in line]
    assert len(lines) == 4
    assert '"day":"2026-03-06"' in lines[-1]
    assert '"event":"hours-taken-back"' in lines[-1]
    assert '"closes":"12:30"' in lines[1]
    assert _REASON in lines[0]
    assert (await audit(office.bank.store, None)).findings == []


async def test_who_may(office: Office, browser: Browser) -> None:
    """Auditors look; advisers see nothing; nobody but an officer changes a day, by any form."""
    await _sign_in(browser, office, office.aude)
    page = (await browser.get(HOURS)).text
    assert "Horaires de l’assistance" in page
    assert "Fixer ce jour" not in page
    await _sign_in(browser, office, office.ada)
    assert (await browser.get(HOURS)).status_code == 403
    assert "horaires" not in (await browser.get("/guichet")).text
    for roles in ([Role.ADVISER], [Role.AUDITOR], [Role.ISSUER]):
        other = office.staff(office.ada, roles)
        with pytest.raises(NotAllowed):
            await set_day(
                office.bank, other, date(2026, 3, 6), None, reason=_REASON, address=ADDRESS
            )
        with pytest.raises(NotAllowed):
            await take_day_back(office.bank, other, date(2026, 3, 6), address=ADDRESS)
    # The statement says it too: who only claims to be an officer, and who is none any more.
    false = office.staff(office.ada, [Role.OFFICER])
    gone = office.staff(office.paul)
    await close_member(
        office.bank, office.staff(office.odile), gone.user_code, address=ADDRESS, reason="Départ"
    )
    for nobody in (false, gone):
        with pytest.raises(NotAllowed):
            await set_day(
                office.bank, nobody, date(2026, 3, 6), None, reason=_REASON, address=ADDRESS
            )
        with pytest.raises(NotAllowed):
            await take_day_back(office.bank, nobody, date(2026, 3, 6), address=ADDRESS)
    assert await days_to_come(office.bank, _TODAY) == []


async def test_a_form_of_somebody_who_is_no_officer(office: Office, browser: Browser) -> None:
    """Is refused, also where what it says is wrong; and a form of another session is none."""
    assert (await browser.get(HOURS)).headers["location"].startswith(LOGIN)
    await _sign_in(browser, office, office.odile)
    page = (await browser.get(HOURS)).text
    await _sign_in(browser, office, office.aude)
    from_odile = await browser.post(HOURS, data=fields_of(page, HOURS) | {"kind": "closed"})
    assert from_odile.status_code == 403
    assert (await browser.post(TAKE_BACK, data={"day": "2026-03-06"})).status_code == 403


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"day": "2026-03-01"}, "Entrez un jour qui existe"),
        ({"day": "2028-03-10"}, "Entrez un jour qui existe"),
        ({"day": "2026-02-30"}, "Entrez un jour qui existe"),
        ({"day": ""}, "Entrez un jour qui existe"),
        ({"kind": "open"}, "Entrez l’heure d’ouverture"),
        ({"kind": "open", "opens": "12:00", "closes": "9:00"}, "Entrez l’heure d’ouverture"),
        ({"kind": "open", "opens": "9:00", "closes": "24:30"}, "Entrez l’heure d’ouverture"),
        ({"reason": "x"}, "Dites pourquoi"),
        ({"reason": "Fermée, appelez le 0612345678"}, "Tous les abonnés lisent"),
        ({"reason": "Écrivez à aide@tilleul.example"}, "Tous les abonnés lisent"),
    ],
)
async def test_a_day_that_is_none(
    office: Office, browser: Browser, fields: dict[str, str], said: str
) -> None:
    """Is refused beside its field, and nothing is changed."""
    await _sign_in(browser, office, office.odile)
    response = await _set(browser, **fields)
    assert response.status_code == 422
    assert said in response.text
    assert "Erreur – Horaires" in response.text
    assert await days_to_come(office.bank, _TODAY) == []


async def test_a_day_to_take_back_that_is_none(office: Office, browser: Browser) -> None:
    """A form that nobody's browser sends."""
    await _sign_in(browser, office, office.odile)
    await _set(browser)
    hidden = fields_of((await browser.get(HOURS)).text, TAKE_BACK)
    assert (await browser.post(TAKE_BACK, data=hidden | {"day": "demain"})).status_code == 400
    with pytest.raises(UnsuitableReason):
        await set_day(
            office.bank,
            office.staff(office.odile),
            date(2026, 3, 6),
            None,
            reason="",
            address=ADDRESS,
        )
