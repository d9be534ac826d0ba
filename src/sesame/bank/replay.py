"""Replay: what customers did after a backup, told by the stream of audit lines off the host.

Each line is taken as the step that it was, behind the line before it: the chain goes on as if
nothing had been lost, the last ATCs are where they were, an old code that was retired is gone, and
a card that was held or retired is so again.
A card that two persons had begin lower does so again, in its turn, where the owner of the tables
replays it. In a history that went on otherwise none does, and nothing lowers a card any more of
which a line took a code below what it began with.
No card becomes sure by it: a stream says what was done, never that nothing came after its last
line (docs/decisions/0027).
"""

import hmac
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Annotated

import msgspec
from msgspec.structs import replace

from sesame.bank.audit import SIGN_IN, USE_CODES, line_hash, unsealed
from sesame.bank.bank import Bank
from sesame.bank.errors import StreamAltered
from sesame.bank.moments import to_row
from sesame.bank.orders import Reason
from sesame.bank.sessions import Means
from sesame.bank.staff import BANK_ITSELF, shown
from sesame.bank.stream import StreamedLine
from sesame.custody.custodian import KeyUsage
from sesame.store.buckets import bucket_of
from sesame.store.cards import Lowering
from sesame.store.replayed_cards import CardMoves
from sesame.store.replaying import LostStep, ReplayedChain, replay_chain

_AT_ONCE = 500  # lines of one transaction


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay came to."""

    known: int = 0  # lines that the database had
    taken: int = 0  # that it had lost, and has again
    raised: int = 0  # last ATCs that were raised
    closed: int = 0  # cards that were held or retired again
    opened: int = 0  # that sign in again
    forked: frozenset[str] = frozenset()  # customers who went on otherwise: their cards moved only
    left: frozenset[str] = frozenset()  # a card begins too high: only the tables' owner lowers it
    missing: frozenset[str] = frozenset()  # enrolled after the backup: nobody knows their cards

    def with_chain(self, user_code: str, chain: ReplayedChain | None) -> "Replayed":
        """This, and what became of one more customer's lines."""
        if chain is None:
            return replace(self, missing=self.missing | {user_code})
        return replace(
            self,
            known=self.known + chain.known,
            taken=self.taken + chain.taken,
            raised=self.raised + chain.raised,
            closed=self.closed + chain.closed,
            opened=self.opened + chain.opened,
            forked=self.forked | ({user_code} if chain.forked else set()),
            left=self.left | ({user_code} if chain.left else set()),
        )


_Hex = Annotated[str, msgspec.Meta(pattern=r"\A(?:[0-9a-f]{2})*\Z")]
_Numbers = tuple[tuple[int], ...]  # of cards


class _Said(msgspec.Struct, frozen=True):
    """What a replay reads in each line."""

    event: str
    version: int
    prev: _Hex
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    attempt: _Hex


class _Used(msgspec.Struct, frozen=True):
    """What it reads in the line of a code; an accepted one moved cards and bears custody's MAC."""

    outcome: str = ""
    means: str = ""
    cards: tuple[tuple[int, str, int], ...] = ()
    opened: tuple[tuple[int, int], ...] = ()
    retired: _Numbers = ()
    mac: str = ""

    @property
    def moves(self) -> CardMoves | None:
        """What it did to the states of cards."""
        if not self.opened:
            return None
        return CardMoves(opened=self.opened, retired=_listed(self.retired))


class _Stopped(msgspec.Struct, frozen=True):
    """What it reads in a line that stops cards, of whichever event."""

    held: _Numbers = ()
    retired: _Numbers = ()
    card: int = 0
    reason: str = ""
    sessions: str = ""  # of an opposition: "ended" where it ended them and forgot the devices
    about: str = ""
    lowered: tuple[tuple[int, int, int], ...] = ()  # number, from, to
    staff: str = ""


async def replay(bank: Bank, lines: Iterable[StreamedLine]) -> Replayed:
    """Take the steps that *lines* tell of; those of one customer come by version.

    Idempotent: what the database has already is passed over. Best before anybody is served: who
    has signed in since then has a chain of their own, of which only the last ATCs are raised and
    the cards held or retired, each time anew.

    Raises:
        StreamAltered: a line is not as this bank wrote it.
        StoreUnavailable: the database does not answer. What was replayed stays, and a second
            replay goes on from there.
    """
    done = Replayed()
    left = iter(lines)
    while some := list(islice(left, _AT_ONCE)):
        some.sort(key=lambda line: (bucket_of(line.user_code), line.user_code, line.version))
        steps = [(line.user_code, await _read(bank, line)) for line in some]
        by_customer = groupby(steps, key=itemgetter(0))
        chains = [(user_code, [step for _, step in of_one]) for user_code, of_one in by_customer]
        came_to = await bank.store.write(
            lambda connection, chains=chains: [  # type: ignore[misc]  # of this turn
                replay_chain(connection, bucket_of(user_code), user_code, of_one, by=BANK_ITSELF)
                for user_code, of_one in chains
            ]
        )
        for (user_code, _), chain in zip(chains, came_to, strict=True):
            done = done.with_chain(user_code, chain)
    return done


async def _read(bank: Bank, streamed: StreamedLine) -> LostStep:
    """The step of a line, if custody vouches for it where it moved a card.

    Raises:
        StreamAltered: it does not, or that is no line.
    """
    altered = StreamAltered(streamed.user_code, streamed.version)
    try:
        said = _decode(streamed.line)
        used = _decode_used(streamed.line) if said.event in USE_CODES else _Used()
        stopped = _decode_stopped(streamed.line) if said.event in _STOPPING else _Stopped()
        unvouched = unsealed(streamed.line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise altered from None
    if said.version != streamed.version:
        raise altered
    accepted = used.outcome == "accepted"
    if accepted:
        mac = await bank.custodian.mac(KeyUsage.AUDIT, unvouched)
        if not hmac.compare_digest(mac.hex().encode(), used.mac.encode()):
            raise altered
    login = accepted and said.event in SIGN_IN
    opposed = said.event == "opposition" and stopped.sessions == "ended"
    return LostStep(
        version=said.version,
        prev=bytes.fromhex(said.prev),
        head=line_hash(streamed.line),
        attempt=bytes.fromhex(said.attempt),
        at=to_row(said.at),
        line=streamed.line,
        # In the chains of both persons too, whose cards are not meant.
        falls=tuple(
            Lowering(*fall)
            for fall in stopped.lowered
            if stopped.about == shown(streamed.user_code)
        ),
        atcs=tuple((number, atc) for number, _, atc in used.cards) if accepted else (),
        signed_in=login,
        retires=said.event == "erased" or (login and used.means != Means.OLD_CODE),
        # Who was erased is to be erased again; nobody signs in as them by what they knew meanwhile.
        ends_sessions=said.event in {"sessions-ended", "erased", "hold", "staff-closed"} or opposed,
        forgets_devices=said.event in {"devices-forgotten", "erased"} or opposed,
        moves=used.moves if login else _stops(said.event, stopped, streamed.user_code),
    )


def _stops(event: str, said: _Stopped, user_code: str) -> CardMoves | None:
    """What a line of *event* stops of the cards of *user_code*, in whose chain it stands."""
    moves: CardMoves | None = None
    match event:
        case "hold":
            moves = CardMoves(held_by_owner=_listed(said.held))
        case "opposition" | "mail-returned":
            held, retired = _listed(said.held), _listed(said.retired)
            moves = CardMoves(held=held, retired=retired, reason=said.reason or Reason.RETURNED)
        case "card-retired":
            moves = CardMoves(retired=(said.card,))
        case "bank-card-given" | "bank-card-ended":
            moves = CardMoves(retired=_listed(said.retired))
        case "approval-decided" if said.about == shown(user_code):
            moves = CardMoves(retired=_listed(said.retired))
        case "staff-closed" if said.staff == shown(user_code):
            moves = CardMoves(all_held=True, reason=event)
        case "erased":
            moves = CardMoves(all_held=True, reason=event)
    return moves


def _listed(numbers: _Numbers) -> tuple[int, ...]:
    return tuple(number for (number,) in numbers)


_STOPPING = frozenset(
    {
        "hold",
        "opposition",
        "mail-returned",
        "card-retired",
        "bank-card-given",
        "bank-card-ended",
        "approval-decided",
        "staff-closed",
    }
)

_decode = msgspec.json.Decoder(_Said).decode
_decode_used = msgspec.json.Decoder(_Used).decode
_decode_stopped = msgspec.json.Decoder(_Stopped).decode
