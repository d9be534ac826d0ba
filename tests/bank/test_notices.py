"""`sesame.bank.notices`: each event by its channel, at least once, and never in the way."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest

from sesame.bank.errors import EmailDeferred, EmailRefused, MailServerAway
from sesame.bank.moments import to_row
from sesame.bank.notices import (
    CHANNELS,
    Event,
    Facts,
    Letter,
    Outbox,
    Told,
    event_of,
    facts_of,
    fail,
    put_off,
    reference_of,
    sort,
)
from sesame.errors import SesameError
from sesame.store.buckets import bucket_of
from sesame.store.details import DetailsRow, insert_details
from sesame.store.dispatches import DispatchRow, list_dispatches
from sesame.store.notices import NoticeRow, RecipientRow, insert_notice, list_notices
from tests.bank.branch import DORA, NINE, OMAR, VERA, Branch, Person

_RANDOM = bytes(range(8))
_HOUSE = DetailsRow(
    "", "", "12 rue des Tilleuls", "", "75011", "PARIS", "FR", "normal", None, "bank",
    False, None,  # noqa: FBT003 -- a column
)  # fmt: skip


@dataclass
class Carrier:
    """Takes what it is given, or raises the next error that it was told to."""

    errors: list[SesameError] = field(default_factory=list)
    taken: list[Told] = field(default_factory=list)
    tried: int = 0
    rests: int = 0

    async def send(self, told: Told) -> None:
        """Take it, or not."""
        self.tried += 1
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(told)

    async def rest(self) -> None:
        """Be told that the round is over."""
        self.rests += 1


_ids = count(1)


@dataclass
class Desk:
    """The branch, with Véra who has an e-mail address, Omar who has a house only, and Dora."""

    branch: Branch

    async def note(
        self, person: Person, event: str = "hold", facts: bytes = b'{"by":"desk"}'
    ) -> None:
        """Have *person* told."""
        key, at = _key(person), to_row(self.branch.clock())
        notice = next(_ids).to_bytes(16)
        await self.branch.bank.store.write(
            lambda c: insert_notice(c, key, notice=notice, event=event, facts=facts, at=at)
        )

    async def notices(self, person: Person) -> list[NoticeRow]:
        """What *person* is told."""
        return await self.branch.bank.store.read(lambda c: list_notices(c, _key(person)))

    async def states(self, person: Person) -> list[str]:
        """By e-mail."""
        return [row.email_state for row in await self.notices(person)]

    async def letters(self, person: Person) -> list[DispatchRow]:
        """What is due by post."""
        return await self.branch.bank.store.read(lambda c: list_dispatches(c, _key(person)))

    def counted(self, outcome: str) -> float:
        """By the meter."""
        return self.branch.bank.meters.notices.values.get((outcome,), 0)

    async def tell(self, outbox: Outbox) -> None:
        """One round."""
        await outbox.tell(self.branch.bank)


def _key(person: Person) -> tuple[int, str]:
    return bucket_of(person.user_code), person.user_code


@pytest.fixture
async def desk(branch: Branch) -> Desk:
    """That branch."""
    rows = [
        (_key(VERA), _HOUSE._replace(email="vera@example.org"), None),
        (_key(OMAR), _HOUSE, None),
    ]
    await branch.bank.store.write(lambda c: insert_details(c, rows))
    return Desk(branch)


async def test_told_once_by_email_or_by_letter(desk: Desk) -> None:
    """By e-mail where there is an address; else by the event's letter, which the notice names."""
    carrier = Carrier()
    outbox = Outbox(carrier)
    for person in (VERA, OMAR, DORA):
        await desk.note(person)
    for _ in range(3):
        await desk.tell(outbox)
    (told,) = carrier.taken
    assert (told.to, told.event, told.language) == ("vera@example.org", Event.HOLD, "fr")
    assert told.at == desk.branch.clock()
    assert await desk.states(VERA) == ["sent"]
    assert await desk.letters(VERA) == []
    (letter,) = await desk.letters(OMAR)
    (notice,) = await desk.notices(OMAR)
    assert (letter.kind, letter.reference) == ("hold", notice.letter)
    assert (notice.email_state, letter.due_at) == ("none", to_row(desk.branch.clock()))
    assert await desk.letters(DORA) == []  # nobody knows where she lives
    assert await desk.states(DORA) == ["none"]
    assert [desk.counted(what) for what in ("sent", "letter", "untold")] == [1, 1, 1]
    assert carrier.rests == 1


async def test_the_end_of_an_old_code_is_told(desk: Desk) -> None:
    """By e-mail, or by letter where there is no address for one, as a first success writes it."""
    carrier = Carrier()
    for person in (VERA, OMAR):
        await desk.branch.login(person, person.card.code(1))
    await desk.tell(Outbox(carrier))
    (told,) = carrier.taken
    assert (told.to, told.event) == ("vera@example.org", Event.OLD_CODE)
    assert told.at == desk.branch.clock()
    assert await desk.letters(VERA) == []
    (letter,) = await desk.letters(OMAR)
    (notice,) = await desk.notices(OMAR)
    assert (letter.kind, letter.reference) == ("notice", notice.letter)


async def test_without_a_mail_server_by_letter(desk: Desk) -> None:
    """Also what was due by e-mail when it was switched off; what is not worth one is not told."""
    carrier = Carrier([MailServerAway("status 421")])
    await desk.note(VERA)
    await desk.tell(Outbox(carrier))
    assert await desk.states(VERA) == ["due"]
    await desk.note(VERA, "devices-forgotten")
    desk.branch.clock.forward(minutes=5)
    await desk.tell(Outbox(None))
    assert await desk.states(VERA) == ["failed", "none"]
    (letter,) = await desk.letters(VERA)
    assert letter.kind == "hold"


@pytest.mark.parametrize("event", ["hold", "email-changed"])
async def test_a_notice_says_nothing_of_where_it_goes(desk: Desk, event: str) -> None:
    """Whoever wrote it: to the customer's own address, and to none where there is none."""
    carrier = Carrier()
    facts = b'{"by":"desk","email":"mallory@example.org"}'
    for person in (VERA, OMAR):
        await desk.note(person, event, facts)
    await desk.tell(Outbox(carrier))
    assert [told.to for told in carrier.taken] == ["vera@example.org"]
    (notice,) = await desk.notices(VERA)
    assert notice.facts == facts
    assert "example" not in repr(notice) + repr(carrier.taken) + repr(facts_of(notice))


async def test_what_is_refused_for_good_becomes_a_letter(desk: Desk) -> None:
    """At once; the next one is sent all the same."""
    carrier = Carrier([EmailRefused("status 550")])
    await desk.note(VERA)
    await desk.note(VERA, "release")
    await desk.tell(Outbox(carrier))
    assert sorted(await desk.states(VERA)) == ["failed", "sent"]
    assert len(await desk.letters(VERA)) == 1
    assert (desk.counted("refused"), desk.counted("given-up")) == (1, 0)


async def test_gaps_grow_and_a_letter_ends_them(desk: Desk) -> None:
    """A grey list for an hour costs an hour; one for ever a letter after a day, and no e-mail."""
    carrier = Carrier([EmailDeferred("status 450")] * 1000)
    outbox = Outbox(carrier)
    await desk.note(VERA)
    tries = []
    for minute in (*range(70), *range(128, 25 * 60, 60)):
        before = carrier.tried
        desk.branch.clock.at = NINE + timedelta(minutes=minute)
        await desk.tell(outbox)
        if carrier.tried > before:
            tries.append(minute)
    assert tries[:8] == [0, 1, 3, 8, 18, 38, 68, 128]
    assert tries[-1] < 24 * 60
    assert await desk.states(VERA) == ["failed"]
    assert [letter.kind for letter in await desk.letters(VERA)] == ["hold"]
    assert carrier.taken == []
    assert (desk.counted("given-up"), desk.counted("refused")) == (1, 0)


async def test_a_dead_server_is_asked_once_a_minute(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """However many wait: one line, one count; and all of them leave once it lives."""
    carrier = Carrier([MailServerAway("SMTPConnectError")] * 2)
    outbox = Outbox(carrier)
    for _ in range(5):
        await desk.note(VERA)
    for _ in range(11):
        await desk.tell(outbox)
        desk.branch.clock.forward(seconds=5)
    assert carrier.tried == 1
    await desk.tell(outbox)  # letters do not wait meanwhile
    lines = [record for record in caplog.records if "e-mails wait" in record.getMessage()]
    assert len(lines) == carrier.tried == desk.counted("server-away")
    assert "example.org" not in caplog.text
    assert desk.branch.bank.meters.notices_waiting.values[()] == 5
    for _ in range(3):
        desk.branch.clock.forward(minutes=2)
        await desk.tell(outbox)
    assert await desk.states(VERA) == ["sent"] * 5
    assert len(carrier.taken) == 5


async def test_since_when_somebody_waits_is_told(desk: Desk) -> None:
    """By the change, not by the last try; 0 once nobody does."""
    carrier = Carrier([EmailDeferred("status 450")] * 3)
    outbox, told = Outbox(carrier), desk.branch.bank.meters.notices_oldest.values
    await desk.tell(outbox)
    assert told == {(): 0}
    await desk.note(VERA)
    await desk.tell(outbox)
    desk.branch.clock.forward(minutes=1)
    await desk.note(VERA, "release")
    await desk.tell(outbox)
    assert told == {(): NINE.timestamp()}
    for _ in range(3):
        desk.branch.clock.forward(minutes=20)
        await desk.tell(outbox)
    assert await desk.states(VERA) == ["sent", "sent"]
    assert told == {(): 0}


async def test_several_processes_share_them_out(desk: Desk) -> None:
    """Each e-mail leaves once, whoever takes it."""
    carriers = [Carrier(), Carrier(), Carrier()]
    for _ in range(12):
        await desk.note(VERA)
    await asyncio.gather(*(desk.tell(Outbox(carrier)) for carrier in carriers))
    ids = [told.id for carrier in carriers for told in carrier.taken]
    assert len(ids) == len(set(ids)) == 12
    assert await desk.states(VERA) == ["sent"] * 12


async def test_a_process_that_dies_leaves_it_to_the_next(desk: Desk) -> None:
    """Not before its time is over, and under the same id: at least once."""

    class Dying(Carrier):
        async def send(self, told: Told) -> None:
            self.taken.append(told)
            raise asyncio.CancelledError

    dying, heir = Dying(), Carrier()
    await desk.note(VERA)
    with pytest.raises(asyncio.CancelledError):
        await desk.tell(Outbox(dying))
    outbox = Outbox(heir)
    await desk.tell(outbox)
    assert heir.taken == []
    desk.branch.clock.forward(minutes=2)
    await desk.tell(outbox)
    assert [told.id for told in heir.taken] == [told.id for told in dying.taken]


async def test_who_was_erased_is_told_nothing(desk: Desk) -> None:
    """Nor who became none of ours between sorting and sending."""
    carrier = Carrier([EmailDeferred("status 450")])
    await desk.note(VERA)
    await desk.note(OMAR)
    await desk.tell(Outbox(carrier))
    for table in ("customer_details", "customers"):
        desk.branch.change(f"DELETE FROM {table}")  # noqa: S608 -- two names
    desk.branch.clock.forward(minutes=5)
    await desk.tell(Outbox(carrier))
    assert await desk.states(VERA) == ["failed"]
    assert carrier.taken == []


# ── The rule ─────────────────────────────────────────────────────────────────────────────────────

_TO = RecipientRow("fr", "vera@example.org", has_address=True)


def _row(
    event: str = "hold", state: str = "new", tries: int = 0, facts: bytes = b"{}"
) -> NoticeRow:
    return NoticeRow(b"i" * 16, 1, "VERA2345", event, 0, facts, state, tries)


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("mails", [True, False])
@pytest.mark.parametrize("has_address", [True, False])
def test_a_letter_where_it_must_be(event: Event, *, mails: bool, has_address: bool) -> None:
    """Always, instead of an e-mail, or never; and none without a house."""
    to = _TO._replace(has_address=has_address)
    settled = sort(_row(event), to, mails=mails, now=NINE, random=_RANDOM)
    rule = CHANNELS[event].letter
    wanted = rule is Letter.ALWAYS or (rule is Letter.INSTEAD and not mails)
    assert (settled.letter is not None) == (wanted and has_address)
    assert settled.email_state == ("due" if mails else "none")


def test_every_event_has_its_channel() -> None:
    """One that decides who can sign in is never left untold."""
    assert set(CHANNELS) == set(Event)
    assert CHANNELS[Event.OTHER].letter is Letter.INSTEAD


def test_what_is_not_known_is_told_all_the_same() -> None:
    """An event of a later version; facts that are none."""
    assert event_of(_row("hold")) is Event.HOLD
    assert event_of(_row("teleported")) is Event.OTHER
    assert event_of(_row("opposition", facts=b'{"reason":"lost"}')) is Event.OPPOSITION
    assert event_of(_row("opposition", facts=b'{"reason":"damaged"}')) is Event.ORDER
    assert event_of(_row("mail-returned", facts=b'{"held":1}')) is Event.RETURNED_HELD
    assert event_of(_row("mail-returned", facts=b'{"held":0}')) is Event.RETURNED
    for facts in (b"", b"[]", b'{"by":1}', b"\xff"):
        assert facts_of(_row(facts=facts)) == Facts()
    assert facts_of(_row(facts=b'{"by":"owner","more":[1]}')) == Facts(by="owner")


def test_one_letter_a_notice() -> None:
    """The one that went with the e-mail does, whatever became of that."""
    always = _row("address-changed", "due", 3)
    settled = sort(always, _TO, mails=True, now=NINE, random=_RANDOM)
    assert (settled.email_state, settled.letter) == ("failed", None)
    settled = fail(_row("hold", "due")._replace(letter="2222-3333"), _TO, now=NINE, random=_RANDOM)
    assert settled.letter is None
    assert fail(_row(), None, now=NINE, random=_RANDOM).letter is None


def test_gaps_have_an_end() -> None:
    """An hour, however often it was tried."""
    minute = 60_000_000
    gaps = [
        (put_off(_row(state="due", tries=n), NINE).next_try_at or 0) - to_row(NINE)
        for n in (1, 2, 3, 7, 8, 30)
    ]
    assert [gap // minute for gap in gaps] == [1, 2, 5, 60, 60, 60]


def test_a_reference_says_nothing() -> None:
    """Two groups of the signs that are read without mistake."""
    assert reference_of(_RANDOM) == "2345-6789"
