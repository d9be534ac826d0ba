"""The board of the switch-over as its pages: who is where, and the letters that remind."""

from collections.abc import AsyncIterator

import pytest

from sesame.bank.staff import Role
from sesame.desk.guard import Purpose
from sesame.desk.routes import build
from sesame.web.guard import proof
from tests.desk.office import Office, Person, person
from tests.desk.test_pages import desk_of, fields_of
from tests.portal.browser import Browser

BOARD = "/guichet/passage"
REMIND = "/guichet/passage/rappels"


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """A browser before the desk."""
    async with Browser(build(desk_of(office))) as browser:
        yield browser


async def _sign_in(browser: Browser, office: Office, who: Person) -> None:
    answer = await browser.fill_in(
        "/guichet/connexion", staff_code=who.typed, code=await office.code_of(who)
    )
    assert answer.headers["location"] == "/guichet"


async def test_the_board_and_the_people_behind_a_number(office: Office, browser: Browser) -> None:
    """Numbers that lead to names; nobody who is not signed in sees either."""
    for address in (BOARD, f"{BOARD}/clients?acces=both&raison=never-tried"):
        assert (await browser.get(address)).headers["location"].startswith("/guichet/connexion")
    await _sign_in(browser, office, office.ada)
    page = (await browser.get(BOARD)).text
    assert "Les deux codes" in page
    assert "N’a jamais essayé de code Sésame" in page
    assert "rappels" not in page  # an adviser sends none
    there = "/guichet/passage/clients?acces=both&amp;raison=never-tried"
    assert there in page
    names = (await browser.get(there.replace("&amp;", "&"))).text
    assert "Véra Tissot" in names
    assert "OMAR6789" in names
    for wrong in ("acces=both", "acces=no&raison=held", ""):
        assert (await browser.get(f"{BOARD}/clients?{wrong}")).status_code == 404
    for nowhere in ("VERA", "%00", "9" * 5000):
        answer = await browser.get(f"{there.replace('&amp;', '&')}&apres={nowhere}")
        assert answer.status_code == 404
    nobody = (await browser.get(f"{BOARD}/clients?acces=none&raison=held")).text
    assert "Personne n’en est là." in nobody


async def test_the_list_goes_on(
    office: Office, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page at a time, each customer once."""
    monkeypatch.setattr("sesame.desk.campaign._PAGE", 1)
    await _sign_in(browser, office, office.aude)
    first = (await browser.get(f"{BOARD}/clients?acces=both&raison=never-tried")).text
    link = first.partition('class="button" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = (await browser.get(link)).text
    assert "Suite de la liste" not in second
    assert ("Véra Tissot" in first) != ("Véra Tissot" in second)


async def test_an_issuer_has_reminders_written(office: Office, browser: Browser) -> None:
    """One press; the page says how many; pressed again there are none. An adviser's is refused."""
    issuer = person("Iris Manet", Role.ISSUER)
    await office.agree(office.paul, await office.hire(issuer))
    await _sign_in(browser, office, issuer)
    for planned in (2, 0):
        fields = fields_of((await browser.get(BOARD)).text, REMIND)
        there = (await browser.post(REMIND, data=fields)).headers["location"]
        page = (await browser.get(there)).text
        assert f"Lettres de rappel prêtes à imprimer : {planned}." in page.replace("\xa0", " ")
        # A link from who knows whom.
        forged = there.replace(f"={planned}&", "=7&")
        for link in (f"{BOARD}?rappels={planned}", forged, f"{BOARD}?rappels={'9' * 5000}"):
            board = await browser.get(link)
            assert board.status_code == 200
            assert "Lettres de rappel prêtes" not in board.text
    listed = (await browser.get(f"{BOARD}/clients?acces=both&raison=never-tried")).text
    assert listed.count("Lettre de rappel prévue") == 2
    async with Browser(build(desk_of(office, "another desk"))) as other:
        await _sign_in(other, office, office.ada)
        own = proof(other.cookies["sesame_desk_session"], Purpose.REMIND)
        answer = await other.post(REMIND, data={"proof": own})
        assert answer.status_code == 403
        assert "Votre rôle ne le permet pas" in answer.text
