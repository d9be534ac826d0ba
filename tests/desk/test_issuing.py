"""`/guichet/emission`: what an issuer sees and does there, and nobody else."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from sesame.bank.approving import recent_requests
from sesame.bank.issuing import CardRules, make_cards
from sesame.bank.orders import wanting
from sesame.bank.person import erase
from sesame.desk import request_list
from sesame.desk.routes import build
from sesame.store.details import CUSTOMER_DETAILS
from sesame.store.dispatches import DISPATCHES
from sesame.store.schema import migrate
from tests.bureaux import Works, open_works
from tests.desk.office import Person
from tests.desk.test_pages import desk_of, fields_of
from tests.portal.browser import Browser

_HERE = "/guichet/emission"
_PIN = "/guichet/demandes/code-secret"
_LIST = "/guichet/demandes/liste"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty database."""
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    migrate(url)
    return url


@pytest.fixture
async def works(url: str, tmp_path: Path) -> AsyncIterator[Works]:
    """A bank that issues cards."""
    works = await open_works(url, tmp_path)
    yield works
    await works.bank.store.close()


@pytest.fixture
async def browser(works: Works) -> AsyncIterator[Browser]:
    """A browser before the desk."""
    async with Browser(build(desk_of(works.office))) as browser:
        yield browser


async def make_all(works: Works) -> None:
    """Make the cards that are ordered, without a bureau's file."""
    await make_cards(
        works.bank,
        works.maker,
        works.by(0),
        rules=CardRules(),
        post=works.post,
        write=lambda _batch, _cards: bytes(32),
    )


async def _log_in(browser: Browser, works: Works, who: Person) -> None:
    code = await works.office.code_of(who)
    await browser.fill_in("/guichet/connexion", staff_code=who.typed, code=code)


async def _press(browser: Browser, page: str, action: str, **more: str) -> tuple[int, str]:
    fields = fields_of((await browser.get(page)).text, action)
    response = await browser.post(action, data=fields | more)
    return response.status_code, response.text


async def test_an_adviser_is_refused(works: Works, browser: Browser) -> None:
    """The page and each of its buttons; an adviser asks for another PIN, an issuer for cards."""
    await _log_in(browser, works, works.office.ada)
    home = (await browser.get("/guichet")).text
    assert _HERE not in home
    assert _PIN in home
    assert (await browser.get(_HERE)).status_code == 403
    for action in ("demande", "retour", "renvoi", "lecteurs"):
        assert (await browser.post(f"{_HERE}/{action}", data={})).status_code == 403
    assert (await browser.get(_PIN)).status_code == 200


async def test_ask_for_all(works: Works, browser: Browser) -> None:
    """One request, which an officer reads in numbers; a mistake keeps what was typed."""
    await works.new_customer("Nora Lebrun")
    await _log_in(browser, works, works.issuers[0])
    assert _HERE in (await browser.get("/guichet")).text
    page = (await browser.get(_HERE)).text
    assert "attendent une première carte\u00a0: 1." in page
    status, said = await _press(browser, _HERE, f"{_HERE}/demande", reason="non")
    assert status == 422
    assert 'value="non"' in said
    assert (await _press(browser, _HERE, f"{_HERE}/demande", reason="Nouveaux clients"))[0] == 303
    status, said = await _press(browser, _HERE, f"{_HERE}/demande", reason="Encore eux")
    assert status == 422
    assert "attend déjà une décision" in said
    (asked,) = [one for one in await recent_requests(works.bank) if one.kind == "issue"]
    await _log_in(browser, works, works.office.paul)
    listed = (await browser.get("/guichet/demandes")).text
    assert "Envoyer cartes et lecteurs" in listed
    assert "liste de 1" in listed
    assert "Cartes à faire\u00a0: 1." in listed
    assert str(asked.payload["cards"]) not in listed
    assert f"{_LIST}?demande={asked.id.hex()}" in listed
    await works.office.agree(works.office.paul, asked)
    assert await works.carry_out() == 1
    assert await wanting(works.bank) == {"sesame": 0, "bank": 0}


async def test_whom_a_request_is_about(
    works: Works, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and user codes, page by page, for who decides and who asked; for no other."""
    monkeypatch.setattr(request_list, "_PAGE", 2)
    people = {
        await works.new_customer(name): name for name in ("Nora Lebrun", "Ali Roy", "Eva Gil")
    }
    await _log_in(browser, works, works.issuers[0])
    await _press(browser, _HERE, f"{_HERE}/demande", reason="Nouveaux clients")
    (asked,) = [one for one in await recent_requests(works.bank) if one.kind == "issue"]
    for who, looks in ((works.issuers[0], False), (works.office.paul, True)):
        await _log_in(browser, works, who)
        first = (await browser.get(f"{_LIST}?demande={asked.id.hex()}")).text
        link = re.search(r'href="([^"]*)">Suite de la liste', first)
        assert link is not None
        second = (await browser.get(link[1].replace("&amp;", "&"))).text
        assert "Suite de la liste" not in second
        for code, name in people.items():
            assert (name in first, code in first) in {(True, True), (False, False)}
            assert (name in first) != (name in second)
            assert (f'href="/guichet/client/{code}"' in first + second) == looks
        assert str(asked.payload["digest"]) in first
        assert 'start="3"' in second
    for wrong in (f"demande={bytes(16).hex()}", f"demande={asked.id.hex()}&apres=x"):
        assert (await browser.get(f"{_LIST}?{wrong}")).status_code == 404
    assert (await browser.get(f"{_LIST}?demande=1")).status_code == 400
    await erase(
        works.bank.store,
        next(iter(people)),
        by="A. Aubry",
        now=works.clock.time,
        random_bytes=works.bank.random_bytes,
    )
    assert "Personne effacée depuis" in await _both(browser, asked.id.hex())
    await _log_in(browser, works, works.office.ada)
    assert (await browser.get(f"{_LIST}?demande={asked.id.hex()}")).status_code == 403


async def _both(browser: Browser, request: str) -> str:
    pages = [await browser.get(f"{_LIST}?demande={request}&apres={after}") for after in (0, 2)]
    return "".join(page.text for page in pages)


async def test_readers_and_returned_mail(works: Works, browser: Browser) -> None:
    """Typed in; a reference that is none is told at its field; what came back is sent again."""
    await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make_all(works)
    await _log_in(browser, works, works.issuers[0])
    page = (await browser.get(_HERE)).text
    assert "lettre de la carte (card)\u00a0: 1 à imprimer, dont 1 par vous" in page
    readers = f"{_HERE}/lecteurs"
    assert (await _press(browser, _HERE, readers, model="R1", serials="A-1\r\nA-2"))[0] == 303
    status, said = await _press(browser, _HERE, readers, model="R1", serials="A-3\r\nA-3")
    assert status == 422
    assert 'id="serials-error"' in said
    for model in (" ", "Lecteur parlé", "R" * 41, "R\u200b1"):
        status, said = await _press(browser, _HERE, readers, model=model, serials="A-3")
        assert status == 422
        assert re.findall(r'id="(\w+)-error"', said) == ["model"], model
        assert "de 1 à 40 caractères sans accent." in said
    number = "4970101234567893"
    status, said = await _press(browser, _HERE, readers, model=f"R {number}", serials="A-3")
    assert status == 422
    assert 'id="model-error"' in said
    status, said = await _press(browser, _HERE, readers, model="R1", serials=f"A-3\r\n{number}")
    assert status == 422
    assert 'id="serials-error"' in said
    assert ">A-3\n</textarea>" in said  # the others stay
    assert number not in said
    assert "R1\u00a0: entrés 2 = en stock 2" in (await browser.get(_HERE)).text
    back = f"{_HERE}/retour"
    status, said = await _press(browser, _HERE, back, reference="ABCD-EFGH")
    assert status == 422
    assert 'id="reference-error"' in said
    posted = update(DISPATCHES).where(DISPATCHES.c.kind == "card")
    await works.bank.store.write(
        lambda connection: connection.execute(posted.values(printed_at=1, posted_at=2))
    )
    reference = await works.bank.store.read(
        lambda connection: connection.exec_driver_sql(
            "SELECT reference FROM dispatches WHERE kind = 'card'"
        ).scalar_one()
    )
    status, said = await _press(browser, _HERE, back, reference=f" {reference.lower()} ")
    assert status == 200
    assert "La carte ne servira jamais" in said
    page = (await browser.get(_HERE)).text
    assert reference in page
    address = re.search(r'href="(/guichet/client/[A-Z0-9]{8}/adresse)"', page)
    assert address is not None
    assert "Nora Lebrun" in (await browser.get(address[1])).text  # it is looked at before
    again = f"{_HERE}/renvoi"
    assert (await _press(browser, _HERE, again))[0] == 200
    status, said = await _press(browser, _HERE, again)
    assert status == 409
    assert "déjà prévu" in said


async def test_a_pin_that_came_back_is_asked_for(works: Works, browser: Browser) -> None:
    """The button asks, and an officer reads which letter it was."""
    await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make_all(works)
    posted = update(DISPATCHES).where(DISPATCHES.c.kind == "pin")
    await works.bank.store.write(
        lambda connection: connection.execute(posted.values(printed_at=1, posted_at=2))
    )
    reference = await works.bank.store.read(
        lambda connection: connection.exec_driver_sql(
            "SELECT reference FROM dispatches WHERE kind = 'pin'"
        ).scalar_one()
    )
    await _log_in(browser, works, works.issuers[0])
    assert (await _press(browser, _HERE, f"{_HERE}/retour", reference=reference))[0] == 200
    assert (await _press(browser, _HERE, f"{_HERE}/renvoi"))[0] == 303
    assert (await _press(browser, _HERE, f"{_HERE}/renvoi"))[0] == 409
    await _log_in(browser, works, works.office.paul)
    page = (await browser.get("/guichet/demandes")).text
    assert f"Son courrier {reference} est revenu" in page
    assert "Courrier revenu, adresse vérifiée\u00a0: une autre carte" in page
    browser.cookies.set("sesame_language", "en")
    page = (await browser.get("/guichet/demandes")).text
    assert "Reason: Returned mail, address checked: another card, with another PIN" in page


async def test_what_waits_for_a_second_person_is_listed(works: Works, browser: Browser) -> None:
    """Whose PIN and number they are, with a way to the address, where they ask for it."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make_all(works)
    await _log_in(browser, works, works.issuers[0])
    assert "Attendent une seconde personne" not in (await browser.get(_HERE)).text
    changed = update(CUSTOMER_DETAILS).values(address_changed_at=1)
    await works.bank.store.write(lambda connection: connection.execute(changed))
    page = (await browser.get(_HERE)).text
    assert "changée au guichet\u00a0: 2." in page
    where = f"/guichet/client/{user_code}/adresse"
    assert f'<a href="{where}">{user_code}</a> (lettre du code secret, colis du lecteur)' in page
    address = (await browser.get(where)).text
    assert "attendent aussi longtemps qu’il le faut" in address
    status, _ = await _press(browser, where, f"{where}/confirmer", confirm_reason="Rappelée")
    assert status == 303


async def test_another_pin(works: Works, browser: Browser) -> None:
    """Asked for with the card's last digits; what is wrong is told at its field."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make_all(works)
    last4 = await works.bank.store.read(
        lambda connection: connection.exec_driver_sql(
            "SELECT last4 FROM cards WHERE state = 'waiting'"
        ).scalar_one()
    )
    await _log_in(browser, works, works.office.ada)
    typed = {"user_code": user_code, "last4": last4, "reason": "Code secret oublié"}
    for wrong in ({"user_code": "A"}, {"last4": "12"}, {"last4": "xxxx"}, {"reason": "non"}):
        status, said = await _press(browser, _PIN, _PIN, **(typed | wrong))
        assert status == 422
        assert f'id="{next(iter(wrong))}-error"' in said
    assert (await _press(browser, _PIN, _PIN, **typed))[0] == 303
    status, said = await _press(browser, _PIN, _PIN, **typed)
    assert status == 422
    assert "attend déjà" in said
    newest = (await recent_requests(works.bank))[0]
    assert (newest.kind, newest.payload["card"]) == ("reprint-pin", 1)
