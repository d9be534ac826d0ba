"""`/guichet/demandes/cartes-bancaires`: an issuer asks for a file of bank cards, another agrees."""

import hashlib
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from sesame.bank.approvals import Barred, Kind, Verdict
from sesame.bank.approving import decide, recent_requests
from sesame.bank.errors import Undecided
from sesame.bank.staff import BANK_ITSELF, Role
from sesame.desk.routes import build
from sesame.web.guard import proof
from tests.desk.office import ADDRESS, Office, Person, person
from tests.desk.test_pages import LOGIN, desk_of, fields_of
from tests.portal.browser import Browser

BANK_CARDS = "/guichet/demandes/cartes-bancaires"
ISSUING = "/guichet/emission"
REQUESTS = "/guichet/demandes"
DECIDE = f"{REQUESTS}/decider"
SHA256 = hashlib.sha256(b"cards of the second of March").hexdigest()
GROUPS = " ".join(re.findall(".{8}", SHA256))
PAN = "4761 7300 0000 0011"
TITLE = "Donner des cartes bancaires à des abonnés"


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """A browser before the desk."""
    async with Browser(build(desk_of(office))) as browser:
        yield browser


@pytest.fixture
async def ines(office: Office) -> Person:
    """An issuer."""
    ines = person("Inès Vidal", Role.ISSUER)
    await office.agree(office.paul, await office.hire(ines))
    return ines


async def _sign_in(browser: Browser, office: Office, who: Person) -> None:
    await browser.fill_in(LOGIN, staff_code=who.typed, code=await office.code_of(who))


async def _ask(browser: Browser, **fields: str) -> httpx.Response:
    hidden = fields_of((await browser.get(BANK_CARDS)).text, BANK_CARDS)
    wanted = {"sha256": SHA256, "count": "1200", "reason": "Envoi du 2 mars"}
    return await browser.post(BANK_CARDS, data=hidden | wanted | fields)


async def _read(browser: Browser, address: str) -> str:
    text = (await browser.get(address)).text
    return " ".join(re.sub(r"<[^>]+>", " ", text).replace("\u00a0", " ").split())


async def test_a_file_takes_two(office: Office, browser: Browser, ines: Person) -> None:
    """Who decides reads the digest in full, in groups; whoever asked has no button."""
    await _sign_in(browser, office, ines)
    assert f'href="{BANK_CARDS}"' in (await browser.get(ISSUING)).text
    form = await _read(browser, BANK_CARDS)
    assert "et d’aucun autre : pendant 30 jours" in form
    typed = GROUPS.upper().replace(" ", "\u00a0")
    assert (await _ask(browser, sha256=f" {typed} ", count="1\u202f200")).headers[
        "location"
    ] == REQUESTS
    page = await _read(browser, REQUESTS)
    assert f"{TITLE} : fichier de 1200 lignes" in page
    assert f"Empreinte SHA-256 du fichier : {GROUPS} À comparer en entier" in page
    assert DECIDE not in (await browser.get(REQUESTS)).text
    (asked,) = [one for one in await recent_requests(office.bank) if one.verdict is None]
    assert (asked.kind, asked.subject) == (Kind.BANK_CARDS, BANK_ITSELF)
    assert asked.payload == {"sha256": SHA256, "count": 1200}
    await _sign_in(browser, office, office.paul)
    page = await _read(browser, REQUESTS)
    assert f"{GROUPS} À comparer" in page
    assert "Raison : Envoi du 2 mars" in page
    assert not re.search(r"\d{12}", page)
    agree = fields_of((await browser.get(REQUESTS)).text, DECIDE) | {"verdict": "approved"}
    assert (await browser.post(DECIDE, data=agree)).headers["location"] == REQUESTS
    granted = next(one for one in await recent_requests(office.bank) if one.id == asked.id)
    assert granted.verdict is Verdict.APPROVED
    assert (granted.requested_by, granted.decided_by) == (ines.user_code, office.paul.user_code)
    assert granted.payload == asked.payload
    after = await _read(browser, REQUESTS)
    assert f"{GROUPS} À comparer" in after
    assert f"Accordée par Paul Nogaret ({office.paul.typed})" in after


async def test_the_same_person_never(office: Office, browser: Browser) -> None:
    """Nor does an issuer decide, whoever asked."""
    ines, nils = (person(name, Role.ISSUER) for name in ("Inès Vidal", "Nils Olsen"))
    for who in (ines, nils):
        await office.agree(office.paul, await office.hire(who))
    await _sign_in(browser, office, ines)
    await _ask(browser)
    async with Browser(build(desk_of(office, "paul"))) as officer:
        await _sign_in(officer, office, office.paul)
        theirs = fields_of((await officer.get(REQUESTS)).text, DECIDE)["request"]
    # A proof of their own for the button, from a request that they may decide on by no right.
    for who in (ines, nils):
        await _sign_in(browser, office, who)
        token = browser.cookies["sesame_desk_session"]
        forged = {"proof": proof(token, "decide"), "request": theirs, "verdict": "approved"}
        refused = await browser.post(DECIDE, data=forged)
        assert refused.status_code == 403
        assert "Votre rôle ne permet pas d’en décider" in refused.text
    (asked,) = [one for one in await recent_requests(office.bank) if one.verdict is None]
    assert asked.id.hex() == theirs
    both = office.staff(ines, {Role.ISSUER, Role.OFFICER})  # whom no account can be
    with pytest.raises(Undecided) as refusal:
        await decide(office.bank, both, asked.id, Verdict.APPROVED, ADDRESS)
    assert refusal.value.why is Barred.SAME_PERSON


async def test_who_may(office: Office, browser: Browser, ines: Person) -> None:
    """Issuers; others find neither the page nor the way to it."""
    assert (await browser.get(BANK_CARDS)).headers["location"].startswith(LOGIN)
    for who in (office.ada, office.aude, office.odile):
        await _sign_in(browser, office, who)
        assert (await browser.get(BANK_CARDS)).status_code == 403
        assert (await browser.post(BANK_CARDS, data={})).status_code == 403
        assert BANK_CARDS not in (await browser.get(REQUESTS)).text
    await _sign_in(browser, office, ines)
    assert (await browser.get(BANK_CARDS)).status_code == 200
    fields = {"sha256": SHA256, "count": "1", "reason": "Envoi du 2 mars"}
    assert (await browser.post(BANK_CARDS, data=fields)).status_code == 403  # no form of ours


async def test_what_cannot_be_asked_for(office: Office, browser: Browser, ines: Person) -> None:
    """Is refused beside its field, and nothing is asked."""
    await _sign_in(browser, office, ines)
    for fields, said in (
        ({"sha256": ""}, {"sha256": "64 caractères"}),
        ({"sha256": SHA256[:-1]}, {"sha256": "64 caractères"}),
        ({"sha256": SHA256 + "0"}, {"sha256": "64 caractères"}),
        ({"sha256": "g" + SHA256[1:]}, {"sha256": "64 caractères"}),
        ({"sha256": "٣" + SHA256[1:], "count": "0"}, {"sha256": "", "count": "entier de 1"}),
        ({"count": ""}, {"count": "entier de 1"}),
        ({"count": "1000001"}, {"count": "entier de 1"}),
        ({"count": "-1"}, {"count": "entier de 1"}),
        ({"count": "²"}, {"count": "entier de 1"}),
        ({"reason": "x"}, {"reason": "Dites pourquoi"}),
    ):
        response = await _ask(browser, **fields)
        assert response.status_code == 422
        found = dict(re.findall(r'id="(\w+)-error">([^<]+)', response.text))
        assert found.keys() == said.keys(), fields
        for name, sentence in said.items():
            assert sentence in found[name]
        assert len(re.findall("autofocus", response.text)) == 1
        assert "Erreur – Demander de donner" in response.text.replace("\n", " ")
    assert TITLE not in await _read(browser, REQUESTS)
    assert (await _ask(browser, count="1000000")).headers["location"] == REQUESTS


async def test_one_file_after_the_other(office: Office, browser: Browser, ines: Person) -> None:
    """The same or another one, until it is decided on; one row is said as one."""
    await _sign_in(browser, office, ines)
    await _ask(browser, count="1")
    assert f"{TITLE} : fichier d’une ligne" in await _read(browser, REQUESTS)
    for digest in (SHA256, SHA256[::-1]):
        again = await _ask(browser, sha256=digest)
        assert again.status_code == 422
        (said,) = re.findall(r'id="sha256-error">([^<]+)', again.text)
        assert "attend déjà une décision" in said
        assert f'value="{digest}"' in again.text
    async with Browser(build(desk_of(office, "paul"))) as officer:
        await _sign_in(officer, office, office.paul)
        refuse = fields_of((await officer.get(REQUESTS)).text, DECIDE) | {"verdict": "refused"}
        await officer.post(DECIDE, data=refuse)
    assert (await _ask(browser)).headers["location"] == REQUESTS


@pytest.mark.parametrize("typed", [PAN, PAN.replace(" ", ""), PAN.replace(" ", "-"), f"n° {PAN}"])
async def test_a_card_number_is_not_shown_again(
    office: Office, browser: Browser, ines: Person, typed: str
) -> None:
    """Where somebody types one in place of the digest or the rows; a digest with a slip is."""
    await _sign_in(browser, office, ines)
    response = await _ask(browser, sha256=typed, count=typed)
    assert response.status_code == 422
    digits = re.sub(r"\D", "", response.text.partition("<main")[2])
    assert PAN.replace(" ", "")[:8] not in digits
    assert PAN.replace(" ", "")[-6:] not in digits
    slip = await _ask(browser, sha256=GROUPS[:-1])
    assert f'value="{SHA256[:-1]}"' in slip.text


async def test_in_english(office: Office, browser: Browser, ines: Person) -> None:
    """No French is left on the form, nor on what was asked by it."""
    await _sign_in(browser, office, ines)
    browser.cookies.set("sesame_language", "en")
    assert "Ask for bank cards to be given" in await _read(browser, ISSUING)
    form = await _read(browser, BANK_CARDS)
    assert "SHA-256 digest of the file" in form
    assert "of no other: for 30 days from the request. Each customer is told." in form
    assert "1 to 1,000,000" in (await _ask(browser, count="0")).text
    await _ask(browser)
    page = await _read(browser, REQUESTS)
    assert "Give bank cards to customers: file of 1200 rows" in page.replace(" :", ":")
    assert f"SHA-256 digest of the file: {GROUPS} To be compared in full" in page
