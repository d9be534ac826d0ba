"""The till's addresses: a form, a payment, a ticket."""

import asyncio
import logging
import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from sesame.card.card_file import open_card, read_summary
from sesame.card.memory import Counters
from sesame.catalogue import Language
from sesame.simulator.routes import build
from sesame.simulator.till_pages import MOST_TICKETS, TillCard, euros
from tests.simulator.table import CAMILLE, INES, PIN, WRONG_PIN, Table

ENGLISH = {"sesame_language": "en"}
GOOD = {"card": CAMILLE, "amount": "12,50", "pin": PIN}


async def pay(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    """Send the form, and open the ticket."""
    answer = await client.post("/caisse", data={**GOOD, **fields})
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"]
    assert re.fullmatch(r"/caisse/ticket/[0-9a-f]{32}", address)
    ticket = await client.get(address)
    assert ticket.status_code == 200
    return ticket


def counters(table: Table, name: str = CAMILLE) -> Counters:
    """Where a card of the drawer stands."""
    path = table.drawer.card(name)
    assert path is not None
    return read_summary(path).counters


def words(page: httpx.Response) -> str:
    """The text of a page's main part."""
    (main,) = re.findall(r"<main.*?</main>", page.text, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", main).replace("\u00a0", " "))


# ── The form ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_table_leads_to_the_till(client: httpx.AsyncClient) -> None:
    """By a link; there are all cards of the drawer, and the PINs that their holders know."""
    assert 'href="/caisse"' in (await client.get("/")).text
    page = await client.get("/caisse")
    assert page.status_code == 200
    names = re.findall(r'type="radio" name="card" value="([^"]*)"', page.text)
    assert names == [CAMILLE, INES, "payment-only", "mute", "expired", "blocked"]
    said = words(page)
    assert "Camille Martin" in said
    assert f"Code secret de la carte {PIN}" in said
    assert ".card" not in page.text
    assert "checked" not in page.text
    assert "Erreur" not in page.text


async def test_the_pin_s_field_is_masked(client: httpx.AsyncClient) -> None:
    """And empty, and not to be remembered."""
    (pin,) = re.findall(r'<input[^>]*name="pin"[^>]*>', (await client.get("/caisse")).text)
    assert 'type="password"' in pin
    assert 'value=""' in pin
    assert 'autocomplete="off"' in pin


async def test_a_card_may_be_chosen_before(client: httpx.AsyncClient) -> None:
    """By its name in the address; a name that the drawer has not is nobody."""
    page = (await client.get(f"/caisse?carte={INES}")).text
    assert f'value="{INES}" required checked' in page
    assert page.count(" checked") == 1
    assert "checked" not in (await client.get('/caisse?carte="><b>')).text


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"card": ""}, "card", "Choisissez une carte."),
        ({"card": "../etc/passwd"}, "card", "Choisissez une carte."),
        ({"amount": ""}, "amount", "Entrez le montant à payer."),
        ({"amount": " € "}, "amount", "Entrez le montant à payer."),
        ({"amount": "douze"}, "amount", "Écrivez le montant en chiffres, sans virgule ni point"),
        ({"amount": "-5"}, "amount", "Écrivez le montant en chiffres"),
        ({"amount": "1,234"}, "amount", "Écrivez le montant en chiffres"),
        ({"amount": "١٢"}, "amount", "Écrivez le montant en chiffres"),
        ({"amount": "0"}, "amount", "un centime au moins"),
        ({"amount": "0,00"}, "amount", "un centime au moins"),
        ({"amount": "10000"}, "amount", "pas plus de 9 999,99 €"),
        ({"amount": "9" * 5000}, "amount", "pas plus de 9 999,99 €"),
        ({"pin": ""}, "pin", "de 4 à 12 chiffres"),
        ({"pin": "123"}, "pin", "de 4 à 12 chiffres"),
        ({"pin": "9081726354433"}, "pin", "de 4 à 12 chiffres"),
        ({"pin": "90a8"}, "pin", "de 4 à 12 chiffres"),
    ],
)
async def test_what_is_to_be_corrected_stands_at_its_field(
    client: httpx.AsyncClient, table: Table, fields: dict[str, str], field: str, says: str
) -> None:
    """One message, there; the title begins with it; nothing is paid, and the PIN is not shown."""
    page = await client.post("/caisse", data={**GOOD, **fields})
    assert page.status_code == 422
    assert "<title>Erreur – " in page.text
    (message,) = re.findall(r'<p class="field-error" id="(\w+)-error">([^<]*)</p>', page.text)
    assert message[0] == field
    assert says in message[1].replace("\u202f", " ").replace("\u00a0", " ")
    assert page.text.count('aria-invalid="true"') == page.text.count(" autofocus") == 1
    assert re.search(rf'aria-describedby="{field}-error', page.text)
    assert 'name="pin" type="password" value=""' in page.text
    shown = re.sub(r'name="form" value="\w+"', "", page.text)  # by chance, in hexadecimal
    assert fields.get("pin") in (None, "") or fields["pin"] not in shown.replace(PIN, "")
    assert counters(table) == Counters(atc=0, pin_tries_left=3)


async def test_what_was_right_is_kept(client: httpx.AsyncClient) -> None:
    """Card and amount, as they were typed and no more; the PIN never."""
    page = (await client.post("/caisse", data={**GOOD, "amount": '12,5 "<', "pin": "777"})).text
    assert f'value="{CAMILLE}" required checked' in page
    assert 'value="12,5 &#34;&lt;"' in page
    assert "777" not in page


async def test_an_empty_form(client: httpx.AsyncClient) -> None:
    """Three messages; the focus is at the first."""
    page = (await client.post("/caisse", data={"nothing": ""})).text
    assert page.count("field-error") == 3
    assert page.count(" autofocus") == 1
    assert re.search(r'type="radio"[^>]* autofocus', page)


async def test_an_english_form(client: httpx.AsyncClient) -> None:
    """Whole, with its amounts and its messages."""
    client.cookies.update(ENGLISH)
    page = await client.post("/caisse", data={"amount": "10000", "pin": "1"})
    said = words(page)
    for sentence in (
        "The till of a shop",
        "Choose a card.",
        "This till takes no more than €9,999.99.",
        "A card’s PIN has 4 to 12 digits.",
        "For example 12.50. At most €9,999.99.",
    ):
        assert sentence in said
    for word in ("carte", "caisse", "Montant", "Payer", "secret"):
        assert word not in said


@pytest.mark.parametrize("typed", ["1,250.00", "1,250"])
async def test_english_thousands(client: httpx.AsyncClient, table: Table, typed: str) -> None:
    """What a comma means is not guessed: the message says how to write it, and that is paid."""
    client.cookies.update(ENGLISH)
    said = words(await client.post("/caisse", data={**GOOD, "amount": typed}))
    assert counters(table) == Counters(atc=0, pin_tries_left=3)
    told = re.search(r"without a thousands comma, for example ([\d.]+)\.(?!\d)", said)
    assert told is not None
    page = await client.post("/caisse", data={**GOOD, "amount": told[1]}, follow_redirects=True)
    assert "€1,250.00" in words(page)


@pytest.mark.parametrize(
    ("typed", "paid"),
    [
        ("12,50", "12,50 €"),
        ("12.5", "12,50 €"),
        ("12", "12,00 €"),
        ("0,01", "0,01 €"),
        ("1 234,56 €", "1 234,56 €"),
        ("1\u202f234,56\u00a0€", "1 234,56 €"),
        ("0009999,99", "9 999,99 €"),
    ],
)
async def test_amounts_as_people_write_them(
    client: httpx.AsyncClient, typed: str, paid: str
) -> None:
    """Comma or point, with spaces and the sign of the euro."""
    assert f"Montant {paid}" in words(await pay(client, amount=typed)).replace("\u202f", " ")


def test_euros() -> None:
    """As each language writes them; nothing in them breaks a line."""
    assert euros(1_234_56, Language.FRENCH) == "1\u202f234,56\u00a0€"
    assert euros(1_234_56, Language.ENGLISH) == "€1,234.56"


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.test"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_no_other_site_pays(
    client: httpx.AsyncClient, table: Table, headers: dict[str, str]
) -> None:
    """The till's own form is offered instead, and nothing of the other is in it."""
    page = await client.post("/caisse", data=GOOD, headers=headers)
    assert page.status_code == 403
    assert "Ce formulaire vient d’un autre site." in words(page)
    assert "checked" not in page.text
    assert "12,50" not in page.text.replace("Par exemple 12,50", "")
    assert counters(table).atc == 0


async def test_our_own_page_pays(client: httpx.AsyncClient) -> None:
    """As browsers say it."""
    headers = {"Origin": "http://sim.test", "Sec-Fetch-Site": "same-origin"}
    assert (await client.post("/caisse", data=GOOD, headers=headers)).status_code == 303


async def test_another_body_is_no_form(client: httpx.AsyncClient) -> None:
    """Refused unread, or as far as it is a form."""
    assert (await client.post("/caisse", json=GOOD)).status_code == 415
    assert (await client.post("/caisse", data={"pin": "1" * 9000})).status_code == 413


# ── The ticket ───────────────────────────────────────────────────────────────────────────────────


async def test_a_payment(client: httpx.AsyncClient, table: Table) -> None:
    """Amount, card, last four digits, the counter before and after; and what that means."""
    await pay(client)
    ticket = await pay(client)
    said = words(ticket)
    assert "<h1>Paiement accepté</h1>" in ticket.text
    last4 = read_summary(table.drawer.customers[0].card).last4
    for sentence in (
        "Montant 12,50 €",
        "Carte Camille Martin",
        f"Fin du numéro de la carte {last4}",
        "Compteur de la carte (ATC) avant 1",
        "Compteur de la carte (ATC) après 2",
        (
            "Le compteur de la carte est passé de 1 à 2 : chaque paiement le fait avancer, "
            "et la banque le sait pour cette carte."
        ),
        (
            "Les codes Sésame de cette carte marchent toujours : la banque les reconnaît tant que "
            "le compteur n’a pas avancé de plus de 255 depuis le dernier code accepté."
        ),
    ):
        assert sentence in said
    assert f'href="/caisse?carte={CAMILLE}"' in ticket.text
    assert counters(table) == Counters(atc=2, pin_tries_left=3, last_online_atc=2)


async def test_a_ticket_read_again_pays_nothing(client: httpx.AsyncClient, table: Table) -> None:
    """It is what it was, in either language."""
    first = await pay(client, amount="1234,5")
    again = await client.get(first.url.path)
    assert again.text == first.text
    client.cookies.update(ENGLISH)
    english = words(await client.get(first.url.path))
    assert "Payment accepted" in english
    assert "Amount €1,234.50" in english
    assert "The card’s counter went from 0 to 1: every payment moves it" in english
    assert counters(table).atc == 1


async def test_a_form_that_is_sent_twice_pays_once(client: httpx.AsyncClient, table: Table) -> None:
    """A double click, with a wrong PIN too; another form is another payment."""
    for expected in (1, 2):
        page = (await client.get("/caisse")).text
        (form,) = re.findall(r'name="form" value="([0-9a-f]{32})"', page)
        sent = {**GOOD, "form": form, "pin": WRONG_PIN}
        answers = await asyncio.gather(*(client.post("/caisse", data=sent) for _ in range(3)))
        assert {answer.headers["location"] for answer in answers} == {f"/caisse/ticket/{form}"}
        assert counters(table) == Counters(atc=expected, pin_tries_left=3 - expected)


async def test_customers_pay_one_after_the_other(client: httpx.AsyncClient, table: Table) -> None:
    """With one card from several windows: each payment is one step, and none finds it in use."""
    tickets = await asyncio.gather(*(pay(client) for _ in range(4)))
    steps = [f"passé de {n} à {n + 1} " for n in range(4)]
    assert all(sum(step in words(ticket) for ticket in tickets) == 1 for step in steps)
    assert counters(table).last_online_atc == 4


async def test_a_payment_card_of_another_bank(client: httpx.AsyncClient) -> None:
    """Pays, and nothing is said of codes that it does not make."""
    said = words(await pay(client, card="payment-only"))
    assert "Paiement accepté" in said
    assert "passé de 0 à 1" in said
    assert "codes Sésame" not in said


@pytest.mark.parametrize(
    ("card", "why"),
    [
        (INES, "Cette carte ne paie pas : elle ne fait que des codes Sésame."),
        ("expired", "Cette carte ne paie pas"),
        ("blocked", "Cette carte ne paie pas"),
        ("mute", "La puce de cette carte ne répond pas."),
    ],
)
async def test_cards_that_do_not_pay(client: httpx.AsyncClient, card: str, why: str) -> None:
    """Each says why; the counter is not spoken of, for it has not moved."""
    ticket = await pay(client, card=card)
    assert "<h1>Paiement refusé</h1>" in ticket.text
    said = words(ticket)
    assert why in said
    assert "Compteur" not in said
    assert "codes Sésame de cette carte marchent" not in said


async def test_wrong_pins(client: httpx.AsyncClient, table: Table) -> None:
    """The tries that are left, the warning, and the card is blocked, here and in a reader."""
    tickets = [words(await pay(client, pin=WRONG_PIN)) for _ in range(3)]
    assert "Code secret faux. Il reste 2 essais." in tickets[0]
    assert "passé de 0 à 1 : un paiement refusé le fait avancer aussi." in tickets[0]
    assert "Il reste 1 essai : au prochain code faux, la carte se bloque." in tickets[1]
    assert "La carte est bloquée" in tickets[2]
    assert not any("marchent toujours" in ticket for ticket in tickets)
    assert "La carte est bloquée" in words(await pay(client))
    opened = (await client.post("/readers", json={})).json()["id"]
    event = {"event": "insert", "card": CAMILLE}
    face = (await client.post(f"/readers/{opened}/events", json=event)).json()
    assert face["state"] == "card-blocked"
    assert counters(table).pin_tries_left == 0


async def test_a_card_that_sticks_in_a_reader_is_pulled_out(client: httpx.AsyncClient) -> None:
    """Of any window, with power or without; the other window sees that it has gone."""
    opened = (await client.post("/readers", json={})).json()["id"]
    event = {"event": "insert", "card": CAMILLE}
    await client.post(f"/readers/{opened}/events", json=event)
    assert "Paiement accepté" in words(await pay(client))
    assert (await client.get(f"/readers/{opened}")).json()["card"] is None
    # Another card stays where it is.
    await client.post(f"/readers/{opened}/events", json={"event": "insert", "card": INES})
    await pay(client)
    assert (await client.get(f"/readers/{opened}")).json()["card"]["name"] == INES


async def test_a_card_that_another_program_uses(
    client: httpx.AsyncClient, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is said to be in use; nothing was counted."""
    monkeypatch.setattr("sesame.simulator.till_pages._CARD_WAIT", 0.0)
    with open_card(table.drawer.customers[0].card):
        said = words(await pay(client))
    assert "Un autre programme se sert de cette carte." in said
    assert counters(table).atc == 0


async def test_a_damaged_card(client: httpx.AsyncClient, table: Table) -> None:
    """Is said to be damaged."""
    table.drawer.customers[0].card.write_bytes(b"{}")
    assert "Cette carte est abîmée." in words(await pay(client))


async def test_an_expired_bank_card(table: Table) -> None:
    """Refused before the PIN."""
    simulator = table.simulator()
    clock = replace(simulator.clock, today=lambda: 20300101)
    transport = httpx.ASGITransport(build(table.simulator(clock=clock)))
    async with httpx.AsyncClient(transport=transport, base_url="http://sim.test") as later:
        said = words(await pay(later, pin=WRONG_PIN))
    assert "La carte a expiré." in said
    assert counters(table) == Counters(atc=1, pin_tries_left=3)


async def test_tickets_are_not_kept_for_ever(client: httpx.AsyncClient) -> None:
    """The oldest goes first; one that is not there is a page that says so."""
    tickets = [await client.post("/caisse", data={**GOOD, "card": "mute"}) for _ in range(2)]
    for _ in range(MOST_TICKETS - 1):
        await client.post("/caisse", data={**GOOD, "card": "mute"})
    found = [(await client.get(ticket.headers["location"])).status_code for ticket in tickets]
    assert found == [404, 200]
    assert (await client.get("/caisse/ticket/0")).status_code == 404


async def test_the_pin_is_nowhere_but_in_the_drawer(
    client: httpx.AsyncClient, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in an address, a page, a log or a cookie: right, wrong or no PIN at all."""
    caplog.set_level(logging.DEBUG)
    for pin in ("90817263", "908172635443322", "9081"):
        answer = await client.post("/caisse", data={**GOOD, "pin": pin})
        shown = [answer.text, str(answer.headers), caplog.text]
        if answer.status_code == 303:
            ticket = await client.get(answer.headers["location"])
            shown += [ticket.text, str(ticket.headers)]
        assert not any("9081" in text for text in shown)
    assert counters(table).pin_tries_left == 1


def test_a_card_at_the_till_does_not_print_its_pin() -> None:
    """Where a trace or a log would show it."""
    card = TillCard(
        name="X", title="X", sort="", look="bank", pin="9081", path=Path("x"), makes_codes=True
    )
    assert "9081" not in repr(card)
