"""« Vos connexions »: the customer's open sessions and known devices, and how they end.

What names a session travels in the body of a form, never in an address.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sesame.bank.devices import known_devices
from sesame.bank.origin import source_address
from sesame.bank.sessions import (
    Means,
    Session,
    SessionInList,
    end_all_sessions,
    end_other_sessions,
    end_session_of,
    forget_known_devices,
    open_sessions,
)
from sesame.catalogue import N_, Language, translator
from sesame.portal.account import to_signed_out
from sesame.portal.guard import Purpose, signed_in, to_login
from sesame.portal.portal import Portal
from sesame.portal.signed_in import SignedIn, past, session_frame, show, show_view_only
from sesame.web.errors import MalformedForm
from sesame.web.forms import read_form
from sesame.web.guard import proof, require_proof, require_same_origin
from sesame.web.language import language_of

CONNECTIONS = "/espace/connexions"
_SESSION_ID = re.compile(r"[0-9a-f]{64}")
_MEANS = {
    Means.CODE: N_("Code Sésame"),
    Means.TWO_CODES: N_("Deux codes Sésame de suite"),
    Means.CHALLENGE: N_("Réponse Sésame et code Sésame"),
    Means.OLD_CODE: N_("Ancien code confidentiel (consultation seulement)"),
    Means.ACTIVATION: N_("Activation d’une carte"),
    Means.RELEASE: N_("Déblocage de vos codes Sésame"),
}
_OTHERS_ENDED = "autres"  # what was done before the page is shown
_DEVICES_FORGOTTEN = "appareils"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLines:
    """One open session as it is read."""

    id: str  # hex; it opens nothing
    here: bool  # the one that asks
    means: str
    opened: str
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionsPage:
    """connections.html: the open sessions, how many devices are known, and the proofs (hex)."""

    session: SignedIn
    connections: tuple[ConnectionLines, ...]
    devices: int
    done: str | None  # what was just done, where it is still true
    end_one_proof: str
    end_others_proof: str
    forget_devices_proof: str

    @property
    def alone(self) -> bool:
        """Whether no other session is open."""
        return all(connection.here for connection in self.connections)


async def get_connections(portal: Portal, request: Request) -> Response:
    """`GET /espace/connexions`."""
    session = await signed_in(portal, request)
    if session is None:
        return to_login(portal, request)
    # The list last: what it says is for good, and with it what was seen before.
    devices = await known_devices(portal.bank, session.user_code)
    sessions = await open_sessions(portal.bank, session.user_code)
    page = _connections_page(portal, request, session, sessions, devices)
    return show(portal, request, "connections.html", page)


async def post_end_one(portal: Portal, request: Request) -> Response:
    """`POST /espace/connexions/terminer`: end the session that the form names."""

    async def end(session: Session, fields: Mapping[str, str]) -> Response:
        if not _SESSION_ID.fullmatch(fields.get("session", "")):
            raise MalformedForm("the field session is no session's id", status=400)
        await end_session_of(portal.bank, session.user_code, bytes.fromhex(fields["session"]))
        return _back()

    return await _act(portal, request, Purpose.END_ONE, end)


async def post_end_others(portal: Portal, request: Request) -> Response:
    """`POST /espace/connexions/autres`: end every session but the one that asks."""

    async def end(session: Session, _fields: Mapping[str, str]) -> Response:
        await end_other_sessions(portal.bank, session)
        return _back(_OTHERS_ENDED)

    return await _act(portal, request, Purpose.END_OTHERS, end)


async def post_end_all(portal: Portal, request: Request) -> Response:
    """`POST /espace/connexions/toutes`: end every session, this one too."""

    async def end(session: Session, _fields: Mapping[str, str]) -> Response:
        await end_all_sessions(portal.bank, session.user_code, _address(request))
        return to_signed_out(portal)

    return await _act(portal, request, Purpose.END_ALL, end)


async def post_forget_devices(portal: Portal, request: Request) -> Response:
    """`POST /espace/connexions/appareils`: have no device known any more."""

    async def forget(session: Session, _fields: Mapping[str, str]) -> Response:
        await forget_known_devices(portal.bank, session.user_code, _address(request))
        return _back(_DEVICES_FORGOTTEN)

    return await _act(portal, request, Purpose.FORGET_DEVICES, forget)


async def _act(
    portal: Portal,
    request: Request,
    purpose: Purpose,
    act: Callable[[Session, Mapping[str, str]], Awaitable[Response]],
) -> Response:
    """Do what a button of this page is for, if whoever pressed it may."""
    require_same_origin(request, portal.public_origin)
    fields = await read_form(request)
    session = await signed_in(portal, request)
    if session is None:
        return to_login(portal, request, back=CONNECTIONS)
    require_proof(fields, portal.session_cookie.read(request) or "", purpose)
    if session.view_only:
        return show_view_only(portal, request)
    return await act(session, fields)


def _back(done: str = "") -> Response:
    return RedirectResponse(f"{CONNECTIONS}?fait={done}" if done else CONNECTIONS, status_code=303)


def _address(request: Request) -> str:
    return source_address(request.client.host if request.client else "")


def _connections_page(
    portal: Portal,
    request: Request,
    session: Session,
    sessions: list[SessionInList],
    devices: int,
) -> ConnectionsPage:
    language, now = language_of(request), portal.bank.now()
    token = portal.session_cookie.read(request) or ""
    connections = tuple(_lines(one, session, language, now) for one in sessions)
    alone = all(connection.here for connection in connections)
    # Whatever the address says: only what the page itself shows to be true.
    told = request.query_params.get("fait")
    done = None
    if told == _OTHERS_ENDED and alone:
        done = N_("C’est fait : vos autres connexions sont terminées.")
    if told == _DEVICES_FORGOTTEN and devices == 0:
        done = N_("C’est fait : vos appareils ne sont plus reconnus.")
    return ConnectionsPage(
        session=session_frame(portal, request, session, CONNECTIONS),
        connections=connections,
        devices=devices,
        done=done and translator(language)(done),
        end_one_proof=proof(token, Purpose.END_ONE),
        end_others_proof=proof(token, Purpose.END_OTHERS),
        forget_devices_proof=proof(token, Purpose.FORGET_DEVICES),
    )


def _lines(
    one: SessionInList, asking: Session, language: Language, now: datetime
) -> ConnectionLines:
    return ConnectionLines(
        id=one.id.hex(),
        here=one.id == asking.id,
        means=translator(language)(_MEANS[one.means]),
        opened=past(one.opened_at, language, now=now),
        seen=past(one.seen_at, language, now=now),
    )
