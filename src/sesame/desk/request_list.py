"""Whom a request about many is about: names and user codes, for who decides and who asked."""

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sesame.bank.approvals import Kind
from sesame.bank.approving import find_request
from sesame.bank.orders import Listed, listed
from sesame.bank.staffing import Staff
from sesame.desk.desk import Desk
from sesame.desk.guard import CUSTOMER, REQUESTS, SignedIn, for_staff, forbidden, frame, sees_people
from sesame.desk.requests import list_address, read_request_id
from sesame.store.orders import SESAME

_PAGE = 50
_DIGITS = 5  # of a place in a list


@dataclass(frozen=True, slots=True)
class ListedLine:
    """A customer of the list."""

    code: str
    name: str
    card: bool  # is made; else they have it, and get a reader
    address: str  # of their page; empty for who may not look at it


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """request_list.html: some of the customers of one request."""

    session: SignedIn
    count: int
    first: int  # the number of the first one here, from 1
    digest: str  # SHA-256 of the list, hex
    customers: tuple[ListedLine, ...]
    before: str  # address of the page before; empty on the first
    further: str  # likewise


@for_staff(REQUESTS)
async def get_list(desk: Desk, request: Request, staff: Staff) -> Response:
    """`GET /guichet/demandes/liste?demande=…&apres=…`: for officers, auditors and who asked."""
    query = request.query_params
    asked = await find_request(desk.bank, read_request_id({"request": query.get("demande", "")}))
    if asked is None or asked.kind is not Kind.ISSUE:
        raise HTTPException(404)
    if not sees_people(staff) and asked.requested_by != staff.user_code:
        return forbidden(desk, request)
    typed = query.get("apres", "0")
    if not (typed.isascii() and typed.isdecimal() and len(typed) <= _DIGITS):
        raise HTTPException(404)
    after, count = int(typed), int(asked.payload["count"])
    found = await listed(desk.bank, asked, after=after, most=_PAGE)
    last = after + _PAGE >= count
    page = ListPage(
        session=frame(desk, request, staff, list_address(asked, after)),
        count=count,
        first=after + 1,
        digest=str(asked.payload["digest"]),
        customers=tuple(_line(one, staff) for one in found),
        before=list_address(asked, max(0, after - _PAGE)) if after else "",
        further="" if last else list_address(asked, after + _PAGE),
    )
    return desk.page(request, "request_list.html", page)


def _line(one: Listed, staff: Staff) -> ListedLine:
    looks = sees_people(staff) and one.name
    address = CUSTOMER.format(user_code=one.user_code) if looks else ""
    return ListedLine(one.user_code, one.name, one.kind == SESAME, address)
