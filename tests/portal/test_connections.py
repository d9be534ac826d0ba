"""« Vos connexions »: what is open, how it ends, and who may end it."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from sesame.bank.devices import known_devices
from sesame.bank.sessions import open_sessions
from sesame.portal.routes import build
from sesame.store.errors import StepLost, StoreUnavailable
from sesame.store.steps import Fate
from sesame.web.headers import CSP, CSP_WITH_SCRIPT
from tests.portal.browser import Browser, fields_of
from tests.portal.town import Town

_PAGE = "/espace/connexions"
_END_ONE = f"{_PAGE}/terminer"
_END_OTHERS = f"{_PAGE}/autres"
_END_ALL = f"{_PAGE}/toutes"
_FORGET = f"{_PAGE}/appareils"
_BUTTONS = [_END_ONE, _END_OTHERS, _END_ALL, _FORGET]


@pytest.fixture
async def here(town: Town, browser: Browser) -> Browser:
    """A browser in which Véra is signed in."""
    await browser.log_in("VERA2345", await town.code_of(town.vera))
    return browser


@pytest.fixture
async def there(town: Town, here: Browser) -> AsyncIterator[Browser]:
    """Another one, in which she is signed in since."""
    assert here.cookies
    town.clock.advance(minutes=2)
    async with Browser(build(town.portal())) as other:
        await other.log_in("VERA2345", await town.code_of(town.vera))
        yield other


async def is_open(browser: Browser) -> bool:
    """Whether the browser still has a session."""
    return (await browser.get("/espace")).status_code == 200


async def test_the_page_lists_what_is_open(town: Town, here: Browser, there: Browser) -> None:
    """Newest first, with means and moments, and which of them this one is."""
    async with Browser(build(town.portal())) as third:
        await third.log_in_with_old_code("OMAR6789", town.omar.old_code)
        page = (await there.get(_PAGE)).text
        omars = (await third.get(_PAGE)).text
    first, second = re.findall(r"<li class=\"panel\">(.*?)</li>", page, re.DOTALL)
    assert "Vous êtes ici" in first
    assert "Vous êtes ici" not in second
    assert "Code Sésame" in second
    assert "Ouverte aujourd’hui à\u00a014\u00a0h\u00a017." in second
    assert "Ouverte aujourd’hui à\u00a014\u00a0h\u00a019." in first
    assert "Aucune autre connexion" not in page
    assert "2 appareils sont reconnus." in page
    assert "Ancien code confidentiel (consultation seulement)" in omars
    assert "Aucune autre connexion n’est ouverte." in omars
    assert "Aucun appareil n’est reconnu." not in omars
    assert await is_open(here)


async def test_one_is_ended_from_another(here: Browser, there: Browser) -> None:
    """Its id is in the form, never in an address; this one goes on."""
    page = (await here.get(_PAGE)).text
    fields = fields_of(page, _END_ONE)
    assert re.fullmatch("[0-9a-f]{64}", fields["session"])
    assert fields["session"] not in re.findall(r'(?:href|action)="([^"]*)"', page)
    answer = await here.post(_END_ONE, data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, _PAGE)
    assert not await is_open(there)
    assert await is_open(here)
    assert "Aucune autre connexion n’est ouverte." in (await here.get(_PAGE)).text


async def test_all_others_are_ended(here: Browser, there: Browser) -> None:
    """And the page says so, once it is true and not before."""
    assert "C’est fait" not in (await here.get(f"{_PAGE}?fait=autres")).text
    answer = await here.press(_PAGE, _END_OTHERS)
    assert answer.status_code == 303
    page = (await here.get(answer.headers["location"])).text
    assert "C’est fait\u00a0: vos autres connexions sont terminées." in page
    assert not await is_open(there)
    assert await is_open(here)


async def test_all_are_ended(town: Town, here: Browser, there: Browser) -> None:
    """This one too: it leads where a sign-out leads, and takes the cookies along."""
    answer = await here.press(_PAGE, _END_ALL)
    assert (answer.status_code, answer.headers["location"]) == (303, "/deconnexion")
    assert "sesame_session" not in here.cookies
    assert "sesame_browser" not in here.cookies
    assert not await is_open(there)
    assert not await is_open(here)
    assert await open_sessions(town.bank, town.vera.user_code) == []


async def test_devices_are_forgotten(town: Town, here: Browser) -> None:
    """The page says what that means, and that it is done; the session stays."""
    page = (await here.get(_PAGE)).text
    assert "Un appareil est reconnu." in page
    assert "comptera comme inconnu" in page
    assert "C’est fait" not in (await here.get(f"{_PAGE}?fait=appareils")).text
    answer = await here.press(_PAGE, _FORGET)
    page = (await here.get(answer.headers["location"])).text
    assert "C’est fait\u00a0: vos appareils ne sont plus reconnus." in page
    assert "Aucun appareil n’est reconnu." in page
    assert await known_devices(town.bank, town.vera.user_code) == 0
    assert await is_open(here)


async def test_somebody_elses_session_is_not_ended(town: Town, here: Browser) -> None:
    """Its id in one's own form ends nothing; what is no id at all is not understood."""
    async with Browser(build(town.portal())) as omars, Browser(build(town.portal())) as other:
        await omars.log_in("OMAR6789", await town.code_of(town.omar))
        await other.log_in("VERA2345", await town.code_of(town.vera))
        (his,) = await open_sessions(town.bank, town.omar.user_code)
        fields = fields_of((await here.get(_PAGE)).text, _END_ONE)
        answer = await here.post(_END_ONE, data=fields | {"session": his.id.hex()})
        assert answer.status_code == 303
        assert await is_open(omars)
        for malformed in ("", "00", "zz" * 32):
            answer = await here.post(_END_ONE, data=fields | {"session": malformed})
            assert answer.status_code == 400
        assert await is_open(other)


@pytest.mark.parametrize("button", _BUTTONS)
async def test_no_other_site_presses_a_button(
    town: Town, here: Browser, there: Browser, button: str
) -> None:
    """Nor another button's proof, nor another session's: 403, and all is as before."""
    fields = fields_of((await here.get(_PAGE)).text, button)
    foreign = await here.post(button, data=fields, headers={"Origin": "http://evil.test"})
    assert foreign.status_code == 403
    sign_out = fields_of((await here.get(_PAGE)).text, "/deconnexion")
    others = fields_of((await there.get(_PAGE)).text, button)
    for proof in ("", "00" * 32, "é", sign_out["proof"], others["proof"]):
        assert (await here.post(button, data=fields | {"proof": proof})).status_code == 403
    assert (await here.post("/deconnexion", data=fields)).status_code == 403
    assert await is_open(here)
    assert await is_open(there)
    assert await known_devices(town.bank, town.vera.user_code) == 2


@pytest.mark.parametrize("button", _BUTTONS)
async def test_an_old_code_ends_nothing(town: Town, here: Browser, button: str) -> None:
    """It sees the list without buttons; a form made up all the same is refused, with the reason."""
    async with Browser(build(town.portal())) as stranger:
        await stranger.log_in_with_old_code("OMAR6789", town.omar.old_code)
        page = (await stranger.get(_PAGE)).text
        assert "elle sert à consulter seulement" in page
        assert f'action="{button}"' not in page
    # The first login with a code Sésame erases the old code; so a newer one is made old.
    async with Browser(build(town.portal())) as other:
        await other.log_in("VERA2345", await town.code_of(town.vera))
        fields = fields_of((await here.get(_PAGE)).text, button)
        await town.make_view_only(town.vera)
        answer = await here.post(button, data=fields)
        assert answer.status_code == 403
        assert "<h1>Pas avec l’ancien code</h1>" in answer.text
        assert "rien n’a été changé" in answer.text
        assert await is_open(other)
        assert await is_open(here)
    assert await known_devices(town.bank, town.vera.user_code) == 2


async def test_an_old_code_signs_itself_out(town: Town, browser: Browser) -> None:
    """That much it may."""
    await browser.log_in_with_old_code("OMAR6789", town.omar.old_code)
    answer = await browser.press(_PAGE, "/deconnexion")
    assert answer.headers["location"] == "/deconnexion"
    assert not await is_open(browser)


async def test_without_a_session_one_is_led_to_the_login(town: Town, here: Browser) -> None:
    """And back to the page, not to a button's address."""
    page = (await here.get(_PAGE)).text
    town.clock.advance(minutes=5)
    for method, address in (("GET", _PAGE), ("POST", _END_ALL), ("POST", _FORGET)):
        fields = fields_of(page, address) if method == "POST" else None
        answer = await here.request(method, address, data=fields)
        assert answer.status_code == 303
        assert "retour=%2Fespace%2Fconnexions&" in answer.headers["location"]


async def _no_database(_work: object) -> None:
    raise StoreUnavailable("bank.db")


async def _others_are_faster(_step: object) -> Fate:
    return Fate.LOST


async def _others_wrote_first(_change: object) -> None:
    raise StepLost


@pytest.mark.parametrize("button", [_END_ALL, _FORGET])
async def test_others_are_faster(
    town: Town, here: Browser, monkeypatch: pytest.MonkeyPatch, button: str
) -> None:
    """503 and when to come back; nothing has ended and nothing is forgotten."""
    fields = fields_of((await here.get(_PAGE)).text, button)
    with monkeypatch.context() as patched:
        patched.setattr(town.bank.store, "swap_access", _others_are_faster)
        patched.setattr(town.bank.store, "write", _others_wrote_first)
        answer = await here.post(button, data=fields)
    _is_unavailable(answer, "2")
    assert await is_open(here)
    assert await known_devices(town.bank, town.vera.user_code) == 1


@pytest.mark.parametrize("button", _BUTTONS)
async def test_the_database_takes_nothing(
    town: Town, here: Browser, there: Browser, monkeypatch: pytest.MonkeyPatch, button: str
) -> None:
    """Likewise."""
    fields = fields_of((await here.get(_PAGE)).text, button)
    with monkeypatch.context() as patched:
        for how in ("write", "swap_access"):
            patched.setattr(town.bank.store, how, _no_database)
        answer = await here.post(button, data=fields)
    _is_unavailable(answer, "60")
    assert await is_open(here)
    assert await is_open(there)


async def test_the_list_leaves_out_nothing_that_may_come_back(
    town: Town, here: Browser, there: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the end of one was seen and may be lost, there is no list."""
    await there.press(_PAGE, "/deconnexion")
    with monkeypatch.context() as patched:
        patched.setattr(town.bank.store, "write", _no_database)
        _is_unavailable(await here.get(_PAGE), "60")
    assert "Aucune autre connexion n’est ouverte." in (await here.get(_PAGE)).text


def _is_unavailable(answer: httpx.Response, retry_after: str) -> None:
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == retry_after
    assert "Service momentanément indisponible" in answer.text
    assert answer.headers["content-security-policy"] == CSP


async def test_only_signed_in_pages_run_a_script(town: Town, here: Browser) -> None:
    """One file of our own, nothing inline; where codes are typed to sign in, none at all."""
    for address in ("/espace", _PAGE):
        answer = await here.get(address)
        assert answer.headers["content-security-policy"] == CSP_WITH_SCRIPT
        assert re.findall("<script[^>]*>[^<]*", answer.text) == [
            f'<script src="{town.portal().renderer.static.address("session.js")}" defer>'
        ]
        assert " style=" not in answer.text
        assert not re.search(r'\son\w+="', answer.text)
    for address in ("/", "/acces", "/acces/sesame", "/acces/ancien-code", "/deconnexion"):
        answer = await here.get(address)
        assert answer.headers["content-security-policy"] == CSP
        assert "<script" not in answer.text
