"""What the pages of the help line share: whom an adviser helps, by which form, and what came of it.

Each form is an attempt of its own: sent twice it is done once, and answered the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sesame.bank.calls import Call, read_customer
from sesame.bank.errors import MalformedUserCode, NoSuchCustomer
from sesame.bank.staff import Role
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.catalogue import N_
from sesame.desk.desk import Desk
from sesame.desk.guard import (
    CUSTOMER,
    HOME,
    Purpose,
    SignedIn,
    address_of,
    button,
    forbidden,
    frame,
    read_pressed,
    signed_in,
    to_login,
)
from sesame.store.access import State
from sesame.store.help_line import Named
from sesame.web.errors import MalformedForm
from sesame.web.problems import ProblemPage
from sesame.web.tickets import FORM_ID_LENGTH

# What an adviser can do for a customer: the end of the form's address, and its name.
FORMS = (
    ("opposition", N_("Faire opposition, ou remplacer une carte")),
    ("suspension", N_("Lever une suspension")),
    ("code", N_("Expliquer un code")),
    ("deux-codes", N_("Remettre une carte au pas avec deux codes")),
    ("essai", N_("Faire un essai ensemble")),
    ("carte-au-guichet", N_("Remettre une carte au guichet")),
)

_FORM = re.compile(rf"[0-9a-f]{{{2 * FORM_ID_LENGTH}}}")
_NOBODY = ProblemPage(
    N_("Personne n’a ce code utilisateur"),
    N_("Vérifiez-le avec la personne, caractère par caractère. Rien n’a été changé."),
    N_("Revenir au guichet"),
    HOME,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Helper:
    """An adviser before a page about one customer."""

    staff: Staff
    user_code: UserCode
    named: Named
    state: State

    @property
    def customer(self) -> str:
        """The address of the customer's page."""
        return CUSTOMER.format(user_code=self.user_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpFrame:
    """What a form of the help line has around it: for whom it is, and the form's own id (hex)."""

    session: SignedIn
    action: str  # its own address
    customer: str  # the address of the customer's page
    name: str
    user_code: str
    form: str
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DonePage:
    """help_done.html: what came of it, and what to do next. Sentences are translated."""

    help: HelpFrame
    heading: str
    well: bool  # or it is to be looked into
    said: tuple[str, ...]
    next: tuple[str, ...] = ()

    @property
    def session(self) -> SignedIn:
        """Who is signed in."""
        return self.help.session


async def find_helper(desk: Desk, request: Request) -> Helper | Response:
    """The adviser who sent *request*, and the customer of its address; or what answers it."""
    staff = await signed_in(desk, request)
    if staff is None:
        return to_login(desk, request, request.url.path)
    if Role.ADVISER not in staff.roles:
        return forbidden(desk, request)
    try:
        user_code = parse_user_code(request.path_params["user_code"])
        named, state = await read_customer(desk.bank, user_code)
    except (MalformedUserCode, NoSuchCustomer):
        return desk.page(request, "problem.html", _NOBODY, 404)
    return Helper(staff=staff, user_code=user_code, named=named, state=state)


async def read_call(desk: Desk, request: Request, helper: Helper) -> tuple[Call, Mapping[str, str]]:
    """What the adviser does, and the fields that they filled in.

    Raises:
        ForeignRequest: another site's page sent it, or it is no form of this session.
        MalformedForm: it is none of ours.
    """
    fields = await read_pressed(desk, request, Purpose.HELP)
    form = fields.get("form", "")
    if not _FORM.fullmatch(form):
        raise MalformedForm("the field form is missing", status=400)
    call = Call(
        by=helper.staff,
        user_code=helper.user_code,
        form=bytes.fromhex(form),
        address=address_of(request),
    )
    return call, fields


def help_frame(desk: Desk, request: Request, helper: Helper) -> HelpFrame:
    """What the page at the address of *request* has around it, with a new form."""
    here = request.url.path
    return HelpFrame(
        session=frame(desk, request, helper.staff, here),
        action=here,
        customer=helper.customer,
        name=helper.named.name,
        user_code=helper.user_code,
        form=desk.random_bytes(FORM_ID_LENGTH).hex(),
        proof=button(desk, request, Purpose.HELP),
    )
