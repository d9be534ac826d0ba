"""Finding a customer at the desk, by whatever whoever calls can say."""

import re
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest

from sesame.bank import search as bank_search
from sesame.bank.customers import NewCustomer, enrol
from sesame.bank.errors import TooVague, WholeNumber
from sesame.bank.person import erase
from sesame.bank.search import Query, read_query
from sesame.bank.staff import Role
from sesame.bank.user_code import UserCode
from sesame.catalogue import Language
from sesame.desk.routes import build
from sesame.store.buckets import bucket_of
from sesame.store.dispatches import DispatchRow, insert_dispatch
from sesame.web.guard import proof
from tests.custody.keystores import chance
from tests.desk.office import Office, person
from tests.desk.test_customer import sign_in
from tests.desk.test_pages import desk_of
from tests.portal.browser import Browser

SEARCH = "/guichet/recherche"


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """A browser before the desk, where Ada is signed in."""
    async with Browser(build(desk_of(office))) as browser:
        await sign_in(browser, office, office.ada)
        yield browser


async def _search(browser: Browser, typed: str) -> httpx.Response:
    return await browser.fill_in(SEARCH, search=typed)


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("vera 2345", Query(user_code=UserCode("VERA2345"), words=("vera",), last4="2345")),
        ("Tissot  VÉRA", Query(words=("tissot", "vera"))),
        ("1234", Query(last4="1234")),
        ("tissot 1234", Query(words=("tissot",), last4="1234")),
        ("1234 5678", Query(user_code=UserCode("12345678"), words=("5678",), last4="1234")),
        ("d’Œuvre", Query(words=("doeuvre",))),
        ("x y", None),
        (" -' ", None),
        ("1234 5678 9012", WholeNumber),
        ("carte 4970-1012-3456-7893", WholeNumber),
        ("4970.1012.3456.7893", WholeNumber),
        ("4970-----1012-----3456-----7893", WholeNumber),
        ("4970  1012 / 3456 _ 7893", WholeNumber),
        ("4970\u20111012\u20113456\u20117893", WholeNumber),
        ("un " * 9, Query(words=("un",))),
    ],
)
def test_how_it_is_read(typed: str, query: Query | type[Exception] | None) -> None:
    """In each way that it can be; a whole card number in none."""
    if query is None or isinstance(query, type):
        with pytest.raises(query or TooVague):
            read_query(typed)
        return
    found = read_query(typed)
    assert (found.user_code, found.words, found.last4) == (
        query.user_code,
        query.words,
        query.last4,
    )


@pytest.mark.parametrize("typed", ["7QK4-XM2P", "7qk4xm2p", " 7qk4 xm2p ", "7QK4 - XM2P"])
def test_a_reference_however_it_is_typed(typed: str) -> None:
    """With its hyphen, with a blank, or without."""
    assert "7QK4-XM2P" in read_query(typed).references


async def test_one_hit_leads_there(office: Office, browser: Browser) -> None:
    """By code, name, card's end, letter; not by words that are not theirs."""
    vera = office.town.vera
    key = (bucket_of(vera.user_code), vera.user_code)
    letter = DispatchRow("7QK4-XM2P", *key, "card", 1, 0)
    await office.bank.store.write(partial(insert_dispatch, row=letter))
    last4 = vera.record.pan.last4
    for typed in (
        " vera 2345 ",
        "véra",
        "TISSOT vera",
        "tiss",
        last4,
        f"tissot {last4}",
        "7qk4xm2p",
    ):
        response = await _search(browser, typed)
        assert response.status_code == 303, typed
        assert response.headers["location"] == "/guichet/client/VERA2345"
    for typed in ("tissot omar", f"belkacem {last4}", "9999", "ZZZZ9999", "Lemoine"):
        response = await _search(browser, typed)
        assert response.status_code == 200
        assert "Personne. Essayez" in response.text, typed


async def test_a_list_of_several(
    office: Office, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, with what tells them apart; some only, if there are many."""
    for n, name in enumerate(("Véra Zola", "vera Aubin", "Vera Tissot")):
        code = UserCode(f"AAAA222{n}")
        new = NewCustomer(
            user_code=code, name=name, language=Language.FRENCH, old_code=None, cards=[]
        )
        await enrol(office.bank, new)
    response = await _search(browser, "vera")
    assert response.status_code == 200
    names = re.findall(r'<a href="/guichet/client/(\w+)">', response.text)
    assert names == ["AAAA2221", "AAAA2222", "VERA2345", "AAAA2220"]
    assert f"••••{office.town.vera.record.pan.last4}" in response.text
    assert "Il y en a d’autres" not in response.text
    monkeypatch.setattr(bank_search, "MOST", 3)
    response = await _search(browser, "vera")
    assert response.text.count('<a href="/guichet/client/') == 3
    assert "Il y en a d’autres" in response.text
    assert "looked" not in str(await office.lines(office.ada.user_code))


async def test_what_cannot_be_searched_for(office: Office, browser: Browser) -> None:
    """Too little; and a whole card number, which is not even shown again."""
    response = await _search(browser, "v")
    assert response.status_code == 422
    assert "Entrez un peu plus" in response.text
    assert 'value="v"' in response.text
    digits = office.town.vera.record.pan.digits
    groups = ".".join(digits[at : at + 4] for at in range(0, len(digits), 4))
    for typed in (digits, groups):
        response = await _search(browser, typed)
        assert response.status_code == 422
        assert "Ses quatre derniers chiffres suffisent" in response.text
        assert typed not in response.text


async def test_who_was_erased_is_found_no_more(office: Office, browser: Browser) -> None:
    """By nothing at all."""
    last4 = office.town.vera.record.pan.last4
    await erase(
        office.bank.store,
        "VERA2345",
        by="Maître Aubry",
        now=office.town.clock(),
        random_bytes=chance("erased"),
    )
    for typed in ("vera2345", "tissot", last4):
        assert "Personne. Essayez" in (await _search(browser, typed)).text


@pytest.mark.parametrize(
    ("role", "status"), [(Role.OFFICER, 303), (Role.AUDITOR, 303), (Role.ISSUER, 403)]
)
async def test_who_may_search(office: Office, role: Role, status: int) -> None:
    """The same as may look."""
    who = person("Inès Vidal", role)
    await office.agree(office.paul, await office.hire(who))
    async with Browser(build(desk_of(office))) as browser:
        assert (await browser.get(SEARCH)).headers["location"].startswith("/guichet/connexion")
        assert (await browser.post(SEARCH, data={})).status_code == 303
        await sign_in(browser, office, who)
        assert (await browser.get(SEARCH)).status_code == (403 if status == 403 else 200)
        forged = proof(browser.cookies["sesame_desk_session"], "search for a customer")
        response = await browser.post(SEARCH, data={"proof": forged, "search": "tissot"})
        assert response.status_code == status
        assert (await browser.post(SEARCH, data={"search": "tissot"})).status_code == 403
