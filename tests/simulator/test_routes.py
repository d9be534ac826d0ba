"""The two pages, and what every answer of the simulator has."""

import asyncio
import re
import time
from dataclasses import replace

import httpx
import pytest

from sesame.simulator.drawer import Drawer
from sesame.simulator.errors import DrawerDamaged
from sesame.simulator.routes import DrawnCard, build
from tests.simulator.table import CAMILLE, INES, PIN, Table, serve

ENGLISH = {"sesame_language": "en"}


async def test_the_drawer_tells_all_that_its_customers_know(client: httpx.AsyncClient) -> None:
    """Name, kind of card, user code, PIN, old code; and the odd cards."""
    page = (await client.get("/")).text
    for words in (
        "Camille Martin",
        "Carte bancaire",
        CAMILLE,
        PIN,
        "tilleul-1971",
        "Inès Lefèvre",
        "Carte Sésame",
        INES,
        "cerise-42-sud",
        "Carte d’une autre banque",
        "Carte muette",
        "Carte expirée",
        "Carte bloquée",
    ):
        assert words in page
    # Names for the script, none of which is a path.
    assert re.findall(r'data-card="([^"]*)"', page) == [
        CAMILLE,
        INES,
        "payment-only",
        "mute",
        "expired",
        "blocked",
    ]
    assert ".card" not in page


def test_a_drawn_card_does_not_print_its_secrets() -> None:
    """Not its PIN and not the old code, where a trace or a log would show it."""
    card = DrawnCard(
        name=CAMILLE, title="Camille", sort="", look="bank", pin=PIN, old_code="tilleul-1971"
    )
    assert PIN not in repr(card)
    assert "tilleul" not in repr(card)
    assert "Camille" in repr(card)


async def test_a_drawer_without_odd_cards(table: Table) -> None:
    """Their heading goes with them."""
    table.drawer = replace(table.drawer, odd_cards=())
    transport = httpx.ASGITransport(build(table.simulator()))
    async with httpx.AsyncClient(transport=transport, base_url="http://sim.test") as client:
        assert "ne font pas de code" not in (await client.get("/")).text


async def test_the_page_says_what_it_is(client: httpx.AsyncClient) -> None:
    """Ribbon, badge, and the way to Coop@net."""
    page = (await client.get("/")).text
    assert "Démonstration – banque fictive" in page
    assert "SIMULATEUR" in page
    assert 'href="http://127.0.0.1:9/"' in page
    assert '<meta name="robots" content="noindex, nofollow">' in page


async def test_both_languages(client: httpx.AsyncClient) -> None:
    """French first, English whole."""
    french = (await client.get("/")).text
    assert '<html lang="fr">' in french
    assert "Le tiroir aux cartes" in french
    client.cookies.update(ENGLISH)
    english = (await client.get("/")).text
    assert '<html lang="en">' in english
    assert "The card drawer" in english
    for word in ("carte", "lecteur", "Insérer", "Retirer"):
        assert word not in english


async def test_headers(client: httpx.AsyncClient) -> None:
    """Scripts and requests only of and to this site, nothing inline, nobody frames it."""
    for answer in [
        await client.get("/"),
        await client.get("/nowhere"),
        await client.post("/readers", json={}),
        await client.get("/readers/0"),
    ]:
        headers = answer.headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["x-robots-tag"] == "noindex, nofollow"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


async def test_nothing_comes_from_elsewhere(client: httpx.AsyncClient) -> None:
    """Pages load from this site alone, and carry no style and no script inside."""
    for address in ("/", "/remise-a-neuf"):
        page = (await client.get(address)).text
        loaded = re.findall(r'<(?:script|link|img)\b[^>]*(?:src|href)="([^"]*)"', page)
        assert loaded
        assert all(source.startswith("/static/") for source in loaded)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page)
        for source in loaded:
            assert (await client.get(source)).status_code == 200


async def test_small_addresses(client: httpx.AsyncClient) -> None:
    """What browsers and search engines ask for by themselves, and what does not exist."""
    icon = await client.get("/favicon.ico")
    assert icon.status_code == 303
    assert (await client.get(icon.headers["location"])).headers["content-type"] == "image/svg+xml"
    assert "Disallow: /" in (await client.get("/robots.txt")).text
    assert (await client.head("/")).status_code == 200
    assert (await client.get("/nowhere")).status_code == 404
    assert (await client.post("/")).status_code == 405
    assert (await client.get("/readers")).status_code == 405


async def test_a_damaged_drawer_is_an_error_page(table: Table) -> None:
    """Which repeats nothing of it."""

    def drawer() -> Drawer:
        raise DrawerDamaged(table.drawer.customers[0].card, "the file is missing")

    app = build(table.simulator(drawer=drawer))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sim.test") as client:
        answer = await client.get("/")
        assert answer.status_code == 500
        assert "camille.card" not in answer.text
        assert "Une erreur s’est produite de notre côté" in answer.text


# ── Tout remettre à neuf ─────────────────────────────────────────────────────────────────────────


async def test_making_all_anew_is_asked_about_first(
    client: httpx.AsyncClient, table: Table
) -> None:
    """A link opens the question; it changes nothing."""
    page = (await client.get("/")).text
    assert '<a href="/remise-a-neuf">Tout remettre à neuf</a>' in page
    question = (await client.get("/remise-a-neuf")).text
    assert '<form method="post" action="/remise-a-neuf"' in question
    assert table.resets == 0


async def test_the_answer_yes_makes_all_anew_once(client: httpx.AsyncClient, table: Table) -> None:
    """Cards are out, readers are gone, and the page says so."""
    opened = (await client.post("/readers", json={})).json()
    reader = f"/readers/{opened['id']}"
    await client.post(f"{reader}/events", json={"event": "insert", "card": INES})
    answer = await client.post("/remise-a-neuf", headers={"Origin": "http://sim.test"})
    assert answer.status_code == 303
    assert table.resets == 1
    assert "Tout est remis à neuf" in (await client.get(answer.headers["location"])).text
    assert "Tout est remis à neuf" not in (await client.get("/")).text
    assert (await client.get(reader)).status_code == 410


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_no_other_site_makes_all_anew(
    client: httpx.AsyncClient, table: Table, headers: dict[str, str]
) -> None:
    """The question is offered instead."""
    answer = await client.post("/remise-a-neuf", headers=headers)
    assert answer.status_code == 403
    assert 'href="/remise-a-neuf"' in answer.text
    assert table.resets == 0


async def test_what_fails_while_making_anew_is_an_error(table: Table) -> None:
    """Not a page that says that all is new; and the simulator goes on."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise OSError("the disk is full")

    app = build(table.simulator(reset=fail))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sim.test") as client:
        assert (await client.post("/remise-a-neuf")).status_code == 500
        assert (await client.post("/readers", json={})).status_code == 201


# ── Its life ─────────────────────────────────────────────────────────────────────────────────────


def test_time_passes_while_it_is_served(table: Table) -> None:
    """A reader that nobody looks at gives its card back; at the end all cards are out."""
    insert = {"event": "insert", "card": INES}
    with serve(build(table.simulator())) as address, httpx.Client(base_url=address) as client:
        first = client.post("/readers", json={}).json()["id"]
        assert client.post(f"/readers/{first}/events", json=insert).status_code == 200
        table.pass_time(1000)
        second = client.post("/readers", json={}).json()["id"]
        # The application looks at the clock a few times a second; without it, this never ends.
        while client.post(f"/readers/{second}/events", json=insert).status_code == 409:
            time.sleep(0.05)
        assert client.get(f"/readers/{second}").json()["card"]["name"] == INES
    with serve(build(table.simulator())) as address, httpx.Client(base_url=address) as client:
        third = client.post("/readers", json={}).json()["id"]
        assert client.post(f"/readers/{third}/events", json=insert).status_code == 200
