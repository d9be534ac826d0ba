"""Where a customer's letters go: the form that changes it, and what a PIN waits for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.addresses import (
    Standing,
    ask_to_confirm,
    change,
    find_standing,
    may_change,
    may_see,
)
from sesame.bank.customer_file import Trouble
from sesame.bank.customer_row import ADDRESS_FIELDS, read_address
from sesame.bank.details import PostalAddress
from sesame.bank.errors import (
    AskedAlready,
    MalformedUserCode,
    NoSuchCustomer,
    NothingToRelease,
    SameAddress,
    UnsuitableReason,
)
from sesame.bank.importing import countries
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.catalogue import N_, translator
from sesame.desk.desk import Desk
from sesame.desk.forms import NO_CARD_NUMBER, wrong_reason
from sesame.desk.guard import (
    CUSTOMER,
    REQUESTS,
    Purpose,
    SignedIn,
    address_of,
    button,
    for_staff,
    frame,
    read_pressed,
)
from sesame.web.formats import when
from sesame.web.language import language_of

ADDRESS = f"{CUSTOMER}/adresse"
CONFIRM = f"{ADDRESS}/confirmer"

_SAME = N_("C’est déjà l’adresse de ses lettres.")
_NOTHING = N_("Il n’y a rien à confirmer : le code secret peut déjà être envoyé à cette adresse.")
_ASKED_ALREADY = N_("Une demande pour cette adresse attend déjà une décision.")
_WRONG: Mapping[Trouble, str] = {
    Trouble.CHARACTER: N_(
        "Un caractère ne s’imprime pas : écrivez en lettres latines, grecques ou cyrilliques."
    ),
    Trouble.GARBLED: N_("Des lettres accentuées sont abîmées. Tapez-les de nouveau."),
    Trouble.TOO_LONG: N_("Au plus {number} caractères. Abrégez."),
    Trouble.CARD_NUMBER: NO_CARD_NUMBER,
    Trouble.MISSING: N_("Remplissez ce champ."),
    Trouble.NO_STREET: N_("Il faut une rue ou un lieu, ici ou dans une autre de ces lignes."),
    Trouble.POSTCODE: N_("Un code postal français a cinq chiffres."),
    Trouble.LINE_6: N_("Avec le code postal, au plus {number} caractères. Abrégez."),
    Trouble.LINES: N_(
        "Avec le nom, la ville et le pays, plus de {number} lignes. Réunissez-en deux."
    ),
    Trouble.COUNTRY: N_("Deux lettres : FR, BE, CH…"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPage:
    """address.html: the address of today, and the form for another."""

    session: SignedIn
    action: str
    name: str
    user_code: str
    lines: tuple[str, ...] = field(repr=False)
    changed: str  # « le mardi 3 mars à 14 h 32 »; else ""
    confirmed: str  # likewise
    pin_may_go: bool
    may_change: bool
    proof: str
    confirm_proof: str
    values: Mapping[str, str]
    reason: str = ""
    confirm_reason: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@for_staff(may=may_see)
async def get_address(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/client/{user_code}/adresse`."""
    here = await _here(desk, request, staff)
    return here.page({}, {})


@for_staff(may=may_change)
async def post_address(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST` of the same: change it. The page says what a PIN waits for."""
    fields = await read_pressed(desk, request, Purpose.ADDRESS)
    here = await _here(desk, request, staff)
    values = {name: fields.get(name, "") for name in ADDRESS_FIELDS}
    found = read_address(values, countries())
    if isinstance(found, PostalAddress):
        try:
            asked = await change(
                desk.bank,
                staff,
                here.user_code,
                found,
                reason=fields.get("reason", ""),
                address=address_of(request),
            )
        except UnsuitableReason as unsuitable:
            errors = {"reason": wrong_reason(unsuitable)}
        except SameAddress:
            errors = {"line_4": _SAME}
        else:
            where = request.url.path if asked is None else REQUESTS
            return RedirectResponse(where, status_code=303)
        return here.page(errors, fields)
    wrong = {one.field: (_WRONG[one.trouble], one.number) for one in found}
    return here.page(wrong, fields)


@for_staff(may=may_see)
async def get_confirm(_desk: Desk, request: Request, _staff: Staff) -> Response:
    """`GET` of the next: where the language is changed there, after a mistake."""
    return RedirectResponse(request.url.path.removesuffix("/confirmer"), status_code=303)


@for_staff(may=may_see)
async def post_confirm(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/client/{user_code}/adresse/confirmer`: ask; a security officer decides."""
    fields = await read_pressed(desk, request, Purpose.CONFIRM)
    here = await _here(desk, request, staff)
    reason = fields.get("confirm_reason", "")
    try:
        await ask_to_confirm(
            desk.bank, staff, here.user_code, reason=reason, address=address_of(request)
        )
    except UnsuitableReason as unsuitable:
        wrong = wrong_reason(unsuitable)
    except AskedAlready:
        wrong = _ASKED_ALREADY
    except NothingToRelease:
        wrong = _NOTHING
    else:
        return RedirectResponse(REQUESTS, status_code=303)
    return here.page({"confirm_reason": wrong}, fields)


async def _here(desk: Desk, request: Request, staff: Staff) -> "_Here":
    """Whose page it is, and for whom.

    Raises:
        HTTPException: 404, nobody's.
    """
    try:
        user_code = parse_user_code(request.path_params["user_code"])
        standing = await find_standing(desk.bank, user_code)
    except (MalformedUserCode, NoSuchCustomer):
        raise HTTPException(404) from None
    return _Here(desk, request, staff, user_code, standing)


@dataclass(frozen=True, slots=True)
class _Here:
    """The page of one customer before one member of staff."""

    desk: Desk
    request: Request
    staff: Staff
    user_code: UserCode
    standing: Standing

    def page(
        self, errors: Mapping[str, str | tuple[str, int]], typed: Mapping[str, str]
    ) -> Response:
        """The page, with what was *typed* and what was wrong with it (French), by field."""
        desk, request, standing = self.desk, self.request, self.standing
        say, language = translator(language_of(request)), language_of(request)
        now, action = desk.bank.now(), ADDRESS.format(user_code=self.user_code)

        def said(moment: datetime | None) -> str:
            return "" if moment is None else when(moment, language, now=now)

        def wrong(why: str | tuple[str, int]) -> str:
            return say(why) if isinstance(why, str) else say(why[0]).format(number=why[1])

        # Those of today where only a reason was typed.
        values = {**standing.address.row()._asdict(), **typed}
        page = AddressPage(
            session=frame(desk, request, self.staff, action),
            action=action,
            name=standing.name,
            user_code=self.user_code,
            lines=standing.address.below_name(),
            changed=said(standing.changed_at),
            confirmed=said(standing.confirmed_at),
            pin_may_go=standing.pin_may_go,
            may_change=may_change(self.staff),
            proof=button(desk, request, Purpose.ADDRESS),
            confirm_proof=button(desk, request, Purpose.CONFIRM),
            values={name: values[name] for name in ADDRESS_FIELDS},
            reason=typed.get("reason", ""),
            confirm_reason=typed.get("confirm_reason", ""),
            errors={name: wrong(why) for name, why in errors.items()},
        )
        return desk.page(request, "address.html", page, 422 if errors else 200)
