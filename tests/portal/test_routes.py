"""Every address: its answer, its headers, its methods."""

import re
from dataclasses import replace
from typing import cast

import pytest

from sesame.custody.errors import SealBroken
from sesame.portal.routes import build
from sesame.store.engine import Store
from sesame.store.errors import StoreUnavailable
from sesame.web.headers import CSP
from tests.portal.browser import Browser, hidden_fields
from tests.portal.town import SIMULATOR, Town

_ADDRESSES = [
    ("/", 200),
    ("/acces", 200),
    ("/acces/sesame", 200),
    ("/acces/deux-codes", 200),
    ("/acces/repondre", 200),
    ("/acces/ancien-code", 200),
    ("/activation", 200),
    ("/activation/deux-codes", 200),
    ("/activation/repondre", 200),
    ("/activation/ailleurs", 404),
    ("/deblocage", 200),
    ("/deblocage/deux-codes", 200),
    ("/deblocage/repondre", 200),
    ("/mode-d-emploi", 200),
    ("/mode-d-emploi/carte-bancaire", 200),
    ("/mode-d-emploi/carte-bleue", 404),
    ("/premier-essai", 200),
    ("/premier-essai/carte-sesame/1", 200),
    ("/premier-essai/carte-sesame/ecrans", 200),
    ("/premier-essai/carte-sesame/ecrans/carte-bloquee", 200),
    ("/premier-essai/carte-sesame/ecrans/nowhere", 404),
    ("/espace", 303),
    ("/espace/reste", 200),
    ("/espace/connexions", 303),
    ("/espace/bloquer", 303),
    ("/premier-essai/verifier", 303),
    ("/premier-essai/bravo", 303),
    ("/deconnexion", 200),
    ("/aide", 200),
    ("/langue/en", 303),
    ("/favicon.ico", 303),
    ("/robots.txt", 200),
    ("/nowhere", 404),
    ("/acces/", 404),
    ("//evil.test", 404),
    ("/static/nowhere.css", 404),
]


@pytest.mark.parametrize(("address", "status"), _ADDRESSES)
async def test_every_answer_is_guarded(browser: Browser, address: str, status: int) -> None:
    """Headers, no memory in between, no way out; HEAD answers like GET."""
    answer = await browser.get(f"http://bank.test{address}")
    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    location = answer.headers.get("location", "/")
    assert location.startswith("/")
    assert not location.startswith("//")
    assert (await browser.head(f"http://bank.test{address}")).status_code == status


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/acces",
        "/acces/sesame",
        "/acces/deux-codes",
        "/acces/repondre",
        "/acces/ancien-code",
        "/activation",
        "/deblocage",
        "/aide",
        "/deconnexion",
        "/mode-d-emploi",
        "/mode-d-emploi/carte-sesame",
        "/premier-essai",
        "/premier-essai/carte-bancaire/4",
        "/premier-essai/carte-bancaire/ecrans",
        "/premier-essai/carte-bancaire/ecrans/code-sesame",
    ],
)
async def test_every_page_says_that_the_bank_is_fictional(browser: Browser, address: str) -> None:
    """With the way to the simulator; no script, nothing inline, nothing from elsewhere."""
    page = (await browser.get(address)).text
    assert "Démonstration – banque fictive" in page
    assert f'href="{SIMULATOR}"' in page
    assert "<script" not in page
    assert " style=" not in page
    assert " on" not in {part[:3] for part in page.split('"')}
    assert "//" not in page.replace(SIMULATOR, "")


async def test_the_leaflets_path(browser: Browser) -> None:
    """« Accès abonnés », « Accès à vos comptes », the picture of the reader, the two fields."""
    home = (await browser.get("/")).text
    assert '<a class="button" href="/acces">Accès abonnés</a>' in home
    access = (await browser.get("/acces")).text
    assert "<h1>Accès à vos comptes</h1>" in access
    link = access[access.index('href="/acces/sesame"') :]
    assert "reader.svg" in link[: link.index("</a>")]
    assert "Lecteur Sésame" in link[: link.index("</a>")]
    form = (await browser.get("/acces/sesame")).text
    assert '<label for="user_code">Code utilisateur</label>' in form
    assert '<label for="code">Code Sésame</label>' in form
    assert 'inputmode="numeric" autocomplete="one-time-code"' in form
    assert 'autocomplete="username"' in form
    assert "<button>Valider</button>" in form


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("GET /", 200),
        ("GET /acces", 200),
        ("GET /acces/sesame", 200),
        ("POST /acces/sesame", 403),  # without a form
        ("GET /espace", 200),
        ("GET /aide", 200),
        ("GET /nowhere", 404),
        ("PUT /acces", 405),
    ],
)
async def test_help_stands_on_every_page(
    town: Town, browser: Browser, asked: str, status: int
) -> None:
    """Those of errors and the signed-in space included."""
    await browser.log_in("VERA2345", await town.code_of(town.vera))
    answer = await browser.request(*asked.split(), data={"code": ""} if "POST" in asked else None)
    assert answer.status_code == status
    _assert_help(answer.text)


def _assert_help(page: str) -> None:
    """The number alone is dialled; keys, hours and tariff are said; and what we never ask."""
    assert page.count('<aside class="help"') == 1
    block = page.partition('<aside class="help"')[2].partition("</aside>")[0]
    number = "01 99 00 26 40".replace(" ", "\u00a0")
    assert re.search(rf'<a href="tel:\+33199002640"[^>]*>{number}</a>', block)
    assert "tapez étoile, puis 2" in block
    assert "Appel non surtaxé" in block
    assert "Ouverte en ce moment, jusqu’à\u00a018\u00a0h." in block
    assert "du lundi au vendredi de 8\u00a0h à 18\u00a0h" in block
    assert "Jour et nuit, même quand l’assistance est fermée" in block
    assert 'href="tel:+33199002641"' in block
    assert '<a href="/aide#code-utilisateur">Code utilisateur oublié' in block
    assert "Nous ne vous demanderons jamais votre code secret ni un code Sésame." in block
    assert "Ni au téléphone, ni par e-mail, ni par SMS." in block


async def test_a_wrong_method_is_told_the_right_ones(browser: Browser) -> None:
    """405 with Allow, in our words."""
    answer = await browser.put("/acces/sesame")
    assert answer.status_code == 405
    allowed = {method.strip() for method in answer.headers["allow"].split(",")}
    assert allowed == {"GET", "HEAD", "POST"}
    assert "Cette adresse ne s’ouvre pas ainsi" in answer.text


async def test_search_engines_are_sent_away(browser: Browser) -> None:
    """All of it."""
    assert (await browser.get("/robots.txt")).text == "User-agent: *\nDisallow: /\n"


async def test_the_icon_is_our_mark(browser: Browser) -> None:
    """For browsers that ask without reading the page."""
    icon = await browser.get("/favicon.ico", follow_redirects=True)
    assert icon.headers["content-type"] == "image/svg+xml"
    assert "immutable" in icon.headers["cache-control"]


async def test_a_language_is_chosen_for_the_whole_way(browser: Browser) -> None:
    """By a link on every page, back to the same page."""
    page = await browser.get("/acces/sesame", params={"retour": "/acces"})
    link = page.text.partition('<a href="/langue/en?')[2].partition('"')[0]
    answer = await browser.get(f"/langue/en?{link}")
    assert answer.headers["location"] == "/acces/sesame?retour=%2Facces"
    assert "<title>Login with the Sésame reader" in (await browser.get("/acces/sesame")).text


@pytest.mark.parametrize("error", [StoreUnavailable("bank.db"), SealBroken("altered")])
@pytest.mark.parametrize("asked", ["GET /espace", "POST /deconnexion"])
async def test_no_database_behind_a_page(  # noqa: PLR0913 -- a browser, a fault and a request
    town: Town,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    error: Exception,
    asked: str,
) -> None:
    """503 with a sentence and when to come back, not an error of ours; the session stays."""
    await browser.log_in("VERA2345", await town.code_of(town.vera))
    fields = hidden_fields((await browser.get("/espace")).text)

    async def fails(_work: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(town.bank.store, "read", fails)
        patched.setattr(town.bank.store, "write", fails)
        answer = await browser.request(*asked.split(), data=fields)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "60"
    assert answer.headers["content-security-policy"] == CSP
    assert "Service momentanément indisponible" in answer.text
    _assert_help(answer.text)
    ours = [record.getMessage() for record in caplog.records if record.name == "sesame"]
    assert ours == [f"a page could not be answered: {type(error).__name__}"]
    assert (await browser.get("/espace")).status_code == 200


async def test_an_error_of_ours_shows_nothing_of_it(town: Town) -> None:
    """500 with the headers and a sentence, and whom to call."""
    portal = town.portal(bank=replace(town.bank, store=cast("Store", None)))
    async with Browser(build(town.portal())) as whole:
        form = await whole.open_form()
    async with Browser(build(portal)) as browser:
        browser.cookies = whole.cookies
        fields = form | {"user_code": "VERA2345", "code": "34567890"}
        answer = await browser.post("/acces/sesame", data=fields)
    assert answer.status_code == 500
    assert "Une erreur s’est produite de notre côté" in answer.text
    assert answer.headers["content-security-policy"] == CSP
    _assert_help(answer.text)
    assert "Traceback" not in answer.text
    assert "34567890" not in answer.text
