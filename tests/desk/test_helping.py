"""The help line as its pages: what an adviser does, what is said then, and what nobody else may."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import update

from sesame.bank.errors import NotAllowed
from sesame.bank.help_line import oppose
from sesame.bank.helping import Loss
from sesame.bank.staff import Role
from sesame.desk.call import FORMS
from sesame.desk.routes import build
from sesame.store.buckets import bucket_of
from sesame.store.cards import CARDS, CardState, set_card_state
from sesame.store.dispatches import DispatchRow, insert_dispatch
from sesame.store.staff import STAFF
from sesame.web.guard import proof
from tests.desk.caller import call, is_open, last_atc, session_of, suspend
from tests.desk.office import Office, Person, person
from tests.desk.test_pages import LOGIN, desk_of, fields_of
from tests.portal.browser import Browser, french_in
from tests.portal.town import Customer, wrong_code

WAYS = [end for end, _ in FORMS]


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """Ada's browser, signed in."""
    async with Browser(build(desk_of(office))) as browser:
        await _sign_in(browser, office, office.ada)
        yield browser


async def _sign_in(browser: Browser, office: Office, who: Person) -> None:
    code = await office.code_of(who)
    response = await browser.fill_in(LOGIN, staff_code=who.typed, code=code)
    assert response.headers["location"] == "/guichet"


def _page(who: Customer, way: str) -> str:
    return f"/guichet/client/{who.user_code}/{way}"


async def _send(browser: Browser, who: Customer, way: str, **fields: str) -> httpx.Response:
    address = _page(who, way)
    hidden = fields_of((await browser.get(address)).text, address)
    return await browser.post(address, data=hidden | fields)


def _wrong(page: httpx.Response) -> list[str]:
    """The fields that *page* finds fault with."""
    return re.findall(r'id="(\w+)-error"', page.text)


async def test_a_customer_and_what_can_be_done(office: Office, browser: Browser) -> None:
    """Under the address of the user code, however it is typed; nobody under another one."""
    vera = office.town.vera
    page = await browser.get(f"/guichet/client/{vera.user_code.lower()}")
    assert vera.name in page.text
    assert f"Carte Sésame ••••{vera.record.pan.last4}" in page.text
    assert vera.record.pan.digits not in page.text
    for way in WAYS:
        assert f'href="{_page(vera, way)}"' in page.text
        assert (await browser.get(_page(vera, way))).status_code == 200
    for nobody in ("NEMO3333", "court", office.aude.typed, office.aude.user_code):
        missing = await browser.get(f"/guichet/client/{nobody}")
        assert missing.status_code == 404
        assert "Personne n’a ce code" in missing.text


async def test_opposition(office: Office, browser: Browser) -> None:
    """In one step; what was done is said, and said again to a second click."""
    vera = office.town.vera
    token = await session_of(office, vera)
    address = _page(vera, "opposition")
    nothing = await _send(browser, vera, "opposition")
    assert nothing.status_code == 422
    assert _wrong(nothing) == ["cards", "loss"]
    assert _wrong(await _send(browser, vera, "opposition", loss="lost")) == ["cards"]
    kept = await _send(browser, vera, "opposition", **{"card-1": "1", "loss": "sold"})
    assert _wrong(kept) == ["loss"]
    assert 'name="card-1" value="1" checked' in kept.text
    assert await is_open(office, token)
    fields = fields_of((await browser.get(address)).text, address)
    fields |= {"card-1": "1", "loss": "stolen"}
    for _ in range(2):
        done = await browser.post(address, data=fields)
        assert done.status_code == 200
        assert f"Cartes bloquées à l’instant : ••••{vera.record.pan.last4}." in done.text
        assert "Une carte de remplacement est commandée" in done.text
        assert "01\xa099\xa000\xa026\xa041" in done.text
    assert not await is_open(office, token)
    again = await _send(browser, vera, "opposition", **{"card-1": "1", "loss": "damaged"})
    assert _wrong(again) == ["cards"]
    assert "son remplacement est déjà commandé" in again.text


async def test_a_damaged_card_and_a_bank_card(office: Office, browser: Browser) -> None:
    """The one works on; of the other the page says who stops its payments."""
    vera, omar = office.town.vera, office.town.omar
    done = await _send(browser, vera, "opposition", **{"card-1": "1", "loss": "damaged"})
    assert "L’ancienne carte sert encore" in done.text
    assert "sessions" not in done.text.partition('role="status"')[2]
    page = (await browser.get(_page(omar, "opposition"))).text
    assert 'href="tel:+33199002641"' in page
    assert "tel:" not in (await browser.get(_page(vera, "opposition"))).text
    done = await _send(browser, omar, "opposition", **{"card-1": "1", "loss": "lost"})
    assert "Aucune carte n’est commandée d’ici" in done.text


async def test_a_card_that_was_never_used(office: Office, browser: Browser) -> None:
    """Is taken out of service; a card that is is no choice any more."""
    vera = office.town.vera
    key = (bucket_of(vera.user_code), vera.user_code)
    await office.bank.store.write(lambda c: set_card_state(c, key, 1, CardState.WAITING))
    done = await _send(browser, vera, "opposition", **{"card-1": "1", "loss": "damaged"})
    assert "mises hors service avant leur premier usage" in done.text
    assert "card-1" not in (await browser.get(_page(vera, "opposition"))).text
    assert "Retirée pour toujours" in (await browser.get(f"/guichet/client/{vera.user_code}")).text


async def test_a_suspension(office: Office, browser: Browser) -> None:
    """Lifted with a reason, for who was asked; so often, and then until when is said."""
    vera = office.town.vera
    assert "n’est pas suspendu" in (await browser.get(_page(vera, "suspension"))).text
    await suspend(office, vera)
    asked = {"asked-last-login": "1", "asked-card": "1"}
    for fields, wrong in (
        ({}, ["asked", "reason"]),
        (asked, ["reason"]),
        ({"asked-letter": "1", "reason": "reader"}, ["asked"]),
        ({"asked-address": "1", "asked-card": "1", "reason": "reader"}, ["asked"]),
    ):
        response = await _send(browser, vera, "suspension", **fields)
        assert response.status_code == 422
        assert _wrong(response) == wrong
    address = _page(vera, "suspension")
    form = fields_of((await browser.get(address)).text, address) | asked | {"reason": "reader"}
    for _ in range(2):
        done = await browser.post(address, data=form)
        assert done.status_code == 200
        assert "La suspension est levée" in done.text
    fresh = form | {"form": "ab" * 16}
    late = await browser.post(address, data=fresh)
    assert late.status_code == 422
    assert "il n’y a rien à lever" in late.text
    await suspend(office, vera)
    await _send(browser, vera, "suspension", **asked, reason="mistyped")
    await suspend(office, vera)
    enough = await _send(browser, vera, "suspension", **asked, reason="mistyped")
    assert enough.status_code == 429
    assert "se lève d’elle-même jusqu’à" in enough.text
    assert "Assez de suspensions ont été levées" in enough.text


async def test_a_code_is_explained(office: Office, browser: Browser) -> None:
    """Fresh, used, overtaken, wrong; never shown again; and counted where it is none."""
    vera = office.town.vera
    old = await office.town.code_of(vera)
    await session_of(office, vera)
    code = await office.town.code_of(vera)
    fresh = await _send(browser, vera, "code", code=f"{code[:4]} {code[4:]}")
    assert fresh.status_code == 200
    assert "n’avait jamais servi" in fresh.text
    assert f"Carte ••••{vera.record.pan.last4}, compteur 3." in fresh.text
    used = await _send(browser, vera, "code", code=code)
    assert "le dernier que nous ayons accepté" in used.text
    assert "pour une explication avec un conseiller" in used.text
    overtaken = await _send(browser, vera, "code", code=old)
    assert "Un code plus récent de la même carte a été accepté" in overtaken.text
    assert "pour une connexion à Coop@net" in overtaken.text
    wrong = wrong_code(code)
    for counted in range(1, 4):
        response = await _send(browser, vera, "code", code=wrong)
        assert "ne vient d’aucune des cartes de cet abonné" in response.text
        assert "compte comme un essai manqué" in response.text
        assert ("l’accès est suspendu jusqu’" in response.text) == (counted == 3)
        assert wrong not in response.text
    suspended = await _send(browser, vera, "code", code=await office.town.code_of(vera))
    assert suspended.status_code == 429
    assert "aucun code n’est jugé" in suspended.text


async def test_a_slip_of_the_pen_costs_nothing(office: Office, browser: Browser) -> None:
    """Not eight digits, a number no card makes, one code twice: told in the field's own words."""
    vera = office.town.vera
    before = await office.lines(vera.user_code)
    code = await office.town.code_of(vera)
    for way, fields, wrong in (
        ("code", {"code": "1234"}, ["code"]),
        ("essai", {"code": "99999999"}, ["code"]),
        ("deux-codes", {"code": code, "next_code": code}, ["next_code"]),
        ("deux-codes", {"code": "", "next_code": code}, ["code"]),
    ):
        response = await _send(browser, vera, way, **fields)
        assert response.status_code == 422
        assert _wrong(response) == wrong
        assert code not in response.text
    assert await office.lines(vera.user_code) == before


async def test_two_codes_and_an_essay(office: Office, browser: Browser) -> None:
    """The field says what becomes of them; they open nothing; a second click hears the same."""
    vera = office.town.vera
    assert "n’ouvrent aucune session" in (await browser.get(_page(vera, "deux-codes"))).text
    vera.atc = 700
    codes = {"code": await office.town.code_of(vera), "next_code": await office.town.code_of(vera)}
    address = _page(vera, "deux-codes")
    form = fields_of((await browser.get(address)).text, address) | codes
    for _ in range(2):
        done = await browser.post(address, data=form)
        assert "La carte est au pas" in done.text
        assert "compteur 702" in done.text
    assert await last_atc(office, vera) == 702
    done = await _send(browser, vera, "essai", code=await office.town.code_of(vera))
    assert "Bravo" in done.text
    wrong = wrong_code(await office.town.code_of(vera))
    for _ in range(5):
        done = await _send(browser, vera, "essai", code=wrong)
        assert "compte comme un essai" not in done.text
    done = await _send(browser, vera, "essai", code=wrong)
    assert done.status_code == 429
    assert "n’a pas été vérifié" in done.text


async def test_a_card_that_has_its_own_story(office: Office, browser: Browser) -> None:
    """Held, unsure after a restore, or enrolled beyond the code: each has its words."""
    vera = office.town.vera
    key = (bucket_of(vera.user_code), vera.user_code)
    await office.bank.store.write(lambda c: set_card_state(c, key, 1, CardState.HELD))
    held = await _send(browser, vera, "code", code=await office.town.code_of(vera))
    assert "bloquée, ou pas encore activée" in held.text
    await office.bank.store.write(lambda c: set_card_state(c, key, 1, CardState.ACTIVE))
    await office.bank.store.write(
        lambda c: c.execute(update(CARDS).values(generation=-1, last_atc=5))
    )
    vera.atc = 4
    unlisted = await _send(browser, vera, "code", code=await office.town.code_of(vera))
    assert "n’est plus écrit" in unlisted.text
    unsure = await _send(browser, vera, "code", code=await office.town.code_of(vera))
    assert "la base a été restaurée" in unsure.text


async def test_a_card_over_the_counter(office: Office, browser: Browser) -> None:
    """Ordered for who has none that works and shows who they are, then handed over."""
    vera = office.town.vera
    way = "carte-au-guichet"
    assert _wrong(await _send(browser, vera, way, act="order")) == ["papers"]
    works = await _send(browser, vera, way, act="order", **{"papers-seen": "1"})
    assert "Une carte de cette personne fonctionne" in works.text
    await oppose(office.bank, call(office, vera), Loss.LOST, [1])
    ordered = await _send(browser, vera, way, act="order", **{"papers-seen": "1"})
    assert "La carte est commandée" in ordered.text
    early = await _send(browser, vera, way, act="hand-over", **{"papers-seen": "1"})
    assert early.status_code == 422
    key = (bucket_of(vera.user_code), vera.user_code)
    letter = DispatchRow("7QK4-XM2P", *key, "card", 2, 1, printed_at=2, posted_at=3)
    await office.bank.store.write(lambda connection: insert_dispatch(connection, letter))
    assert "7QK4-XM2P" in (await browser.get(_page(vera, way))).text
    handed = await _send(browser, vera, way, act="hand-over", **{"papers-seen": "1"})
    assert "La carte est remise" in handed.text
    assert "7QK4-XM2P" not in (await browser.get(_page(vera, way))).text


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADVISER])
async def test_what_the_role_forbids(office: Office, role: Role) -> None:
    """Neither page nor form, by whatever proof; nothing is written.

    An issuer least of all: whoever sends PIN letters must never hand cards over.
    """
    vera, who = office.town.vera, person("Inès Vidal", role)
    await office.agree(office.paul, await office.hire(who))
    async with Browser(build(desk_of(office, role))) as browser:
        await _sign_in(browser, office, who)
        before = await office.lines(vera.user_code)
        token = browser.cookies["sesame_desk_session"]
        forged = {"proof": proof(token, "help a customer"), "form": "ab" * 16}
        code = await office.town.code_of(vera)
        fields = {"card-1": "1", "loss": "stolen", "code": code, "papers-seen": "1"}
        fields |= {"act": "order"}
        seen = await browser.get(f"/guichet/client/{vera.user_code}")
        assert not any(_page(vera, way) in seen.text for way in WAYS)
        for way in WAYS:
            assert (await browser.get(_page(vera, way))).status_code == 403
            refused = await browser.post(_page(vera, way), data=forged | fields)
            assert refused.status_code == 403
            assert "Votre rôle" in refused.text
        assert await office.lines(vera.user_code) == before


async def test_a_right_that_is_gone_is_found_by_the_statement(
    office: Office, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the page and the commit: refused with 403, on each of the forms."""
    vera = office.town.vera
    await suspend(office, vera)
    await oppose(office.bank, call(office, vera), Loss.LOST, [1])
    reading = desk_of(office).bank.store.read_access
    changed = False

    async def change_first(user_code: str, devices: tuple[bytes, ...] = ()) -> object:
        if user_code == office.ada.user_code and changed:
            await office.bank.store.write(
                lambda c: c.execute(
                    update(STAFF)
                    .where(STAFF.c.user_code == office.ada.user_code)
                    .values(roles="auditor")
                )
            )
        return await reading(user_code, devices)

    monkeypatch.setattr(office.bank.store, "read_access", change_first)
    code = await office.town.code_of(vera)
    fields = {
        "card-1": "1",
        "loss": "stolen",
        "asked-card": "1",
        "asked-letter": "1",
        "reason": "reader",
        "code": code,
        "act": "order",
        "papers-seen": "1",
    }
    for way in ("opposition", "suspension", "essai", "carte-au-guichet"):
        address = _page(vera, way)
        form = fields_of((await browser.get(address)).text, address)
        changed = True
        refused = await browser.post(address, data=form | fields)
        assert refused.status_code == 403, way
        changed = False
        await office.bank.store.write(
            lambda c: c.execute(
                update(STAFF)
                .where(STAFF.c.user_code == office.ada.user_code)
                .values(roles="adviser")
            )
        )
    with pytest.raises(NotAllowed):
        await oppose(office.bank, call(office, vera, office.odile), Loss.LOST, [1])


async def test_no_page_of_another_site(office: Office, browser: Browser) -> None:
    """No button of another session, no form without its id, nobody who is not signed in."""
    vera = office.town.vera
    address = _page(vera, "opposition")
    fields = fields_of((await browser.get(address)).text, address)
    fields |= {"card-1": "1", "loss": "stolen"}
    before = await office.lines(vera.user_code)
    assert (await browser.post(address, data=fields | {"proof": "00"})).status_code == 403
    for form in ("", "ab", "z" * 32):
        assert (await browser.post(address, data=fields | {"form": form})).status_code == 400
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert (await browser.post(address, data=fields, headers=elsewhere)).status_code == 403
    browser.cookies.delete("sesame_desk_session")
    response = await browser.post(address, data=fields)
    assert response.headers["location"].startswith(LOGIN)
    assert await office.lines(vera.user_code) == before


async def test_in_english(office: Office, browser: Browser) -> None:
    """No French is left on any of these pages."""
    vera = office.town.vera
    await suspend(office, vera)
    browser.cookies.set("sesame_language", "en")
    for way in ("", *WAYS):
        page = (await browser.get(f"/guichet/client/{vera.user_code}/{way}".rstrip("/"))).text
        assert '<html lang="en">' in page
        assert not french_in(page), way
