"""Signed in: what the space shows, how long, and how one leaves."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, insert, select

from sesame.bank.origin import Door, Origin
from sesame.bank.rehearsal import rehearse
from sesame.bank.sessions import end_session
from sesame.cap.token import Code
from sesame.portal.routes import build
from sesame.store.errors import StoreUnavailable
from sesame.store.sessions import SESSIONS
from tests.portal.browser import Browser, fields_of, hidden_fields, without_chance
from tests.portal.town import Town


@pytest.fixture
async def signed_in(town: Town, browser: Browser) -> Browser:
    """A browser in which Véra is signed in."""
    answer = await browser.log_in("VERA2345", await town.code_of(town.vera))
    assert answer.status_code == 303
    return browser


async def test_the_first_login_says_so(signed_in: Browser) -> None:
    """With the customer's name, and the limits of the session in Paris time."""
    space = await signed_in.get("/espace")
    assert "<h1>Votre espace Coop@net</h1>" in space.text
    assert "Bonjour Véra Tissot." in space.text
    assert "Votre première connexion avec Sésame a réussi." in space.text
    assert "pendant 5 minutes, votre session se ferme\u00a0: à\u00a014\u00a0h\u00a022" in space.text
    assert "elle se ferme à\u00a022\u00a0h\u00a017." in space.text
    assert space.headers["cache-control"] == "no-store"


async def test_later_logins_name_the_last_one(town: Town, signed_in: Browser) -> None:
    """So that the customer notices one that was not theirs."""
    town.clock.advance(days=1)
    await signed_in.log_in("VERA2345", await town.code_of(town.vera))
    space = await signed_in.get("/espace")
    last = "le lundi 2\u00a0mars à\u00a014\u00a0h\u00a017"
    assert f"Votre dernière connexion\u00a0: {last}." in space.text


async def test_a_login_of_the_same_day_says_today(town: Town, signed_in: Browser) -> None:
    """In both languages."""
    town.clock.advance(hours=2)
    await signed_in.log_in("VERA2345", await town.code_of(town.vera))
    space = await signed_in.get("/espace")
    assert "Votre dernière connexion\u00a0: aujourd’hui à\u00a014\u00a0h\u00a017." in space.text
    signed_in.cookies.set("sesame_language", "en")
    assert "today at 14:17." in (await signed_in.get("/espace")).text


async def test_a_session_may_end_on_another_day(town: Town, signed_in: Browser) -> None:
    """Who signs in late reads which day."""
    town.clock.advance(hours=4)  # 18 h 17 in Paris, and eight hours more
    await signed_in.log_in("VERA2345", await town.code_of(town.vera))
    space = await signed_in.get("/espace")
    assert "elle se ferme le mardi 3\u00a0mars à\u00a02\u00a0h\u00a017." in space.text


async def test_the_accounts_are_said_to_be_fictional(signed_in: Browser) -> None:
    """With amounts as France writes them, or England."""
    space = await signed_in.get("/espace")
    assert "Comptes fictifs, pour la démonstration." in space.text
    assert "\u00a0€" in space.text
    signed_in.cookies.set("sesame_language", "en")
    space = await signed_in.get("/espace")
    assert "Fictional accounts, for the demonstration." in space.text
    assert "€" in space.text
    assert "\u00a0€" not in space.text


async def test_a_page_begins_the_idle_time_anew(town: Town, signed_in: Browser) -> None:
    """Four minutes and four minutes are not eight without activity."""
    for _ in range(3):
        town.clock.advance(minutes=4)
        assert (await signed_in.get("/espace")).status_code == 200


async def test_after_five_idle_minutes_it_is_over(town: Town, signed_in: Browser) -> None:
    """RTS art. 4(3)(d); the form says why and leads back to the same place."""
    town.clock.advance(minutes=5)
    sent_away = await signed_in.get("/espace")
    assert sent_away.status_code == 303
    assert sent_away.headers["location"] == "/acces/sesame?retour=%2Fespace&motif=session"
    assert 'sesame_session=""' in sent_away.headers["set-cookie"]
    form = await signed_in.get(sent_away.headers["location"])
    assert "Votre session est terminée" in form.text
    assert hidden_fields(form.text)["retour"] == "/espace"


async def test_it_is_over_at_its_longest_too(town: Town, signed_in: Browser) -> None:
    """Eight hours, however busy."""
    for _ in range(8 * 15 - 1):
        town.clock.advance(minutes=4)
        assert (await signed_in.get("/espace")).status_code == 200
    town.clock.advance(minutes=4)
    assert (await signed_in.get("/espace")).status_code == 303


@pytest.mark.parametrize("cookie", [None, "", "x", "01" + "A" * 43, "99" + "A" * 43])
async def test_nobody_else_gets_in(browser: Browser, cookie: str | None) -> None:
    """Without a cookie, or with one of one's own making."""
    if cookie is not None:
        browser.cookies.set("sesame_session", cookie)
    answer = await browser.get("/espace")
    assert answer.status_code == 303
    why = "connexion" if cookie is None else "session"
    assert answer.headers["location"] == f"/acces/sesame?retour=%2Fespace&motif={why}"


async def test_signing_out_ends_the_session(signed_in: Browser) -> None:
    """At once, on the server: the old cookie opens nothing any more."""
    old = dict(signed_in.cookies)
    space = await signed_in.get("/espace")
    answer = await signed_in.post("/deconnexion", data=hidden_fields(space.text))
    assert answer.status_code == 303
    assert answer.headers["location"] == "/deconnexion"
    assert "sesame_session" not in signed_in.cookies
    assert "sesame_browser" not in signed_in.cookies
    page = await signed_in.get("/deconnexion")
    assert "<h1>Vous êtes déconnecté</h1>" in page.text
    signed_in.cookies.update(old)
    assert (await signed_in.get("/espace")).status_code == 303


async def test_nobody_is_signed_out_until_that_lasts(
    town: Town, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that is not to be seen may be back after a fail-over: no page says it has ended.

    The browser keeps its token, by which it ends the session then.
    """
    page = (await signed_in.get("/espace/connexions")).text
    cookies = dict(signed_in.cookies)
    store = town.bank.store
    write, kept = store.write, await store.read(_sessions)

    async def cut_short(change: Callable[[Connection], object]) -> None:
        await write(change)
        raise StoreUnavailable("bank.db")

    with monkeypatch.context() as patched:
        patched.setattr(store, "write", cut_short)
        for method, address, button in _AFTER_A_SIGN_OUT:
            fields = fields_of(page, button) if button else None
            answer = await signed_in.request(method, address, data=fields)
            assert (address, answer.status_code) == (address, 503)
            assert "set-cookie" not in answer.headers
            assert "Vous êtes déconnecté" not in answer.text
    assert await store.read(_sessions) == []
    await store.write(lambda connection: connection.execute(insert(SESSIONS), kept))
    assert dict(signed_in.cookies) == cookies
    assert (await signed_in.get("/deconnexion")).headers["location"] == "/espace"
    answer = await signed_in.post("/deconnexion", data=fields_of(page, "/deconnexion"))
    assert answer.headers["location"] == "/deconnexion"
    assert "Vous êtes déconnecté" in (await signed_in.get("/deconnexion")).text
    assert await store.read(_sessions) == []


@pytest.mark.parametrize("cookie", ["ended", "idle", "01" + "A" * 43, "x"])
async def test_a_session_that_is_over_is_ended_once(
    town: Town, signed_in: Browser, monkeypatch: pytest.MonkeyPatch, cookie: str
) -> None:
    """One commit where there may be something to end; the page is then opened again for none."""
    if cookie == "idle":
        town.clock.advance(minutes=5)
    elif cookie == "ended":
        await end_session(town.bank, signed_in.cookies["sesame_session"])
    else:
        signed_in.cookies.set("sesame_session", cookie, domain="bank.test", path="/")
    write, writes = town.bank.store.write, []

    async def counted(change: Callable[[Connection], object]) -> object:
        writes.append(change)
        return await write(change)

    monkeypatch.setattr(town.bank.store, "write", counted)
    for _ in range(2):
        assert "Vous êtes déconnecté" in (await signed_in.get("/deconnexion")).text
        assert "sesame_session" not in signed_in.cookies
        assert "sesame_browser" not in signed_in.cookies
        assert len(writes) == (cookie != "x")


_AFTER_A_SIGN_OUT = (
    ("POST", "/deconnexion", "/deconnexion"),
    ("GET", "/espace", None),
    ("GET", "/espace/connexions", None),
    ("GET", "/espace/reste", None),
    ("GET", "/premier-essai/verifier", None),
    ("POST", "/espace/connexions/toutes", "/espace/connexions/toutes"),
    ("GET", "/deconnexion", None),
    ("POST", "/deconnexion", "/deconnexion"),
)


def _sessions(connection: Connection) -> list[dict[str, object]]:
    return [dict(row) for row in connection.execute(select(SESSIONS)).mappings()]


async def test_a_form_sent_again_after_signing_out_opens_nothing(
    town: Town, browser: Browser
) -> None:
    """Also in the browser that still has everything: it is no session that comes back."""
    fields = await browser.open_form()
    fields |= {"user_code": "VERA2345", "code": await town.code_of(town.vera)}
    await browser.post("/acces/sesame", data=fields)
    old = dict(browser.cookies)
    space = await browser.get("/espace")
    await browser.post("/deconnexion", data=hidden_fields(space.text))
    browser.cookies.update(old)
    await browser.post("/acces/sesame", data=fields)
    assert (await browser.get("/espace")).status_code == 303


@pytest.mark.parametrize("proof", ["", "00" * 32, None, "é"])
async def test_no_other_site_presses_the_button(signed_in: Browser, proof: str | None) -> None:
    """403, and the session goes on."""
    answer = await signed_in.post("/deconnexion", data={} if proof is None else {"proof": proof})
    assert answer.status_code in {403, 415}
    assert (await signed_in.get("/espace")).status_code == 200
    space = await signed_in.get("/espace")
    foreign = await signed_in.post(
        "/deconnexion", data=hidden_fields(space.text), headers={"Origin": "http://evil.test"}
    )
    assert foreign.status_code == 403
    assert (await signed_in.get("/espace")).status_code == 200


async def test_signing_out_of_a_session_that_is_over(town: Town, signed_in: Browser) -> None:
    """Leads where it always leads; also without any session."""
    space = await signed_in.get("/espace")
    town.clock.advance(minutes=6)
    answer = await signed_in.post("/deconnexion", data=hidden_fields(space.text))
    assert answer.headers["location"] == "/deconnexion"
    answer = await signed_in.post("/deconnexion", data=hidden_fields(space.text))
    assert answer.headers["location"] == "/deconnexion"


async def test_one_session_ends_and_another_goes_on(town: Town, signed_in: Browser) -> None:
    """Two browsers of the same customer."""
    async with Browser(build(town.portal())) as other:
        await other.log_in("VERA2345", await town.code_of(town.vera))
        space = await other.get("/espace")
        await other.post("/deconnexion", data=hidden_fields(space.text))
        assert (await other.get("/espace")).status_code == 303
    assert (await signed_in.get("/espace")).status_code == 200


# ── What this login changed ──────────────────────────────────────────────────────────────────────


async def test_the_first_code_erases_the_old_one_and_says_so(
    town: Town, signed_in: Browser
) -> None:
    """Once, in the session that did it."""
    space = (await signed_in.get("/espace")).text
    assert "Bienvenue dans Sésame" in space
    assert "Votre ancien code confidentiel a fini son service" in space
    await signed_in.log_in("VERA2345", await town.code_of(town.vera))
    space = (await signed_in.get("/espace")).text
    assert "ancien code" not in space
    assert "Votre dernière connexion" in space


async def test_a_first_login_without_an_old_code(town: Town, browser: Browser) -> None:
    """A welcome, and no word of a code that never was."""
    await town.forget_old_code(town.omar)
    await browser.log_in("OMAR6789", await town.code_of(town.omar))
    space = (await browser.get("/espace")).text
    assert "Votre première connexion avec Sésame a réussi. Désormais" in space
    assert "ancien code" not in space
    assert "Votre dernière connexion" not in space


async def test_an_old_code_only_looks_and_is_told_why(town: Town, browser: Browser) -> None:
    """With the two ways on: a first login with Sésame, or a trial before it."""
    await browser.log_in_with_old_code("OMAR6789", town.omar.old_code)
    space = (await browser.get("/espace")).text
    assert "Consultation seulement" in space
    assert "Quelqu’un d’autre pourrait le connaître" in space
    assert "C’est votre première connexion à cet espace." in space
    assert 'href="/acces/sesame"' in space
    assert 'href="/premier-essai/verifier"' in space


async def test_a_code_only_looks_for_nothing(signed_in: Browser) -> None:
    """No notice, and no trial for those who need none."""
    space = (await signed_in.get("/espace")).text
    assert "Consultation seulement" not in space
    assert "/premier-essai/verifier" not in space


# ── A used code, presented by somebody ───────────────────────────────────────────────────────────


async def test_a_replay_is_told_to_whoever_is_signed_in(town: Town, browser: Browser) -> None:
    """On every page, with when, what it may mean and what to do; the button ends it all."""
    code = await town.code_of(town.vera)
    await browser.log_in("VERA2345", code)
    assert "a été essayé" not in (await browser.get("/espace")).text
    town.clock.advance(minutes=2)
    async with Browser(build(town.portal())) as stranger:
        replay = await stranger.log_in("VERA2345", code)
        other = await stranger.log_in("NOBODY22", code)
        assert without_chance(replay.text).replace("VERA2345", "NOBODY22") == without_chance(
            other.text
        )
    for address in ("/espace", "/espace/connexions"):
        page = (await browser.get(address)).text
        alarm = page.partition('<div class="notice error" role="alert">')[2]
        assert "Un code déjà utilisé a été essayé" in alarm
        assert "aujourd’hui à\u00a014\u00a0h\u00a019" in alarm
        assert "Si c’était vous" in alarm
        assert 'href="tel:+33199002640"' in alarm
    answer = await browser.press("/espace", "/espace/connexions/toutes")
    assert answer.headers["location"] == "/deconnexion"
    assert (await browser.get("/espace")).status_code == 303


async def test_an_old_code_hears_of_it_without_the_button(town: Town, browser: Browser) -> None:
    """It may not end the others; it is told to sign out and to call."""
    code = await town.code_of(town.omar)
    await browser.log_in_with_old_code("OMAR6789", town.omar.old_code)
    origin = Origin(Door.PORTAL, "")
    assert await rehearse(town.bank, town.omar.user_code, Code(code), origin, bytes(16))
    town.clock.advance(seconds=1)
    async with Browser(build(town.portal())) as stranger:
        assert (await stranger.log_in("OMAR6789", code)).status_code == 422
    space = (await browser.get("/espace")).text
    assert "Un code déjà utilisé a été essayé" in space
    assert "déconnectez-vous et appelez-nous au" in space
    assert "/espace/connexions/toutes" not in space


async def test_a_double_click_raises_no_alarm(town: Town, browser: Browser) -> None:
    """It is one attempt, also when both arrive at once."""
    fields = await browser.open_form()
    fields |= {"user_code": "VERA2345", "code": await town.code_of(town.vera)}
    clicks = [browser.post("/acces/sesame", data=fields) for _ in range(2)]
    answers = [*await asyncio.gather(*clicks), await browser.post("/acces/sesame", data=fields)]
    assert [answer.status_code for answer in answers] == [303] * 3
    assert "a été essayé" not in (await browser.get("/espace")).text


# ── How long is left, for the script ─────────────────────────────────────────────────────────────


async def test_looking_how_long_is_left_is_no_activity(town: Town, signed_in: Browser) -> None:
    """Whole seconds, rounded up, until it is over."""
    town.clock.time = town.clock.time.replace(minute=18, second=0, microsecond=0)
    before = (await signed_in.get("/espace/reste")).json()
    town.clock.advance(minutes=2)
    after = (await signed_in.get("/espace/reste")).json()
    assert before["seconds"] - after["seconds"] in {120, 121}
    assert (before["last"], after["last"]) == (False, False)
    town.clock.advance(seconds=after["seconds"])
    assert (await signed_in.get("/espace/reste")).json() == {"seconds": 0, "last": True}
    assert (await signed_in.get("/espace")).status_code == 303


async def test_whoever_is_there_prolongs(town: Town, signed_in: Browser) -> None:
    """With this session's own proof, and no other button's."""
    space = (await signed_in.get("/espace")).text
    proof = space.partition('data-proof="')[2].partition('"')[0]
    assert proof != hidden_fields(space)["proof"]
    town.clock.advance(minutes=4)
    for forged in (hidden_fields(space)["proof"], "", "00" * 32):
        answer = await signed_in.post("/espace/reste", data={"proof": forged})
        assert answer.status_code == 403
    foreign = {"Origin": "http://evil.test"}
    answer = await signed_in.post("/espace/reste", data={"proof": proof}, headers=foreign)
    assert answer.status_code == 403
    assert (await signed_in.get("/espace/reste")).json()["seconds"] <= 60
    answer = await signed_in.post("/espace/reste", data={"proof": proof})
    assert answer.json() == {"seconds": 300, "last": False}
    town.clock.advance(minutes=5)
    answer = await signed_in.post("/espace/reste", data={"proof": proof})
    assert answer.json() == {"seconds": 0, "last": True}


async def test_at_the_very_end_nothing_prolongs(town: Town, signed_in: Browser) -> None:
    """The eight hours are told apart from the five minutes."""
    for _ in range(8 * 15 - 1):
        town.clock.advance(minutes=4)
        await signed_in.get("/espace")
    answer = (await signed_in.get("/espace/reste")).json()
    assert answer["last"]
    assert answer["seconds"] <= 240


async def test_nobody_has_nothing_left(browser: Browser) -> None:
    """Without a session, or with one of one's own making."""
    for cookie in (None, "01" + "A" * 43):
        if cookie is not None:
            browser.cookies.set("sesame_session", cookie)
        for method, fields in (("GET", None), ("POST", {"proof": "00"})):
            answer = await browser.request(method, "/espace/reste", data=fields)
            assert answer.json() == {"seconds": 0, "last": True}


async def test_who_is_signed_in_is_not_told_otherwise(browser: Browser, town: Town) -> None:
    """« Votre session est fermée » stands there only where it is true."""
    await browser.log_in("VERA2345", await town.code_of(town.vera))
    answer = await browser.get("/deconnexion")
    assert (answer.status_code, answer.headers["location"]) == (303, "/espace")


@pytest.mark.parametrize("second", ["VERA2345", "OMAR6789"])
async def test_a_browser_holds_one_session(browser: Browser, town: Town, second: str) -> None:
    """A login over an open session ends that one, one's own or somebody else's."""
    await browser.log_in("VERA2345", await town.code_of(town.vera))
    former = browser.cookies["sesame_session"]
    who = town.vera if second == "VERA2345" else town.omar
    await browser.log_in(second, await town.code_of(who))
    assert who.name in (await browser.get("/espace")).text
    async with Browser(build(town.portal())) as other:
        other.cookies.set("sesame_session", former)
        assert (await other.get("/espace")).status_code == 303
