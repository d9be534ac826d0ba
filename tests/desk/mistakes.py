"""What can be wrong at each form of the desk: who sends what, and which fields are told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from sesame.bank.addresses import change
from sesame.bank.details import PostalAddress
from sesame.bank.staff import Role
from sesame.emv.pan import luhn_digit
from tests.bank.test_lowering import import_nora
from tests.bureaux import Works
from tests.desk.caller import suspend
from tests.desk.office import ADDRESS, Office, Person, person
from tests.desk.test_pages import LOGIN, fields_of
from tests.portal.browser import Browser
from tests.portal.test_opening import have_wait

NOBODY = "nobody"  # is signed in
_VERA, _OMAR = "/guichet/client/VERA2345", "/guichet/client/OMAR6789"
_NORA = "NRAA2342"
_ENDS_VERA = f"789{luhn_digit('925000123456789')}"
_ENDS_NORA = f"000{luhn_digit('497010987650000')}"
_LONG = "a" * 200
_LINES = ("line_2", "line_3", "line_4", "line_5", "postcode", "city", "country")
_PERSON = {
    "name": "Inès Vidal",
    "personnel_number": "M-12",
    "pan": f"925099999999999{luhn_digit('925099999999999')}",
    "psn": "01",
}
_DIGEST = {"sha256": "0" * 64, "count": "3"}
_CHANGED = {"line_4": "9 rue Neuve", "postcode": "69002", "city": "LYON", "country": "FR"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A form that is sent with something wrong in it."""

    template: str
    by: str  # the role of who is signed in, or NOBODY
    address: str
    wrong: tuple[str, ...]  # the names of the errors, in the order of the page
    fields: Mapping[str, str] = field(default_factory=dict)
    action: str = ""  # where the form is sent, if not to the address

    def __str__(self) -> str:
        return f"{self.template.removesuffix('.html')}-{'-'.join(self.wrong)}"


def _card_form(template: str, by: str, address: str, user_code: str, last4: str) -> list[Mistake]:
    """The three mistakes that all forms about a card share; *last4* is of a card of theirs."""
    right = {"user_code": user_code, "last4": last4, "to": "812", "reason": "x"}

    def one(wrong: str, **fields: str) -> Mistake:
        return Mistake(
            template=template, by=by, address=address, wrong=(wrong,), fields=right | fields
        )

    return [one("user_code", user_code="x"), one("last4", last4="x"), one("reason")]


MISTAKES = [
    Mistake(
        template="login.html",
        by=NOBODY,
        address=LOGIN,
        wrong=("staff_code", "code"),
        fields={"staff_code": "x", "code": "1"},
    ),
    Mistake(
        template="login.html",
        by=NOBODY,
        address="/guichet/deux-codes",
        wrong=("staff_code", "code", "next_code"),
        fields={"staff_code": "x", "code": "1", "next_code": "1"},
    ),
    Mistake(
        template="login.html",
        by=NOBODY,
        address="/guichet/repondre",
        wrong=("code", "next_code"),
        fields={"staff_code": "AAA2222", "code": "1", "next_code": "1"},
    ),
    Mistake(
        template="first_access.html",
        by=NOBODY,
        address="/guichet/premier-acces",
        wrong=("name", "personnel_number", "pan", "psn"),
        fields={"name": "A", "personnel_number": "é", "pan": "1", "psn": "x"},
    ),
    Mistake(
        template="first_access.html",
        by=NOBODY,
        address="/guichet/premier-acces",
        wrong=("secret",),
        fields=_PERSON | {"secret": "faux"},
    ),
    Mistake(
        template="hire.html",
        by="officer",
        address="/guichet/personnel/nouveau",
        wrong=("name", "personnel_number", "pan", "psn"),
        fields={"name": "A", "personnel_number": "é", "pan": "1", "psn": "x"},
    ),
    Mistake(
        template="hire.html",
        by="officer",
        address="/guichet/personnel/nouveau",
        wrong=("roles",),
        fields=_PERSON | {"reason": "Embauche"},
    ),
    Mistake(
        template="hire.html",
        by="officer",
        address="/guichet/personnel/nouveau",
        wrong=("reason",),
        fields=_PERSON | {"role-adviser": "1", "reason": "x"},
    ),
    Mistake(
        template="close.html",
        by="officer",
        address="/guichet/personnel/fermer",
        wrong=("reason",),
        fields={"reason": "x"},
    ),
    *_card_form("lift.html", "adviser", "/guichet/demandes/levee", "VERA2345", _ENDS_VERA),
    *_card_form("number.html", "adviser", "/guichet/demandes/numero", "VERA2345", _ENDS_VERA),
    *_card_form("reprint.html", "issuer", "/guichet/demandes/code-secret", "VERA2345", _ENDS_VERA),
    *_card_form("lowering.html", "adviser", "/guichet/demandes/compteur", _NORA, _ENDS_NORA),
    Mistake(
        template="lowering.html",
        by="adviser",
        address="/guichet/demandes/compteur",
        wrong=("last4", "to"),
        fields={"user_code": "VERA2345"},
    ),
    Mistake(
        template="bank_cards.html",
        by="issuer",
        address="/guichet/demandes/cartes-bancaires",
        wrong=("sha256", "count"),
    ),
    Mistake(
        template="bank_cards.html",
        by="issuer",
        address="/guichet/demandes/cartes-bancaires",
        wrong=("reason",),
        fields=_DIGEST | {"reason": "x"},
    ),
    Mistake(template="limits.html", by="officer", address="/guichet/limites", wrong=("limit",)),
    Mistake(
        template="limits.html",
        by="officer",
        address="/guichet/limites",
        wrong=("value",),
        fields={"limit": "lifts_of_customer", "value": "99", "reason": "Trop de suspensions"},
    ),
    Mistake(
        template="limits.html",
        by="officer",
        address="/guichet/limites",
        wrong=("reason",),
        fields={"limit": "lifts_of_customer", "value": "3", "reason": "x"},
    ),
    Mistake(
        template="hours.html",
        by="officer",
        address="/guichet/horaires",
        wrong=("day", "hours"),
        fields={"kind": "open", "opens": "12:00", "closes": "09:00"},
    ),
    Mistake(
        template="hours.html",
        by="officer",
        address="/guichet/horaires",
        wrong=("reason",),
        fields={"day": "2026-12-24", "kind": "closed", "reason": "x"},
    ),
    Mistake(
        template="search.html",
        by="adviser",
        address="/guichet/recherche",
        wrong=("search",),
        fields={"search": "1"},
    ),
    Mistake(
        template="address.html",
        by="adviser",
        address=f"{_OMAR}/adresse",
        wrong=_LINES,
        fields=dict.fromkeys(_LINES, _LONG),
    ),
    Mistake(
        template="address.html",
        by="adviser",
        address=f"{_OMAR}/adresse",
        wrong=("reason",),
        fields=_CHANGED | {"reason": "x"},
    ),
    Mistake(
        template="address.html",
        by="adviser",
        address=f"{_OMAR}/adresse",
        action=f"{_OMAR}/adresse/confirmer",
        wrong=("confirm_reason",),
        fields={"confirm_reason": "x"},
    ),
    Mistake(
        template="issuing.html",
        by="issuer",
        address="/guichet/emission",
        action="/guichet/emission/demande",
        wrong=("reason",),
        fields={"reason": "x"},
    ),
    Mistake(
        template="issuing.html",
        by="issuer",
        address="/guichet/emission",
        action="/guichet/emission/lecteurs",
        wrong=("model",),
    ),
    Mistake(
        template="issuing.html",
        by="issuer",
        address="/guichet/emission",
        action="/guichet/emission/lecteurs",
        wrong=("serials",),
        fields={"model": "Sesame R1"},
    ),
    Mistake(
        template="issuing.html",
        by="issuer",
        address="/guichet/emission",
        action="/guichet/emission/retour",
        wrong=("reference",),
        fields={"reference": "x"},
    ),
    Mistake(
        template="opposition.html",
        by="adviser",
        address=f"{_VERA}/opposition",
        wrong=("cards", "loss"),
    ),
    Mistake(
        template="opposition.html",
        by="adviser",
        address=f"{_VERA}/opposition",
        wrong=("loss",),
        fields={"card-1": "1"},
    ),
    Mistake(
        template="suspension.html",
        by="adviser",
        address=f"{_VERA}/suspension",
        wrong=("asked", "reason"),
    ),
    Mistake(
        template="suspension.html",
        by="adviser",
        address=f"{_VERA}/suspension",
        wrong=("reason",),
        fields={"asked-letter": "1", "asked-card": "1"},
    ),
    Mistake(
        template="counter.html",
        by="adviser",
        address=f"{_VERA}/carte-au-guichet",
        wrong=("papers",),
        fields={"act": "order"},
    ),
    *(
        Mistake(
            template="codes.html",
            by="adviser",
            address=f"{_VERA}/{way}",
            wrong=wrong,
            fields={"code": "1", "next_code": "1"},
        )
        for way, wrong in (("code", ("code",)), ("deux-codes", ("code", "next_code")))
    ),
    Mistake(
        template="new_number.html",
        by="adviser",
        address=f"{_OMAR}/activation",
        wrong=("checked",),
    ),
]


@dataclass
class Shift:
    """An office with somebody for each role, where no form of the desk is missing."""

    office: Office
    issuer: Person

    def who(self, role: str) -> Person:
        """Who has that role."""
        office = self.office
        return {
            Role.ADVISER: office.ada,
            Role.ISSUER: self.issuer,
            Role.OFFICER: office.odile,
            Role.AUDITOR: office.aude,
        }[Role(role)]

    async def sign_in(self, browser: Browser, role: str) -> None:
        """Sign in who has that role."""
        who = self.who(role)
        code = await self.office.code_of(who)
        response = await browser.fill_in(LOGIN, staff_code=who.typed, code=code)
        assert response.headers["location"] == "/guichet"

    async def make(self, mistake: Mistake, browser: Browser) -> httpx.Response:
        """Send the form as it stands on its page, with the mistake."""
        if mistake.by != NOBODY:
            await self.sign_in(browser, mistake.by)
        query = ""
        if mistake.template == "close.html":
            query = f"?agent={self.office.ada.typed}"
        page = await browser.get(mistake.address + query)
        action = mistake.action or mistake.address
        return await browser.post(action, data={**fields_of(page.text, action), **mistake.fields})


async def begin_shift(office: Office) -> Shift:
    """Customers who are suspended, held, moved, waiting, too high, or without a card yet."""
    issuer = person("Inès Vidal", Role.ISSUER)
    await office.agree(office.paul, await office.hire(issuer))
    vera, omar = office.town.vera, office.town.omar
    await suspend(office, vera)
    await office.hold(vera.user_code)
    await office.live_somewhere(vera.user_code)
    await have_wait(office.town, omar)
    await office.live_somewhere(omar.user_code)
    await change(
        office.bank,
        office.staff(office.ada),
        omar.user_code,
        PostalAddress(line_4="3 quai Rambaud", postcode="69002", city="LYON"),
        reason="Déménagement, pièce d’identité vue",
        address=ADDRESS,
    )
    await import_nora(office)
    works = Works(office, issuers=[issuer])
    await works.new_customer("Nils Olsen")
    await works.ask()
    return Shift(office, issuer)
