"""POST /api/v1/verifications: a user code and a code go in, the outcome comes out.

POST /api/v1/challenges: a number for the customer's reader comes out, to be answered there.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sesame import logs
from sesame.bank.bank import Bank
from sesame.bank.challenges import ChallengeResponse, make_challenge, read_challenge
from sesame.bank.errors import (
    ChallengeOver,
    ImpossibleCode,
    MalformedUserCode,
    SameCodeTwice,
    TooBusy,
)
from sesame.bank.matching import TwoCodes, check_possible
from sesame.bank.origin import Door, Origin, source_address
from sesame.bank.recovery import Asked
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.bank.verification import (
    ATTEMPT_ID_LENGTH,
    Accepted,
    Attempt,
    Outcome,
    Refused,
    SourceClosed,
    Suspended,
    TwoCodesWanted,
    verify_login,
)
from sesame.cap.errors import MalformedCode
from sesame.cap.token import Code, parse_code
from sesame.custody.errors import CustodyBusy, CustodyError
from sesame.rest.problems import Problem
from sesame.store.errors import StoreUnavailable

MOST_BYTES = 1024


class Question(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request: what the customer typed, and where from."""

    user_code: str
    code: str
    next_code: str | None = None  # the second of two codes in a row
    challenge: str | None = None  # as it was given; then `code` is its answer
    source: str | None = None  # the customer's own address, as the caller sees it

    def __repr__(self) -> str:
        return "Question()"


class Given(msgspec.Struct):
    """The answer to who asks for a challenge."""

    challenge: str
    digits: str
    seconds: int  # that it is good for
    first: bool  # whether the bank asks it of everybody before a code alone

    def __repr__(self) -> str:
        return "Given()"


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
        if not _knows(self.key_hashes, request.headers.get("authorization", "")):
            raise Problem(*_NO_VALID_KEY)
        question = await _read(request)
        user_code, codes = _parse(question)
        try:
            check_possible(self.bank, *codes)
        except ImpossibleCode:
            return _REFUSED  # and nothing was counted
        except SameCodeTwice as error:
            raise _mistyped(error) from None
        try:
            attempt = Attempt(
                id=self.bank.random_bytes(ATTEMPT_ID_LENGTH),
                user_code=user_code,
                code=await self._presented(question, codes),
                origin=_origin(question, request),
            )
            outcome = await verify_login(self.bank, attempt)
            if isinstance(outcome, SourceClosed):
                raise _source_closed(outcome, self.bank.now())
            return _OUTCOMES[type(outcome)]
        except ChallengeOver as error:
            raise _mistyped(error) from None
        except (TooBusy, CustodyBusy):
            raise Problem(*_BUSY) from None
        except (StoreUnavailable, CustodyError) as error:
            logs.attempt_unjudged("a code could not be judged", error)
            raise Problem(*_UNAVAILABLE) from None

    async def _presented(
        self, question: Question, codes: Sequence[Code]
    ) -> Code | TwoCodes | ChallengeResponse:
        if len(codes) == 1:
            return codes[0]
        two = TwoCodes(*codes)
        if question.challenge is None:
            return two
        challenge = await read_challenge(self.bank, question.challenge, _BOUND_TO)
        return ChallengeResponse(challenge, two)


@dataclass(frozen=True, slots=True)
class Challenges:
    """Gives challenges out, to the same callers."""

    bank: Bank
    key_hashes: Sequence[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            response = await self._answer(Request(scope, receive))
        except Problem as problem:
            response = problem.response()
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            raise Problem(*_ONLY_POST_FOR_CHALLENGE)
        if not _knows(self.key_hashes, request.headers.get("authorization", "")):
            raise Problem(*_NO_VALID_KEY)
        bank = self.bank
        try:
            challenge = await make_challenge(bank, _BOUND_TO)
        except (StoreUnavailable, CustodyError) as error:
            logs.attempt_unjudged("no challenge could be made", error)
            raise Problem(*_NO_CHALLENGE_NOW) from None
        asked = await bank.recovery.asked(bank.store, bank.limits, bank.now())
        given = Given(
            challenge=challenge.token,
            digits=challenge.digits,
            seconds=int(bank.limits.challenge_good_for.total_seconds()),
            first=asked is Asked.FIRST,
        )
        return Response(msgspec.json.encode(given), media_type="application/json")


_BOUND_TO = b"rest"  # the door: no form of the portal answers what was given here


def _knows(key_hashes: Sequence[str], authorization: str) -> bool:
    scheme, _, key = authorization.partition(" ")
    given = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    # Every key is compared, so that the time tells none of them.
    known = [hmac.compare_digest(given, key_hash) for key_hash in key_hashes]
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
    if question.challenge is not None and question.next_code is None:
        raise Problem(*_NO_NEXT_CODE)
    typed = [question.code] if question.next_code is None else [question.code, question.next_code]
    try:
        return parse_user_code(question.user_code), [parse_code(code) for code in typed]
    except (MalformedUserCode, MalformedCode) as error:
        raise _mistyped(error) from None


def _origin(question: Question, request: Request) -> Origin:
    """Where the customer is; or the program that asks for them, if it does not say."""
    if question.source is None:
        asking = source_address(request.client.host if request.client else "")
        return Origin(Door.REST, asking, of_many=True)
    address = source_address(question.source)
    if not address:
        raise Problem(*_NO_ADDRESS)
    return Origin(Door.REST, address)


def _source_closed(outcome: SourceClosed, now: datetime) -> Problem:
    wait = max(1, ceil((outcome.until - now).total_seconds()))
    return Problem(*_SOURCE_CLOSED, {"Retry-After": str(wait)})


def _mistyped(error: Exception) -> Problem:
    return Problem(422, "Mistyped", f"Nothing was counted: {error}.")


def _outcome(word: str) -> Response:
    return Response(msgspec.json.encode({"outcome": word}), media_type="application/json")


_REFUSED = _outcome("refused")
_OUTCOMES: Mapping[type[Outcome], Response] = {  # and SourceClosed, which says until when
    Accepted: _outcome("accepted"),
    Refused: _REFUSED,
    Suspended: _outcome("suspended"),
    TwoCodesWanted: _outcome("two-codes"),
}
# Not ready-made errors: one that is raised again keeps the frames of the times before.
_ONLY_POST = (405, "Only POST", "Send user_code and code in a POST.", {"Allow": "POST"})
_ONLY_POST_FOR_CHALLENGE = (405, "Only POST", "Send a POST without a body.", {"Allow": "POST"})
_NO_CHALLENGE_NOW = (
    503,
    "Unavailable",
    "No challenge can be given now: try again in a minute.",
    {"Retry-After": "60"},
)
_NO_NEXT_CODE = (
    422,
    "Mistyped",
    (
        "Nothing was counted: with the answer to a challenge send in next_code the code that the "
        "card made after it."
    ),
)
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
    (
        "Send a JSON object with the strings user_code and code, source or not, next_code or not, "
        "and with it challenge or not."
    ),
)
_NO_ADDRESS = (
    422,
    "No address",
    "Nothing was counted: source is no IP address. Send the customer's, or leave it out.",
)
_SOURCE_CLOSED = (
    429,
    "Too many refusals",
    "Too many codes from this source were refused. Nothing was judged: try again later.",
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
