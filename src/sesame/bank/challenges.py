"""Challenges: a number of the bank's choice, which only a card that is there now can answer.

An answer was not made before its challenge was: what somebody kept from the time before a restore
answers none. It comes with a login code made right after it. Alone, an answer that may lie as far
ahead as two codes reach would be guessed 64 times as easily as a code (docs/decisions/0027).

A challenge is nowhere stored. Its form carries when it was made, chance, and a MAC over both and
over that form, under custody's key for the mark of the database's life: a restore voids them all.
"""

import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sesame.bank.bank import Bank
from sesame.bank.errors import ChallengeOver
from sesame.bank.matching import TwoCodes
from sesame.bank.moments import from_row, to_row
from sesame.bank.restored import begin_another
from sesame.cap.mode import LONGEST_CHALLENGE, Inputs, Mode
from sesame.store.incarnation import Incarnation, read_incarnation

_MOMENT = 8  # bytes
_CHANCE = 16
_TAG = 16
_TOKEN = re.compile(rf"[0-9a-f]{{{2 * (_MOMENT + _CHANCE + _TAG)}}}")
# Eight digits and no zero first, which some would not type.
_LOWEST = 10 ** (LONGEST_CHALLENGE - 1)
_AHEAD = timedelta(minutes=1)  # how much further another server's clock may be


@dataclass(frozen=True, slots=True)
class Challenge:
    """A number to be typed into the reader, and what says that it is ours."""

    token: str = field(repr=False)  # hex, for the form
    digits: str = field(repr=False)  # eight
    made_at: datetime
    mark: bytes = field(repr=False)  # 16 bytes, of the database's life that it was made in

    @property
    def inputs(self) -> Inputs:
        """What is typed for its answer: « Répondre », then the digits."""
        return Inputs(mode=Mode.M3, challenge=self.digits)


@dataclass(frozen=True, slots=True, repr=False)
class ChallengeResponse:
    """The answer to a challenge, and the login code that the same card made after it."""

    challenge: Challenge
    codes: TwoCodes

    def __repr__(self) -> str:
        return "ChallengeResponse(…)"


async def make_challenge(bank: Bank, bound_to: bytes) -> Challenge:
    """A new challenge for whoever *bound_to* names, a form or a door.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    mark = await current_mark(bank)
    made = to_row(bank.now()).to_bytes(_MOMENT) + bank.random_bytes(_CHANCE)
    return await _challenge(bank, made, bound_to, mark)


async def read_challenge(bank: Bank, token: str, bound_to: bytes) -> Challenge:
    """The challenge of *token*, which came back from whoever *bound_to* names.

    Raises:
        ChallengeOver: it is too old, from before a restore, or was given to another.
        StoreUnavailable: the database does not answer.
    """
    if not _TOKEN.fullmatch(token):
        raise ChallengeOver
    made = bytes.fromhex(token)[: _MOMENT + _CHANCE]
    challenge = await _challenge(bank, made, bound_to, await current_mark(bank))
    if not hmac.compare_digest(challenge.token, token):
        raise ChallengeOver
    _require_recent(bank, challenge)
    return challenge


async def require_current(bank: Bank, challenge: Challenge) -> None:
    """Let pass what is still asked: the write that takes its answer says the same of the mark.

    Raises:
        ChallengeOver: it is too old, or from before a restore.
        StoreUnavailable: the database does not answer.
    """
    _require_recent(bank, challenge)
    if await current_mark(bank) != challenge.mark:
        raise ChallengeOver


def _require_recent(bank: Bank, challenge: Challenge) -> None:
    now = bank.now()
    good_until = challenge.made_at + bank.limits.challenge_good_for
    if not challenge.made_at - _AHEAD <= now < good_until:
        raise ChallengeOver


async def _challenge(bank: Bank, made: bytes, bound_to: bytes, mark: bytes) -> Challenge:
    """The challenge *made* (moment and chance, 24 bytes): nobody foresees its digits."""
    key = await bank.challenge_key.of(bank.custodian, mark)
    mac = hmac.digest(key, made + bound_to, "sha256")
    number = int.from_bytes(mac[_TAG:]) % (9 * _LOWEST) + _LOWEST
    return Challenge(
        token=(made + mac[:_TAG]).hex(),
        digits=str(number),
        made_at=from_row(int.from_bytes(made[:_MOMENT])),
        mark=mark,
    )


async def current_mark(bank: Bank) -> bytes:
    """The mark of the database's life; a backup that was opened unseen begins another first.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    found: Incarnation | None = await bank.store.read(read_incarnation)
    if found is None or not found.mark:
        found = await begin_another(bank)
    return found.mark
