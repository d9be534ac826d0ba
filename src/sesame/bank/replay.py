"""Replay: what customers did after a backup, told by the stream of audit lines off the host.

Each line is taken as the step that it was, behind the line before it: the chain goes on as if
nothing had been lost, the last ATCs are where they were, and an old code that was retired is gone.
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
from sesame.bank.sessions import Means
from sesame.bank.staff import shown
from sesame.bank.stream import StreamedLine
from sesame.custody.custodian import KeyUsage
from sesame.store.buckets import bucket_of
from sesame.store.cards import Lowering
from sesame.store.replaying import LostStep, ReplayedChain, replay_chain

_AT_ONCE = 500  # lines of one transaction


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay came to."""

    known: int = 0  # lines that the database had
    taken: int = 0  # that it had lost, and has again
    raised: int = 0  # last ATCs that were raised
    forked: frozenset[str] = frozenset()  # customers who went on otherwise: only their ATCs rose
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
            forked=self.forked | ({user_code} if chain.forked else set()),
            left=self.left | ({user_code} if chain.left else set()),
        )


_Hex = Annotated[str, msgspec.Meta(pattern=r"\A(?:[0-9a-f]{2})*\Z")]


class _Said(msgspec.Struct, frozen=True):
    """What a replay reads in a line."""

    event: str
    version: int
    prev: _Hex
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    attempt: _Hex
    outcome: str = ""
    means: str = ""
    sessions: str = ""  # of an opposition: "ended" where it ended them and forgot the devices
    cards: tuple[tuple[int, str, int], ...] = ()
    about: str = ""
    lowered: tuple[tuple[int, int, int], ...] = ()  # number, from, to
    mac: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it moved cards, and so bears custody's MAC."""
        return self.event in USE_CODES and self.outcome == "accepted"


async def replay(bank: Bank, lines: Iterable[StreamedLine]) -> Replayed:
    """Take the steps that *lines* tell of; those of one customer come by version.

    Idempotent: what the database has already is passed over. Best before anybody is served: who
    has signed in since then has a chain of their own, of which only the last ATCs are raised.

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
                replay_chain(connection, bucket_of(user_code), user_code, of_one)
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
        unvouched = unsealed(streamed.line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise altered from None
    if said.version != streamed.version:
        raise altered
    if said.accepted:
        mac = await bank.custodian.mac(KeyUsage.AUDIT, unvouched)
        if not hmac.compare_digest(mac.hex().encode(), said.mac.encode()):
            raise altered
    login = said.accepted and said.event in SIGN_IN
    opposed = said.event == "opposition" and said.sessions == "ended"
    return LostStep(
        version=said.version,
        prev=bytes.fromhex(said.prev),
        head=line_hash(streamed.line),
        attempt=bytes.fromhex(said.attempt),
        at=to_row(said.at),
        line=streamed.line,
        atcs=tuple((number, atc) for number, _, atc in said.cards) if said.accepted else (),
        # In the chains of both persons too, whose cards are not meant.
        falls=tuple(
            Lowering(*fall) for fall in said.lowered if said.about == shown(streamed.user_code)
        ),
        signed_in=login,
        retires=said.event == "erased" or (login and said.means != Means.OLD_CODE),
        # Who was erased is to be erased again; nobody signs in as them by what they knew meanwhile.
        ends_sessions=said.event in {"sessions-ended", "erased", "hold"} or opposed,
        forgets_devices=said.event in {"devices-forgotten", "erased"} or opposed,
    )


_decode = msgspec.json.Decoder(_Said).decode
