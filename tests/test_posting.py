"""From an order to four dispatches: the whole course, on each database, and what cuts it short."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader
from sqlalchemy import select, update

from sesame import posting
from sesame.bank.activation import NumberUse, WithNumber, activation_hash, parse_number
from sesame.bank.auditing import audit
from sesame.bank.customer_file import FileFormat
from sesame.bank.details import PostalAddress, WantedCard
from sesame.bank.dispatching import (
    batches_to_do,
    due_counts,
    record_letters,
    record_posted,
)
from sesame.bank.errors import (
    BatchDone,
    MovedMeanwhile,
    NothingToSend,
    NotOnThatDay,
    ReadersMissing,
    TwoOnThatDay,
)
from sesame.bank.help_line import hand_over, order_for_counter
from sesame.bank.issuing import CardRules, PinGone, make_cards
from sesame.bank.moments import from_row, to_row
from sesame.bank.new_number import send_new_number
from sesame.bank.old_code import OldCode
from sesame.bank.returned_mail import reprint_welcome
from sesame.bank.stock import balances, take_in
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Refused, verify_login
from sesame.cap.token import Code
from sesame.card.card_file import create
from sesame.card.cps import decode_groupings
from sesame.custody.bureau_file import read_bureau_file
from sesame.custody.custodian import Fit, Inquiry, Question
from sesame.emv.pin import Pin
from sesame.letters.errors import BatchExists, MalformedLetter, NotConfirmed
from sesame.posting import Printed, destroy_letters, print_letters, write_cards
from sesame.reader.code import make_code
from sesame.reader.virtual_slot import VirtualSlot
from sesame.store.access import ACCESS
from sesame.store.approvals import describe_card
from sesame.store.buckets import bucket_of
from sesame.store.cards import CARDS, CardState, seal_context
from sesame.store.details import CUSTOMER_DETAILS
from sesame.store.dispatches import (
    CARD,
    DISPATCHES,
    PIN,
    READER,
    REMINDER,
    WELCOME,
    DispatchRow,
    insert_dispatch,
    list_dispatches,
)
from sesame.store.orders import ORDERS, list_orders
from sesame.store.schema import erase, migrate
from sesame.web.institution import Institution
from tests.bank.branch import OLD_CODE, attempt
from tests.bank.importer import an_import
from tests.bureaux import Works, bureau, open_works, sealed_pins
from tests.desk.caller import call_of
from tests.desk.office import ADDRESS
from tests.places import Place

_OTHERS = {CARD: 0, PIN: 1, READER: 2, WELCOME: 0}  # who prints which


@pytest.fixture(
    params=["file", pytest.param("server", marks=pytest.mark.needs("postgresql"))],
    ids=["sqlite", "postgresql"],
)
def url(request: pytest.FixtureRequest, tmp_path: Path, empty_bank: bytes) -> str:
    """An empty database, of one kind and then of the other."""
    if request.param == "file":
        path = tmp_path / "bank.db"
        path.touch(mode=0o600)
        path.write_bytes(empty_bank)
        return f"sqlite:///{path}"
    place: Place = request.getfixturevalue("migrated_server")
    place.write(erase)
    return place.url


@pytest.fixture
async def works(url: str, tmp_path: Path) -> AsyncIterator[Works]:
    """A bank that issues cards, on that database."""
    works = await open_works(url, tmp_path)
    yield works
    await works.bank.store.close()


@pytest.fixture(scope="session")
def empty_bank(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file without rows."""
    path = tmp_path_factory.mktemp("empty") / "bank.db"
    migrate(f"sqlite:///{path}")
    return path.read_bytes()


async def make(works: Works, file: Path, *, most: int = 500) -> int:
    """Make all cards into *file*; how many."""
    made = await write_cards(
        works.bank,
        works.maker,
        works.by(0),
        rules=CardRules(),
        post=works.post,
        certificate=bureau()[0],
        file=file,
        most=most,
    )
    assert made is not None
    assert not made.refused
    return made.cards


async def print_kind(
    works: Works, kind: str, folder: Path, by: int | None = None, *, most: int = 1000
) -> Printed:
    """Print a batch of that kind by whose turn it is, or *by* that issuer."""
    printed = await print_letters(
        works.bank,
        kind,
        works.by(_OTHERS[kind] if by is None else by),
        post=works.post,
        institution=Institution(),
        maker=works.maker if kind == PIN else None,
        folder=folder,
        most=most,
        begun=lambda _: None,
        written=lambda _: None,
    )
    assert printed is not None
    return printed


async def destroy_one(works: Works, batch: str, folder: Path) -> None:
    """Destroy a batch of one letter."""
    await destroy_letters(works.bank, batch, works.by(0), folder=folder, printed=1, post=works.post)


def _texts(folder: Path) -> dict[str, str]:
    """The words of each letter of a batch, by reference."""
    return {
        path.stem.partition("-")[2]: " ".join(
            page.extract_text() for page in PdfReader(BytesIO(path.read_bytes())).pages
        )
        for path in folder.glob("*.pdf")
    }


def _found(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))


async def test_a_whole_course(works: Works, tmp_path: Path) -> None:
    """Ordered, granted, made, printed and posted on days of their own, until the card signs in."""
    user_code = await works.new_customer("Nora Lebrun")
    assert await works.order_all() == 1
    assert await make(works, tmp_path / "bureau.cms") == 1
    access = await works.bank.store.read_access(user_code)
    assert [card.state for card in access.cards] == ["waiting"]
    certificate, key = bureau()
    (card,) = read_bureau_file(tmp_path / "bureau.cms", certificate=certificate, key=key).cards
    image, counters = decode_groupings(card.groupings)
    create(tmp_path / "nora.card", image, counters)
    await take_in(works.bank, [("SR1-0001", "Sesame R1")], works.by(0))
    days = {}
    texts = {}
    for _ in range(20):
        works.next_day()
        for kind in (CARD, PIN, READER, WELCOME):
            folder = tmp_path / f"{kind}"
            if folder.exists():
                continue
            printed = await print_kind(works, kind, folder)
            if printed.letters:
                days[kind] = works.post.day(works.clock.time)
                texts[kind] = _texts(folder)
                await record_posted(works.bank, printed.batch, works.by(0), None, works.post)
                await destroy_one(works, printed.batch, folder)
    assert [f"{days[kind]:%a %d}" for kind in (CARD, PIN, READER, WELCOME)] == [
        "Tue 03",
        "Thu 05",
        "Mon 09",
        "Wed 11",
    ]
    (reference, words), *none = texts[CARD].items()
    assert not none
    assert reference == card.reference
    pin = image.data.pin.digits
    (pin_words,) = texts[PIN].values()
    (reader_words,) = texts[READER].values()
    (welcome_words,) = texts[WELCOME].values()
    assert pin in _digits(pin_words)
    assert user_code in welcome_words
    assert "SR1-0001" in reader_words
    for said in (words, reader_words, welcome_words):
        assert image.data.pan.digits not in said.replace(" ", "")
    for said in (words, pin_words, reader_words):
        assert user_code not in said
    await _number_activates(works, user_code, reader_words)
    with VirtualSlot(tmp_path / "nora.card") as slot:
        code = make_code(slot, Pin(pin))
    assert isinstance(code, Code)
    question = Question(access.cards[0].sealed, seal_context(user_code, 1), (1,))
    assert await works.bank.custodian.match([Inquiry(code, (question,))]) == [(Fit(0, 1),)]
    await _signs_in_by_activation(works, user_code, reader_words, code)
    await _nothing_is_left(works, user_code, pin)
    assert not _found(tmp_path, "*/*.pdf")
    assert not _found(tmp_path, ".*")


def _digits(words: str) -> str:
    """The digits of a PIN stand apart, and are read one by one."""
    return "".join(words.split())


async def _number_activates(works: Works, user_code: UserCode, words: str) -> None:
    """The parcel's number is the one whose keyed hash the order has, to its thirtieth day."""
    key = (bucket_of(user_code), user_code)
    (number,) = re.findall(r"[0-9]{4}-[0-9]{4}", words)
    (order,) = await works.bank.store.read(lambda connection: list_orders(connection, key))
    assert order.activation_hash is not None
    assert order.activation_hash == await activation_hash(works.bank, key, 1, number)
    assert order.activation_until is not None
    until = works.post.day(from_row(order.activation_until - 1))
    assert f"{until}" == "2026-04-08"  # posted on the ninth of March
    assert "8 avril 2026" in words.replace("\u00a0", " ")


async def _signs_in_by_activation(
    works: Works, user_code: UserCode, words: str, code: Code
) -> None:
    """The code alone is refused; with the parcel's number it signs in, and the card is active."""
    assert await verify_login(works.bank, attempt(user_code, code)) == Refused()
    typed = WithNumber(NumberUse.ACTIVATION, _number(words), code)
    assert isinstance(await verify_login(works.bank, attempt(user_code, typed)), Accepted)
    access = await works.bank.store.read_access(user_code)
    assert [(card.state, card.last_atc) for card in access.cards] == [("active", 1)]


def _number(words: str) -> str:
    """The activation number of a letter, eight digits."""
    (number,) = re.findall(r"[0-9]{4}-[0-9]{4}", words)
    return parse_number(number)


async def test_a_new_number_takes_the_place_of_the_old(works: Works, tmp_path: Path) -> None:
    """Asked for by an adviser; printed with another reader; then the old one opens nothing."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    certificate, key = bureau()
    (card,) = read_bureau_file(tmp_path / "bureau.cms", certificate=certificate, key=key).cards
    image, counters = decode_groupings(card.groupings)
    create(tmp_path / "nora.card", image, counters)
    await take_in(works.bank, [("SR1-0001", "R1"), ("SR1-0002", "R1")], works.by(0))
    numbers: list[str] = []
    office = works.office
    for turn in range(30):
        works.next_day()
        for kind in (CARD, PIN, READER):
            folder = tmp_path / f"{kind}-{turn}"
            printed = await print_kind(works, kind, folder)
            if printed.letters:
                if kind == READER:
                    (words,) = _texts(folder).values()
                    numbers.append(_number(words))
                await record_posted(works.bank, printed.batch, works.by(0), None, works.post)
                await destroy_one(works, printed.batch, folder)
        if len(numbers) == 1:
            adviser = office.staff(office.ada)
            with suppress(NothingToSend):
                await send_new_number(works.bank, adviser, user_code, 1, address="")
        if len(numbers) == 2:
            break
    old, new = numbers
    with VirtualSlot(tmp_path / "nora.card") as slot:
        code = make_code(slot, Pin(image.data.pin.digits))
    assert isinstance(code, Code)
    outcomes = [
        await verify_login(
            works.bank, attempt(user_code, WithNumber(NumberUse.ACTIVATION, number, code))
        )
        for number in (old, new)
    ]
    assert outcomes[0] == Refused()
    assert isinstance(outcomes[1], Accepted)


async def _nothing_is_left(works: Works, user_code: UserCode, pin: str) -> None:
    """Of the PIN nothing, and chains that hold: the customer's and those of all who did it."""
    assert await works.bank.store.read(sealed_pins) == [None]
    report = await audit(works.bank.store, None)
    assert not report.findings
    lines = "".join(await works.office.lines(user_code))
    # As a word of its own: four digits stand in some hash by chance.
    assert not re.search(rf"(?<![0-9a-f]){pin}(?![0-9a-f])", lines)
    events = [json.loads(line)["event"] for line in await works.office.lines(user_code)]
    assert events == ["enrolment", "card-ordered", "card-made", "login", "activation"]
    own = [json.loads(line)["event"] for line in await works.office.lines(works.by(0).user_code)]
    assert own.count("letters-printed") == 2  # card and welcome letter
    assert own.count("letters-posted") == own.count("letters-destroyed") == 4
    assert "cards-made" in own


async def test_no_two_elements_on_one_day_or_by_one_person(works: Works, tmp_path: Path) -> None:
    """However late it is: what is on its way holds back the rest, and so does who printed it."""
    await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    await take_in(works.bank, [("SR1-0001", "Sesame R1")], works.by(0))
    works.next_day(30)
    assert not (await print_kind(works, PIN, tmp_path / "pin")).letters  # the card is not posted
    card = await print_kind(works, CARD, tmp_path / "card", by=0)
    works.next_day(30)
    assert not (await print_kind(works, PIN, tmp_path / "pin")).letters  # nor now
    with pytest.raises(NotOnThatDay):
        await record_posted(
            works.bank, card.batch, works.by(0), works.clock.time.date() + timedelta(1), works.post
        )
    with pytest.raises(NotOnThatDay):
        await record_posted(works.bank, card.batch, works.by(0), date(2026, 3, 31), works.post)
    await record_posted(works.bank, card.batch, works.by(0), None, works.post)
    with pytest.raises(BatchDone):
        await record_posted(works.bank, card.batch, works.by(0), None, works.post)
    assert not (await print_kind(works, READER, tmp_path / "reader")).letters  # on the same day
    works.next_day(60)
    assert not (await print_kind(works, PIN, tmp_path / "pin", by=0)).letters  # who had the card
    counts = await due_counts(works.bank, works.by(0).user_code, works.post)
    assert (counts[PIN], counts[READER]) == ((0, 1), (0, 1))
    pin = await print_kind(works, PIN, tmp_path / "pin", by=1)
    assert pin.letters == 1
    assert not (await print_kind(works, READER, tmp_path / "reader", by=2)).letters  # on its way
    await record_posted(works.bank, pin.batch, works.by(0), None, works.post)
    assert not (await print_kind(works, READER, tmp_path / "reader", by=2)).letters  # that day
    works.next_day()
    assert not (
        await print_kind(works, READER, tmp_path / "reader", by=1)
    ).letters  # who had the PIN
    assert (await print_kind(works, READER, tmp_path / "reader", by=2)).letters == 1


async def test_who_printed_what_was_voided_has_seen_it(works: Works, tmp_path: Path) -> None:
    """The PIN of a letter that did not go is known to who printed it: not the number too."""
    await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    await take_in(works.bank, [("SR1-1", "R1")], works.by(0))
    works.next_day()
    card = await print_kind(works, CARD, tmp_path / "card")
    await record_posted(works.bank, card.batch, works.by(0), None, works.post)
    works.next_day(7)
    assert (await print_kind(works, PIN, tmp_path / "pin", by=1)).letters == 1
    voided = update(DISPATCHES).where(DISPATCHES.c.kind == PIN).values(voided_at=1)
    await works.bank.store.write(lambda connection: connection.execute(voided))
    assert not (await print_kind(works, READER, tmp_path / "reader", by=1)).letters
    assert (await print_kind(works, READER, tmp_path / "reader", by=2)).letters == 1


async def test_a_reader_that_was_taken_out_of_the_pile_is_nobodys(
    works: Works, tmp_path: Path
) -> None:
    """Where its parcel was voided: the next one has a reader in it."""
    await works.new_customer("Omar Said", WantedCard.BANK)
    await works.order_all()
    await take_in(works.bank, [("SR1-1", "R1"), ("SR1-2", "R1")], works.by(0))
    works.next_day(30)
    await print_kind(works, READER, tmp_path / "reader")
    (parcel,) = await works.bank.store.read(
        lambda c: [DispatchRow(*row) for row in c.execute(_PARCELS)]
    )
    voided = update(DISPATCHES).where(DISPATCHES.c.kind == READER).values(voided_at=1)
    again = parcel._replace(reference="7QK4-XM2P", batch=None, printed_at=None, reader_serial=None)
    await works.bank.store.write(lambda connection: connection.execute(voided))
    await works.bank.store.write(lambda connection: insert_dispatch(connection, again))
    assert (await print_kind(works, READER, tmp_path / "again")).letters == 1
    (words,) = _texts(tmp_path / "again").values()
    assert "SR1-2" in words


_PARCELS = select(*(DISPATCHES.c[name] for name in DispatchRow._fields)).where(
    DISPATCHES.c.kind == READER
)


async def test_a_pin_that_is_gone_keeps_no_other_letter(works: Works, tmp_path: Path) -> None:
    """It is left out and told; the others are printed."""
    codes = [await works.new_customer(name) for name in ("Nora Lebrun", "Nils Olsen")]
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    works.next_day()
    card = await print_kind(works, CARD, tmp_path / "card")
    await record_posted(works.bank, card.batch, works.by(0), None, works.post)
    gone = update(ORDERS).where(ORDERS.c.user_code == codes[0]).values(sealed_pin=None)
    await works.bank.store.write(lambda connection: connection.execute(gone))
    works.next_day(7)
    printed = await print_kind(works, PIN, tmp_path / "pin")
    assert (printed.letters, len(printed.left_out)) == (1, 1)
    assert isinstance(printed.left_out[0].why, PinGone)


async def test_a_pin_waits_for_an_address_that_was_changed(works: Works, tmp_path: Path) -> None:
    """Until two persons stand for it; the card goes there at once."""
    await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    await _say_of_address(works, address_changed_at=to_row(works.clock.time))
    works.next_day()
    card = await print_kind(works, CARD, tmp_path / "card")
    await record_posted(works.bank, card.batch, works.by(0), None, works.post)
    works.next_day(7)
    assert not (await print_kind(works, PIN, tmp_path / "pin")).letters
    await _say_of_address(works, address_confirmed_at=to_row(works.clock.time))
    assert (await print_kind(works, PIN, tmp_path / "pin")).letters == 1


async def test_a_number_waits_for_an_address_that_was_changed(works: Works, tmp_path: Path) -> None:
    """Else whoever changed it, and handed the card over, has both; a mere reader goes there."""
    await works.new_customer("Nora Lebrun")
    await works.new_customer("Omar Said", WantedCard.BANK)
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    await take_in(works.bank, [("SR1-1", "R1"), ("SR1-2", "R1")], works.by(0))
    for kind in (CARD, PIN):
        works.next_day(7)
        printed = await print_kind(works, kind, tmp_path / kind)
        assert printed.letters == 1
        await record_posted(works.bank, printed.batch, works.by(0), None, works.post)
    await _say_of_address(works, address_changed_at=to_row(works.clock.time))
    works.next_day(60)
    printed = await print_kind(works, READER, tmp_path / "reader")
    (words,) = _texts(tmp_path / "reader").values()
    assert "Omar Said" in " ".join(words.split())
    await _say_of_address(works, address_confirmed_at=to_row(works.clock.time))
    assert (await print_kind(works, READER, tmp_path / "second")).letters == 1


async def test_no_time_stands_for_a_second_person(works: Works, tmp_path: Path) -> None:
    """Also where the card was ordered long after the change: a year on the PIN still waits."""
    await works.new_customer("Nora Lebrun")
    await _say_of_address(works, address_changed_at=to_row(works.clock.time))
    works.next_day(42)
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    works.next_day()
    card = await print_kind(works, CARD, tmp_path / "card")
    await record_posted(works.bank, card.batch, works.by(0), None, works.post)
    for _ in range(2):
        works.next_day(200)
        assert not (await print_kind(works, PIN, tmp_path / "pin")).letters
    await _say_of_address(works, address_confirmed_at=to_row(works.clock.time))
    assert (await print_kind(works, PIN, tmp_path / "pin")).letters == 1


async def test_what_waits_keeps_no_other_letter(works: Works, tmp_path: Path) -> None:
    """Of a few at a time: those are taken that may go, and counted so."""
    codes = [await works.new_customer(name) for name in ("Nora Lebrun", "Nils Olsen")]
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    works.next_day()
    card = await print_kind(works, CARD, tmp_path / "card")
    await record_posted(works.bank, card.batch, works.by(0), None, works.post)
    works.next_day(7)
    first = update(DISPATCHES).where(DISPATCHES.c.kind == PIN, DISPATCHES.c.user_code == codes[0])
    changed = update(CUSTOMER_DETAILS).where(CUSTOMER_DETAILS.c.user_code == codes[0])
    for change in (first.values(due_at=1), changed.values(address_changed_at=1)):
        await works.bank.store.write(lambda c, change=change: c.execute(change))  # type: ignore[misc]  # of this turn
    counts = await due_counts(works.bank, works.by(1).user_code, works.post)
    assert counts[PIN] == (1, 2)
    printed = await print_kind(works, PIN, tmp_path / "pin", by=1, most=1)
    assert printed.letters == 1
    (words,) = _texts(tmp_path / "pin").values()
    assert "Nils Olsen" in " ".join(words.split())


async def _say_of_address(works: Works, **values: int) -> None:
    change = update(CUSTOMER_DETAILS).values(values)
    await works.bank.store.write(lambda connection: connection.execute(change))


async def test_a_card_that_is_handed_over(works: Works, tmp_path: Path) -> None:
    """Its letter has no address; the PIN follows it by its gap, however late that was."""
    counter = await _at_the_counter(works, tmp_path)
    (words,) = _texts(tmp_path / "card").values()
    assert "Remis au guichet" in words
    assert "3 rue" not in words
    works.next_day(28)  # a Monday
    await counter.hand_over()
    works.next_day()
    assert not (await print_kind(works, PIN, tmp_path / "pin")).letters
    works.next_day()
    assert (await print_kind(works, PIN, tmp_path / "pin")).letters == 1


@pytest.mark.parametrize("behind", [1, 2], ids=["before-the-pin", "with-the-pin"])
async def test_a_posting_that_is_written_down_behind_the_hand_over(
    works: Works, tmp_path: Path, behind: int
) -> None:
    """The hand-over came first: its day stays, the PIN's too, and nothing met it on a day."""
    counter = await _at_the_counter(works, tmp_path)
    works.next_day(28)  # a Monday
    monday = works.post.day(works.clock.time)
    await counter.hand_over()
    handed = await counter.posted_at()
    assert handed is not None
    assert works.post.day(from_row(handed)) == monday
    for day in (1, 2):
        works.next_day()
        pin = await print_kind(works, PIN, tmp_path / "pin")
        assert pin.letters == day - 1
        if pin.letters:
            await record_posted(works.bank, pin.batch, works.by(1), None, works.post)
        if day == behind:
            done = await record_posted(works.bank, counter.batch, works.by(0), None, works.post)
            assert (done.voided, done.given_before) == ([], [counter.reference])
            assert await counter.posted_at() == handed
    assert not [one for one in await batches_to_do(works.bank) if one.posted_at is None]


@pytest.mark.parametrize("told_late", [False, True], ids=["at-once", "behind-the-hand-over"])
async def test_a_card_that_was_posted_to_the_branch_first(
    works: Works, tmp_path: Path, *, told_late: bool
) -> None:
    """The post has it from that day on, also where that is written down by its date later."""
    counter = await _at_the_counter(works, tmp_path)
    works.next_day(28)  # a Monday
    monday = works.post.day(works.clock.time)
    if not told_late:
        await record_posted(works.bank, counter.batch, works.by(0), monday, works.post)
    works.next_day()
    await counter.hand_over()
    works.next_day()
    if told_late:
        assert not (await print_kind(works, PIN, tmp_path / "pin")).letters
        done = await record_posted(works.bank, counter.batch, works.by(0), monday, works.post)
        assert not done.given_before
    assert await counter.posted_at() == to_row(works.post.begin(monday))
    assert (await print_kind(works, PIN, tmp_path / "pin")).letters == 1


@dataclass(frozen=True, kw_only=True)
class _Counter:
    """A printed card letter that waits at the counter, and the adviser there."""

    works: Works
    user_code: UserCode
    reference: str
    batch: str

    async def hand_over(self) -> None:
        """Give the card to its owner."""
        await hand_over(self.works.bank, call_of(self.works.office, self.user_code))

    async def posted_at(self) -> int | None:
        """Since when the card is away."""
        key = (bucket_of(self.user_code), self.user_code)
        rows = await self.works.bank.store.read(lambda c: list_dispatches(c, key))
        (card,) = [row for row in rows if row.kind == CARD]
        return card.posted_at


async def _at_the_counter(works: Works, folder: Path) -> _Counter:
    user_code = await works.new_customer("Nora Lebrun")
    await order_for_counter(works.bank, call_of(works.office, user_code))
    await make(works, folder / "bureau.cms")
    printed = await print_kind(works, CARD, folder / "card")
    (reference,) = _texts(folder / "card")
    return _Counter(works=works, user_code=user_code, reference=reference, batch=str(printed.batch))


async def test_a_bank_card_gets_a_reader_and_the_user_code(works: Works, tmp_path: Path) -> None:
    """No card and no PIN; the letter in the parcel has no activation number."""
    await works.new_customer("Omar Said", WantedCard.BANK)
    assert await works.order_all() == 1
    assert await _make_nothing(works, tmp_path / "bureau.cms")
    works.next_day(30)
    with pytest.raises(ReadersMissing) as missing:
        await print_kind(works, READER, tmp_path / "reader")
    assert (missing.value.missing, missing.value.wanted) == (1, 1)
    assert not _found(tmp_path, "*reader*")
    await take_in(works.bank, [("SR1-0001", "Sesame R1")], works.by(0))
    printed = await print_kind(works, READER, tmp_path / "reader")
    (words,) = _texts(tmp_path / "reader").values()
    assert "SR1-0001" in words
    assert "activation" not in words
    await record_posted(works.bank, printed.batch, works.by(0), None, works.post)
    (balance,) = await balances(works.bank)
    assert (balance.came_in, balance.stock, balance.sent) == (1, 0, 1)
    works.next_day()
    assert (await print_kind(works, WELCOME, tmp_path / "welcome")).letters == 1
    assert not (await print_kind(works, CARD, tmp_path / "card")).letters


_FIELDS = "reference,name,line_4,postcode,city,old_code_hash,card_kind"


async def test_a_user_code_that_an_import_gave(works: Works, tmp_path: Path) -> None:
    """Its letter is due at once to who has an old code, says what for, and is the only one.

    The card that is ordered for them later has a day of its own.
    """
    hashed = works.bank.old_codes.hash(OldCode("tilleul-1971"))
    row = f'R-1,Nora Lebrun,3 rue des Lilas,75011,PARIS,"{hashed}",sesame'
    importing = an_import(works.bank, [])
    for _ in range(2):
        await importing.read(BytesIO(f"{_FIELDS}\n{row}\n".encode()), FileFormat.CSV)
    assert (importing.counts.enrolled, importing.counts.there) == (1, 1)
    assert await works.order_all() == 1
    assert await make(works, tmp_path / "bureau.cms") == 1
    printed = await print_kind(works, WELCOME, tmp_path / "welcome")
    assert printed.letters == 1
    (words,) = (" ".join(text.split()) for text in _texts(tmp_path / "welcome").values())
    assert "Il sert dès maintenant avec votre ancien code confidentiel" in words
    assert not (await print_kind(works, CARD, tmp_path / "card")).letters
    await record_posted(works.bank, printed.batch, works.by(0), None, works.post)
    assert not (await print_kind(works, CARD, tmp_path / "card")).letters
    works.next_day()
    assert (await print_kind(works, CARD, tmp_path / "card")).letters == 1
    works.next_day(30)
    assert not (await print_kind(works, WELCOME, tmp_path / "welcome-2")).letters


async def test_nobody_with_a_reader_to_come_is_told_twice(works: Works, tmp_path: Path) -> None:
    """Who was sent their user code by hand already gets the reader alone."""
    user_code = await works.new_customer("Omar Said", WantedCard.BANK)
    await reprint_welcome(works.bank, user_code, works.by(0), address=ADDRESS)
    assert await works.order_all() == 1
    works.next_day(30)
    assert (await print_kind(works, WELCOME, tmp_path / "welcome")).letters == 1
    key = (bucket_of(user_code), user_code)
    rows = await works.bank.store.read(lambda c: list_dispatches(c, key))
    assert sorted(row.kind for row in rows) == [READER, WELCOME]


async def _make_nothing(works: Works, file: Path) -> bool:
    return await make(works, file) == 0 and not _found(file.parent, file.name)


# ── Cut short ────────────────────────────────────────────────────────────────────────────────────


class _Killed(BaseException):
    """Ends a run as a kill would: nobody handles it."""


@pytest.mark.parametrize("committed", [False, True], ids=["before", "behind"])
async def test_a_run_that_is_killed_beside_its_commit(
    works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, committed: bool
) -> None:
    """Before it, nothing was made; behind it, the next run gives the file its name, once."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    file = tmp_path / "bureau.cms"
    name = "_name" if committed else "make_cards"
    whole = make_cards

    async def cut(*arguments: object, **named: object) -> object:
        await whole(*arguments, **{**named, "write": _then_die(named["write"])})  # type: ignore[arg-type]
        return None

    def die(*_: object) -> None:
        raise _Killed

    monkeypatch.setattr(posting, name, die if committed else cut)
    with pytest.raises(_Killed):
        await make(works, file)
    monkeypatch.undo()
    assert not file.exists()
    assert (tmp_path / ".bureau.cms.unrecorded").exists()
    cards = (await works.bank.store.read_access(user_code)).cards
    assert len(cards) == committed
    if committed:
        assert await _settled(works, file)
    else:
        assert await make(works, file) == 1
    certificate, key = bureau()
    (card,) = read_bureau_file(file, certificate=certificate, key=key).cards
    (kept,) = (await works.bank.store.read_access(user_code)).cards
    image, _ = decode_groupings(card.groupings)
    assert image.data.pan.last4 == await _last4(works, user_code)
    assert kept.card_number == 1
    assert [path.name for path in _found(tmp_path, "*cms*")] == ["bureau.cms"]
    with pytest.raises(BatchExists):
        await make(works, file)


def _then_die(write: Callable[..., bytes]) -> Callable[..., bytes]:
    def die(*arguments: object) -> bytes:
        write(*arguments)
        raise _Killed

    return die


async def _settled(works: Works, file: Path) -> bool:
    """Whether a run finds that its file was made, and makes none."""
    return (
        await write_cards(
            works.bank,
            works.maker,
            works.by(0),
            rules=CardRules(),
            post=works.post,
            certificate=bureau()[0],
            file=file,
            most=1,
        )
        is None
    )


async def _last4(works: Works, user_code: UserCode) -> str:
    key = (bucket_of(user_code), user_code)
    described = await works.bank.store.read(lambda connection: describe_card(connection, key, 1))
    assert described is not None
    return str(described["last4"])


@pytest.mark.parametrize("committed", [False, True], ids=["before", "behind"])
async def test_letters_that_are_killed_beside_their_commit(
    works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, committed: bool
) -> None:
    """Before it, they are destroyed and printed anew; behind it, their folder gets its name."""
    await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")

    def die(*_: object, **__: object) -> None:
        raise _Killed

    monkeypatch.setattr(posting, "_name" if committed else "record_letters", die)
    with pytest.raises(_Killed):
        await print_kind(works, CARD, tmp_path / "card")
    monkeypatch.undo()
    (left,) = _found(tmp_path, ".card*/*.pdf")
    again = await print_letters(
        works.bank,
        CARD,
        works.by(1),
        post=works.post,
        institution=Institution(),
        maker=None,
        folder=tmp_path / "card",
        most=1000,
        begun=lambda _: None,
        written=lambda _: None,
    )
    assert (again is None) == committed
    assert not left.exists()
    assert len(_texts(tmp_path / "card")) == 1
    (batch,) = await batches_to_do(works.bank)
    manifest = (tmp_path / "card" / "manifest.json").read_bytes()
    assert batch.manifest == hashlib.sha256(manifest).digest()
    assert (batch.made_by == works.by(0).user_code) == committed


async def test_two_who_print_the_same(
    works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One batch is recorded; the other one's letters are destroyed."""
    await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    record = record_letters

    async def record_second(*arguments: object, **named: object) -> None:
        monkeypatch.setattr(posting, "record_letters", record)
        (tmp_path / "two").mkdir()
        assert (await print_kind(works, CARD, tmp_path / "two" / "card", by=1)).letters == 1
        await record(*arguments, **named)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(posting, "record_letters", record_second)
    with pytest.raises(MovedMeanwhile):
        await print_kind(works, CARD, tmp_path / "card", by=0)
    assert len(_found(tmp_path, "**/*.pdf")) == 1
    assert not _found(tmp_path, ".*")


@pytest.mark.parametrize("same_person", [True, False], ids=["one-person", "two-persons"])
async def test_two_elements_that_are_printed_at_once(
    works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, same_person: bool
) -> None:
    """Both looked before either was recorded: one batch stands, the other is destroyed."""
    await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    await take_in(works.bank, [("SR1-0001", "Sesame R1")], works.by(0))
    card = await print_kind(works, CARD, tmp_path / "card")
    await record_posted(works.bank, card.batch, works.by(0), None, works.post)
    works.next_day(30)
    record, both = record_letters, asyncio.Barrier(2)

    async def record_together(*arguments: object, **named: object) -> None:
        await both.wait()
        await record(*arguments, **named)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(posting, "record_letters", record_together)
    folders = {kind: tmp_path / f"of-{kind}" / kind for kind in (PIN, READER)}
    for folder in folders.values():
        folder.parent.mkdir()
    done = await asyncio.gather(
        *(
            print_kind(works, kind, folder, by=1 if same_person or kind == PIN else 2)
            for kind, folder in folders.items()
        ),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in done) == ["MovedMeanwhile", "Printed"]
    assert len(_found(tmp_path, "of-*/**/*.pdf")) == 1
    (batch,) = [one for one in await batches_to_do(works.bank) if one.posted_at is None]
    monkeypatch.undo()
    await record_posted(works.bank, batch.id, works.by(0), None, works.post)
    second = next(kind for kind in folders if kind != batch.kind)
    assert not (await print_kind(works, second, tmp_path / "second", by=0)).letters


async def test_two_elements_are_not_posted_on_one_day(works: Works, tmp_path: Path) -> None:
    """However they came to be printed: the second is told by its letters, and goes another day."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    card = await print_kind(works, CARD, tmp_path / "card")
    works.next_day()
    at = to_row(works.clock.time)
    row = DispatchRow("7QK4-XM2P", bucket_of(user_code), user_code, WELCOME, None, 1)
    row = row._replace(printed_at=at, posted_at=at)
    await works.bank.store.write(lambda connection: insert_dispatch(connection, row))
    (reference,) = _texts(tmp_path / "card")
    with pytest.raises(TwoOnThatDay) as found:
        await record_posted(works.bank, card.batch, works.by(0), None, works.post)
    assert found.value.references == reference
    (batch,) = await batches_to_do(works.bank)
    assert batch.posted_at is None
    works.next_day()
    done = await record_posted(works.bank, card.batch, works.by(0), None, works.post)
    assert not done.voided


async def test_a_letter_that_cannot_be_set_is_left_out(works: Works, tmp_path: Path) -> None:
    """And the others are printed; it stays due."""
    await works.new_customer("Nora Lebrun")
    far = PostalAddress(
        line_2="W" * 38,
        line_3="W" * 38,
        line_4="W" * 38,
        line_5="W" * 38,
        postcode="75011",
        city="W" * 38,
        country="DE",
    )
    await works.new_customer("Wanda Weit", address=far)
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    printed = await print_kind(works, CARD, tmp_path / "card")
    assert (printed.letters, len(printed.left_out)) == (1, 1)
    assert isinstance(printed.left_out[0].why, MalformedLetter)
    assert "Wanda" not in str(printed.left_out[0].why)
    counts = await due_counts(works.bank, works.by(0).user_code, works.post)
    assert counts[CARD] == (1, 1)


async def test_a_folder_of_another_batch_is_not_destroyed(works: Works, tmp_path: Path) -> None:
    """Nor one whose manifest was altered, nor where the count is another."""
    for name in ("Nora Lebrun", "Nils Olsen"):
        await works.new_customer(name)
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    printed = [
        await print_letters(
            works.bank,
            CARD,
            works.by(0),
            post=works.post,
            institution=Institution(),
            maker=None,
            folder=tmp_path / name,
            most=1,
            begun=lambda _: None,
            written=lambda _: None,
        )
        for name in ("one", "two")
    ]
    assert printed[0] is not None

    async def destroy(folder: str, count: int) -> None:
        assert printed[0] is not None
        await destroy_letters(
            works.bank,
            printed[0].batch,
            works.by(0),
            folder=tmp_path / folder,
            printed=count,
            post=works.post,
        )

    for folder, count in (("two", 1), ("one", 2)):
        with pytest.raises(NotConfirmed):
            await destroy(folder, count)
    assert len(_found(tmp_path, "*/*.pdf")) == 2
    await destroy("one", 1)
    with pytest.raises(BatchDone):
        await destroy("one", 1)
    assert len(_found(tmp_path, "*/*.pdf")) == 1


async def test_a_reminder_says_what_is_left_to_do(works: Works, tmp_path: Path) -> None:
    """To sign in where a card may, else to activate it first; and it names no code."""
    old_code = works.bank.old_codes.hash(OLD_CODE)
    waits = await works.new_customer("Nora Lebrun", old_code=old_code)
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    signs_in = await works.new_customer("Omar Sy", WantedCard.BANK, old_code=old_code)
    for number, code in enumerate((waits, signs_in)):
        due = to_row(works.bank.now())
        row = DispatchRow(f"7QK4-XM2{number}", bucket_of(code), code, "reminder", None, due)
        await works.bank.store.write(lambda c, row=row: insert_dispatch(c, row))  # type: ignore[misc]  # of this turn
    printed = await print_kind(works, "reminder", tmp_path / "reminder", by=0)
    assert printed.letters == 2
    letters = {name: " ".join(text.split()) for name, text in _texts(tmp_path / "reminder").items()}
    first, second = (letters[f"7QK4-XM2{number}"] for number in range(2))
    assert "il reste à l’activer" in first
    assert "Activez-la d’abord" in first
    assert "il reste à vous connecter" in second
    assert "Activez-la" not in second
    assert not any(code in text for code in (waits, signs_in) for text in letters.values())


async def test_a_reminder_of_nothing_is_not_printed(works: Works, tmp_path: Path) -> None:
    """Who has switched over since, or whose card is held, is left alone, for good."""
    old_code = works.bank.old_codes.hash(OLD_CODE)
    codes = [
        await works.new_customer(name, WantedCard.BANK, old_code=old_code)
        for name in ("Nora Lebrun", "Nils Olsen", "Omar Sy")
    ]
    due = to_row(works.bank.now())
    for number, code in enumerate(codes):
        row = DispatchRow(f"7QK4-XM2{number}", bucket_of(code), code, REMINDER, None, due)
        await works.bank.store.write(lambda c, row=row: insert_dispatch(c, row))  # type: ignore[misc]  # of this turn
    switched = update(ACCESS).where(ACCESS.c.user_code == codes[0]).values(old_code=None)
    held = update(CARDS).where(CARDS.c.user_code == codes[1]).values(state=CardState.HELD)
    for change in (switched, held):
        await works.bank.store.write(lambda c, change=change: c.execute(change))  # type: ignore[misc]  # of this turn
    counts = await due_counts(works.bank, works.by(0).user_code, works.post)
    assert counts[REMINDER] == (1, 3)
    assert (await print_kind(works, REMINDER, tmp_path / "reminder", by=0)).letters == 1
    assert list(_texts(tmp_path / "reminder")) == ["7QK4-XM22"]
    counts = await due_counts(works.bank, works.by(0).user_code, works.post)
    assert counts[REMINDER] == (0, 0)
    gone = select(DISPATCHES.c.reference).where(DISPATCHES.c.voided_at.is_not(None))
    found = await works.bank.store.read(lambda c: sorted(c.execute(gone).scalars()))
    assert found == ["7QK4-XM20", "7QK4-XM21"]
