"""The desk as its pages: who gets in, what each role may, and that two persons are two."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial

import httpx
import pytest
from sqlalchemy import insert, update

from sesame.bank.approvals import Asked, Kind, Wish, write_payload
from sesame.bank.approving import ask, recent_requests
from sesame.bank.moments import to_row
from sesame.bank.staff import Role
from sesame.custody.custodian import KeyRef
from sesame.desk.desk import Desk
from sesame.desk.routes import build
from sesame.portal.routes import build as build_portal
from sesame.store.approvals import APPROVALS
from sesame.store.buckets import bucket_of
from sesame.store.holds import HOLDS, put_desk_hold
from sesame.web.guard import proof
from sesame.web.institution import Institution
from sesame.web.opening import PARIS
from sesame.web.rendering import Site
from tests.custody.keystores import chance
from tests.desk.office import Office, Person, person
from tests.portal.browser import Browser, french_in, hidden_fields, without_chance
from tests.portal.town import wrong_code

LOGIN = "/guichet/connexion"
TWO = "/guichet/deux-codes"
VERA = "VERA2345"


def desk_of(office: Office, seed: str = "desk") -> Desk:
    """The desk of that bank, as a demonstration on plain http."""
    return Desk(
        bank=office.bank,
        site=Site(institution=Institution(), demonstration=True, https=False),
        random_bytes=chance(seed),
        card_key=KeyRef("dpa-01"),
        card_dki=1,
        revealing=office.revealing,
    )


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """A browser before the desk."""
    async with Browser(build(desk_of(office))) as browser:
        yield browser


def fields_of(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the first form on *page* that is sent to *action*."""
    form = page.partition(f'action="{action}"')[2].partition("</form>")[0]
    assert form, f"no form on the page is sent to {action}"
    return hidden_fields(form)


async def _log_in(browser: Browser, office: Office, who: Person) -> httpx.Response:
    return await browser.fill_in(LOGIN, staff_code=who.typed, code=await office.code_of(who))


async def _signed_in(browser: Browser, office: Office, who: Person) -> None:
    assert (await _log_in(browser, office, who)).headers["location"] == "/guichet"


async def _press(browser: Browser, address: str, action: str, **more: str) -> httpx.Response:
    fields = fields_of((await browser.get(address)).text, action)
    return await browser.post(action, data=fields | more)


async def _ask_for_lift(browser: Browser, office: Office) -> httpx.Response:
    vera = office.town.vera
    await office.hold(vera.user_code)
    return await _press(
        browser,
        "/guichet/demandes/levee",
        "/guichet/demandes/levee",
        user_code=vera.user_code,
        last4=vera.record.pan.last4,
        reason="Carte retrouvée, pièce d’identité vue",
    )


async def _decide(browser: Browser, **more: str) -> httpx.Response:
    return await _press(browser, "/guichet/demandes", "/guichet/demandes/decider", **more)


async def test_in_and_out_again(office: Office, browser: Browser) -> None:
    """With a code Sésame; then nothing is open any more."""
    asked = await browser.get("/guichet/demandes")
    assert asked.headers["location"].startswith(LOGIN)
    response = await browser.get(asked.headers["location"])
    assert "Identifiez-vous" in response.text
    await _signed_in(browser, office, office.ada)
    home = await browser.get("/guichet")
    assert "Ada Lemoine" in home.text
    assert "Conseiller" in home.text
    out = await browser.press("/guichet", "/guichet/deconnexion")
    assert out.headers["location"] == LOGIN
    assert (await browser.get("/guichet")).status_code == 303


async def test_two_codes_and_a_challenge(office: Office, browser: Browser) -> None:
    """The other ways in; a challenge's answer that is none is refused as a code is."""
    codes = [await office.code_of(office.ada) for _ in range(2)]
    response = await browser.fill_in(
        TWO, staff_code=office.ada.typed, code=codes[0], next_code=codes[1]
    )
    assert response.headers["location"] == "/guichet"
    codes = [await office.code_of(office.ada) for _ in range(2)]
    answered = await browser.fill_in(
        "/guichet/repondre", staff_code=office.ada.typed, code=codes[0], next_code=codes[1]
    )
    assert answered.status_code == 422
    assert "Connexion refusée" in answered.text


async def test_alike_outside(office: Office) -> None:
    """A wrong code, a code nobody has, a held card, a closed account: one answer, byte for byte."""
    waiting = person("Inès Vidal", Role.ISSUER)
    await office.hire(waiting)
    nobody = person("Personne")
    nobody.user_code = type(waiting.user_code)("_" + "2222222")
    pages = []
    for who, code in (
        (office.ada, wrong_code(await office.code_of(office.ada))),
        (waiting, await office.code_of(waiting)),
        (nobody, wrong_code(await office.code_of(waiting))),
    ):
        async with Browser(build(desk_of(office, "same"))) as browser:
            response = await browser.fill_in(LOGIN, staff_code=who.typed, code=code)
            page = without_chance(response.text).replace(who.typed, "…")
            pages.append((response.status_code, page, sorted(response.headers)))
    assert pages[0] == pages[1] == pages[2]
    assert pages[0][0] == 422


async def test_staff_are_no_customers_and_customers_no_staff(
    office: Office, browser: Browser
) -> None:
    """Each other's codes are not even judged: no try is spent, no line written, no code used."""
    vera, ada = office.town.vera, office.ada
    before = [await office.lines(code) for code in (vera.user_code, ada.user_code)]
    code = await office.town.code_of(vera)
    refused = await browser.fill_in(LOGIN, staff_code=vera.user_code, code=code)
    assert refused.status_code == 422
    assert "Aucun essai" in refused.text
    async with Browser(build_portal(office.town.portal())) as customer:
        for typed in (ada.typed, ada.user_code):
            refused = await customer.log_in(typed, await office.code_of(ada))
            assert refused.status_code == 422
            assert "Aucun essai" in refused.text
        assert before == [await office.lines(code) for code in (vera.user_code, ada.user_code)]
        assert (await customer.log_in(vera.user_code, code)).status_code == 303
        token = customer.cookies["sesame_session"]
    browser.cookies.set("sesame_desk_session", token)
    assert (await browser.get("/guichet")).status_code == 303


async def test_three_failures_suspend(office: Office, browser: Browser) -> None:
    """As at every door, until when is said; and no device is known here."""
    for _ in range(3):
        await browser.fill_in(
            LOGIN, staff_code=office.ada.typed, code=wrong_code(await office.code_of(office.ada))
        )
    response = await _log_in(browser, office, office.ada)
    assert response.status_code == 429
    assert "retry-after" in response.headers
    assert set(browser.cookies) == {"sesame_desk_browser"}


_COUNTER = "/guichet/client/VERA2345/carte-au-guichet"
ROLES_AND_PAGES = [
    (
        Role.ADVISER,
        {
            "/guichet/demandes": 200,
            "/guichet/demandes/levee": 200,
            "/guichet/demandes/numero": 200,
            "/guichet/demandes/compteur": 200,
            _COUNTER: 200,
        },
    ),
    (
        Role.ISSUER,  # never the counter: that would be card and PIN in one hand
        {
            "/guichet/demandes": 200,
            "/guichet/demandes/numero": 200,
            "/guichet/demandes/cartes-bancaires": 200,
            "/guichet/emission": 200,
        },
    ),
    (Role.AUDITOR, {"/guichet/demandes": 200, "/guichet/personnel": 200}),
    (
        Role.OFFICER,
        {
            "/guichet/demandes": 200,
            "/guichet/demandes/levee": 200,
            "/guichet/demandes/compteur": 200,
            "/guichet/personnel": 200,
            "/guichet/personnel/nouveau": 200,
        },
    ),
]
_ALL_PAGES = {address for _, pages in ROLES_AND_PAGES for address in pages}


@pytest.mark.parametrize(
    ("role", "open_to"), ROLES_AND_PAGES, ids=[role for role, _ in ROLES_AND_PAGES]
)
async def test_what_a_role_opens(
    office: Office, browser: Browser, role: Role, open_to: dict[str, int]
) -> None:
    """And nothing else."""
    who = person("Inès Vidal", role)
    await office.agree(office.paul, await office.hire(who))
    await _signed_in(browser, office, who)
    for address in _ALL_PAGES:
        response = await browser.get(address)
        assert response.status_code == open_to.get(address, 403), address


async def test_an_adviser_tries_what_the_role_forbids(office: Office, browser: Browser) -> None:
    """By a form that the page does not show: it is refused, and nothing has changed."""
    async with Browser(build(desk_of(office, "other"))) as officer:
        await _signed_in(officer, office, office.odile)
        await _ask_for_lift(officer, office)
        approval = re.search(r'name="request" value="([0-9a-f]{32})"', await _waiting(office))
        assert approval is not None
    await _signed_in(browser, office, office.ada)
    page = (await browser.get("/guichet/demandes")).text
    assert "decider" not in page
    forged = {"proof": _proof(browser, "decide"), "request": approval[1], "verdict": "approved"}
    response = await browser.post("/guichet/demandes/decider", data=forged)
    assert response.status_code == 403
    assert "Votre rôle" in response.text
    assert re.search("<title>.* Guichet</title>", response.text.replace("\xa0", " "))
    forged = {"proof": _proof(browser, "close an account"), "member": office.aude.typed}
    assert (await browser.post("/guichet/personnel/fermer", data=forged)).status_code == 403
    forged = {"proof": _proof(browser, "ask for staff")}
    assert (await browser.post("/guichet/personnel/nouveau", data=forged)).status_code == 403
    access = await office.bank.store.read_access(office.town.vera.user_code)
    assert access.cards[0].state == "held"


async def _waiting(office: Office) -> str:
    """The list as Paul sees it."""
    async with Browser(build(desk_of(office, "paul"))) as browser:
        await _signed_in(browser, office, office.paul)
        return (await browser.get("/guichet/demandes")).text


def _proof(browser: Browser, purpose: str) -> str:
    """What this session's own button would send, for who knows how it is made."""
    return proof(browser.cookies["sesame_desk_session"], purpose)


async def test_refused_to_who_asked_and_granted_by_another(
    office: Office, browser: Browser
) -> None:
    """The page of who asked has no button, and its form sent all the same is refused."""
    await _signed_in(browser, office, office.odile)
    assert (await _ask_for_lift(browser, office)).headers["location"] == "/guichet/demandes"
    page = (await browser.get("/guichet/demandes")).text
    assert "C’est votre demande" in page
    assert "decider" not in page
    async with Browser(build(desk_of(office, "paul"))) as other:
        await _signed_in(other, office, office.paul)
        page = (await other.get("/guichet/demandes")).text
        vera = office.town.vera
        assert f"{vera.name} ({vera.user_code})" in page
        assert f"Demandé par Odile Ferrand ({office.odile.typed})" in page
        assert f"Carte qui finit par {vera.record.pan.last4}" in page
        fields = fields_of(page, "/guichet/demandes/decider")
        forged = fields | {"proof": _proof(browser, "decide"), "verdict": "approved"}
        refused = await browser.post("/guichet/demandes/decider", data=forged)
        assert refused.status_code == 403
        assert "Cette demande est la vôtre" in refused.text
        assert (await _decide(other, verdict="approved")).status_code == 303
        granted = f"Accordée par Paul Nogaret ({office.paul.typed})"
        assert granted in (await other.get("/guichet/demandes")).text
    again = await browser.post("/guichet/demandes/decider", data=forged)
    assert "déjà décidé" in again.text
    access = await office.bank.store.read_access(office.town.vera.user_code)
    assert access.cards[0].state == "active"


RETURNED_BEFORE = "Courrier revenu : n’habite pas à l’adresse indiquée"  # before it was a key
_BY_ADA = (
    "Bloquée par Ada Lemoine ({{ada}}) le {{day}} : {0}.|"
    "Held by Ada Lemoine ({{ada}}) on {{day}}: {1}."
)
_NOBODY_SAID = (
    "La banque n’a pas noté qui l’a bloquée, ni pourquoi.|"
    "The bank did not note who held it, nor why."
)
HELD = [  # by whom, why, and what is said of it in French|and in English
    ("desk", "stolen", _BY_ADA.format("carte volée", "stolen card")),
    ("desk", "returned", _BY_ADA.format("courrier revenu", "returned mail")),
    ("desk", RETURNED_BEFORE, _BY_ADA.format("courrier revenu", "returned mail")),
    ("owner", "", "Bloquée par son titulaire le {day}.|Held by its owner on {day}."),
    (None, "", _NOBODY_SAID),
]


@pytest.mark.parametrize(("by", "reason", "said"), HELD)
async def test_whoever_lifts_reads_why_it_is_held(
    office: Office, browser: Browser, by: str | None, reason: str, said: str
) -> None:
    """Who held the card, when and why, and the way to its customer's page."""
    vera, at = office.town.vera.user_code, office.town.clock()
    wish = await office.hold(vera)
    if by is not None:
        held = {
            "bucket": bucket_of(vera),
            "user_code": vera,
            "card_number": 1,
            "by": by,
            "by_code": office.ada.user_code if by == "desk" else vera,
            "reason": reason,
            "at": to_row(at),
        }
        await office.bank.store.write(lambda c: c.execute(insert(HOLDS).values(held)))
    await ask(office.bank, office.staff(office.ada), wish, address="192.0.2.7")
    await _signed_in(browser, office, office.paul)
    page = (await browser.get("/guichet/demandes")).text.replace("\xa0", " ")
    day = f"{at.astimezone(PARIS):%d/%m/%Y}"
    french, english = said.format(ada=office.ada.typed, day=day).split("|")
    assert french in page
    assert f'<a href="/guichet/client/{vera}">Voir la page de l’abonné' in page
    assert (await browser.get(f"/guichet/client/{vera}")).status_code == 200
    browser.cookies.set("sesame_language", "en")
    assert english in (await browser.get("/guichet/demandes")).text


async def test_a_request_quotes_a_reason_of_before(office: Office, browser: Browser) -> None:
    """A request keeps what was read when it was asked, also the sentence of an earlier version."""
    vera = office.town.vera.user_code
    wish = await office.hold(vera)
    hold = partial(
        put_desk_hold,
        key=(bucket_of(vera), vera),
        card_number=1,
        by=office.ada.user_code,
        reason="returned",
        at=to_row(office.town.clock()),
    )
    await office.bank.store.write(hold)
    asked = await ask(office.bank, office.staff(office.ada), wish, address="192.0.2.7")
    assert asked.payload["hold_reason"] == "returned"
    of_then = write_payload({**asked.payload, "hold_reason": RETURNED_BEFORE})
    quoting = update(APPROVALS).where(APPROVALS.c.id == asked.id).values(payload=of_then)
    await office.bank.store.write(lambda c: c.execute(quoting))
    await _signed_in(browser, office, office.paul)
    assert "courrier revenu." in (await browser.get("/guichet/demandes")).text


async def test_a_new_member_of_staff(office: Office, browser: Browser) -> None:
    """Asked for by one officer, agreed to by another; no page shows the card's number again."""
    new = person("Inès Vidal")
    fields = {
        "name": " Inès  Vidal ",
        "personnel_number": "m/77",
        "language": "fr",
        "kind": "sesame",
        "pan": new.record.pan.digits,
        "psn": "01",
        "role-issuer": "1",
        "reason": "Embauche du 2 mars",
    }
    await _signed_in(browser, office, office.odile)
    where = "/guichet/personnel/nouveau"
    wrong = [
        ({"name": "I"}, "name"),
        ({"pan": "9250900000000001"}, "pan"),
        ({"pan": office.town.vera.record.pan.digits}, "pan"),
        ({"psn": "1"}, "psn"),
        ({"psn": "0147"}, "psn"),
        ({"personnel_number": "m 77 é"}, "personnel_number"),
        ({"personnel_number": office.odile.new.personnel_number}, "personnel_number"),
        ({"role-officer": "1"}, "roles"),
        ({"reason": "ok"}, "reason"),
        ({"name": "PAN 4970 1012 3456 7893"}, "name"),
        ({"personnel_number": "4970 1012 3456 7893"}, "personnel_number"),
        ({"reason": "PAN 4970 1012 3456 7893 PIN 4711"}, "reason"),
    ]
    page = (await browser.get(where)).text
    assert "N’écrivez ici ni numéro de carte, ni code secret, ni code Sésame." in page
    for change, name in wrong:
        response = await _press(browser, where, where, **fields | change)
        assert response.status_code == 422, change
        assert re.findall(r'id="(\w+)-error"', response.text) == [name], change
        assert new.record.pan.digits not in response.text
        assert 'name="psn" type="text" value="0147' not in response.text
        holds_one = "4970 1012" in "".join(change.values())
        assert ("Cela ressemble à un numéro de carte" in response.text) == holds_one, change
    assert (await _press(browser, where, where, **fields)).status_code == 303
    async with Browser(build(desk_of(office, "paul"))) as other:
        await _signed_in(other, office, office.paul)
        page = (await other.get("/guichet/demandes")).text
        assert "Inès Vidal" in page
        assert new.record.pan.digits not in page
        code = re.search(r"Inès Vidal \((\w{7})\)", page)
        assert code is not None
        await _decide(other, verdict="approved")
        new.user_code = type(new.user_code)("_" + code[1])
    async with Browser(build(desk_of(office, "new"))) as theirs:
        await _signed_in(theirs, office, new)
        assert "Émission des cartes" in (await theirs.get("/guichet")).text


async def test_an_account_is_closed(office: Office, browser: Browser) -> None:
    """Whoever is signed in with it is out at the next page."""
    async with Browser(build(desk_of(office, "ada"))) as ada:
        await _signed_in(ada, office, office.ada)
        await _signed_in(browser, office, office.odile)
        page = (await browser.get("/guichet/personnel")).text
        assert page.count("Fermer ce compte") == 3
        where = f"/guichet/personnel/fermer?agent={office.ada.typed}"
        assert "Fermer ce compte\u00a0: Ada Lemoine" in (await browser.get(where)).text
        action = "/guichet/personnel/fermer"
        vague = await _press(browser, where, action, reason="ok")
        assert vague.status_code == 422
        assert re.findall(r'id="(\w+)-error"', vague.text) == ["reason"]
        assert (await ada.get("/guichet")).status_code == 200
        assert (await _press(browser, where, action, reason="Carte perdue")).status_code == 303
        assert (await ada.get("/guichet")).status_code == 303
    page = (await browser.get("/guichet/personnel")).text
    assert "Fermé" in page
    assert "Raison : Carte perdue" in page
    for nothing in (office.ada.typed, office.odile.typed, "nobody", ""):
        response = await browser.get(f"/guichet/personnel/fermer?agent={nothing}")
        assert response.headers["location"] == "/guichet/personnel"


async def test_one_person_has_one_account(office: Office, browser: Browser) -> None:
    """By the institution's own number, however it is typed; until the other one is closed."""
    new = person("Ada Lemoine")
    number = office.ada.new.personnel_number
    fields = {
        "name": new.name,
        "personnel_number": f" {number.lower()} ",
        "language": "fr",
        "kind": "sesame",
        "pan": new.record.pan.digits,
        "psn": "01",
        "role-officer": "1",
        "reason": "Changement de poste",
    }
    await _signed_in(browser, office, office.odile)
    where = "/guichet/personnel/nouveau"
    refused = await _press(browser, where, where, **fields)
    assert refused.status_code == 422
    assert re.findall(r'id="(\w+)-error"', refused.text) == ["personnel_number"]
    close = f"/guichet/personnel/fermer?agent={office.ada.typed}"
    await _press(browser, close, "/guichet/personnel/fermer", reason="Changement de poste")
    assert (await _press(browser, where, where, **fields)).status_code == 303
    assert f"Matricule : {number}" in (await browser.get("/guichet/demandes")).text


async def test_the_first_officer(office: Office, browser: Browser) -> None:
    """A printed secret, a card, two codes; a second use of it is refused, and it is never shown."""
    where = "/guichet/premier-acces"
    secret = await office.secret()
    new = person("Rose Aubert")
    fields = {
        "secret": secret,
        "name": new.name,
        "personnel_number": "R-12",
        "language": "en",
        "kind": "sesame",
        "pan": new.record.pan.digits,
        "psn": "01",
    }
    taken = fields | {"personnel_number": office.paul.new.personnel_number}
    assert (await browser.fill_in(where, **taken)).status_code == 422
    refused = await browser.fill_in(where, **fields | {"secret": secret[:-1] + "!"})
    assert refused.status_code == 422
    assert secret[:-1] not in refused.text
    done = await browser.fill_in(where, **fields)
    assert done.status_code == 303
    code = re.search(r"staff_code=(\w{7})", done.headers["location"])
    assert code is not None
    new.user_code = type(new.user_code)("_" + code[1])
    assert code[1] in (await browser.get(done.headers["location"])).text
    again = await browser.fill_in(where, **fields)
    assert again.status_code == 422
    codes = [await office.code_of(new) for _ in range(2)]
    signed_in = await browser.fill_in(TWO, staff_code=new.typed, code=codes[0], next_code=codes[1])
    assert signed_in.headers["location"] == "/guichet"


async def test_no_page_of_another_site(office: Office, browser: Browser) -> None:
    """And no button of another session."""
    await _signed_in(browser, office, office.odile)
    fields = fields_of((await browser.get("/guichet")).text, "/guichet/deconnexion")
    for data, headers in (
        (fields, {"Origin": "https://elsewhere.example"}),
        (fields | {"proof": "00"}, {}),
        ({"none": ""}, {}),
    ):
        response = await browser.post("/guichet/deconnexion", data=data, headers=headers)
        assert response.status_code == 403
    assert (await browser.get("/guichet")).status_code == 200


_ADDRESS = f"/guichet/client/{VERA}/adresse"
_MOVED = {"line_2": "", "line_4": "3 quai Rambaud", "postcode": "69002", "city": "Lyon"}
_WHY = "Déménagement, pièce d’identité vue"


async def _move(browser: Browser, **more: str) -> httpx.Response:
    fields = {**_MOVED, "line_3": "", "line_5": "", "country": "FR", "reason": _WHY}
    return await _press(browser, _ADDRESS, _ADDRESS, **fields | more)


async def test_an_address_is_changed_by_one(office: Office, browser: Browser) -> None:
    """And shown as it is; what is wrong is said beside its field, and typed words stay."""
    await office.live_somewhere(office.town.vera.user_code)
    await _signed_in(browser, office, office.ada)
    wrong = [
        ({"line_4": ""}, "line_4"),
        ({"line_4": "rue\u202e"}, "line_4"),
        ({"line_4": "rue 漢"}, "line_4"),
        ({"postcode": "6900"}, "postcode"),
        ({"city": ""}, "city"),
        ({"country": "XX"}, "country"),
        ({"line_2": "x" * 39}, "line_2"),
        ({"line_4": "12 rue des Tilleuls", "postcode": "69003"}, "line_4"),
        ({"reason": "ok"}, "reason"),
    ]
    for change, name in wrong:
        response = await _move(browser, **change)
        assert response.status_code == 422, change
        assert re.findall(r'id="(\w+)-error"', response.text) == [name], change
        if name != "reason":
            assert _WHY in response.text
    assert (await _move(browser)).headers["location"] == _ADDRESS
    page = (await browser.get(_ADDRESS)).text
    assert "Véra Tissot<br>3 quai Rambaud<br>69002 Lyon" in page
    assert "Aucun code secret n’est envoyé" in page
    asked = await _press(browser, _ADDRESS, f"{_ADDRESS}/confirmer", confirm_reason=_WHY)
    assert asked.headers["location"] == "/guichet/demandes"
    again = await _press(browser, _ADDRESS, f"{_ADDRESS}/confirmer", confirm_reason=_WHY)
    assert again.status_code == 422
    assert "attend déjà une décision" in again.text
    for nobody in ("NOBODY23", "x"):
        assert (await browser.get(f"/guichet/client/{nobody}/adresse")).status_code == 404


async def test_a_pin_is_sent_to_a_changed_address_by_two(office: Office, browser: Browser) -> None:
    """The officer reads the address of today; nobody else decides, and an officer changes none."""
    vera = office.town.vera.user_code
    await office.live_somewhere(vera)
    await office.order(vera)
    await _signed_in(browser, office, office.ada)
    assert (await _move(browser)).headers["location"] == "/guichet/demandes"
    assert "decider" not in (await browser.get("/guichet/demandes")).text
    async with Browser(build(desk_of(office, "paul"))) as paul:
        await _signed_in(paul, office, office.paul)
        assert (await paul.get(_ADDRESS)).status_code == 403
        forged = {"proof": _proof(paul, "change an address"), **_MOVED}
        assert (await paul.post(_ADDRESS, data=forged)).status_code == 403
        page = (await paul.get("/guichet/demandes")).text
        assert "Véra Tissot<br>3 quai Rambaud<br>69002 Lyon" in page
        assert (await _move(browser, line_4="5 quai Rambaud")).status_code == 303
        page = (await paul.get("/guichet/demandes")).text
        assert page.count("L’adresse a encore changé depuis") == 1
        # The newest comes first.
        assert (await _decide(paul, verdict="approved")).status_code == 303
        late = await _decide(paul, verdict="approved")
        assert late.status_code == 409
        assert "Rien n’a été changé" in late.text
    assert "Un code secret peut être envoyé" in (await browser.get(_ADDRESS)).text


_NUMBER = "/guichet/demandes/numero"
_SHOW = "/guichet/demandes/voir"


async def test_a_number_is_shown_once_to_who_asked(
    office: Office, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """On a page that is kept nowhere; reloaded it says that it was shown."""
    vera = office.town.vera
    await _signed_in(browser, office, office.ada)
    fields = {"user_code": vera.user_code, "last4": vera.record.pan.last4, "reason": _WHY}
    for change, name in (
        ({"last4": "0000"}, "last4"),
        ({"user_code": "VERA"}, "user_code"),
        ({"reason": ""}, "reason"),
    ):
        response = await _press(browser, _NUMBER, _NUMBER, **fields | change)
        assert response.status_code == 422
        assert re.findall(r'id="(\w+)-error"', response.text) == [name], change
    assert (await _press(browser, _NUMBER, _NUMBER, **fields)).status_code == 303
    assert _SHOW not in (await browser.get("/guichet/demandes")).text
    async with Browser(build(desk_of(office, "paul"))) as paul:
        await _signed_in(paul, office, office.paul)
        await _decide(paul, verdict="approved")
        page = (await paul.get("/guichet/demandes")).text
        assert _SHOW not in page
        approval = (await recent_requests(office.bank))[0].id.hex()
        forged = {"proof": _proof(paul, "show a number"), "request": approval}
        refused = await paul.post(_SHOW, data=forged)
        assert refused.status_code == 403
        assert "Seule la personne" in refused.text
    button = fields_of((await browser.get("/guichet/demandes")).text, _SHOW)
    shown = await browser.post(_SHOW, data=button)
    plain = re.sub(r"<[^>]+>| ", "", shown.text)
    assert vera.record.pan.digits in plain
    assert shown.headers["cache-control"] == "no-store"
    assert vera.record.pan.digits not in re.sub(r"\D", "", shown.text.partition("</title>")[0])
    again = await browser.post(_SHOW, data=button)
    assert again.status_code == 403
    assert "déjà été montré" in again.text
    assert _SHOW not in (await browser.get("/guichet/demandes")).text
    assert (await browser.get(_SHOW)).status_code == 303
    assert vera.record.pan.digits not in caplog.text


async def test_a_desk_to_which_custody_says_no_number(office: Office) -> None:
    """Says so, and which setting to look at; the yes is not used up."""
    asked = await office.agree(office.paul, await _asked_for_number(office))
    button, answered = {"request": asked.id.hex()}, []
    for revealing in (None, office.revealing):
        async with Browser(build(replace(desk_of(office, "x"), revealing=revealing))) as browser:
            await _signed_in(browser, office, office.ada)
            proof = _proof(browser, "show a number")
            shown = await browser.post(_SHOW, data=button | {"proof": proof})
            assert ("revealers" in shown.text) == (revealing is None)
            answered.append(shown.status_code)
            assert (await browser.post(_SHOW, data={"proof": proof})).status_code == 400
    assert answered == [403, 200]


async def _asked_for_number(office: Office) -> Asked:
    wish = Wish(Kind.SHOW_NUMBER, office.town.vera.user_code, {"card": 1}, _WHY)
    return await ask(office.bank, office.staff(office.ada), wish, address="")


async def test_in_english(office: Office, browser: Browser) -> None:
    """No French is left while a request waits; `test_ways` looks at every page."""
    await _signed_in(browser, office, office.odile)
    await _ask_for_lift(browser, office)
    browser.cookies.set("sesame_language", "en")
    for address in ("/guichet", "/guichet/demandes", "/guichet/personnel", LOGIN):
        page = (await browser.get(address)).text
        assert '<html lang="en">' in page
        assert not french_in(page), address
