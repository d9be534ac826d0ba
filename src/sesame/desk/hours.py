"""The days on which the help line has other hours: security officers set them, auditors look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.errors import MisleadingReason, NotAllowed, UnsuitableReason
from sesame.bank.opening_days import OpeningDay, days_to_come, set_day, take_day_back
from sesame.bank.staff import Role, shown
from sesame.bank.staffing import Staff, all_members
from sesame.catalogue import N_, translator
from sesame.desk.desk import Desk
from sesame.desk.forms import wrong_reason
from sesame.desk.guard import (
    HOME,
    Purpose,
    SignedIn,
    address_of,
    button,
    forbidden,
    frame,
    read_pressed,
    sees_people,
    signed_in,
    to_login,
)
from sesame.web.errors import MalformedForm, MalformedHours
from sesame.web.formats import day as day_in_words
from sesame.web.formats import when
from sesame.web.language import language_of
from sesame.web.opening import PARIS, parse_span
from sesame.web.week import spans_in_words, week_in_words

HOURS = f"{HOME}/horaires"
TAKE_BACK = f"{HOURS}/reprendre"
_FURTHEST = timedelta(days=731)  # ahead
_CLOSED = N_("fermée toute la journée")
_NO_DAY = N_("Entrez un jour qui existe, d’aujourd’hui à dans deux ans.")
_NO_HOURS = N_("Entrez l’heure d’ouverture et celle de fermeture, plus tard le même jour.")
_LEADS = N_(
    "Tous les abonnés lisent cette raison\u00a0: sans numéro, sans adresse, sans quatre chiffres "
    "de suite. Les numéros de la banque sont déjà sur la page."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    """A day as it is read. `value` is what its button sends."""

    value: str
    day: str
    hours: str
    reason: str
    by: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursPage:
    """hours.html: the days to come, and the form of a further one."""

    session: SignedIn
    usual: str  # the week, as part of a sentence
    days: tuple[DayLine, ...]
    may_set: bool
    proof: str
    take_back_proof: str
    day: str = ""
    open: bool = False
    opens: str = ""
    closes: str = ""
    reason: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


async def get_hours(desk: Desk, request: Request) -> Response:
    """`GET /guichet/horaires`: for security officers and auditors."""
    staff = await signed_in(desk, request)
    if staff is None:
        return to_login(desk, request, HOURS)
    if not sees_people(staff):
        return forbidden(desk, request)
    return await _page(desk, request, staff, {}, {}, 200)


async def post_hours(desk: Desk, request: Request) -> Response:
    """`POST /guichet/horaires`: give a day other hours, or none."""
    staff = await signed_in(desk, request)
    if staff is None:
        return to_login(desk, request, HOURS)
    fields = await read_pressed(desk, request, Purpose.SET_HOURS)
    errors = {}
    day, hours = _day(desk, fields), None
    if day is None:
        errors["day"] = _NO_DAY
    if fields.get("kind") == "open":
        hours = _hours(fields)
        if hours is None:
            errors["hours"] = _NO_HOURS
    if day is not None and not errors:
        try:
            await set_day(
                desk.bank,
                staff,
                day,
                hours,
                reason=fields.get("reason", ""),
                address=address_of(request),
            )
        except NotAllowed:
            return forbidden(desk, request)
        except (UnsuitableReason, MisleadingReason) as wrong:
            errors["reason"] = (
                _LEADS if isinstance(wrong, MisleadingReason) else wrong_reason(wrong)
            )
        else:
            return RedirectResponse(HOURS, status_code=303)
    if Role.OFFICER not in staff.roles:
        return forbidden(desk, request)
    return await _page(desk, request, staff, fields, errors, 422)


async def post_take_back(desk: Desk, request: Request) -> Response:
    """`POST /guichet/horaires/reprendre`: give a day its usual hours again."""
    staff = await signed_in(desk, request)
    if staff is None:
        return to_login(desk, request, HOURS)
    fields = await read_pressed(desk, request, Purpose.TAKE_HOURS_BACK)
    try:
        day = date.fromisoformat(fields.get("day", ""))
    except ValueError:
        raise MalformedForm("the field day is no day", status=400) from None
    try:
        await take_day_back(desk.bank, staff, day, address=address_of(request))
    except NotAllowed:
        return forbidden(desk, request)
    return RedirectResponse(HOURS, status_code=303)  # where it had them already the list says so


async def _page(  # noqa: PLR0913, PLR0917 -- what was typed, and what is wrong with it
    desk: Desk,
    request: Request,
    staff: Staff,
    fields: Mapping[str, str],
    errors: Mapping[str, str],
    status: int,
) -> Response:
    language = language_of(request)
    say = translator(language)
    names: Mapping[str, str] = {
        member.user_code: member.name for member in await all_members(desk.bank)
    }
    days = await days_to_come(desk.bank, _today(desk))
    page = HoursPage(
        session=frame(desk, request, staff, HOURS),
        usual=week_in_words(desk.site.institution.hours, language),
        days=tuple(_line(desk, request, one, names) for one in days),
        may_set=Role.OFFICER in staff.roles,
        proof=button(desk, request, Purpose.SET_HOURS),
        take_back_proof=button(desk, request, Purpose.TAKE_HOURS_BACK),
        day=fields.get("day", ""),
        open=fields.get("kind") == "open",
        opens=fields.get("opens", ""),
        closes=fields.get("closes", ""),
        reason=fields.get("reason", ""),
        errors={name: say(wrong) for name, wrong in errors.items()},
    )
    return desk.page(request, "hours.html", page, status)


def _line(desk: Desk, request: Request, one: OpeningDay, names: Mapping[str, str]) -> DayLine:
    language, now = language_of(request), desk.bank.now()
    closed = one.opens is None or one.closes is None
    hours = (
        translator(language)(_CLOSED)
        if closed
        else spans_in_words([parse_span(f"{one.opens}-{one.closes}")], language)
    )
    return DayLine(
        value=one.day.isoformat(),
        day=day_in_words(one.day, language, this_year=_today(desk).year),
        hours=hours,
        reason=one.reason,
        by=f"{names.get(one.set_by, '')} ({shown(one.set_by)})",
        at=when(one.set_at, language, now=now),
    )


def _today(desk: Desk) -> date:
    return desk.bank.now().astimezone(PARIS).date()


def _day(desk: Desk, fields: Mapping[str, str]) -> date | None:
    """The day that was typed, from today on; None where it is none."""
    today = _today(desk)
    try:
        day = date.fromisoformat(fields.get("day", "").strip())
    except ValueError:
        return None
    return day if today <= day <= today + _FURTHEST else None


def _hours(fields: Mapping[str, str]) -> tuple[str, str] | None:
    """The hours that were typed, as a row holds them; None where they are none."""
    try:
        span = parse_span(f"{fields.get('opens', '').strip()}-{fields.get('closes', '').strip()}")
    except MalformedHours:
        return None
    return _clock(span.opens), _clock(span.closes)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
