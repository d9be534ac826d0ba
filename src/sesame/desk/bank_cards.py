"""Bank cards of a file: an issuer asks by its digest, an officer decides, a command gives them.

No number of a card comes here: the file is read where the command runs.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.approvals import Kind, file_of
from sesame.bank.bank_cards import ask_for_bank_cards
from sesame.bank.errors import AskedAlready, NothingToRelease, UnsuitableReason
from sesame.bank.orders import GRANT_GOOD_FOR
from sesame.bank.staffing import Staff
from sesame.catalogue import N_, translator
from sesame.desk.desk import Desk
from sesame.desk.forms import wrong_reason
from sesame.desk.guard import (
    REQUESTS,
    Purpose,
    SignedIn,
    address_of,
    asks_for,
    button,
    for_staff,
    frame,
    read_pressed,
)
from sesame.web.language import language_of

BANK_CARDS = f"{REQUESTS}/cartes-bancaires"

_MOST_ROWS = 1_000_000  # of a file
_ROWS = re.compile(r"[0-9]{1,7}")
_SHOWN_AGAIN = re.compile(r"(?=.*[a-f])[0-9a-f]{1,100}")  # no card's number, whatever was typed
_NO_DIGEST = N_("Une empreinte SHA-256 a 64 caractères, de 0 à 9 et de a à f.")
_NO_ROWS = N_("Un nombre de lignes est un nombre entier de 1 à 1\u202f000\u202f000.")
_ASKED_ALREADY = N_(
    "Une demande pour un fichier de cartes bancaires attend déjà une décision : un fichier se "
    "demande après l’autre."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankCardsPage:
    """bank_cards.html: the form that asks. `days`: how long what was granted is good."""

    session: SignedIn
    proof: str
    days: int
    sha256: str = ""
    count: str = ""
    reason: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@for_staff(BANK_CARDS, may=asks_for(Kind.BANK_CARDS))
async def get_bank_cards(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/demandes/cartes-bancaires`."""
    return _page(desk, request, staff, {}, {})


@for_staff(BANK_CARDS, may=asks_for(Kind.BANK_CARDS))
async def post_bank_cards(desk: Desk, request: Request, staff: Staff) -> Response:
    """`POST /guichet/demandes/cartes-bancaires`: ask; a security officer decides."""
    fields = await read_pressed(desk, request, Purpose.BANK_CARDS)
    errors = await _ask(desk, request, staff, fields)
    if not errors:
        return RedirectResponse(REQUESTS, status_code=303)
    return _page(desk, request, staff, fields, errors)


async def _ask(
    desk: Desk, request: Request, staff: Staff, fields: Mapping[str, str]
) -> dict[str, str]:
    """Ask for what was typed; what is wrong with it, by field (French), where it cannot be."""
    sha256, count = _typed(fields, "sha256"), _typed(fields, "count")
    errors = {}
    if file_of({"sha256": sha256, "count": 1}) is None:
        errors["sha256"] = _NO_DIGEST
    if not _ROWS.fullmatch(count) or not 1 <= int(count) <= _MOST_ROWS:
        errors["count"] = _NO_ROWS
    if errors:
        return errors
    reason, address = fields.get("reason", ""), address_of(request)
    try:
        await ask_for_bank_cards(
            desk.bank, staff, sha256, int(count), reason=reason, address=address
        )
    except UnsuitableReason as wrong:
        errors["reason"] = wrong_reason(wrong)
    except AskedAlready:
        errors["sha256"] = _ASKED_ALREADY
    except NothingToRelease:
        errors["sha256"] = _NO_DIGEST
    return errors


def _typed(fields: Mapping[str, str], name: str) -> str:
    """A field without blanks or capitals: digests and numbers are typed in groups."""
    return "".join(fields.get(name, "").split()).lower()


def _page(
    desk: Desk,
    request: Request,
    staff: Staff,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
) -> Response:
    say = translator(language_of(request))
    sha256, count = _typed(fields, "sha256"), _typed(fields, "count")
    page = BankCardsPage(
        session=frame(desk, request, staff, BANK_CARDS),
        proof=button(desk, request, Purpose.BANK_CARDS),
        days=GRANT_GOOD_FOR.days,
        sha256=sha256 if _SHOWN_AGAIN.fullmatch(sha256) else "",
        count=count if _ROWS.fullmatch(count) else "",
        reason=fields.get("reason", ""),
        errors={name: say(wrong) for name, wrong in errors.items()},
    )
    return desk.page(request, "bank_cards.html", page, 422 if errors else 200)
