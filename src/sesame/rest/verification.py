"""POST /api/v1/verifications: a user code and a code go in, the outcome comes out."""

import hashlib
import hmac
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sesame.bank.bank import Bank
from sesame.bank.errors import ImpossibleCode, MalformedUserCode, SameCodeTwice, TooBusy
from sesame.bank.matching import TwoCodes, check_possible
from sesame.bank.origin import Door, Origin, source_address
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.bank.verification import (
    ATTEMPT_ID_LENGTH,
    Accepted,
    Attempt,
    Outcome,
    Refused,
    Suspended,
    TwoCodesWanted,
    verify_login,
)
from sesame.cap.errors import MalformedCode
from sesame.cap.token import Code, parse_code
from sesame.custody.errors import CustodyError
from sesame.rest.problems import Problem
from sesame.store.errors import StoreUnavailable

MOST_BYTES = 1024
_log = logging.getLogger("sesame")


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request, all as the customer typed it."""

    user_code: str
    code: str
    next_code: str | None = None  # the second of two codes in a row

    def __repr__(self) -> str:
        return "Question()"


@dataclass(frozen=True, slots=True)
class Verifications:
    """The door: a bank, and the SHA-256 (hex) of each bearer key that may ask it."""

    bank: Bank
    key_hashes: Sequence[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; plain ASGI, for this is the busiest door."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except Problem as problem:
            response = problem.response()
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            raise Problem(*_ONLY_POST)
        if not self._knows(request.headers.get("authorization", "")):
            raise Problem(*_NO_VALID_KEY)
        user_code, codes = _parse(await _read(request))
        try:
            check_possible(self.bank, *codes)
        except ImpossibleCode:
            return _REFUSED  # and nothing was counted
        except SameCodeTwice as error:
            raise _mistyped(error) from None
        attempt = Attempt(
            id=self.bank.random_bytes(ATTEMPT_ID_LENGTH),
            user_code=user_code,
            code=codes[0] if len(codes) == 1 else TwoCodes(*codes),
            origin=Origin(Door.REST, source_address(request.client.host if request.client else "")),
        )
        try:
            return _OUTCOMES[type(await verify_login(self.bank, attempt))]
        except TooBusy:
            raise Problem(*_BUSY) from None
        except (StoreUnavailable, CustodyError) as error:
            # The type alone: what these errors say is for who looks into the database.
            _log.error("a code could not be judged: %s", type(error).__name__)
            raise Problem(*_UNAVAILABLE) from None

    def _knows(self, authorization: str) -> bool:
        scheme, _, key = authorization.partition(" ")
        given = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        # Every key is compared, so that the time tells none of them.
        known = [hmac.compare_digest(given, key_hash) for key_hash in self.key_hashes]
        return scheme.lower() == "bearer" and any(known)


_decode = msgspec.json.Decoder(Question).decode


async def _read(request: Request) -> Question:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Problem(*_TOO_LONG)
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Problem(*_NOT_UNDERSTOOD) from None


def _parse(question: Question) -> tuple[UserCode, list[Code]]:
    """The user code, and one code or two."""
    typed = [question.code] if question.next_code is None else [question.code, question.next_code]
    try:
        return parse_user_code(question.user_code), [parse_code(code) for code in typed]
    except (MalformedUserCode, MalformedCode) as error:
        raise _mistyped(error) from None


def _mistyped(error: Exception) -> Problem:
    return Problem(422, "Mistyped", f"Nothing was counted: {error}.")


def _outcome(word: str) -> Response:
    return Response(msgspec.json.encode({"outcome": word}), media_type="application/json")


_REFUSED = _outcome("refused")
_OUTCOMES: Mapping[type[Outcome], Response] = {
    Accepted: _outcome("accepted"),
    Refused: _REFUSED,
    Suspended: _outcome("suspended"),
    TwoCodesWanted: _outcome("two-codes"),
}
# Not ready-made errors: one that is raised again keeps the frames of the times before.
_ONLY_POST = (405, "Only POST", "Send user_code and code in a POST.", {"Allow": "POST"})
_NO_VALID_KEY = (
    401,
    "No valid key",
    "Send the header Authorization: Bearer, and a key that the institution gave.",
    {"WWW-Authenticate": "Bearer"},
)
_TOO_LONG = (413, "Too long", f"The body has {MOST_BYTES} bytes at most.")
_NOT_UNDERSTOOD = (
    400,
    "Not understood",
    "Send a JSON object with the strings user_code and code, and next_code or not.",
)
_BUSY = (
    503,
    "Too busy",
    "Other attempts on this user code came first. Nothing was counted: try again.",
    {"Retry-After": "1"},
)
_UNAVAILABLE = (
    503,
    "Unavailable",
    "Whether this attempt was judged is not known: try again in a minute with a new code.",
    {"Retry-After": "60"},
)
