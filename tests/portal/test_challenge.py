"""« Répondre »: the way in by a response to a number of the bank, for everybody after a restore."""

import re
from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import Connection

from sesame.cap.mode import Inputs, Mode
from sesame.store.incarnation import begin_incarnation, mark_as_backup
from tests.custody.codes import make_code
from tests.portal.browser import Browser, hidden_fields, without_chance
from tests.portal.town import Customer, Town

WAY = "/acces/repondre"
OFFERED = "Répondez à la banque avec votre lecteur"


async def _restore(town: Town) -> None:
    """As if a backup had been put back, and noticed."""

    def begin(connection: Connection) -> None:
        mark_as_backup(connection)
        at = int(town.clock().timestamp() * 1_000_000)
        begin_incarnation(connection, wanted=lambda *_: True, mark=b"the life that is", at=at)

    await town.bank.store.write(begin)


async def _answer(town: Town, customer: Customer, digits: str) -> dict[str, str]:
    """What the reader makes of the number *digits*, and a code after it."""
    customer.atc += 1
    key = await town.custodian.card_key(customer.record)
    answer = make_code(
        key,
        customer.profile,
        atc=customer.atc,
        dki=customer.record.dki,
        inputs=Inputs(mode=Mode.M3, challenge=digits),
    )
    return {
        "user_code": customer.user_code,
        "code": answer.digits,
        "next_code": await town.code_of(customer),
    }


def _digits(page: httpx.Response) -> str:
    found = re.search(r'<output class="challenge"[^>]*>(\d{4})&nbsp;(\d{4})</output>', page.text)
    assert found
    return found[1] + found[2]


async def _open(browser: Browser) -> tuple[str, dict[str, str]]:
    page = await browser.get(WAY)
    assert page.status_code == 200
    return _digits(page), hidden_fields(page.text)


async def test_after_a_restore_everybody_is_led_to_the_challenge(
    town: Town, browser: Browser
) -> None:
    """The address keeps where one was going; whoever has answered says so and sees one field."""
    await _restore(town)
    led = await browser.get("/acces/sesame?retour=%2Fespace%2Fconnexions&motif=session")
    assert led.status_code == 303
    assert led.headers["location"] == f"{WAY}?retour=%2Fespace%2Fconnexions&motif=session"
    page = await browser.get(led.headers["location"])
    assert "Votre session est terminée" in page.text
    link = re.search(r'href="(/acces/sesame\?un-code[^"]*)"', page.text)
    assert link
    assert (
        link[1].replace("&amp;", "&") == ("/acces/sesame?un-code=oui&retour=%2Fespace%2Fconnexions")
        or "retour=/espace/connexions" in link[1]
    )
    one = await browser.get(link[1].replace("&amp;", "&"))
    assert one.status_code == 200
    assert 'name="next_code"' not in one.text
    assert hidden_fields(one.text)["retour"] == "/espace/connexions"


async def test_the_owner_answers_once_and_signs_in_by_a_code_again(
    town: Town, browser: Browser
) -> None:
    """A code alone is refused before, in the words of every refusal, and taken after."""
    await _restore(town)
    refused = await _with_one_code(town, browser, await town.code_of(town.vera))
    assert refused.status_code == 422
    assert "Connexion refusée" in refused.text
    assert OFFERED in refused.text
    digits, fields = await _open(browser)
    answered = await browser.post(WAY, data=fields | await _answer(town, town.vera, digits))
    assert (answered.status_code, answered.headers["location"]) == (303, "/espace")
    assert (await browser.get("/espace")).status_code == 200
    again = await _with_one_code(town, browser, await town.code_of(town.vera))
    assert again.status_code == 303


async def _with_one_code(town: Town, browser: Browser, code: str) -> httpx.Response:
    fields = await browser.open_form("?un-code=oui")
    return await browser.post(
        "/acces/sesame", data=fields | {"user_code": town.vera.user_code, "code": code}
    )


async def test_a_sure_card_may_answer_too(town: Town, browser: Browser) -> None:
    """No restore, no need: the way is there all the same, for all alike."""
    digits, fields = await _open(browser)
    answered = await browser.post(WAY, data=fields | await _answer(town, town.omar, digits))
    assert answered.status_code == 303
    connections = await browser.get("/espace/connexions")
    assert "Réponse Sésame et code Sésame" in connections.text


async def test_nobody_sees_who_has_answered_already(town: Town, browser: Browser) -> None:
    """A wrong code for a sure card, for an unsure one and for nobody reads the same."""
    await _restore(town)
    digits, fields = await _open(browser)
    answered = await browser.post(WAY, data=fields | await _answer(town, town.vera, digits))
    assert answered.status_code == 303
    await town.forget_old_code(town.omar)
    pages = []
    for user_code in (town.vera.user_code, town.omar.user_code, "NEMO3333"):
        answer = await browser.post(
            "/acces/sesame",
            data=await browser.open_form("?un-code=oui")
            | {"user_code": user_code, "code": "34567890"},
        )
        pages.append((answer.status_code, without_chance(answer.text).replace(user_code, "")))
    assert len(set(pages)) == 1
    pages = []
    for user_code in (town.vera.user_code, town.omar.user_code, "NEMO3333"):
        digits, fields = await _open(browser)
        answer = await browser.post(
            WAY,
            data=fields | {"user_code": user_code, "code": "34567890", "next_code": "34567891"},
        )
        text = answer.text.replace(user_code, "").replace(_shown(answer), "")
        text = re.sub(r'name="challenge" value="[0-9a-f]+"', "", text)
        pages.append((answer.status_code, without_chance(text)))
    assert len(set(pages)) == 1
    assert pages[0][0] == 422


def _shown(page: httpx.Response) -> str:
    digits = _digits(page)
    return f"{digits[:4]}&nbsp;{digits[4:]}"


async def test_what_is_mistyped_keeps_its_number_and_what_is_refused_gets_another(
    town: Town, browser: Browser
) -> None:
    """The reader's answer is still good, so nobody has to begin again for a slip."""
    digits, fields = await _open(browser)
    right = await _answer(town, town.vera, digits)
    slip = await browser.post(WAY, data=fields | right | {"next_code": "123"})
    assert slip.status_code == 422
    assert "Aucun essai n’a été compté" in slip.text
    assert _digits(slip) == digits
    mended = await browser.post(WAY, data=hidden_fields(slip.text) | right)
    assert mended.status_code == 303
    refused = await browser.post(WAY, data=(await _open(browser))[1] | right)
    assert refused.status_code == 422
    assert "Connexion refusée" in refused.text
    assert _digits(refused) != digits


@pytest.mark.parametrize(
    "spoil",
    [
        lambda fields: fields | {"challenge": ""},
        lambda fields: fields | {"challenge": "0" * 80},
        lambda fields: {name: fields[name] for name in fields if name != "challenge"},
    ],
    ids=["empty", "made up", "missing"],
)
async def test_a_challenge_that_is_none_costs_no_try(
    town: Town, browser: Browser, spoil: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    """A new number, in words of its own."""
    digits, fields = await _open(browser)
    right = await _answer(town, town.vera, digits)
    before = await town.bank.store.read_access(town.vera.user_code)
    answer = await browser.post(WAY, data=spoil(fields) | right)
    assert answer.status_code == 422
    assert "ce nombre n’est plus le bon" in answer.text
    assert _digits(answer) != digits
    assert await town.bank.store.read_access(town.vera.user_code) == before


async def test_a_challenge_ends_after_ten_minutes_and_is_one_browsers(
    town: Town, browser: Browser
) -> None:
    """Whoever brings it later, or from elsewhere, gets another one."""
    digits, _ = await _open(browser)
    right = await _answer(town, town.vera, digits)
    own = hidden_fields((await browser.get(WAY)).text)
    browser.cookies.clear()
    foreign = hidden_fields((await browser.get(WAY)).text)
    answer = await browser.post(WAY, data=foreign | {"challenge": own["challenge"]} | right)
    assert "ce nombre n’est plus le bon" in answer.text
    late = hidden_fields(answer.text)
    town.clock.advance(minutes=10)
    answer = await browser.post(WAY, data=late | right)
    assert "ce nombre n’est plus le bon" in answer.text


async def test_thirty_days_later_it_is_offered_under_refusals_only(
    town: Town, browser: Browser
) -> None:
    """Whoever did not come until then still finds the way."""
    await _restore(town)
    town.clock.advance(days=30)
    assert (await browser.get("/acces/sesame")).status_code == 200
    for way in ("/acces/sesame", "/acces/deux-codes", "/acces/ancien-code"):
        fields = {"user_code": "NEMO3333", "code": "34567890", "next_code": "34567891"}
        refused = await browser.fill_in(way, **fields, old_code="tilleul")
        assert refused.status_code == 422
        assert OFFERED in refused.text
        town.clock.advance(hours=1)


async def test_without_a_restore_nobody_hears_of_it(browser: Browser) -> None:
    """The pages are as they were."""
    assert (await browser.get("/acces/sesame")).status_code == 200
    refused = await browser.log_in("NEMO3333", "34567890")
    assert OFFERED not in refused.text


async def test_where_one_code_is_not_enough_the_challenge_is(town: Town, browser: Browser) -> None:
    """It is two codes as well, so nothing more is asked."""
    await _restore(town)
    for _ in range(3):
        for _ in range(3):
            await _with_one_code(town, browser, "34567890")
        town.clock.advance(hours=2)
    wanted = await _with_one_code(town, browser, "34567890")
    assert wanted.status_code == 422
    assert "Répondez au nombre ci-dessous" in wanted.text
    fields = hidden_fields(wanted.text)
    right = await _answer(town, town.vera, _digits(wanted))
    assert (await browser.post(WAY, data=fields | right)).status_code == 303


async def test_the_page_draws_the_key_and_speaks_english(browser: Browser) -> None:
    """The reader with an arrow at its middle key; all sentences are in the catalogue."""
    page = await browser.get(WAY)
    assert "Une flèche montre la touche «\N{NO-BREAK SPACE}Répondre\N{NO-BREAK SPACE}»" in page.text
    assert 'class="ring" x="120"' in page.text
    await browser.get("/langue/en?retour=/acces/repondre")
    english = await browser.get(WAY)
    assert "Number to copy to your reader" in english.text
    assert "Pourquoi" not in english.text
