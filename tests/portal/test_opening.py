"""Activation and release: a way in with a number beside the code."""

import re
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import Connection, insert, update

from sesame.bank.activation import activation_hash
from sesame.bank.moments import to_row
from sesame.bank.user_code import UserCode
from sesame.cap.mode import Inputs, Mode
from sesame.store.buckets import bucket_of
from sesame.store.cards import CARDS, CardState
from sesame.store.incarnation import begin_incarnation, mark_as_backup
from sesame.store.orders import ORDERS, OrderRow
from tests.custody.codes import make_code
from tests.portal.browser import Browser, hidden_fields, without_chance
from tests.portal.town import Customer, Town

ACTIVATION = "/activation"
RELEASE = "/deblocage"
NUMBER = "1234-5678"
NOBODY = "NOBODY99"


async def have_wait(town: Town, customer: Customer) -> None:
    """Let the card of *customer* wait for its activation by `NUMBER`, for thirty days."""
    key = (bucket_of(customer.user_code), UserCode(customer.user_code))
    row = OrderRow(*key, 1, "sesame", "first", None, 0, "STAFF222", 1)._replace(
        activation_hash=await activation_hash(town.bank, key, 1, NUMBER),
        activation_until=to_row(town.clock() + timedelta(days=30)),
    )

    def wait(connection: Connection) -> None:
        connection.execute(insert(ORDERS).values(row._asdict()))
        card = update(CARDS).where(CARDS.c.user_code == customer.user_code)
        connection.execute(card.values(state=CardState.WAITING))

    await town.bank.store.write(wait)


async def _activate(
    town: Town, browser: Browser, *, number: str = NUMBER, user_code: str | None = None
) -> httpx.Response:
    fields = {"user_code": user_code or town.vera.user_code, "number": number}
    code = await town.code_of(town.vera)
    return await browser.fill_in(ACTIVATION, **fields, code=code)


async def test_a_new_card_is_activated_and_its_owner_is_in(town: Town, browser: Browser) -> None:
    """The space says what happened, and that the old code is gone; a code alone does from then."""
    await have_wait(town, town.vera)
    refused = await browser.log_in(town.vera.user_code, await town.code_of(town.vera))
    assert refused.status_code == 422
    assert f'href="{ACTIVATION}"' in refused.text
    answer = await _activate(town, browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/espace")
    space = (await browser.get("/espace")).text
    assert "Votre carte est activée." in space
    assert "Votre ancien code confidentiel a fini son service" in space
    assert "Activation d’une carte" in (await browser.get("/espace/connexions")).text
    again = await browser.log_in(town.vera.user_code, await town.code_of(town.vera))
    assert again.status_code == 303
    assert "Votre carte est activée." not in (await browser.get("/espace")).text


async def test_nobody_outside_learns_why_it_was_refused(town: Town, browser: Browser) -> None:
    """A wrong number, a wrong code, no card that waits, an expired number, nobody: one answer."""
    await have_wait(town, town.vera)
    answers = [
        await _activate(town, browser, number="1234-5679"),
        await browser.fill_in(ACTIVATION, user_code="VERA2345", number=NUMBER, code="34567890"),
        await _activate(town, browser, user_code="OMAR6789"),
        await _activate(town, browser, user_code=NOBODY),
    ]
    town.clock.advance(days=31)
    answers.append(await _activate(town, browser))
    seen = {
        re.sub(r'value="(VERA2345|OMAR6789|NOBODY99)"', 'value="…"', without_chance(answer.text))
        for answer in answers
    }
    assert {answer.status_code for answer in answers} == {422}
    assert len({re.sub("<aside.*</aside>", "", page, flags=re.DOTALL) for page in seen}) == 1
    assert "Activation refusée." in answers[0].text
    assert "1234" not in answers[0].text


async def test_what_is_mistyped_costs_no_try(town: Town, browser: Browser) -> None:
    """Each field in its own words; a number in the code's place, and the code in the number's."""
    await have_wait(town, town.vera)
    for fields, said in (
        ({"number": "1234"}, "Un numéro d’activation a 8 chiffres"),
        ({"number": "34567890"}, "C’est le code Sésame que vous avez entré ici."),
        ({"code": "12"}, "Un code Sésame a 8 chiffres"),
        ({"user_code": "NO"}, "Votre code utilisateur a 8 caractères"),
    ):
        typed = {"user_code": "VERA2345", "number": NUMBER, "code": "34567890"} | fields
        answer = await browser.fill_in(ACTIVATION, **typed)
        assert answer.status_code == 422
        assert said in answer.text
        assert "Aucun essai n’a été compté." in answer.text
    assert (await town.bank.store.read_access(town.vera.user_code)).version == 1
    mistyped = await browser.fill_in(RELEASE, user_code="VERA2345", number="1", code="34567890")
    assert "Un numéro de déblocage a 8 chiffres" in mistyped.text


async def test_a_number_in_the_first_field_is_not_shown_again(browser: Browser) -> None:
    """Where a number is asked for, eight digits may be that, also what no card makes."""
    number = "99999999"
    for way in (ACTIVATION, RELEASE):
        answer = await browser.fill_in(way, user_code=number, number="1", code="34567890")
        assert answer.status_code == 422
        assert number not in answer.text
        answer = await browser.fill_in(way, user_code=number, number=NUMBER, code="34567890")
        assert number not in answer.text


async def test_too_many_refusals_suspend_logins_too(town: Town, browser: Browser) -> None:
    """They are the same tries."""
    await have_wait(town, town.vera)
    for _ in range(3):
        assert (await _activate(town, browser, number="0000-0000")).status_code == 422
    suspended = await _activate(town, browser)
    assert suspended.status_code == 429
    assert "l’accès est suspendu" in suspended.text
    login = await browser.log_in(town.vera.user_code, await town.code_of(town.vera))
    assert login.status_code == 429


async def test_two_codes_with_the_number_where_one_is_not_enough(
    town: Town, browser: Browser
) -> None:
    """After so many failures; the form for them has the number too."""
    await have_wait(town, town.vera)
    for _ in range(3):
        for _ in range(3):
            await browser.log_in(town.vera.user_code, "34567890")
        town.clock.advance(hours=5)
    wanted = await _activate(town, browser)
    assert wanted.status_code == 422
    assert 'action="/activation/deux-codes"' in wanted.text
    answer = await browser.post(
        "/activation/deux-codes",
        data=hidden_fields(wanted.text)
        | {
            "user_code": town.vera.user_code,
            "number": NUMBER,
            "code": await town.code_of(town.vera),
            "next_code": await town.code_of(town.vera),
        },
    )
    assert answer.status_code == 303


@pytest.mark.parametrize("way", [ACTIVATION, RELEASE])
async def test_after_a_restore_the_card_answers_first(
    town: Town, browser: Browser, way: str
) -> None:
    """The form leads to the challenge, and back for whoever has answered; it activates a card."""
    await have_wait(town, town.vera)

    def restore(connection: Connection) -> None:
        mark_as_backup(connection)
        at = to_row(town.clock())
        begin_incarnation(connection, wanted=lambda *_: True, mark=b"the life that is", at=at)

    await town.bank.store.write(restore)
    led = await browser.get(way)
    assert (led.status_code, led.headers["location"]) == (303, f"{way}/repondre")
    page = (await browser.get(f"{way}/repondre")).text
    assert f'href="{way}?un-code=oui&amp;retour=%2Fespace"' in page.replace("=/e", "=%2Fe")
    assert 'name="next_code"' not in (await browser.get(f"{way}?un-code=oui")).text
    found = re.search(r'<output class="challenge"[^>]*>(\d{4})&nbsp;(\d{4})</output>', page)
    assert found
    town.vera.atc += 1
    answer = make_code(
        await town.custodian.card_key(town.vera.record),
        town.vera.profile,
        atc=town.vera.atc,
        dki=town.vera.record.dki,
        inputs=Inputs(mode=Mode.M3, challenge=found[1] + found[2]),
    )
    done = await browser.post(
        f"{way}/repondre",
        data=hidden_fields(page)
        | {
            "user_code": town.vera.user_code,
            "number": NUMBER,
            "code": answer.digits,
            "next_code": await town.code_of(town.vera),
        },
    )
    assert done.status_code == (303 if way == ACTIVATION else 422)


async def test_it_is_found_where_it_is_looked_for(browser: Browser) -> None:
    """From the login, from the help, and from under a refusal."""
    refused = await browser.log_in(NOBODY, "34567890")
    for page in (await browser.get("/acces/sesame"), await browser.get("/aide"), refused):
        assert f'href="{ACTIVATION}"' in page.text
    for page in (await browser.get("/aide"), refused):
        assert f'href="{RELEASE}"' in page.text


async def test_a_double_click_opens_one_session(town: Town, browser: Browser) -> None:
    """The same form twice: the same answer, the same cookie."""
    await have_wait(town, town.vera)
    fields = await browser.open_form(way=ACTIVATION)
    code = await town.code_of(town.vera)
    fields |= {"user_code": "VERA2345", "number": NUMBER, "code": code}
    first, second = [await browser.post(ACTIVATION, data=fields) for _ in range(2)]
    assert first.headers.get_list("set-cookie")[0] == second.headers.get_list("set-cookie")[0]
    assert second.status_code == 303
