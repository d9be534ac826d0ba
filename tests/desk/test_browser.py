"""The desk before a real browser: in with a card, two persons, what a role forbids. No script."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Error, Page, async_playwright

from sesame.bank.approving import recent_requests
from sesame.bank.staff import Role
from sesame.bank.verification import Accepted, Refused
from sesame.desk.call import FORMS
from sesame.desk.routes import build
from tests.bank.test_lowering import STATED, WHY, import_nora, log_in
from tests.bureaux import Works
from tests.chromium import enter, follow, launch, shows
from tests.desk.caller import suspend
from tests.desk.office import Office, Person, open_office, person
from tests.desk.test_issuing import make_all
from tests.desk.test_pages import desk_of
from tests.portal.test_opening import have_wait
from tests.portal.town import Customer, wrong_code

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="module")]

_AXE = {"preload": False, "rules": {"target-size": {"enabled": True}}}
_LIFT, _REQUESTS = "/guichet/demandes/levee", "/guichet/demandes"
_HOURS = "/guichet/horaires"


@dataclass
class Corridor:
    """A bank whose desk is a real server, and a browser before it."""

    office: Office
    chromium: Browser
    address: str

    @asynccontextmanager
    async def visitor(
        self, *, width: int = 1280, language: str = "fr", script: bool = False
    ) -> AsyncIterator[Page]:
        """A page of a new browser, which runs no script unless the test needs one."""
        context = await self.chromium.new_context(
            base_url=self.address,
            viewport={"width": width, "height": 900},
            java_script_enabled=script,
        )
        await context.add_cookies(
            [{"name": "sesame_language", "value": language, "url": self.address}]
        )
        yield await context.new_page()
        await context.close()

    async def log_in(self, page: Page, who: Person) -> None:
        """Sign *who* in, with a fresh code, by the keyboard alone."""
        await page.goto("/guichet/connexion")
        await page.focus("#staff_code")
        await page.keyboard.type(who.typed)
        await page.keyboard.press("Tab")
        await page.keyboard.type(await self.office.code_of(who))
        await enter(page)
        assert page.url.endswith("/guichet")

    async def ask_for_lift(self, page: Page, whose: Customer) -> None:
        """Have a customer's card held, and ask that it be let go."""
        await self.office.hold(whose.user_code)
        await page.goto(_LIFT)
        await page.fill("#user_code", whose.user_code)
        await page.fill("#last4", whose.record.pan.last4)
        await page.fill("#reason", "Carte retrouvée, pièce d’identité vue")
        await follow(page, "form.panel button")
        await page.wait_for_url(f"**{_REQUESTS}")

    async def state(self, whose: Customer) -> str:
        """Of a customer's card."""
        access = await self.office.bank.store.read_access(whose.user_code)
        return access.cards[0].state


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One for all tests of this file."""
    async with async_playwright() as playwright:
        chromium = await launch(playwright)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="module")
async def corridor(chromium: Browser, tmp_path: Path) -> AsyncIterator[Corridor]:
    """A bank and a server of its own for each test: what one does to a customer is no other's."""
    office = await open_office(tmp_path)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build(desk_of(office)), log_level="warning"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield Corridor(office, chromium, f"http://127.0.0.1:{listener.getsockname()[1]}")
    server.should_exit = True
    await serving
    await office.bank.store.close()


async def test_in_and_out_without_script(corridor: Corridor) -> None:
    """By keyboard; who is signed in and until when stands on the page."""
    async with corridor.visitor() as page:
        await corridor.log_in(page, corridor.office.ada)
        said = await page.inner_text("main")
        assert "Ada Lemoine, Conseiller" in said
        assert "Sans activité pendant 5 minutes" in said
        await follow(page, "text=Se déconnecter")
        await page.wait_for_url("**/guichet/connexion")
        await page.goto("/guichet")
        await shows(page, "Identifiez-vous")


async def test_what_a_role_forbids(corridor: Corridor) -> None:
    """An adviser sees no staff, no button that decides, and is told so at the address itself."""
    async with corridor.visitor() as page:
        await corridor.log_in(page, corridor.office.ada)
        assert "Personnel" not in await page.inner_text("nav.places")
        for address in ("/guichet/personnel", "/guichet/personnel/nouveau"):
            response = await page.goto(address)
            assert response is not None
            assert response.status == 403
            await shows(page, "Votre rôle ne le permet pas")


async def test_refused_to_who_asked_and_granted_by_another(corridor: Corridor) -> None:
    """An officer's own request has no button, and sent by another's form it is refused."""
    office = corridor.office
    async with corridor.visitor(script=True) as page, corridor.visitor() as other:
        await corridor.log_in(other, office.paul)
        await corridor.ask_for_lift(other, office.town.omar)
        await corridor.log_in(page, office.odile)
        await corridor.ask_for_lift(page, office.town.vera)
        await shows(page, "C’est votre demande")
        newest = (await recent_requests(office.bank))[0]
        assert newest.requested_by == office.odile.user_code
        field = page.locator("input[name=request]")
        assert await field.count() == 1  # Paul's alone
        await field.evaluate("(field, own) => { field.value = own; }", newest.id.hex())
        await follow(page, "text=Accorder")
        await shows(page, "Cette demande est la vôtre")
        assert await corridor.state(office.town.vera) == "held"
        await other.goto(_REQUESTS)
        await follow(other, f"li:has(input[value='{newest.id.hex()}']) >> text=Accorder")
        await other.wait_for_url(f"**{_REQUESTS}")
        await shows(other, "Accordée par Paul Nogaret")
        assert await corridor.state(office.town.vera) == "active"
        assert await corridor.state(office.town.omar) == "held"


async def axe(page: Page) -> None:
    """Nothing is found on *page*, and nothing has to be scrolled sideways."""
    for width in (1280, 320):
        await page.set_viewport_size({"width": width, "height": 900})
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, page.url
        for table in await page.locator(".wide").all():
            assert await table.evaluate("it => it.scrollWidth <= it.clientWidth"), page.url
    found = await Axe().run(page, options=_AXE)
    assert found.violations_count == 0, found.generate_report()


async def test_axe_finds_nothing(corridor: Corridor) -> None:
    """On every page, also with mistakes, and nothing has to be scrolled sideways."""
    async with corridor.visitor(script=True) as page:

        async def check() -> None:
            await axe(page)

        for address in ("connexion", "deux-codes", "repondre", "premier-acces"):
            await page.goto(f"/guichet/{address}")
            await check()
        await page.fill("#secret", "faux")
        await page.fill("#name", "A")
        await page.fill("#personnel_number", "é")
        await page.fill("#pan", "1")
        await follow(page, "form.panel button")
        await check()
        await corridor.log_in(page, corridor.office.odile)
        for address in (
            "",
            "/demandes",
            "/demandes/levee",
            "/passage",
            "/personnel",
            "/personnel/nouveau",
        ):
            await page.goto(f"/guichet{address}")
            await check()
        ada = corridor.office.ada.typed
        await page.goto(f"/guichet/personnel/fermer?agent={ada}")
        await check()
        await page.fill("#reason", "ok")
        await enter(page)
        await page.wait_for_selector("#reason-error")
        await check()
        await page.goto("/guichet/personnel/nouveau")
        await page.fill("#name", "Inès Vidal")
        await page.fill("#personnel_number", "M-12")
        await page.fill("#pan", "1")
        await page.fill("#reason", "Embauche")
        await follow(page, "form.panel button")
        await check()
        await page.goto("/guichet/limites")
        await page.check("#limit-number_shown_within")
        await page.fill("#value", "91")
        await page.fill("#reason", "Guichet loin")
        await enter(page)
        await page.wait_for_selector("#value[aria-invalid]")
        assert await page.is_checked("#limit-number_shown_within")
        await check()
        await _check_the_address(corridor, page, check)


async def _check_the_address(
    corridor: Corridor, page: Page, check: Callable[[], Awaitable[None]]
) -> None:
    """Its page before a change and after, with a mistake, and the request that it makes."""
    office, omar = corridor.office, corridor.office.town.omar.user_code
    where = f"/guichet/client/{omar}/adresse"
    await office.live_somewhere(omar)
    await office.order(omar)
    await corridor.log_in(page, office.ada)
    await page.goto(where)
    await check()
    await page.fill("#line_4", "3 quai Rambaud")
    await page.fill("#postcode", "6900")
    await page.fill("#reason", "Déménagement, pièce d’identité vue")
    await enter(page)
    await page.wait_for_selector("#postcode-error")
    await check()
    await page.fill("#postcode", "69002")
    await enter(page)
    await page.wait_for_url(f"**{_REQUESTS}")
    await check()
    await page.goto(where)
    await check()
    await corridor.log_in(page, office.paul)
    await page.goto(_REQUESTS)
    await shows(page, "3 quai Rambaud")
    await check()


async def test_the_hours_of_a_day(corridor: Corridor) -> None:
    """Set and taken back without script; in both languages axe finds nothing, mistakes included."""
    async with corridor.visitor() as page:
        await corridor.log_in(page, corridor.office.odile)
        await follow(page, "text=Horaires de l’assistance")
        await page.fill("#day", "2026-12-24")
        await page.check("#kind-open")
        await page.fill("#opens", "09:00")
        await page.fill("#closes", "12:00")
        await page.fill("#reason", "Travaux dans nos bureaux.")
        await follow(page, "text=Fixer ce jour")
        await page.wait_for_selector("li:has-text('jeudi 24 décembre')")
    for language in ("fr", "en"):
        async with corridor.visitor(script=True, language=language) as page:
            await corridor.log_in(page, corridor.office.odile)
            await page.goto(_HOURS)
            await page.fill("#day", "2026-01-01")
            await page.check("#kind-open")
            await page.fill("#reason", "Travaux dans nos bureaux.")
            await follow(page, "form.panel:has(#day) button")
            await page.wait_for_selector("#day[aria-invalid]")
            assert await page.evaluate("document.activeElement.id") == "day"
            assert await page.locator("li.panel").count() == 1
            for width in (1280, 320):
                await page.set_viewport_size({"width": width, "height": 900})
                assert await page.evaluate("document.documentElement.scrollWidth") <= width
            found = await Axe().run(page, options=_AXE)
            assert found.violations_count == 0, found.generate_report()
    async with corridor.visitor() as page:
        await corridor.log_in(page, corridor.office.odile)
        await page.goto(_HOURS)
        await follow(page, "text=Reprendre les horaires habituels du jeudi 24 décembre")
        await page.wait_for_selector("text=Aucun.")


@pytest.mark.parametrize(("language", "width"), [("fr", 1280), ("en", 320)])
async def test_a_new_activation_number(corridor: Corridor, language: str, width: int) -> None:
    """Without script: a box to tick, a button, and the letter's reference; axe finds nothing."""
    office = corridor.office
    await have_wait(office.town, office.town.vera)
    async with corridor.visitor(language=language, width=width, script=True) as page:
        await corridor.log_in(page, office.ada)
        for user_code in ("VERA2345", "OMAR6789"):
            await page.goto(f"/guichet/client/{user_code}/activation")
            found = await Axe().run(page, options=_AXE)
            assert found.violations_count == 0, found.generate_report()
    async with corridor.visitor(language=language, width=width) as page:
        await corridor.log_in(page, office.ada)
        await page.goto("/guichet/client/VERA2345/activation")
        if language == "fr":
            await page.check("#checked-1")
            await follow(page, "section.panel button")
            assert await page.locator("[role=status]").is_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_a_counter_that_began_too_high(corridor: Corridor) -> None:
    """Asked for; refused to the same person, by another's form; granted; the code then accepted."""
    office = corridor.office
    nora = await import_nora(office)
    async with corridor.visitor(script=True) as page, corridor.visitor() as other:
        await corridor.log_in(other, office.paul)
        await corridor.ask_for_lift(other, office.town.omar)
        await corridor.log_in(page, office.odile)
        for to in (str(STATED), "812"):
            await page.goto("/guichet/demandes/compteur")
            await page.fill("#user_code", nora.user_code)
            await page.fill("#last4", nora.record.pan.last4)
            await page.fill("#to", to)
            await page.fill("#reason", WHY)
            await follow(page, "form.panel button")
            await axe(page)
        await page.wait_for_url(f"**{_REQUESTS}")
        await shows(page, f"Le compteur attendu passe de {STATED} à 812.")
        await shows(page, "Aucun code de cette carte n’a été accepté depuis son inscription.")
        newest = (await recent_requests(office.bank))[0]
        field = page.locator("input[name=request]")
        assert await field.count() == 1  # Paul's alone
        await field.evaluate("(field, own) => { field.value = own; }", newest.id.hex())
        await follow(page, "text=Accorder")
        await shows(page, "Cette demande est la vôtre")
        code = await office.town.code_of(nora)
        assert await log_in(office, nora, code) == Refused()
        await other.goto(_REQUESTS)
        await follow(other, f"li:has(input[value='{newest.id.hex()}']) >> text=Accorder")
        await other.wait_for_url(f"**{_REQUESTS}")
        await shows(other, "Accordée par Paul Nogaret")
    assert isinstance(await log_in(office, nora, code), Accepted)
    assert await log_in(office, nora, code) == Refused()


async def test_a_number_is_seen_once(corridor: Corridor) -> None:
    """Asked for, agreed to by another, seen; the way back shows it no more. Nothing for axe."""
    office, vera = corridor.office, corridor.office.town.vera
    async with corridor.visitor(script=True) as page, corridor.visitor() as other:

        async def check() -> None:
            found = await Axe().run(page, options=_AXE)
            assert found.violations_count == 0, found.generate_report()

        await corridor.log_in(page, office.ada)
        await page.goto("/guichet/demandes/numero")
        await check()
        await page.fill("#user_code", vera.user_code)
        await page.fill("#last4", vera.record.pan.last4)
        await page.fill("#reason", "Litige du 2 mars")
        await follow(page, "form.panel button")
        await page.wait_for_url(f"**{_REQUESTS}")
        await corridor.log_in(other, office.paul)
        await other.goto(_REQUESTS)
        newest = (await recent_requests(office.bank))[0]
        await follow(other, f"li:has(input[value='{newest.id.hex()}']) >> text=Accorder")
        await other.wait_for_url(f"**{_REQUESTS}")
        await page.goto(_REQUESTS)
        await check()
        await follow(page, "text=Voir le numéro, une fois")
        digits = (await page.inner_text(".number")).replace(" ", "")
        assert digits == vera.record.pan.digits
        await check()
        await page.set_viewport_size({"width": 320, "height": 900})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        await follow(page, "text=J’ai fini")
        with pytest.raises(Error, match="ERR_CACHE_MISS"):
            await page.go_back()  # to be shown again it would have to be sent again


async def test_a_call_from_a_to_z(corridor: Corridor) -> None:
    """Suspended, lifted, a code explained, the card stolen: without script, by what is shown."""
    office = corridor.office
    vera = office.town.vera
    await suspend(office, vera)
    async with corridor.visitor() as page:
        await corridor.log_in(page, office.ada)
        await page.goto(f"/guichet/client/{vera.user_code}")
        await follow(page, "text=Lever une suspension")
        await page.check("#asked-address-1")
        await page.check("#asked-letter-1")
        await page.check("#reason-mistyped")
        await follow(page, "form.panel >> text=Lever la suspension")
        await page.wait_for_selector("#next-title")
        await shows(page, "La suspension est levée")
        await follow(page, "text=Revenir à cette personne")
        await follow(page, "text=Expliquer un code")
        await page.fill("#code", await office.town.code_of(vera))
        await enter(page)
        await page.wait_for_selector("#next-title")
        await shows(page, "n’avait jamais servi")
        said = await page.inner_text("main")
        await page.reload()  # the form is sent again
        assert await page.inner_text("main") == said
        await page.goto(f"/guichet/client/{vera.user_code}/opposition")
        await page.check("#card-1-1")
        await page.check("#loss-stolen")
        await follow(page, "text=Faire opposition et commander")
        await page.wait_for_selector("#next-title")
        await shows(page, "Une carte de remplacement est commandée")
    assert await corridor.state(vera) == "held"


async def test_axe_finds_nothing_where_advisers_help(corridor: Corridor) -> None:
    """On every page, with mistakes, and on what came of it, at both widths."""
    office = corridor.office
    omar = office.town.omar
    await suspend(office, omar)
    async with corridor.visitor(script=True) as page:

        async def check() -> None:
            for width in (1280, 320):
                await page.set_viewport_size({"width": width, "height": 900})
                wide = await page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, page.url
            found = await Axe().run(page, options=_AXE)
            assert found.violations_count == 0, found.generate_report()

        await corridor.log_in(page, office.ada)
        base = f"/guichet/client/{omar.user_code}"
        await page.goto(base)
        await check()
        for end, _ in FORMS:
            await page.goto(f"{base}/{end}")
            await page.evaluate("document.querySelector('form.panel').noValidate = true")
            if end == "essai":
                await page.fill("#code", wrong_code(await office.town.code_of(omar)))
            await follow(page, "form.panel button")
            await page.wait_for_selector("[role=alert], [role=status]")
            await check()


async def test_by_keyboard_alone(corridor: Corridor) -> None:
    """Every field, choice and button of the longest form is reached in order, and seen to be."""
    async with corridor.visitor(script=True) as page:
        await corridor.log_in(page, corridor.office.odile)
        await page.goto("/guichet/personnel/nouveau")
        await page.focus("#name")
        reached = []
        for _ in range(12):
            reached.append(
                await page.evaluate(
                    """() => { const it = document.activeElement, style = getComputedStyle(it);
                    return [it.id || it.innerText, style.outlineStyle]; }"""
                )
            )
            await page.keyboard.press("Tab")
        roles = ["role-adviser-1", "role-issuer-1", "role-officer-1", "role-auditor-1"]
        expected = [
            "name",
            "personnel_number",
            "language-fr",
            "kind-sesame",
            "pan",
            "psn",
            *roles,
            "reason",
            "Demander",
        ]
        assert [name for name, _ in reached] == expected
        assert {outline for _, outline in reached} == {"solid"}


async def test_axe_finds_nothing_for_an_issuer(corridor: Corridor) -> None:
    """With letters, readers and returned mail; and with mistakes."""
    office = corridor.office
    issuer = person("Inès Vidal", Role.ISSUER)
    await office.agree(office.paul, await office.hire(issuer))
    works = Works(office, issuers=[issuer])
    await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make_all(works)
    await works.new_customer("Nils Olsen")
    async with corridor.visitor(script=True) as page:
        await corridor.log_in(page, issuer)
        await follow(page, "text=Émission des cartes >> nth=-1")
        await page.fill("#model", "Sesame R1")
        await page.fill("#serials", "SR1-0001\nSR1-0002")
        await follow(page, "text=Entrer en stock >> nth=-1")
        await page.wait_for_url("**/guichet/emission#stock-title")
        await shows(page, "Sesame R1 : entrés 2")
        for address, button in (
            ("/guichet/emission", "Noter le retour"),
            ("/guichet/demandes/code-secret", "Demander"),
            ("/guichet/demandes/cartes-bancaires", "Demander"),
        ):
            await page.goto(address)
            await axe(page)
            for field in ("#reference", "#user_code", "#last4", "#sha256", "#count", "#reason"):
                if await page.locator(field).count():
                    await page.fill(field, "faux")
            await follow(page, f"form button:text-is('{button}')")
            assert await page.locator(".field-error").count()
            await axe(page)
