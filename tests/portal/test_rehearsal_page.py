"""« Vérifier un code Sésame »: for a session of the old code, and for nobody else."""

import pytest

from sesame.bank.errors import TooBusy
from sesame.custody.errors import SealBroken
from sesame.portal import rehearsal
from sesame.portal.forms import IMPOSSIBLE, NOT_A_CODE, USER_CODE_AGAIN
from sesame.portal.routes import build
from sesame.store.errors import StoreUnavailable
from tests.portal.browser import Browser, fields_of
from tests.portal.town import Town, wide, wrong_code

_PAGE = "/premier-essai/verifier"
_BRAVO = "/premier-essai/bravo"


@pytest.fixture
async def old(town: Town, browser: Browser) -> Browser:
    """A browser in which Omar is signed in with his old code."""
    answer = await browser.log_in_with_old_code("OMAR6789", town.omar.old_code)
    assert answer.status_code == 303
    return browser


async def form_of(browser: Browser) -> dict[str, str]:
    """The hidden fields of a new form."""
    return fields_of_page((await browser.get(_PAGE)).text)


def fields_of_page(page: str) -> dict[str, str]:
    """The hidden fields of the form on *page*."""
    form = page.partition('<form class="panel" method="post"')[2]
    return fields_of(f'<form method="post" action="{_PAGE}">{form}', _PAGE)


async def test_a_right_code_is_a_bravo(town: Town, old: Browser) -> None:
    """The code is used up by it, and the page leads to the login with a new one."""
    code = await town.code_of(town.omar)
    answer = await old.post(_PAGE, data=await form_of(old) | {"code": code})
    assert (answer.status_code, answer.headers["location"]) == (303, _BRAVO)
    page = (await old.get(_BRAVO)).text
    assert "<h1>Bravo, votre code est juste\u00a0!</h1>" in page
    assert "ne peut plus ouvrir la porte" in page
    assert 'href="/acces/sesame"' in page
    async with Browser(build(town.portal())) as other:
        assert (await other.log_in("OMAR6789", code)).status_code == 422
        assert (await other.log_in("OMAR6789", await town.code_of(town.omar))).status_code == 303


@pytest.mark.parametrize("write", [wide, lambda code: f" {code[:4]}\u202f{code[4:]} "])
async def test_codes_are_typed_as_on_the_login_form(
    town: Town, old: Browser, write: object
) -> None:
    """Spaces of any kind, full-width digits."""
    assert callable(write)
    code = write(await town.code_of(town.omar))
    answer = await old.post(_PAGE, data=await form_of(old) | {"code": code})
    assert answer.headers["location"] == _BRAVO


async def test_a_wrong_code_costs_nothing_of_the_login(town: Town, old: Browser) -> None:
    """It says what to look at; five of them suspend nothing, and the sixth is not checked."""
    right = await town.code_of(town.omar)
    for _ in range(5):
        answer = await old.post(_PAGE, data=await form_of(old) | {"code": wrong_code(right)})
        assert answer.status_code == 422
        assert "<title>Erreur – Vérifier un code Sésame" in answer.text
        assert "Ce code n’est pas juste." in answer.text
        assert "ne compte pas pour vos connexions" in answer.text
        assert wrong_code(right) not in answer.text
    answer = await old.post(_PAGE, data=await form_of(old) | {"code": right})
    assert answer.status_code == 429
    assert "C’est assez pour l’instant" in answer.text
    assert "Réessayez dans 24\u00a0heures, ou appelez-nous" in answer.text
    async with Browser(build(town.portal())) as other:
        assert (await other.log_in("OMAR6789", right)).status_code == 303


async def test_a_double_click_is_one_check(town: Town, old: Browser) -> None:
    """The answer that the browser shows in the end is a bravo too."""
    fields = await form_of(old) | {"code": await town.code_of(town.omar)}
    for _ in range(2):
        assert (await old.post(_PAGE, data=fields)).headers["location"] == _BRAVO


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", NOT_A_CODE),
        ("1234", NOT_A_CODE),
        ("omar 6789", USER_CODE_AGAIN),
        ("99999999", IMPOSSIBLE),
    ],
)
async def test_mistyped(old: Browser, typed: str, said: str) -> None:
    """In the words of the login form; what was typed is not shown again, nothing is counted."""
    for _ in range(6):
        answer = await old.post(_PAGE, data=await form_of(old) | {"code": typed})
        assert answer.status_code == 422
        assert said in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert not typed or f'value="{typed}"' not in answer.text


async def test_nobody_is_signed_in(browser: Browser) -> None:
    """To the form for the old code, and from there back here."""
    for address in (_PAGE, _BRAVO):
        answer = await browser.get(address)
        assert answer.status_code == 303
        assert answer.headers["location"] == (
            "/acces/ancien-code?retour=%2Fpremier-essai%2Fverifier&motif=connexion"
        )
    answer = await browser.post(_PAGE, data={"code": "34567890"})
    assert answer.status_code == 303


async def test_whoever_has_sesame_has_nothing_to_try(town: Town, browser: Browser) -> None:
    """A page says so; a code sent all the same stays good."""
    await browser.log_in("VERA2345", await town.code_of(town.vera))
    for address in (_PAGE, _BRAVO):
        page = (await browser.get(address)).text
        assert "Vous n’avez plus rien à essayer" in page
        assert 'name="code"' not in page
    code = await town.code_of(town.vera)
    answer = await browser.post(_PAGE, data={"code": code})
    assert "Vous n’avez plus rien à essayer" in answer.text
    assert (await browser.log_in("VERA2345", code)).status_code == 303


@pytest.mark.parametrize(
    "change", [{"proof": "00" * 32}, {"proof": ""}, {"form": "x"}, {"form": ""}]
)
async def test_no_other_site_sends_the_form(
    town: Town, old: Browser, change: dict[str, str]
) -> None:
    """403, and the code stays good."""
    code = await town.code_of(town.omar)
    fields = await form_of(old) | {"code": code}
    assert (await old.post(_PAGE, data=fields | change)).status_code == 403
    foreign = await old.post(_PAGE, data=fields, headers={"Origin": "http://evil.test"})
    assert foreign.status_code == 403
    assert (await old.post(_PAGE, data=fields)).headers["location"] == _BRAVO


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TooBusy(), "rien n’a été compté"),
        (StoreUnavailable("bank.db"), "avec un nouveau code Sésame"),
        (SealBroken("altered"), "avec un nouveau code Sésame"),
    ],
)
async def test_it_could_not_be_checked(
    old: Browser, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """503 with a new form and when to come back."""

    async def fails(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(rehearsal, "rehearse", fails)
    answer = await old.post(_PAGE, data=await form_of(old) | {"code": "34567890"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert said in answer.text
    assert fields_of_page(answer.text)["form"]


async def test_the_script_leads_where_the_server_leads(town: Town, old: Browser) -> None:
    """Once the session is over: to the old code's form, and back here."""
    page = (await old.get(_PAGE)).text
    login = page.partition('data-login="')[2].partition('"')[0].replace("&amp;", "&")
    town.clock.advance(minutes=5)
    assert (await old.get(_PAGE)).headers["location"] == login
