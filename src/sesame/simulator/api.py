"""The JSON addresses behind the page's script.

    POST   /readers               a new reader: its id and face
    GET    /readers/{id}          its face now
    POST   /readers/{id}/events   something happens to it: its face afterwards

A face is `sesame.simulator.readers.Face`. Where something cannot be, the answer is a problem
(RFC 9457) whose title is a sentence for the page. A PIN arrives here, key by key in a body, and
goes nowhere else.
"""

import functools
from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sesame.card.errors import CardError, CardInUse
from sesame.catalogue import N_, translator
from sesame.errors import SesameError
from sesame.reader.machine import DisplayTime, Key, KeyHeld, KeyPressed
from sesame.simulator.drawer import Drawer
from sesame.simulator.errors import (
    CardNotInDrawer,
    MalformedRequest,
    NoReaderLeft,
    ReaderForgotten,
)
from sesame.simulator.readers import CardSeen, Face, Readers
from sesame.web.errors import ForeignRequest
from sesame.web.guard import require_same_origin
from sesame.web.language import language_of

MOST_BYTES = 512  # of a body

_Handler = Callable[[Request], Awaitable[Response]]


class _Message(msgspec.Struct, tag_field="event", forbid_unknown_fields=True):
    """Something that happens to a reader."""


class Insert(_Message, tag="insert"):
    """The card of this name in the drawer goes in, chip first."""

    card: str


class InsertWrongly(_Message, tag="insert-wrongly"):
    """It goes in the wrong way round."""

    card: str


class Remove(_Message, tag="remove"):
    """The card is pulled out."""


class Press(_Message, tag="key"):
    """A key goes down, while its window shows a face of this turn."""

    key: Key
    turn: int | None = None

    def __repr__(self) -> str:
        return "Press(…)"  # keys are PINs


class Hold(_Message, tag="hold"):
    """A key was kept down, likewise; its `key` came before."""

    key: Key
    turn: int | None = None

    def __repr__(self) -> str:
        return "Hold(…)"


class SetDisplayTime(_Message, tag="display-time"):
    """Its holder has chosen how long codes stay; what is shown counts from when it came."""

    time: DisplayTime


_EVENT = msgspec.json.Decoder(Insert | InsertWrongly | Remove | Press | Hold | SetDisplayTime)


def api_routes(
    readers: Readers, drawer: Callable[[], Drawer], public_origin: str | None
) -> list[Route]:
    """The three addresses. *public_origin* is as for `require_same_origin`."""

    async def open_reader(request: Request) -> Response:
        await _body(request, public_origin)
        reader_id = await readers.open(language_of(request))
        face = await readers.look(reader_id, language_of(request))
        return _json({"id": reader_id, "face": face}, 201)

    async def look(request: Request) -> Response:
        return _json(await readers.look(request.path_params["id"], language_of(request)))

    async def happen(request: Request) -> Response:
        body = await _body(request, public_origin)
        try:
            event = _EVENT.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            # Not chained: msgspec may quote the body, and there are PINs in it.
            raise MalformedRequest("the body is no event that a reader knows") from None
        return _json(await _happen(readers, drawer, request.path_params["id"], event))

    return [
        Route("/readers", _answering(open_reader), methods=["POST"]),
        Route("/readers/{id}", _answering(look)),
        Route("/readers/{id}/events", _answering(happen), methods=["POST"]),
    ]


async def _happen(
    readers: Readers, drawer: Callable[[], Drawer], reader_id: str, event: _Message
) -> Face:
    match event:
        case Insert(name) | InsertWrongly(name):
            try:
                path = drawer().card(name)
            except KeyError:
                raise CardNotInDrawer from None
            card = CardSeen(name, wrongly=isinstance(event, InsertWrongly))
            return await readers.insert(reader_id, card, path)
        case Press(key, turn):
            return await readers.press(reader_id, KeyPressed(key), turn)
        case Hold(key, turn):
            return await readers.press(reader_id, KeyHeld(key), turn)
        case SetDisplayTime(time):
            return await readers.set_display_time(reader_id, time)
    return await readers.remove(reader_id)


async def _body(request: Request, public_origin: str | None) -> bytes:
    """The body of a POST that our own page sent.

    Raises:
        ForeignRequest: another site's page sent it.
        MalformedRequest: not JSON by its type, which a foreign form cannot have; or too long.
    """
    require_same_origin(request, public_origin)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise MalformedRequest("the body is not application/json", status=415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise MalformedRequest(f"the body has more than {MOST_BYTES} bytes", status=413)
    return bytes(body)


def _json(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


# What cannot be: its status, by which the script tells it apart, and its sentence.
_PROBLEMS: dict[type[SesameError], tuple[int, str]] = {
    ForeignRequest: (403, N_("Cette demande vient d’une autre page.")),
    CardNotInDrawer: (404, N_("Cette carte n’est plus dans le tiroir\u00a0: rechargez la page.")),
    CardInUse: (
        409,
        N_("Un autre programme se sert de cette carte. Réessayez dans un instant."),
    ),
    CardError: (409, N_("Cette carte est abîmée. Remettez tout à neuf pour la réparer.")),
    ReaderForgotten: (410, N_("Ce lecteur a été rangé.")),
    NoReaderLeft: (503, N_("Tous les lecteurs sont pris. Réessayez dans quelques minutes.")),
}
_NOT_UNDERSTOOD = N_("Le simulateur n’a pas compris cette demande.")


def _answering(handler: _Handler) -> _Handler:
    """*handler*, whose errors become problems."""

    @functools.wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except MalformedRequest as error:
            status, sentence = error.status, _NOT_UNDERSTOOD
        except tuple(_PROBLEMS) as error:
            status, sentence = next(
                _PROBLEMS[kind] for kind in type(error).__mro__ if kind in _PROBLEMS
            )
        problem = {"title": translator(language_of(request))(sentence), "status": status}
        response = _json(problem, status)
        response.headers["Content-Type"] = "application/problem+json"
        return response

    return answer
