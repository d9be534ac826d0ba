"""A payment at the till: with real chips in card files, and with cards that no bank issued."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.card.card_file import create, open_card, read_summary
from sesame.card.chip import Chip
from sesame.card.errors import CardFileMissing, CardInUse
from sesame.card.memory import CardImage, Counters
from sesame.card.personalisation import bank_card
from sesame.emv.apdu import Command, Ins, Response
from sesame.emv.cryptogram import Padding, application_cryptogram
from sesame.emv.keys import common_session_key
from sesame.emv.pin import Pin
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, decode, encode, encode_one, find
from sesame.reader.errors import CardIsMute
from sesame.reader.virtual_slot import VirtualSlot
from sesame.simulator.till import (
    PAYMENTS,
    Counted,
    Paid,
    Purchase,
    Refusal,
    Refused,
    pay,
)
from tests.card.cards import (
    DATA,
    DIRECTORY,
    DKI,
    DPA,
    DPA_KEY,
    PAN,
    PAYMENT,
    PAYMENT_KEY,
    PIN,
    WRONG_PIN,
    bank_image,
    payment_image,
    sesame_image,
)
from tests.simulator.table import CAMILLE, INES, TODAY, Table

PURCHASE = Purchase(amount=12_50, today=TODAY, un=bytes.fromhex("01020304"))
LAST4 = PAN.last4


@dataclass
class Counter:
    """A slot with a chip in memory; it writes down the dialogue, and may bend the answers."""

    image: CardImage = field(default_factory=bank_image)
    counters: Counters = field(default_factory=lambda: Counters(atc=12, pin_tries_left=3))
    bend: Callable[[Command, Response], Response] = lambda _command, answer: answer
    said: list[tuple[Command, Response]] = field(default_factory=list)
    powered: bool = False

    def __post_init__(self) -> None:
        self._chip = Chip(self.image, self.counters, self._keep)

    def _keep(self, counters: Counters) -> None:
        self.counters = counters

    def power_on(self) -> bytes:
        """Reset the chip."""
        self.powered = True
        return self._chip.reset()

    def transmit(self, command: Command) -> Response:
        """Let the chip answer, and bend what it answers."""
        answer = self.bend(command, Response.decode(self._chip.respond(command.encode())))
        self.said.append((command, answer))
        return answer

    def power_off(self) -> None:
        """Take the power away."""
        self.powered = False

    def values(self, number: int) -> bytes:
        """The data of the GENERATE AC of this *number*, from 0."""
        return [c.data for c, _ in self.said if c.ins == Ins.GENERATE_AC][number]

    @property
    def kinds(self) -> list[tuple[int, int]]:
        """Of each GENERATE AC, what was asked and what came."""
        return [
            (command.p1, (find(decode(answer.data), Tag.CID) or b"\xff")[0])
            for command, answer in self.said
            if command.ins == Ins.GENERATE_AC
        ]


def at_the_till(table: Table, name: str, pin: Pin = PIN) -> Paid | Refused:
    """Pay with a card of the drawer."""
    path = table.drawer.card(name)
    return pay(VirtualSlot(path or Path(), upside_down=path is None), pin, PURCHASE)


# ── What a shop meets ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [CAMILLE, "payment-only"])
def test_a_payment_moves_the_counter(table: Table, name: str) -> None:
    """By one; and the card remembers it as the last one that its bank approved."""
    path = table.drawer.card(name)
    assert path is not None
    assert at_the_till(table, name) == Paid(Counted(LAST4, 0, 1))
    assert at_the_till(table, name) == Paid(Counted(LAST4, 1, 2))
    assert read_summary(path).counters == Counters(atc=2, pin_tries_left=3, last_online_atc=2)


def test_a_wrong_pin_costs_a_try_and_three_block_the_card(table: Table) -> None:
    """Each is a transaction that was declined; a blocked card is told before the PIN."""
    outcomes = [at_the_till(table, CAMILLE, WRONG_PIN) for _ in range(3)]
    assert outcomes == [
        Refused(Refusal.WRONG_PIN, 2, Counted(LAST4, 0, 1)),
        Refused(Refusal.WRONG_PIN, 1, Counted(LAST4, 1, 2)),
        Refused(Refusal.BLOCKED, None, Counted(LAST4, 2, 3)),
    ]
    assert at_the_till(table, CAMILLE) == Refused(Refusal.BLOCKED, None, Counted(LAST4, 3, 4))
    path = table.drawer.card(CAMILLE)
    assert path is not None
    assert read_summary(path).counters == Counters(atc=4, pin_tries_left=0, last_online_atc=0)


def test_the_right_pin_gives_the_tries_back(table: Table) -> None:
    """As in a reader."""
    at_the_till(table, CAMILLE, WRONG_PIN)
    assert isinstance(at_the_till(table, CAMILLE), Paid)
    outcome = at_the_till(table, CAMILLE, WRONG_PIN)
    assert isinstance(outcome, Refused)
    assert outcome.tries_left == 2


@pytest.mark.parametrize("name", [INES, "expired", "blocked"])
def test_a_card_for_codes_does_not_pay(table: Table, name: str) -> None:
    """No transaction begins: neither a try nor an ATC is spent, whatever PIN is typed."""
    path = table.drawer.card(name)
    assert path is not None
    before = read_summary(path).counters
    assert at_the_till(table, name, WRONG_PIN) == Refused(Refusal.NO_PAYMENT)
    assert read_summary(path).counters == before


def test_a_dead_chip_is_mute(table: Table) -> None:
    """Nothing answers."""
    assert at_the_till(table, "mute") == Refused(Refusal.MUTE)


@pytest.mark.parametrize(
    ("effective", "expiry", "today", "why"),
    [
        (date(2020, 1, 1), date(2023, 12, 31), 20231231, None),
        (date(2020, 1, 1), date(2023, 12, 31), 20240101, Refusal.EXPIRED),
        (date(2025, 1, 1), date(2029, 12, 31), 20250101, None),
        (date(2025, 1, 1), date(2029, 12, 31), 20241231, Refusal.NOT_YET_VALID),
        (date(2020, 1, 1), date(2023, 12, 31), None, None),
    ],
)
def test_the_dates_of_the_card(
    tmp_path: Path, effective: date, expiry: date, today: int | None, why: Refusal | None
) -> None:
    """Both days are good days; without a date nothing is out of date. No try is spent."""
    data = replace(DATA, effective=effective, expiry=expiry)
    path = tmp_path / "dated.card"
    create(path, *bank_card(data, dki=DKI, dpa_key=DPA_KEY, payment_key=PAYMENT_KEY))
    pin = PIN if why is None else WRONG_PIN
    outcome = pay(VirtualSlot(path), pin, replace(PURCHASE, today=today))
    counted = Counted(LAST4, 0, 1)
    assert outcome == (Paid(counted) if why is None else Refused(why, None, counted))
    assert read_summary(path).counters.pin_tries_left == 3


def test_a_card_that_another_program_uses(table: Table) -> None:
    """The caller is told; afterwards the card is free."""
    path = table.drawer.card(CAMILLE)
    assert path is not None
    with open_card(path), pytest.raises(CardInUse):
        at_the_till(table, CAMILLE)
    assert isinstance(at_the_till(table, CAMILLE), Paid)


def test_a_card_file_that_is_gone(tmp_path: Path) -> None:
    """What is wrong with the slot is not the card's refusal."""
    with pytest.raises(CardFileMissing):
        pay(VirtualSlot(tmp_path / "none.card"), PIN, PURCHASE)


# ── The dialogue ─────────────────────────────────────────────────────────────────────────────────


def test_the_dialogue_of_a_payment() -> None:
    """Directory, AID, options, records, tries, PIN, and the two cryptograms."""
    slot = Counter()
    assert pay(slot, PIN, PURCHASE) == Paid(Counted(LAST4, 12, 13))
    assert not slot.powered
    assert [(command.name, command.p1, answer.sw) for command, answer in slot.said] == [
        ("SELECT", 0x04, 0x9000),
        ("READ RECORD", 1, 0x9000),
        ("READ RECORD", 2, 0x9000),
        ("READ RECORD", 3, 0x6A83),
        ("SELECT", 0x04, 0x9000),
        ("GET DATA", 0x9F, 0x9000),  # the ATC
        ("GET PROCESSING OPTIONS", 0x00, 0x9000),
        ("READ RECORD", 1, 0x9000),
        ("READ RECORD", 2, 0x9000),
        ("GET DATA", 0x9F, 0x9000),  # the tries
        ("VERIFY", 0x00, 0x9000),
        ("GENERATE AC", 0x80, 0x9000),
        ("GENERATE AC", 0x40, 0x9000),
    ]
    assert [command.data for command, _ in slot.said if command.ins == Ins.SELECT] == [
        DIRECTORY,
        PAYMENT,
    ]
    assert slot.kinds == [(0x80, 0x80), (0x40, 0x40)]


def test_the_terminal_s_data() -> None:
    """Amount, France, TVR, euro, date, type and unpredictable number; then the ARC before them."""
    slot = Counter()
    pay(slot, PIN, PURCHASE)
    elements = bytes.fromhex("000000001250 000000000000 0250 8000000000 0978 261123 00 01020304")
    assert slot.values(0) == elements
    assert slot.values(1) == b"00" + elements


def test_the_cryptogram_is_the_card_s_own() -> None:
    """The ARQC that would go to the bank: under the key for payments, over all of that."""
    slot = Counter()
    pay(slot, PIN, PURCHASE)
    (first, _) = [answer for command, answer in slot.said if command.ins == Ins.GENERATE_AC]
    message = slot.values(0) + bytes.fromhex("1000 000D 06011203A48000")
    sk = common_session_key(PAYMENT_KEY, 13)
    expected = application_cryptogram(sk, message, Padding.METHOD_2)
    assert find(decode(first.data), Tag.AC) == expected


@pytest.mark.parametrize(
    ("pin", "counters", "purchase", "tvr"),
    [
        (WRONG_PIN, Counters(12, 3), PURCHASE, "8000800000"),
        (WRONG_PIN, Counters(12, 1), PURCHASE, "8000A00000"),
        (PIN, Counters(12, 0), PURCHASE, "8000A00000"),
        (PIN, Counters(12, 3), replace(PURCHASE, today=20300101), "8040000000"),
        (PIN, Counters(12, 3), replace(PURCHASE, today=20241231), "8020000000"),
    ],
)
def test_the_card_is_told_why_it_is_declined(
    pin: Pin, counters: Counters, purchase: Purchase, tvr: str
) -> None:
    """An AAC is asked, with the TVR that says what the terminal saw; the bank hears nothing."""
    slot = Counter(counters=counters)
    assert isinstance(pay(slot, pin, purchase), Refused)
    assert slot.kinds == [(0x00, 0x00)]
    assert slot.values(0)[14:19] == bytes.fromhex(tvr)
    assert slot.counters.last_online_atc == counters.last_online_atc


def test_a_card_may_ask_for_more() -> None:
    """Terminal type and capabilities in the PDOL, the result of the PIN in the CDOL1."""
    image = payment_image()
    application = image.applications[0]
    record = application.records[1]
    cdol1 = find(decode(record.value), Tag.CDOL1)
    assert cdol1 is not None
    objects = [
        Tlv(o.tag, cdol1 + bytes.fromhex("9F3403") if o.tag == Tag.CDOL1 else o.value)
        for o in decode(record.value)[0].children()
    ]
    asking = replace(record, value=encode_one(Tag.RECORD_TEMPLATE, encode(objects)))
    application = replace(
        application,
        pdol=bytes.fromhex("9F3501 9F3303 9F0206 9F5001"),
        records=(application.records[0], asking),
    )
    slot = Counter(image=replace(image, applications=(application,)))
    assert isinstance(pay(slot, PIN, PURCHASE), Paid)
    (options,) = [c.data for c, _ in slot.said if c.ins == Ins.GET_PROCESSING_OPTIONS]
    assert options == bytes.fromhex("830B 22 208000 000000001250 00")
    assert slot.values(0)[-3:] == bytes.fromhex("410302")


# ── Selection ────────────────────────────────────────────────────────────────────────────────────


def without_directory(command: Command, answer: Response) -> Response:
    """A card that has no directory, as many have none."""
    return Response(0x6A82) if command.data == DIRECTORY else answer


def test_a_card_without_a_directory() -> None:
    """The terminal tries what it knows, and finds nothing on a card for codes."""
    slot = Counter(bend=without_directory)
    assert isinstance(pay(slot, PIN, PURCHASE), Paid)
    slot = Counter(image=sesame_image(), bend=without_directory)
    assert pay(slot, PIN, PURCHASE) == Refused(Refusal.NO_PAYMENT)
    assert [command.data for command, _ in slot.said] == [DIRECTORY, *PAYMENTS]
    assert DPA not in PAYMENTS


def test_the_application_that_the_card_prefers() -> None:
    """By its priority, 1 first and none last; one that cannot be selected is passed over."""
    visa, electron, maestro = PAYMENT, bytes.fromhex("A0000000032010"), PAYMENTS[-1]
    entries = [
        encode([Tlv(Tag.AID, aid), *priority])
        for aid, priority in [
            (electron, []),
            (visa, [Tlv(Tag.APPLICATION_PRIORITY, b"\x82")]),  # and: the holder must confirm
            (maestro, [Tlv(Tag.APPLICATION_PRIORITY, b"\x01")]),
            (DPA, [Tlv(Tag.APPLICATION_PRIORITY, b"\x01")]),
        ]
    ]
    listed = encode([Tlv(Tag.APPLICATION_LABEL, b"none"), *(Tlv(0x61, entry) for entry in entries)])

    def bend(_command: Command, answer: Response) -> Response:
        first = len(slot.said) == 1
        return Response(0x9000, encode_one(0x70, listed)) if first else answer

    slot = Counter(image=payment_image(), bend=bend)
    assert isinstance(pay(slot, PIN, PURCHASE), Paid)
    selected = [command.data for command, _ in slot.said if command.ins == Ins.SELECT]
    assert selected == [DIRECTORY, maestro, visa]


# ── Cards that no bank issued ────────────────────────────────────────────────────────────────────


def answering(ins: Ins, answer: Response, *, to: bytes | None = None) -> Counter:
    """A card whose every answer to *ins* (to these data) is *answer*."""

    def bend(command: Command, right: Response) -> Response:
        return answer if command.ins == ins and to in {None, command.data} else right

    return Counter(bend=bend)


def without(*tags: Tag) -> Counter:
    """A bank card in whose records these objects are missing."""

    def bend(command: Command, answer: Response) -> Response:
        objects = decode(answer.data)
        if command.ins != Ins.READ_RECORD or not objects:
            return answer
        left = [o for o in objects[0].children() if o.tag not in tags]
        return Response(answer.sw, encode_one(objects[0].tag, encode(left)))

    return Counter(bend=bend)


def cryptogram(cid: int, atc: int) -> bytes:
    """An answer to GENERATE AC in format 1."""
    return encode_one(0x80, bytes([cid]) + atc.to_bytes(2) + bytes(8))


OK = 0x9000
NO_PIN_RULE = bytes.fromhex("0000000000000000 4203 1F")  # online PIN, and half a rule


@pytest.mark.parametrize(
    ("slot", "why"),
    [
        (answering(Ins.SELECT, Response(OK, b"\x6f\x05\x84"), to=DIRECTORY), Refusal.UNFIT),
        (answering(Ins.SELECT, Response(OK), to=DIRECTORY), Refusal.UNFIT),  # no SFI
        (answering(Ins.SELECT, Response(OK, b"\x88\x01\x0b"), to=DIRECTORY), Refusal.UNFIT),
        (answering(Ins.READ_RECORD, Response(OK, b"\x70\x7f")), Refusal.UNFIT),
        (answering(Ins.SELECT, Response(OK), to=PAYMENT), Refusal.UNFIT),  # no name
        (answering(Ins.SELECT, Response(OK, encode_one(0x84, DPA)), to=PAYMENT), Refusal.UNFIT),
        (answering(Ins.SELECT, Response(0x6283), to=PAYMENT), Refusal.NO_PAYMENT),
        (answering(Ins.GET_DATA, Response(OK, b"\x9f\x36\x01\x00")), Refusal.UNFIT),
        (answering(Ins.GET_DATA, Response(0x6A88)), Refusal.DECLINED),  # it does not tell its ATC
        (answering(Ins.GET_PROCESSING_OPTIONS, Response(OK)), Refusal.UNFIT),
        (answering(Ins.GET_PROCESSING_OPTIONS, Response(0x6985)), Refusal.DECLINED),
        (without(Tag.CDOL1), Refusal.UNFIT),
        (without(Tag.CDOL2), Refusal.UNFIT),
        (without(Tag.PAN), Refusal.UNFIT),
        (without(Tag.CVM_LIST), Refusal.UNFIT),
        (without(Tag.EXPIRY_DATE), Refusal.UNFIT),
        (answering(Ins.VERIFY, Response(0x6985)), Refusal.DECLINED),
        (answering(Ins.VERIFY, Response(0x6984)), Refusal.BLOCKED),
        (answering(Ins.GENERATE_AC, Response(0x6985)), Refusal.DECLINED),
        (answering(Ins.GENERATE_AC, Response(OK)), Refusal.UNFIT),
        (answering(Ins.GENERATE_AC, Response(OK, cryptogram(0xC0, 13))), Refusal.UNFIT),
        (answering(Ins.GENERATE_AC, Response(OK, cryptogram(0x40, 13))), Refusal.UNFIT),
        (answering(Ins.GENERATE_AC, Response(OK, cryptogram(0x80, 13))), Refusal.UNFIT),
        (answering(Ins.GENERATE_AC, Response(OK, cryptogram(0x00, 13))), Refusal.DECLINED),
    ],
)
def test_a_card_that_says_nonsense_is_refused(slot: Counter, why: Refusal) -> None:
    """Whatever it answers and wherever: no payment, no exception, and no power afterwards."""
    outcome = pay(slot, PIN, PURCHASE)
    assert isinstance(outcome, Refused)
    assert outcome.why is why
    assert not slot.powered


def bent_record(tag: Tag, value: bytes) -> Counter:
    """A bank card in whose records the object *tag* has this value."""

    def bend(command: Command, answer: Response) -> Response:
        objects = decode(answer.data)
        if command.ins != Ins.READ_RECORD or not objects:
            return answer
        bent = [Tlv(o.tag, value if o.tag == tag else o.value) for o in objects[0].children()]
        return Response(answer.sw, encode_one(objects[0].tag, encode(bent)))

    return Counter(bend=bend)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (Tag.CVM_LIST, NO_PIN_RULE),
        (Tag.CVM_LIST, b"\x01"),
        (Tag.PAN, bytes(8)[:3]),
        (Tag.EXPIRY_DATE, b"\xff\xff\xff"),
        (Tag.CDOL1, b"\x9f"),
        (Tag.CDOL1, bytes.fromhex("9F02FF 9F03FF")),  # more than a command holds
    ],
)
def test_an_object_that_makes_no_sense_is_refused(tag: Tag, value: bytes) -> None:
    """Before the PIN or after it, but never paid."""
    assert pay(bent_record(tag, value), PIN, PURCHASE) == Refused(Refusal.UNFIT)


def test_a_pdol_that_no_command_holds() -> None:
    """Is refused before the transaction begins."""
    fci = encode_one(
        0x6F, encode_one(0x84, PAYMENT) + encode_one(0xA5, b"\x9f\x38\x03\x9f\x02\xff")
    )
    slot = answering(Ins.SELECT, Response(OK, fci), to=PAYMENT)
    assert pay(slot, PIN, PURCHASE) == Refused(Refusal.UNFIT)
    assert slot.counters.atc == 12


def test_a_card_that_declines_after_the_bank_approved() -> None:
    """Its second cryptogram is an AAC: not paid, and the counter had moved."""

    def bend(command: Command, answer: Response) -> Response:
        return Response(OK, cryptogram(0x00, 13)) if command.p1 == 0x40 else answer

    outcome = pay(Counter(bend=bend), PIN, PURCHASE)
    assert outcome == Refused(Refusal.DECLINED, None, Counted(LAST4, 12, 13))


def test_a_card_that_counts_between_its_cryptograms() -> None:
    """Two ATCs in one transaction are none."""

    def bend(command: Command, answer: Response) -> Response:
        return Response(OK, cryptogram(0x40, 14)) if command.p1 == 0x40 else answer

    assert pay(Counter(bend=bend), PIN, PURCHASE) == Refused(Refusal.UNFIT)


def test_a_card_that_does_not_tell_its_tries() -> None:
    """Need not: the PIN is tried."""

    def bend(command: Command, answer: Response) -> Response:
        tries = command.ins == Ins.GET_DATA and command.p2 == 0x17
        return Response(0x6A88) if tries else answer

    assert isinstance(pay(Counter(bend=bend), PIN, PURCHASE), Paid)


@pytest.mark.parametrize("after", range(13))
def test_a_card_that_is_pulled_out(after: int) -> None:
    """At any moment of the dialogue: mute, and not paid."""

    def bend(_command: Command, answer: Response) -> Response:
        if len(slot.said) == after:
            raise CardIsMute
        return answer

    slot = Counter(bend=bend)
    assert pay(slot, PIN, PURCHASE) == Refused(Refusal.MUTE)


@given(
    at=st.integers(0, 12),
    answer=st.builds(
        Response,
        sw=st.one_of(st.just(OK), st.sampled_from([0x63C0, 0x63C1, 0x6983, 0x6A82, 0xFFFF])),
        data=st.binary(max_size=60),
    ),
)
def test_any_bytes_of_a_card_are_an_outcome(at: int, answer: Response) -> None:
    """Nothing is raised; a card that is paid with said so itself."""

    def bend(_command: Command, right: Response) -> Response:
        return answer if len(slot.said) == at else right

    slot = Counter(bend=bend)
    outcome = pay(slot, PIN, PURCHASE)
    assert isinstance(outcome, Paid | Refused)
    if isinstance(outcome, Paid):
        assert outcome.card.after == 13


def test_the_pin_goes_to_the_card_and_nowhere_else() -> None:
    """In one command, of which nothing prints."""
    slot = Counter(image=replace(bank_image(), data=replace(DATA, pin=Pin("90817263"))))
    outcome = pay(slot, Pin("90817263"), PURCHASE)
    carrying = [command for command, _ in slot.said if "90817263" in command.data.hex()]
    assert [command.name for command in carrying] == ["VERIFY"]
    assert "90817263" not in repr((outcome, slot.said, PURCHASE))


def test_a_directory_without_an_end() -> None:
    """The terminal stops at 255 records, and then finds two that are none of a payment."""
    record = encode_one(0x70, encode_one(0x61, encode_one(0x4F, PAYMENT)))
    slot = answering(Ins.READ_RECORD, Response(OK, record))
    assert pay(slot, PIN, PURCHASE) == Refused(Refusal.UNFIT)
    assert sum(command.ins == Ins.READ_RECORD for command, _ in slot.said) == 255 + 2
