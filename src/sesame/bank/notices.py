"""Telling customers on another channel what was done to their access: by e-mail, or by letter.

Whoever changes something inserts a notice in the same commit (`sesame.store.notices`). Here is by
which channel each event is told, and the outbox: notices are sorted, e-mails leave one by one and
are tried again with growing gaps, and after a day a letter takes their place. A process that dies
between sending and writing so leaves the same message to be sent again, under the same
Message-ID: at least once, for to be told twice harms nobody (docs/decisions/0040).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum, unique
from functools import partial
from typing import Protocol

import msgspec

from sesame.bank.bank import Bank
from sesame.bank.errors import EmailDeferred, EmailRefused, MailServerAway
from sesame.bank.moments import from_row, to_row
from sesame.bank.user_code import ALPHABET
from sesame.catalogue import Language
from sesame.logs import mail_server_away
from sesame.store.dispatches import DispatchRow
from sesame.store.notices import (
    DUE,
    FAILED,
    NEW,
    NONE,
    SENT,
    NoticeRow,
    RecipientRow,
    Settled,
    count_waiting,
    find_recipient,
    oldest_waiting,
    settle_notice,
    sort_notices,
    take_due,
)

# Minutes from one try of an e-mail to the next; the last one for all after it.
_GAPS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 20, 30, 60))
GIVEN_UP_AFTER = timedelta(days=1)  # from the change: then a letter says it
_LEASE = timedelta(minutes=2)  # one process's; a carrier takes half a minute at most
_PAUSE = timedelta(minutes=1)  # after a mail server did not answer
_SORTED_AT_ONCE = 100  # of one transaction
_SENT_AT_ONCE = 500  # of one round
_SECOND = 1_000_000  # microseconds, as rows have moments
_DAMAGED = "damaged"
_REFERENCE = 8  # characters of 5 bits


@unique
class Event(StrEnum):
    """What a customer is told of, as the audit line has it."""

    HOLD = "hold"
    RELEASE = "release"
    OPPOSITION = "opposition"
    SUSPENSION_LIFTED = "suspension-lifted"
    ACTIVATION = "activation"
    ORDER = "order"
    RENEWAL = "renewal"
    REPRINT = "reprint"
    COUNTER_ORDER = "counter-order"
    HANDED_OVER = "card-handed-over"
    ADDRESS = "address-changed"
    EMAIL = "email-changed"
    OLD_CODE = "old-code"
    DEVICES = "devices-forgotten"
    RETURNED = "mail-returned"
    RETURNED_HELD = "mail-returned-held"  # and the card that it belongs to is held
    RESYNC = "resync"
    RETIRED = "card-retired"
    NEW_NUMBER = "number-reissued"
    LOWERED = "counter-lowered"
    BANK_CARD = "bank-card-given"
    BANK_CARD_INSTEAD = "bank-card-replaced"  # and the one that it replaces makes no codes now
    OTHER = "other"  # what a later version tells of and this one does not know


@unique
class Letter(StrEnum):
    """When a letter says it."""

    NEVER = "never"
    INSTEAD = "instead"  # where no e-mail can, or none of them arrived
    ALWAYS = "always"  # the e-mail is beside it


@dataclass(frozen=True, slots=True)
class Channel:
    """How an event is told: by e-mail where there is an address for it, and by which letter."""

    letter: Letter
    kind: str = "notice"  # of the letter, as `sesame.letters.letter.kind_of` says


# What decides whether somebody can sign in has to reach its owner, by whatever way there is: the
# end of their old code too, which whoever switched over in their place has seen on the page. What
# only follows from something that they did themselves, or stands on the page when they sign in,
# is not worth a letter.
CHANNELS: Mapping[Event, Channel] = {
    Event.HOLD: Channel(Letter.INSTEAD, "hold"),
    Event.RELEASE: Channel(Letter.INSTEAD, "release"),
    Event.OPPOSITION: Channel(Letter.INSTEAD),
    Event.SUSPENSION_LIFTED: Channel(Letter.INSTEAD),
    Event.ACTIVATION: Channel(Letter.INSTEAD),
    Event.ORDER: Channel(Letter.INSTEAD),
    Event.RENEWAL: Channel(Letter.NEVER),  # nobody asked for it, and the card comes by post
    Event.COUNTER_ORDER: Channel(Letter.INSTEAD),
    Event.HANDED_OVER: Channel(Letter.INSTEAD),
    Event.ADDRESS: Channel(Letter.ALWAYS),
    Event.EMAIL: Channel(Letter.ALWAYS),  # the new address is perhaps somebody else's
    Event.OLD_CODE: Channel(Letter.INSTEAD),
    Event.DEVICES: Channel(Letter.NEVER),
    Event.RETURNED: Channel(Letter.NEVER),  # a letter would come back too
    Event.RETURNED_HELD: Channel(Letter.NEVER),  # likewise
    Event.REPRINT: Channel(Letter.INSTEAD),
    Event.RESYNC: Channel(Letter.INSTEAD),
    Event.RETIRED: Channel(Letter.INSTEAD),
    Event.NEW_NUMBER: Channel(Letter.NEVER),  # it comes by post itself
    Event.LOWERED: Channel(Letter.INSTEAD),
    Event.BANK_CARD: Channel(Letter.INSTEAD),
    Event.BANK_CARD_INSTEAD: Channel(Letter.INSTEAD),
    Event.OTHER: Channel(Letter.INSTEAD),
}


class Facts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a notice says beside its event. Other members are not read."""

    by: str = ""  # owner or desk
    reason: str = ""  # of an opposition: lost, stolen or damaged
    held: int = 0  # of mail that came back: cards


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An e-mail to be sent: of what, to whom, in which language. It says nothing else."""

    id: bytes  # 16 bytes, the same at each try
    to: str = field(repr=False)
    language: Language
    event: Event
    at: datetime  # of the change


class Carrier(Protocol):
    """Whoever takes e-mails to a mail server."""

    async def send(self, told: Told) -> None:
        """Have the server take it over.

        Raises:
            EmailRefused: it never will.
            EmailDeferred: not now, and others perhaps.
            MailServerAway: it takes none now.
        """
        ...

    async def rest(self) -> None:
        """Let go of the server until the next one."""
        ...


class Outbox:
    """The outbox of one process. Without a *carrier* nobody is told by e-mail."""

    def __init__(self, carrier: Carrier | None) -> None:
        self._carrier = carrier
        self._away_until: datetime | None = None

    async def tell(self, bank: Bank) -> None:
        """One round: sort what is new or too old, then send what is due.

        Raises:
            StoreUnavailable: some of it is left for the next round.
        """
        waiting = await bank.store.read(count_waiting)
        bank.meters.notices_waiting.put(waiting)
        oldest = await bank.store.read(oldest_waiting) if waiting else None
        bank.meters.notices_oldest.put((oldest or 0) / _SECOND)
        if not waiting:
            return
        await self._sort(bank)
        if self._carrier is None or self._is_away(bank.now()):
            return
        try:
            for _ in range(_SENT_AT_ONCE):
                if not await self._send_one(bank, self._carrier):
                    return
        finally:
            await self._carrier.rest()

    async def _sort(self, bank: Bank) -> None:
        while True:
            now = bank.now()
            # Where e-mail was switched off meanwhile, what was due by it is too old at once.
            patience = timedelta() if self._carrier is None else GIVEN_UP_AFTER
            done = await bank.store.write(
                partial(
                    sort_notices,
                    decide=self._decide(now, bank.random_bytes),
                    at=to_row(now),
                    stale_since=to_row(now - patience),
                    most=_SORTED_AT_ONCE,
                )
            )
            for settled in done:
                _count(bank, settled)
                if settled.email_state == FAILED:  # nobody refused it: its time is over
                    bank.meters.notices.add("given-up")
            if len(done) < _SORTED_AT_ONCE:
                return

    def _decide(
        self, now: datetime, random_bytes: Callable[[int], bytes]
    ) -> Callable[[NoticeRow, RecipientRow | None], Settled]:
        mails = self._carrier is not None
        return lambda row, to: sort(row, to, mails=mails, now=now, random=random_bytes(_REFERENCE))

    async def _send_one(self, bank: Bank, carrier: Carrier) -> bool:
        """Send what has waited longest; False where there is nothing more to do now."""
        now = bank.now()
        row = await bank.store.write(
            lambda connection: take_due(connection, at=to_row(now), until=to_row(now + _LEASE))
        )
        if row is None:
            return False
        to = await bank.store.read(lambda connection: find_recipient(connection, row.key))
        settled, goes_on = await self._try(bank, carrier, row, to)
        await bank.store.write(lambda connection: settle_notice(connection, row, settled))
        _count(bank, settled)
        return goes_on

    async def _try(
        self, bank: Bank, carrier: Carrier, row: NoticeRow, to: RecipientRow | None
    ) -> tuple[Settled, bool]:
        """What becomes of *row* by one try, and whether the next one may be tried too."""
        random = bank.random_bytes(_REFERENCE)
        if to is None or to.email is None:  # it was taken away meanwhile
            return fail(row, to, now=bank.now(), random=random), True
        told = Told(
            id=row.id,
            to=to.email,
            language=Language(to.language),
            event=event_of(row),
            at=from_row(row.at),
        )
        try:
            await carrier.send(told)
        except EmailRefused:
            bank.meters.notices.add("refused")
            return fail(row, to, now=bank.now(), random=random), True
        except EmailDeferred:
            bank.meters.notices.add("deferred")
            return put_off(row, bank.now()), True
        except MailServerAway as away:
            bank.meters.notices.add("server-away")
            mail_server_away(away)
            self._away_until = bank.now() + _PAUSE
            return put_off(row, bank.now()), False
        return Settled(SENT, None, to_row(bank.now())), True

    def _is_away(self, now: datetime) -> bool:
        return self._away_until is not None and now < self._away_until


def sort(
    row: NoticeRow, to: RecipientRow | None, *, mails: bool, now: datetime, random: bytes
) -> Settled:
    """What is to be done with a notice that is new, or whose e-mail did not leave in time: pure.

    *mails*: whether e-mails can be sent at all. *random*: 8 bytes for the letter's reference.
    """
    if row.email_state != NEW or to is None:
        return fail(row, to, now=now, random=random)
    channel = CHANNELS[event_of(row)]
    by_email = mails and to.email is not None
    written = channel.letter is Letter.ALWAYS or (channel.letter is Letter.INSTEAD and not by_email)
    letter = _letter(row, to, channel, now, random) if written else None
    if not by_email:
        return Settled(NONE, None, None, letter)
    return Settled(DUE, to_row(now), None, letter)


def fail(row: NoticeRow, to: RecipientRow | None, *, now: datetime, random: bytes) -> Settled:
    """No e-mail of *row* arrives any more: a letter takes its place, where one has to. Pure."""
    state = FAILED if row.email_state == DUE else NONE
    channel = CHANNELS[event_of(row)]
    instead = to is not None and channel.letter is Letter.INSTEAD
    letter = _letter(row, to, channel, now, random) if instead else None
    return Settled(state, None, None, letter)


def put_off(row: NoticeRow, now: datetime) -> Settled:
    """Try again, after a gap that grows with the tries there were: pure."""
    gap = _GAPS[min(row.tries, len(_GAPS)) - 1]
    return Settled(DUE, to_row(now + gap), None)


def event_of(row: NoticeRow) -> Event:
    """What *row* tells of; OTHER where this version does not know it."""
    try:
        event = Event(row.event)
    except ValueError:
        return Event.OTHER
    # What is damaged goes on to make codes until it is replaced: no more is told than that.
    damaged = event is Event.OPPOSITION and facts_of(row).reason == _DAMAGED
    if event is Event.RETURNED and facts_of(row).held:
        return Event.RETURNED_HELD
    return Event.ORDER if damaged else event


def facts_of(row: NoticeRow) -> Facts:
    """What *row* says beside it; nothing where it cannot be read."""
    try:
        return _read_facts(row.facts)
    except msgspec.DecodeError:
        return Facts()


def reference_of(random: bytes) -> str:
    """The reference of a letter out of 8 random bytes: `7QK4-XM2P`."""
    signs = "".join(ALPHABET[byte % len(ALPHABET)] for byte in random)
    return f"{signs[:4]}-{signs[4:]}"


def _letter(
    row: NoticeRow, to: RecipientRow | None, channel: Channel, now: datetime, random: bytes
) -> DispatchRow | None:
    """The letter that tells *row*, due now; None where nobody knows where it would go."""
    if to is None or not to.has_address or row.letter is not None:
        return None
    return DispatchRow(
        reference=reference_of(random),
        bucket=row.bucket,
        user_code=row.user_code,
        kind=channel.kind,
        order_number=None,
        due_at=to_row(now),
    )


def _count(bank: Bank, settled: Settled) -> None:
    if settled.email_state == SENT:
        bank.meters.notices.add("sent")
    if settled.letter is not None:
        bank.meters.notices.add("letter")
    elif settled.email_state in {NONE, FAILED}:
        bank.meters.notices.add("untold")


_read_facts = msgspec.json.Decoder(Facts).decode
