"""A login by form, from the empty page to the signed-in space or to a sentence that helps."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from sesame.bank.bank import Bank
from sesame.bank.limits import Limits
from sesame.custody.errors import CustodyError, CustodyUnavailable, KeyMissing, SealBroken
from sesame.portal.portal import Portal
from sesame.portal.routes import build
from sesame.store.engine import open_store
from sesame.web.institution import Institution
from sesame.web.rendering import Site
from tests.portal.browser import ORIGIN, Browser, hidden_fields, without_chance
from tests.portal.town import Town, wide, wrong_code

NOBODY = "NOBODY99"
REFUSED = "Connexion refusée. Vérifiez votre code utilisateur, puis générez un nouveau code"


async def _version(town: Town) -> int:
    """Which step Véra's access row is at: it moves with every judged attempt."""
    return (await town.bank.store.read_access(town.vera.user_code)).version


async def _fail(browser: Browser, user_code: str, times: int) -> httpx.Response:
    for _ in range(times - 1):
        assert (await browser.log_in(user_code, "34567890")).status_code == 422
    return await browser.log_in(user_code, "34567890")


# ── The way in ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("who", ["vera", "omar"])
async def test_a_fresh_code_opens_the_space(town: Town, browser: Browser, who: str) -> None:
    """With a Sésame card and with a bank card, through the real bank."""
    customer = getattr(town, who)
    answer = await browser.log_in(customer.user_code, await town.code_of(customer))
    assert answer.status_code == 303
    assert answer.headers["location"] == "/espace"
    assert answer.headers["cache-control"] == "no-store"
    session, device = answer.headers.get_list("set-cookie")
    assert re.fullmatch(r"sesame_session=[\w-]{45}; HttpOnly; Path=/; SameSite=lax", session)
    thirteen_months = 396 * 24 * 3600
    assert re.fullmatch(
        rf"sesame_device=[0-9a-f]{{64}}; HttpOnly; Max-Age={thirteen_months}; Path=/; SameSite=lax",
        device,
    )
    space = await browser.get("/espace")
    assert space.status_code == 200
    assert customer.name in space.text


@pytest.mark.parametrize(
    ("user_code", "group"),
    [("VERA2345", "{} {}"), ("vera 2345", "{}{}"), ("\tVera2345\n", " {}\u202f{}\r\n")],
)
async def test_every_spelling(town: Town, browser: Browser, user_code: str, group: str) -> None:
    """« 0000 0000 » or « 00000000 », and whatever pasting adds."""
    code = await town.code_of(town.vera)
    answer = await browser.log_in(user_code, group.format(code[:4], code[4:]))
    assert answer.status_code == 303


async def test_the_same_code_is_refused_the_second_time(town: Town, browser: Browser) -> None:
    """In a new form, and in another browser."""
    code = await town.code_of(town.vera)
    assert (await browser.log_in("VERA2345", code)).status_code == 303
    assert (await browser.log_in("VERA2345", code)).status_code == 422
    async with Browser(build(town.portal())) as other:
        assert (await other.log_in("VERA2345", code)).status_code == 422


async def test_over_https_cookies_are_bound_to_the_host(town: Town) -> None:
    """Production: `__Host-` and Secure on both cookies, HSTS, no ribbon."""
    site = Site(institution=Institution(), demonstration=False)
    portal = Portal(
        bank=town.bank,
        site=site,
        random_bytes=town.portal().random_bytes,
        public_origin="https://bank.test",
    )
    async with Browser(build(portal), base_url="https://bank.test") as browser:
        form = await browser.get("/acces/sesame")
        assert re.fullmatch(
            r"__Host-sesame_browser=[0-9a-f]{64}; HttpOnly; Path=/; SameSite=lax; Secure",
            form.headers["set-cookie"],
        )
        assert "Démonstration" not in form.text
        assert "strict-transport-security" in form.headers
        answer = await browser.log_in("VERA2345", await town.code_of(town.vera))
        session, device = answer.headers.get_list("set-cookie")
        assert session.startswith("__Host-sesame_session=")
        assert device.startswith("__Host-sesame_device=")
        assert session.endswith("; Secure")
        assert device.endswith("; Secure")


# ── Refused ──────────────────────────────────────────────────────────────────────────────────────


async def test_every_refusal_is_the_same(town: Town) -> None:
    """Wrong, used, overtaken, or of nobody: status, headers, text and length tell nothing."""
    app = build(town.portal())
    overtaken = await town.code_of(town.vera)
    used = await town.code_of(town.vera)
    async with Browser(app) as browser:
        assert (await browser.log_in("VERA2345", used)).status_code == 303
    answers = []
    for user_code, code in [
        ("VERA2345", wrong_code(used)),
        ("VERA2345", used),
        ("VERA2345", overtaken),
        ("NOBODY99", used),
    ]:
        async with Browser(app) as browser:
            answer = await browser.log_in(user_code, code)
        assert answer.status_code == 422
        text = without_chance(answer.text).replace(user_code, "--------")
        answers.append((text, sorted(answer.headers.items())))
    assert all(answer == answers[0] for answer in answers)
    assert REFUSED in answers[0][0]
    assert "<title>Erreur – " in answers[0][0]


async def test_a_refusal_gives_a_new_form(town: Town, browser: Browser) -> None:
    """The user code stands there still, the next code may be typed at once."""
    refused = await browser.log_in("VERA2345", "34567890")
    assert 'value="VERA2345"' in refused.text
    form = hidden_fields(refused.text)
    fields = form | {"user_code": "VERA2345", "code": await town.code_of(town.vera)}
    assert (await browser.post("/acces/sesame", data=fields)).status_code == 303


async def test_in_english_too(browser: Browser) -> None:
    """The whole page, the sentence included."""
    browser.cookies.set("sesame_language", "en")
    refused = await browser.log_in("VERA2345", "34567890")
    assert "Login refused. Check your user code, then make a new Sésame code" in refused.text
    assert "Connexion" not in refused.text


# ── Suspended, busy ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("user_code", ["VERA2345", NOBODY])
async def test_the_third_failure_suspends_anybody(
    town: Town, browser: Browser, user_code: str
) -> None:
    """For a quarter of an hour, in Paris time, whether the user code exists or not."""
    assert (await _fail(browser, user_code, 3)).status_code == 422
    suspended = await browser.log_in(user_code, await town.code_of(town.vera))
    assert suspended.status_code == 429
    assert "l’accès est suspendu jusqu’à\u00a014\u00a0h\u00a033." in suspended.text
    assert 890 < int(suspended.headers["retry-after"]) <= 900
    assert f'value="{user_code}"' in suspended.text


async def test_a_suspension_says_the_same_of_everybody(town: Town) -> None:
    """Text, headers and length."""
    app = build(town.portal())
    answers = []
    for user_code in ("VERA2345", NOBODY):
        town.clock.time = town.clock.time.replace(minute=17, second=0, microsecond=0)
        async with Browser(app) as browser:
            await _fail(browser, user_code, 3)
            answer = await browser.log_in(user_code, "34567890")
        text = without_chance(answer.text).replace(user_code, "--------")
        answers.append((text, sorted(answer.headers.items())))
    assert answers[0] == answers[1]


async def test_what_is_typed_meanwhile_costs_nothing(town: Town, browser: Browser) -> None:
    """The code of the suspended attempt is not used up, and opens the space afterwards."""
    await _fail(browser, "VERA2345", 3)
    code = await town.code_of(town.vera)
    assert (await browser.log_in("VERA2345", code)).status_code == 429
    town.clock.advance(minutes=15)
    assert (await browser.log_in("VERA2345", code)).status_code == 303


@pytest.mark.parametrize("user_code", ["VERA2345", NOBODY])
async def test_after_nine_failures_the_form_for_two_codes_comes(
    town: Town, browser: Browser, user_code: str
) -> None:
    """With the user code in its place, and the same for a user code of nobody."""
    for minutes in (15, 60, 1):
        await _fail(browser, user_code, 3)
        town.clock.advance(minutes=minutes)
    wanted = await browser.log_in(user_code, await town.code_of(town.vera))
    assert wanted.status_code == 422
    assert "deux codes Sésame de suite sont demandés" in wanted.text
    assert 'action="/acces/deux-codes"' in wanted.text
    assert f'value="{user_code}"' in wanted.text
    fields = hidden_fields(wanted.text) | {"user_code": user_code}
    codes = [await town.code_of(town.vera) for _ in range(2)]
    answer = await browser.post(
        "/acces/deux-codes", data=fields | {"code": codes[0], "next_code": codes[1]}
    )
    assert answer.status_code == (303 if user_code == "VERA2345" else 422)


# ── Two codes ────────────────────────────────────────────────────────────────────────────────────


async def test_under_every_refusal_two_codes_are_offered(browser: Browser) -> None:
    """« Entrez deux codes de suite »; not under what was mistyped."""
    link = '<a href="/acces/deux-codes">Entrez deux codes de suite</a>'
    refused = [
        (await browser.log_in("VERA2345", "34567890"), link),
        (await browser.log_in_with_old_code(NOBODY, "wrong"), link),
        # There it is the page itself.
        (
            await browser.log_in_with_two("VERA2345", "34567890", "34567891"),
            'action="/acces/deux-codes"',
        ),
    ]
    for answer, way in refused:
        assert answer.status_code == 422
        assert way in answer.text
        assert "Connexion refusée" in answer.text
    assert link not in (await browser.log_in("VERA2345", "12")).text


@pytest.mark.parametrize(("who", "ahead"), [("vera", 40), ("omar", 3_000)])
async def test_a_card_that_ran_ahead_gets_in_with_two_codes(
    town: Town, browser: Browser, who: str, ahead: int
) -> None:
    """Refused with one code, in with two, refused with the same pair again."""
    customer = getattr(town, who)
    customer.atc = ahead
    first, second = [await town.code_of(customer) for _ in range(2)]
    assert (await browser.log_in(customer.user_code, first)).status_code == 422
    pair = (customer.user_code, f"{first[:4]} {first[4:]}", second)
    answer = await browser.log_in_with_two(*pair)
    assert (answer.status_code, answer.headers["location"]) == (303, "/espace")
    assert (await browser.get("/espace")).status_code == 200
    assert (await browser.log_in_with_two(*pair)).status_code == 422
    assert (await browser.log_in(customer.user_code, await town.code_of(customer))).is_redirect


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"code": "34567890", "next_code": "34567890"}, "Les deux codes sont les mêmes."),
        ({"code": "34567890", "next_code": "1"}, "Un code Sésame a 8 chiffres"),
        ({"code": "34567890"}, "Un code Sésame a 8 chiffres"),
    ],
)
async def test_a_slip_in_two_codes_costs_nothing(
    town: Town, browser: Browser, fields: dict[str, str], says: str
) -> None:
    """Each field has its own words, and the focus."""
    before = await _version(town)
    answer = await browser.fill_in("/acces/deux-codes", user_code="VERA2345", **fields)
    assert answer.status_code == 422
    assert says in answer.text
    assert re.search(
        r'id="next_code"[^>]*aria-invalid="true"\s*autofocus\s*'
        r'aria-describedby="next_code-error next_code-hint"',
        answer.text,
    )
    assert await _version(town) == before


# ── The old code ─────────────────────────────────────────────────────────────────────────────────


async def test_the_old_code_is_masked_when_typed(browser: Browser) -> None:
    """RTS art. 22: it serves again and again. A code Sésame, good once, is shown."""
    kinds = {}
    for address, field in (("/acces/ancien-code", "old_code"), ("/acces/sesame", "code")):
        (box,) = re.findall(rf'<input[^>]* name="{field}"[^>]*>', (await browser.get(address)).text)
        kinds[field] = 'type="password"' in box
    assert kinds == {"old_code": True, "code": False}


async def test_the_old_code_opens_the_space_until_sesame_does(town: Town, browser: Browser) -> None:
    """303; after the first code Sésame it is refused like any wrong one, in the same bytes."""
    answer = await browser.log_in_with_old_code("vera 2345", town.vera.old_code)
    assert (answer.status_code, answer.headers["location"]) == (303, "/espace")
    assert (await browser.get("/espace")).status_code == 200
    wrong = await browser.log_in_with_old_code("VERA2345", "wrong")
    assert (await browser.log_in("VERA2345", await town.code_of(town.vera))).status_code == 303
    retired = await browser.log_in_with_old_code("VERA2345", town.vera.old_code)
    assert retired.status_code == 422
    assert without_chance(retired.text) == without_chance(wrong.text)
    assert town.vera.old_code not in retired.text


async def test_failures_of_the_old_code_suspend(town: Town, browser: Browser) -> None:
    """Alike for everybody; the code Sésame waits too."""
    answers = []
    for user_code in ("VERA2345", NOBODY):
        for _ in range(3):
            assert (await browser.log_in_with_old_code(user_code, "wrong")).status_code == 422
        suspended = await browser.log_in_with_old_code(user_code, town.vera.old_code)
        assert suspended.status_code == 429
        answers.append(without_chance(suspended.text).replace(user_code, "--------"))
    assert answers[0] == answers[1]
    assert (await browser.log_in("VERA2345", await town.code_of(town.vera))).status_code == 429


@pytest.mark.parametrize("user_code", ["VERA2345", NOBODY])
async def test_under_pressure_the_old_code_is_not_enough(
    town: Town, browser: Browser, user_code: str
) -> None:
    """Its page says what is: two codes, a known computer, the telephone."""
    for minutes in (15, 60, 1):
        await _fail(browser, user_code, 3)
        town.clock.advance(minutes=minutes)
    answer = await browser.log_in_with_old_code(user_code, town.vera.old_code)
    assert answer.status_code == 422
    assert "l’ancien code ne suffit pas en ce moment" in answer.text
    assert 'action="/acces/ancien-code"' in answer.text


# ── Known devices ────────────────────────────────────────────────────────────────────────────────


async def test_a_vandal_does_not_keep_the_owner_out(town: Town, browser: Browser) -> None:
    """For an hour somebody fails on Vera's user code; her own browser gets in at every moment."""
    assert (await browser.log_in("VERA2345", await town.code_of(town.vera))).status_code == 303
    async with Browser(build(town.portal())) as vandal, Browser(build(town.portal())) as cafe:
        for _ in range(12):
            await vandal.log_in("VERA2345", "34567890")
            town.clock.advance(minutes=5)
            answer = await browser.log_in("VERA2345", await town.code_of(town.vera))
            assert answer.status_code == 303
        assert (await cafe.log_in("VERA2345", "34567890")).status_code == 429
        town.clock.advance(minutes=60)
        answer = await cafe.log_in("VERA2345", await town.code_of(town.vera))
        assert answer.status_code == 303


def _close_address(town: Town) -> None:
    """Have had refused to the tests' address what closes it."""
    bank = town.bank
    for _ in range(301):
        bank.sources.add("127.0.0.1", bank.limits.source, bank.now(), judged=True)


@pytest.mark.parametrize(
    ("way", "typed"),
    [
        ("/acces/sesame", {"code": "34567890"}),
        ("/acces/deux-codes", {"code": "34567890", "next_code": "34567891"}),
        ("/acces/ancien-code", {"old_code": "azerty"}),
    ],
)
async def test_an_address_to_which_too_much_was_refused(
    town: Town, browser: Browser, way: str, typed: dict[str, str]
) -> None:
    """429 until the next hour, in words of its own, the same for every user code."""
    town.clock.time = datetime(2026, 3, 2, 13, 20, tzinfo=UTC)
    _close_address(town)
    answers = [
        await browser.fill_in(way, user_code=user_code, **typed)
        for user_code in ("VERA2345", NOBODY)
    ]
    for answer in answers:
        assert answer.status_code == 429
        assert 2390 <= int(answer.headers["retry-after"]) <= 2400
        assert "Trop de codes refusés viennent de votre réseau." in answer.text
        assert "aucun code n’est examiné jusqu’à\u00a015\u00a0h, sauf" in answer.text
    real, unreal = (without_chance(answer.text) for answer in answers)
    assert real == unreal.replace(NOBODY, "VERA2345")
    town.clock.advance(minutes=40)
    assert (await browser.fill_in(way, user_code=NOBODY, **typed)).status_code == 422


async def test_a_known_browser_gets_in_from_such_an_address(town: Town, browser: Browser) -> None:
    """Whatever others behind it do."""
    assert (await browser.log_in("VERA2345", await town.code_of(town.vera))).status_code == 303
    _close_address(town)
    assert (await browser.log_in("VERA2345", await town.code_of(town.vera))).status_code == 303
    async with Browser(build(town.portal())) as cafe:
        answer = await cafe.log_in("VERA2345", await town.code_of(town.vera))
        assert answer.status_code == 429


async def test_a_shared_computer_is_not_known(town: Town, browser: Browser) -> None:
    """No cookie; the box stays ticked on the page of a refusal."""
    refused = await browser.log_in("VERA2345", "34567890", shared="1")
    assert 'value="1" checked' in refused.text
    answer = await browser.log_in("VERA2345", await town.code_of(town.vera), shared="1")
    assert answer.status_code == 303
    assert "sesame_device" not in str(answer.headers)


async def test_two_people_share_a_browser(town: Town, browser: Browser) -> None:
    """Each is known on it, and to the other's access it is a stranger's."""
    for who in (town.vera, town.omar):
        assert (await browser.log_in(who.user_code, await town.code_of(who))).status_code == 303
    assert browser.cookies["sesame_device"].count(".") == 1
    async with Browser(build(town.portal())) as vandal:
        for who in (town.vera, town.omar):
            await _fail(vandal, who.user_code, 3)
    for who in (town.vera, town.omar):
        assert (await browser.log_in(who.user_code, await town.code_of(who))).status_code == 303


async def test_signing_out_leaves_the_device_known(town: Town, browser: Browser) -> None:
    """It opens nothing; it only keeps two tries."""
    await browser.log_in("VERA2345", await town.code_of(town.vera))
    device = browser.cookies["sesame_device"]
    fields = hidden_fields((await browser.get("/espace")).text)
    assert (await browser.post("/deconnexion", data=fields)).status_code == 303
    assert browser.cookies["sesame_device"] == device
    assert (await browser.get("/espace")).status_code == 303


async def test_too_busy_to_judge(town: Town) -> None:
    """503, a sentence, a new form; the code is as good as before."""
    busy = replace(town.bank, limits=Limits(lost_swaps=0))
    before = await _version(town)
    code = await town.code_of(town.vera)
    async with Browser(build(town.portal(bank=busy))) as browser:
        answer = await browser.log_in("VERA2345", code)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert "aucun essai n’a été compté" in answer.text
    assert await _version(town) == before
    async with Browser(build(town.portal())) as browser:
        assert (await browser.log_in("VERA2345", code)).status_code == 303


async def test_no_database(town: Town, tmp_path: Path) -> None:
    """503 as well; it does not promise that nothing was counted."""
    store = open_store(f"sqlite:///{tmp_path}/nowhere/bank.db")
    lost: Bank = replace(town.bank, store=store)
    async with Browser(build(town.portal(bank=lost))) as browser:
        answer = await browser.log_in("VERA2345", "34567890")
    await store.close()
    assert answer.status_code == 503
    assert "momentanément indisponible" in answer.text
    assert "aucun essai" not in answer.text


@pytest.mark.parametrize(
    "error", [SealBroken("altered"), KeyMissing("dpa-01"), CustodyUnavailable("gone")]
)
async def test_no_answer_from_custody(
    town: Town,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: CustodyError,
) -> None:
    """The same page; the log has the type of the error, once, and nothing of the customer."""

    async def fails(_inquiries: object) -> None:
        raise error

    monkeypatch.setattr(town.custodian, "match", fails)
    async with Browser(build(town.portal())) as browser:
        answer = await browser.log_in("VERA2345", "34567890")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert "momentanément indisponible" in answer.text
    ours = [record for record in caplog.records if record.name == "sesame"]
    assert [record.getMessage() for record in ours] == [
        f"a login could not be judged: {type(error).__name__}"
    ]
    assert ours[0].exc_info is None


# ── Mistyped ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("user_code", "code", "says"),
    [
        ("VERA", "34567890", "Votre code utilisateur a 8 caractères"),
        ("VERA2345", "3456", "N’entrez jamais ici le code secret"),
        ("VERA2345", "12345678", "Ce nombre n’est pas un code Sésame"),
        ("34567890", "VERA2345", "Les deux champs étaient inversés"),
        ("", "", "Un code Sésame a 8 chiffres"),
    ],
)
async def test_a_slip_of_the_finger_costs_nothing(
    town: Town, browser: Browser, user_code: str, code: str, says: str
) -> None:
    """Words of its own, no step of the row, however often."""
    before = await _version(town)
    for _ in range(6):
        answer = await browser.log_in(user_code, code)
        assert answer.status_code == 422
        assert says in answer.text
        assert "<title>Erreur – " in answer.text
        assert re.search(r'aria-invalid="true"\s*autofocus', answer.text)
    assert await _version(town) == before


async def test_swapped_fields_are_put_right(browser: Browser) -> None:
    """The user code; the code has to be typed again."""
    answer = await browser.log_in("34567890", "vera 2345")
    assert 'name="user_code" type="text" value="VERA2345"' in answer.text


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("user_code", "code"),
    [
        ("VERA2345", "34567890"),
        ("VERA", "3456 7890"),
        ("3456 7890", "VERA2345"),
        ("34567890", "34567890"),
        (wide("34567890"), "34567890"),
        ("VERA2345 34567890", ""),
        ("34567890", ""),
        ("VERA2345", "<34567890>"),
    ],
)
@pytest.mark.parametrize("failures", [0, 3])
async def test_a_code_is_never_repeated(
    browser: Browser, user_code: str, code: str, failures: int
) -> None:
    """Wherever it was typed, whatever the answer: not in the page, not in a header."""
    for _ in range(failures):
        await browser.log_in("VERA2345", "34567891")
    answer = await browser.log_in(user_code, code)
    assert answer.status_code in {422, 429}
    said = answer.text + str(answer.headers)
    digits = re.sub(r"\s", "", without_chance(said))
    assert "34567890" not in digits
    assert wide("3456") not in digits


async def test_what_is_no_user_code_is_never_repeated(browser: Browser) -> None:
    """What is no user code is not shown again, so markup is not either; a PIN neither."""
    for typed in ('"><script>alert(1)</script>', "7391"):
        answer = await browser.log_in(typed, "34567890")
        assert answer.status_code == 422
        assert typed not in without_chance(answer.text)
        assert 'name="user_code" type="text" value=""' in answer.text


# ── One form, one browser, one attempt ───────────────────────────────────────────────────────────


async def test_a_double_click_is_one_attempt(town: Town, browser: Browser) -> None:
    """Both answers lead in, with the same session; the row moved once."""
    before = await _version(town)
    fields = await browser.open_form()
    fields |= {"user_code": "VERA2345", "code": await town.code_of(town.vera)}
    answers = await asyncio.gather(*(browser.post("/acces/sesame", data=fields) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [303] * 3
    assert len({answer.headers["set-cookie"] for answer in answers}) == 1
    assert await _version(town) == before + 1
    assert (await browser.get("/espace")).status_code == 200


async def test_a_double_click_on_a_wrong_code_is_one_failure(town: Town, browser: Browser) -> None:
    """The same refusal twice, one step of the row."""
    before = await _version(town)
    fields = await browser.open_form()
    fields |= {"user_code": "VERA2345", "code": "34567890"}
    answers = await asyncio.gather(*(browser.post("/acces/sesame", data=fields) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [422] * 2
    assert await _version(town) == before + 1


async def test_many_browsers_one_code(town: Town) -> None:
    """Exactly one gets in: each has a form, and so an attempt, of its own."""
    app = build(town.portal())
    code = await town.code_of(town.vera)

    async def try_it() -> int:
        async with Browser(app) as browser:
            return (await browser.log_in("VERA2345", code)).status_code

    statuses = await asyncio.gather(*(try_it() for _ in range(20)))
    assert statuses.count(303) == 1
    assert set(statuses) <= {303, 422, 429, 503}


@pytest.mark.parametrize(
    "change", ["no cookie", "other cookie", "no proof", "other proof", "no id"]
)
async def test_a_form_that_this_browser_was_not_given(
    town: Town, browser: Browser, change: str
) -> None:
    """403 with a way to a new form; nothing is judged."""
    before = await _version(town)
    fields = await browser.open_form()
    fields |= {"user_code": "VERA2345", "code": await town.code_of(town.vera)}
    match change:
        case "no cookie":
            browser.cookies.clear()
        case "other cookie":
            browser.cookies.set("sesame_browser", "00" * 32)
        case "no proof":
            del fields["proof"]
        case "other proof":
            fields["proof"] = (await browser.open_form())["proof"]
        case _:
            del fields["form"]
    answer = await browser.post("/acces/sesame", data=fields)
    assert answer.status_code == 403
    assert "Ce formulaire ne peut pas être envoyé" in answer.text
    assert 'href="/acces/sesame"' in answer.text
    assert fields["code"] not in answer.text
    assert await _version(town) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": ORIGIN}, 303),
        ({"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
async def test_another_site_cannot_send_it(
    town: Town, browser: Browser, headers: dict[str, str], status: int
) -> None:
    """Even with all the fields right."""
    fields = await browser.open_form()
    fields |= {"user_code": "VERA2345", "code": await town.code_of(town.vera)}
    answer = await browser.post("/acces/sesame", data=fields, headers=headers)
    assert answer.status_code == status


async def test_the_second_form_of_a_browser_leaves_the_first_good(
    town: Town, browser: Browser
) -> None:
    """Two windows side by side."""
    first = await browser.open_form()
    second = await browser.open_form()
    assert first["form"] != second["form"]
    fields = first | {"user_code": "VERA2345", "code": await town.code_of(town.vera)}
    assert (await browser.post("/acces/sesame", data=fields)).status_code == 303


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"--x--", "multipart/form-data; boundary=x", 415),
        (b"a=" + b"b" * 9000, "application/x-www-form-urlencoded", 413),
        (b"code=1&code=2", "application/x-www-form-urlencoded", 400),
        (b"\xff\x00&%", "application/x-www-form-urlencoded", 403),
    ],
)
async def test_other_bodies(browser: Browser, content: bytes, kind: str, status: int) -> None:
    """Whatever bytes arrive, the answer is a proper page."""
    await browser.open_form()
    answer = await browser.post("/acces/sesame", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert "<h1>" in answer.text


# ── Where it leads ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("retour", "leads_to"),
    [
        ("/espace?compte=2", "/espace?compte=2"),
        ("/acces", "/acces"),
        ("", "/espace"),
        ("https://evil.test/", "/espace"),
        ("//evil.test", "/espace"),
        ("/\\evil.test", "/espace"),
        ("/\t/evil.test", "/espace"),
    ],
)
async def test_it_leads_back_to_our_own_pages_only(
    town: Town, browser: Browser, retour: str, leads_to: str
) -> None:
    """Asked for in the address of the form, or changed in the form itself."""
    form = hidden_fields((await browser.get("/acces/sesame", params={"retour": retour})).text)
    assert form["retour"] == leads_to
    code = await town.code_of(town.vera)
    answer = await browser.log_in("VERA2345", code, retour=retour)
    assert answer.status_code == 303
    assert answer.headers["location"] == leads_to


@pytest.mark.parametrize(
    ("motif", "says"),
    [
        ("session", "Votre session est terminée"),
        ("connexion", "Identifiez-vous pour ouvrir cette page."),
    ],
)
async def test_it_says_why_somebody_was_sent_here(browser: Browser, motif: str, says: str) -> None:
    """One of our sentences; the address cannot bring its own."""
    assert says in (await browser.get("/acces/sesame", params={"motif": motif})).text
    other = await browser.get("/acces/sesame", params={"motif": "Appelez le 08 99"})
    assert "08 99" not in other.text.replace("08+99", "")
    assert 'role="status"' not in other.text
