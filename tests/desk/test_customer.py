"""The page about one customer: everything staff need, nothing secret, and who looked."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
from sqlalchemy import Connection, insert, update

from sesame.bank.approving import ask
from sesame.bank.dossier import PAGE
from sesame.bank.helping import HANDED_OVER
from sesame.bank.looking import note_look
from sesame.bank.moments import to_row
from sesame.bank.notices import Event
from sesame.bank.person import erase
from sesame.bank.sessions import end_all_sessions
from sesame.bank.staff import BANK_ITSELF, Role
from sesame.bank.user_code import UserCode
from sesame.desk.customer import ACTIONS
from sesame.desk.customer import NOTICES as NOTICES_NAMED
from sesame.desk.routes import build
from sesame.portal.routes import build as build_portal
from sesame.postal import LetterFormat
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState, set_card_state
from sesame.store.details import DetailsRow, insert_details
from sesame.store.dispatches import DispatchRow, insert_dispatch
from sesame.store.errors import StoreUnavailable
from sesame.store.holds import HOLDS, put_desk_hold
from sesame.store.notices import NOTICES, insert_notice
from sesame.store.orders import ORDERS, insert_order
from sesame.store.readers import READERS
from sesame.store.replayed_cards import CardMoves, move_cards
from tests.custody.keystores import chance
from tests.desk.office import ADDRESS, Office, Person, person
from tests.desk.test_pages import desk_of
from tests.portal.browser import Browser
from tests.portal.test_opening import NUMBER, have_wait
from tests.portal.town import wrong_code

PAGE_OF_VERA = "/guichet/client/VERA2345"


@pytest.fixture
async def browser(office: Office) -> AsyncIterator[Browser]:
    """A browser before the desk, where Ada is signed in."""
    async with Browser(build(desk_of(office))) as browser:
        await sign_in(browser, office, office.ada)
        yield browser


async def sign_in(browser: Browser, office: Office, who: Person) -> None:
    """Sign *who* in with a fresh code."""
    code = await office.code_of(who)
    response = await browser.fill_in("/guichet/connexion", staff_code=who.typed, code=code)
    assert response.headers["location"] == "/guichet"


def text_of(response: httpx.Response) -> str:
    """What a page says, without its tags."""
    assert response.status_code == 200, response.text
    return " ".join(re.sub(r"<[^>]*>", " ", response.text).split())


async def live(office: Office) -> None:
    """Véra signs in, comes again with the same code, with a wrong one, and is suspended."""
    vera = office.town.vera
    async with Browser(build_portal(office.town.portal())) as customer:
        code = await office.town.code_of(vera)
        assert (await customer.log_in(vera.user_code, code)).status_code == 303
    async with Browser(build_portal(office.town.portal())) as stranger:
        await stranger.log_in(vera.user_code, code)
        for _ in range(3):
            await stranger.log_in(vera.user_code, wrong_code(await office.town.code_of(vera)))


def fill(connection: Connection, at: int) -> None:
    """Véra has an address, orders, letters, a reader, holds and a notice."""
    key = (bucket_of("VERA2345"), "VERA2345")
    details = DetailsRow(
        line_2="Appartement 4",
        line_3="",
        line_4="12 rue des Tilleuls",
        line_5="",
        postcode="75011",
        city="PARIS",
        country="BE",
        letter_format=LetterFormat.LARGE_PRINT,
        email="vera@example.org",
        card_kind="sesame",
        old_code_to_come=False,
        reference="A-17",
    )
    insert_details(connection, [(key, details, None)])
    for reason, states in (
        ("first", {"card_number": 1, "expires_on": "2029-03-31", "activated_at": at}),
        ("lost", {"cancelled_at": at}),
        ("renewal", {"personalised_at": at}),
        ("pin", {"personalised_at": at, "activation_until": at, "sealed_pin": b"sealed"}),
        ("damaged", {}),
        (HANDED_OVER, {}),
    ):
        by = BANK_ITSELF if reason == "renewal" else "_K7P2M4X"
        number = insert_order(
            connection, key, kind="sesame", reason=reason, replaces=None, by=by, at=at
        )
        if states:
            mine = (ORDERS.c.user_code == key[1], ORDERS.c.order_number == number)
            connection.execute(update(ORDERS).where(*mine).values(states))
    for n, (kind, moments) in enumerate(
        (
            ("card", {"printed_at": at, "posted_at": at}),
            ("pin", {"printed_at": at}),
            ("reader", {"printed_at": at, "posted_at": at, "returned_at": at}),
            ("welcome", {"voided_at": at}),
            ("reminder", {}),
        )
    ):
        row = DispatchRow(
            reference=f"7QK4-XM2{n}",
            bucket=key[0],
            user_code=key[1],
            kind=kind,
            order_number=1,
            due_at=at,
            printed_at=moments.get("printed_at"),
            posted_at=moments.get("posted_at"),
            returned_at=moments.get("returned_at"),
            voided_at=moments.get("voided_at"),
            reader_serial="R-0042" if kind == "reader" else None,
        )
        insert_dispatch(connection, row)
    connection.execute(
        insert(READERS).values(
            serial="R-0042",
            model="Digipass 836",
            state="sent",
            bucket=key[0],
            user_code=key[1],
            changed_at=at,
        )
    )
    set_card_state(connection, key, 1, CardState.HELD)
    for card, by, code in ((1, "owner", key[1]), (2, "desk", "_K7P2M4X")):
        connection.execute(
            insert(HOLDS).values(
                bucket=key[0],
                user_code=key[1],
                card_number=card,
                by=by,
                by_code=code,
                reason="",  # as owners give none
                at=at,
                release_hash=b"h" * 32,
            )
        )
    for n, event in enumerate(("hold", "order")):
        insert_notice(connection, key, notice=bytes([n] * 16), event=event, facts=b"{}", at=at)
    told = update(NOTICES).where(NOTICES.c.event == "order")
    connection.execute(told.values(email_state="none", letter="7QK4-XM25"))


async def test_who_and_what(office: Office, browser: Browser) -> None:
    """Name, address, card by its last digits, letters, orders, readers, holds, notices, counts."""
    await live(office)
    at = to_row(office.town.clock())
    await office.bank.store.write(partial(fill, at=at))
    response = await browser.get(PAGE_OF_VERA)
    said = text_of(response)
    vera = office.town.vera
    for what in (
        "Véra Tissot",
        "VERA2345",
        "français, lettres en grands caractères",
        "12 rue des Tilleuls",
        "75011 PARIS",
        "vera@example.org",
        "A-17",
        f"Carte Sésame ••••{vera.record.pan.last4} – Bloquée",
        "compteur 1, expire le 31/03/2029",
        "Bloquée par l’abonné à",
        "Suspendu jusqu’à",
        "Un code qui avait déjà servi a été présenté",
        "Sésame seulement",
        "Sessions ouvertes\xa0: 1. Navigateurs connus\xa0: 1.",
        "Carte Sésame, première carte, commandée",
        "par K7P2M4X",
        "Carte Sésame, renouvellement, commandée à 14 h 17 par la banque elle-même",
        "Carte Sésame, à remettre au guichet, commandée",
        "activée",
        "annulée",
        "faite, à activer",
        "– faite à",
        "– à faire",
        "7QK4-XM20 – lettre avec la carte – posté",
        "lettre du code secret – imprimé",
        "colis du lecteur, R-0042 – revenu",
        "annulé",
        "à imprimer à partir du 02/03/2026",
        "R-0042 (Digipass 836) – envoyé",
        "Blocage d’une carte – à 14 h 17 – à envoyer",
        "Carte commandée – à 14 h 17 – sans courriel, lettre 7QK4-XM25",
        "Demander la levée d’un blocage",
    ):
        assert what.replace("\xa0", " ") in said.replace("\xa0", " "), what
    assert not re.search(r"Bloquée par l’abonné à 14 h 17\s*:", said)  # owners give no reason
    for secret in (vera.record.pan.digits, "sealed", "$argon2", "code secret faux"):
        assert secret not in response.text


async def test_mail_that_came_back_is_said_in_both_languages(
    office: Office, browser: Browser
) -> None:
    """As why a card is held; also where an earlier version wrote a French sentence down."""
    vera, at = office.town.vera.user_code, to_row(office.town.clock())
    for reason in ("returned", "Courrier revenu : n’habite pas à l’adresse indiquée"):
        hold = partial(
            put_desk_hold,
            key=(bucket_of(vera), vera),
            card_number=1,
            by=office.ada.user_code,
            reason=reason,
            at=at,
        )
        await office.bank.store.write(hold)
        for language, words in (
            ("fr", f"Bloquée par Ada Lemoine ({office.ada.typed}) à 14 h 17 : courrier revenu"),
            ("en", f"Held by Ada Lemoine ({office.ada.typed}) at 14:17: returned mail"),
        ):
            browser.cookies.set("sesame_language", language)
            said = text_of(await browser.get(PAGE_OF_VERA)).replace("\xa0", " ")
            assert words in said


async def test_who_holds_a_card_again_after_a_restore(office: Office, browser: Browser) -> None:
    """Nobody of staff: the bank itself, for the reason that the line gave."""
    vera = office.town.vera
    key, at = (bucket_of(vera.user_code), vera.user_code), to_row(office.town.clock())
    moves = CardMoves(held=(1,), reason="stolen")
    await office.bank.store.write(partial(move_cards, key=key, moves=moves, by=BANK_ITSELF, at=at))
    said = text_of(await browser.get(PAGE_OF_VERA)).replace("\xa0", " ")
    assert "Bloquée à 14 h 17, et de nouveau après une restauration : carte volée" in said


async def test_what_happened(office: Office, browser: Browser) -> None:
    """The latest first, with causes, tries, by which way; and in English no French is left."""
    vera = office.town.vera
    await live(office)
    wish = await office.hold(vera.user_code)
    await office.agree(
        office.paul, await ask(office.bank, office.staff(office.ada), wish, address=ADDRESS)
    )
    await end_all_sessions(office.bank, vera.user_code, ADDRESS)
    last4 = vera.record.pan.last4
    said = text_of(await browser.get(PAGE_OF_VERA)).replace("\xa0", " ")
    timeline = said.partition("Ce qui s’est passé")[2]
    told = [
        "Toutes les sessions terminées.",
        "Accordé : levée du blocage d’une carte. Demandé par Ada Lemoine",
        "par Paul Nogaret",
        "Demandé, à décider par une autre personne : levée du blocage d’une carte.",
        "par Ada Lemoine",
        "Code refusé : aucune des cartes de cet abonné ne l’a fait",
        "Trop d’échecs : accès suspendu jusqu’à",
        "Échecs de suite : 2.",
        f"Code refusé : il a déjà servi (carte ••••{last4}, compteur 1, dernier accepté 1).",
        f"Connexion : code accepté (carte ••••{last4}, compteur 1).",
        "sur Coop@net",
        "Inscription à Coop@net.",
    ]
    at = 0
    for what in told:
        at = timeline.find(what, at)
        assert at >= 0, what
    browser.cookies.set("sesame_language", "en")
    english = text_of(await browser.get(PAGE_OF_VERA))
    assert f"Login: code accepted (card ••••{last4}, counter 1)." in english
    assert not re.search(
        r"[éèêçœ]", english.replace("Véra", "").replace("Sésame", "").replace("Français", "")
    )


async def test_page_by_page(office: Office, browser: Browser) -> None:
    """Fifty at a time, none twice and none left out."""
    vera = office.town.vera
    for _ in range(2 * PAGE):
        await end_all_sessions(office.bank, vera.user_code, ADDRESS)
    address, seen = PAGE_OF_VERA, []
    while address:
        page = (await browser.get(address)).text
        seen.append(page.count('class="moment"'))
        older = re.search(r'href="([^"]*\?avant=\d+)#chronologie"', page)
        assert ("Le plus récent" in page) == (len(seen) > 1)
        address = older[1] if older else ""
    assert seen == [PAGE, PAGE, 1]
    for nothing in ("1", "0"):
        assert "Rien de plus ancien" in (await browser.get(f"{PAGE_OF_VERA}?avant={nothing}")).text
    for senseless in ("x", "9" * 40, "-1", "²"):
        response = await browser.get(f"{PAGE_OF_VERA}?avant={senseless}")
        assert response.text.count('class="moment"') == PAGE


async def test_who_nobody_is(office: Office, browser: Browser) -> None:
    """A code that nobody has, whatever was tried on it; staff; who was erased; and no code."""
    async with Browser(build_portal(office.town.portal())) as stranger:
        await stranger.log_in("NEMO3333", "40000000")
    await erase(
        office.bank.store,
        "OMAR6789",
        by="Maître Aubry",
        now=office.town.clock(),
        random_bytes=chance("erased"),
    )
    for code in ("NEMO3333", office.paul.typed, office.paul.user_code, "OMAR6789", "x"):
        response = await browser.get(f"/guichet/client/{code}")
        assert response.status_code == 404
        assert "Personne n’a ce code utilisateur" in response.text
    assert "looked" not in str(await office.lines(office.ada.user_code))


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.ADVISER, 200), (Role.OFFICER, 200), (Role.AUDITOR, 200), (Role.ISSUER, 403)],
)
async def test_who_may_look(office: Office, role: Role, status: int) -> None:
    """And who may do something about it sees its link."""
    who = person("Inès Vidal", role)
    await office.agree(office.paul, await office.hire(who))
    async with Browser(build(desk_of(office))) as browser:
        asked = await browser.get(PAGE_OF_VERA)
        assert asked.headers["location"].startswith("/guichet/connexion")
        await sign_in(browser, office, who)
        response = await browser.get(PAGE_OF_VERA)
        assert response.status_code == status
        for action in ACTIONS:
            address = action.address.format(user_code="VERA2345")
            shown = f'<a href="{address}">{action.label}</a>'
            may = status == 200 and role in action.roles
            nothing = action.needs_address or action.needs_waiting
            assert (shown in response.text) == (may and not nothing)
        if role is Role.ADVISER:  # and none where there is no address to change
            await office.live_somewhere(office.town.vera.user_code)
            assert f'href="{PAGE_OF_VERA}/adresse"' in (await browser.get(PAGE_OF_VERA)).text
        assert ("Chercher un abonné" in (await browser.get("/guichet")).text) == (status == 200)


async def test_a_new_number_is_offered_while_a_card_waits(office: Office, browser: Browser) -> None:
    """As long as its page has something to show: not before, to nobody else, nor once it is in."""
    offer = f'href="{PAGE_OF_VERA}/activation"'
    assert offer not in (await browser.get(PAGE_OF_VERA)).text
    await have_wait(office.town, office.town.vera)
    assert offer in (await browser.get(PAGE_OF_VERA)).text
    assert "/activation" not in (await browser.get("/guichet/client/OMAR6789")).text
    office.town.clock.advance(days=1)
    async with Browser(build_portal(office.town.portal())) as customer:
        code = await office.town.code_of(office.town.vera)
        fields = {"user_code": "VERA2345", "number": NUMBER, "code": code}
        assert (await customer.fill_in("/activation", **fields)).status_code == 303
    await sign_in(browser, office, office.ada)
    assert offer not in (await browser.get(PAGE_OF_VERA)).text


async def test_a_look_is_a_line_once_an_hour(office: Office, browser: Browser) -> None:
    """In the chain of who looked; the customer's says nothing of it."""

    async def looks() -> list[str]:
        said = [json.loads(line) for line in await office.lines(office.ada.user_code)]
        return [line["about"] for line in said if line["event"] == "looked"]

    before = await office.lines("VERA2345")
    for _ in range(3):
        await browser.get(PAGE_OF_VERA)
    await browser.get("/guichet/client/omar6789")
    await browser.get(f"{PAGE_OF_VERA}?avant=1")
    assert await looks() == ["VERA2345", "OMAR6789"]
    for _ in range(12):
        office.town.clock.advance(minutes=4)
        await browser.get("/guichet")
    office.town.clock.advance(minutes=4)
    await browser.get(PAGE_OF_VERA)
    office.town.clock.advance(minutes=4)
    await browser.get(PAGE_OF_VERA)
    assert await looks() == ["VERA2345", "OMAR6789"]
    office.town.clock.advance(minutes=4)
    await browser.get(PAGE_OF_VERA)
    assert await looks() == ["VERA2345", "OMAR6789", "VERA2345"]
    assert await office.lines("VERA2345") == before


def test_every_notice_has_a_name() -> None:
    """Whoever tells customers of something more names it here too."""
    assert set(Event) - {Event.OTHER} <= NOTICES_NAMED.keys()


async def test_two_windows_at_once_are_one_look(office: Office) -> None:
    """Whoever is slower reads again, and finds that it is written."""
    ada = office.staff(office.ada)
    looks = [note_look(office.bank, ada, UserCode("VERA2345"), ADDRESS) for _ in range(5)]
    await asyncio.gather(*looks)
    assert str(await office.lines(office.ada.user_code)).count("looked") == 1


async def test_no_page_without_its_line(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written down is not shown."""

    async def unavailable(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr("sesame.desk.customer.note_look", unavailable)
    response = await browser.get(PAGE_OF_VERA)
    assert response.status_code == 503
    assert "Tissot" not in response.text
