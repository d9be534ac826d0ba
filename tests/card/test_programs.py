"""What programs of other people do to a card, and that ours lives through it.

Read off public programs: terminals, explorers of cards, CAP programs. Each does some of this, and
most do something that no shop's terminal would. Where EMV allows it, it works; where not, the
status word is the one that EMV or ISO/IEC 7816-4 names, and the dialogue can go on.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.cap.token import Code, compress, show
from sesame.cap.verification import KeyedCard, match
from sesame.card.memory import CardImage, Counters
from sesame.card.transport import T0
from sesame.emv.apdu import (
    AcType,
    Command,
    Response,
    generate_ac,
    get_data,
    get_processing_options,
    read_record,
    select,
)
from sesame.emv.atr import Protocol
from sesame.emv.tags import Tag
from sesame.emv.tlv import decode, find
from tests.card.cards import (
    CDOL1_DATA,
    CDOL2_DATA,
    DIRECTORY,
    DKI,
    DPA,
    DPA_KEY,
    GPO,
    PAN,
    PAYMENT,
    RIGHT,
    WRONG,
    Hand,
    bank_image,
    payment_image,
    sesame_image,
    with_application,
)
from tests.card.terminal import terminal
from tests.card.witness import APPROVED, Witness

OK, NOT_FOUND, NO_RECORD, NO_OBJECT = 0x9000, 0x6A82, 0x6A83, 0x6A88
LATER, WRONG_LENGTH, WRONG_DATA, WRONG_P1_P2 = 0x6985, 0x6700, 0x6A80, 0x6A86
CARDS = {"sesame": sesame_image(), "bank": bank_image(), "payment": payment_image()}
PROFILES = {"sesame": SESAME_CARD, "bank": BANK_CARD}

ALL_CARDS = pytest.mark.parametrize("image", CARDS.values(), ids=CARDS)
CODE_CARDS = pytest.mark.parametrize("kind", PROFILES)


class Program:
    """A program and a card that is watched; every answer comes whole, under T=0 or T=1."""

    def __init__(self, image: CardImage, protocol: Protocol = Protocol.T0) -> None:
        self.image = image
        self.witness = Witness(image, Counters(atc=0, pin_tries_left=3))
        self.t0 = T0(self.witness.put)
        self._transmit: Callable[[bytes], bytes] = (
            terminal(self.t0.respond) if protocol is Protocol.T0 else self.witness.put
        )

    @property
    def counters(self) -> Counters:
        """On the card's disk."""
        return self.witness.hand.last

    def send(self, command: Command | str) -> Response:
        """What the card answers."""
        raw = bytes.fromhex(command) if isinstance(command, str) else command.encode()
        return Response.decode(self._transmit(raw))

    def sw(self, command: Command | str) -> int:
        """The status word alone."""
        return self.send(command).sw

    def reset(self) -> None:
        """A warm reset."""
        self.witness.reset()
        self.t0.reset()


@pytest.fixture(params=Protocol)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Under either."""
    return Protocol(request.param)


def names(answer: Response, tag: int) -> list[bytes]:
    """Every object *tag* in an answer."""
    found = (find([o], tag) for o in decode(answer.data)[0].children())
    return [value for value in found if value is not None]


# ── Looking around ───────────────────────────────────────────────────────────────────────────────


@ALL_CARDS
def test_a_program_walks_every_directory(image: CardImage, protocol: Protocol) -> None:
    """PSE to its end, also far beyond it; PPSE, MF, EF.DIR, EF.ATR, and what is no EMV at all."""
    program = Program(image, protocol)
    directory = program.send(select(DIRECTORY))
    sfi = find(decode(directory.data), Tag.SFI)
    assert sfi == b"\x01"
    answers = [program.send(read_record(sfi[0], number)) for number in range(1, 31)]
    count = len(image.applications)
    assert [answer.sw for answer in answers] == [OK] * count + [NO_RECORD] * (30 - count)
    listed = [name for answer in answers[:count] for name in names(answer, Tag.AID)]
    assert listed == [application.aid for application in image.applications]
    for name in listed:
        assert find(decode(program.send(select(name)).data), Tag.DF_NAME) == name

    others = {
        "00A404000E325041592E5359532E444446303100": NOT_FOUND,  # PPSE
        "00A4000C023F00": WRONG_P1_P2,  # MF, as OpenSC asks for it
        "00A40000023F0000": WRONG_P1_P2,
        "00A4000000": WRONG_P1_P2,
        "00A40200022F0000": WRONG_P1_P2,  # EF.DIR
        "00A40800042F012F02": WRONG_P1_P2,  # a path
        "00A4040000": WRONG_LENGTH,  # the card manager of GlobalPlatform, by no name
        "00A4040008A00000000300000000": NOT_FOUND,  # and by its own
        "00A404000CA0000000871002FF49FF0589": NOT_FOUND,  # a SIM
        "00B0000000": 0x6D00,  # READ BINARY
        "0084000008": 0x6D00,  # GET CHALLENGE
        "00880000041122334400": 0x6D00,  # INTERNAL AUTHENTICATE
        "00820000081122334455667788": 0x6D00,  # EXTERNAL AUTHENTICATE
        "80CA9F7F00": NO_OBJECT,  # the life of a GlobalPlatform chip
        "00CA9F7F00": 0x6E00,  # GET DATA in ISO's class
        "FFCA000000": 0x6E00,  # the reader, as contactless ones are asked
        "FFC2010000": 0x6E00,  # the reader's features
        "A0A40000023F00": 0x6E00,  # a SIM of long ago
    }
    assert {raw: program.sw(raw) for raw in others} == others
    assert program.counters == Counters(atc=0, pin_tries_left=3)


@ALL_CARDS
def test_a_program_looks_for_applications_by_part_of_their_names(
    image: CardImage,
    protocol: Protocol,
) -> None:
    """Book 1, 12.3.3: a terminal's own list, each name whole or cut, the next ones with P2 = 02."""
    program = Program(image, protocol)
    schemes = ["A000000003", "A0000000031010", "A0000000038002", "A0000000041010", "A000000025"]
    found = {aid: list(_selected(program, bytes.fromhex(aid))) for aid in schemes}
    mine = [application.aid for application in image.applications]
    assert found == {
        aid: [own for own in mine if own.startswith(bytes.fromhex(aid))] for aid in schemes
    }
    assert program.counters.atc == 0


def _selected(program: Program, part: bytes) -> Iterator[bytes]:
    answer = program.send(select(part))
    while answer.ok:
        name = find(decode(answer.data), Tag.DF_NAME)
        assert name is not None
        yield name
        answer = program.send(replace(select(part), p2=0x02))
    assert answer.sw == NOT_FOUND


@ALL_CARDS
def test_a_program_reads_every_record_there_could_be(image: CardImage, protocol: Protocol) -> None:
    """Before GPO, all SFIs, up to number 255: what is there, and 6A82 or 6A83 for the rest."""
    for application in image.applications:
        program = Program(image, protocol)
        program.send(select(application.aid))
        read = {
            (sfi, number): program.send(read_record(sfi, number))
            for sfi in range(1, 31)
            for number in (*range(17), 0xFE, 0xFF)
        }
        good = {place: answer.data for place, answer in read.items() if answer.ok}
        assert good == {(r.sfi, r.number): r.value for r in application.records}
        files = {record.sfi for record in application.records}
        for (sfi, _), answer in read.items():
            assert answer.ok or answer.sw == (NO_RECORD if sfi in files else NOT_FOUND)
        assert program.sw("00B2010400") == NOT_FOUND  # the "current" file
        assert program.sw("00B201FC00") == NOT_FOUND  # SFI 31
        assert program.sw("00B2010D00") == WRONG_P1_P2  # all records from this one
        assert program.counters.atc == 0


@ALL_CARDS
def test_a_program_asks_get_data_for_everything(image: CardImage, protocol: Protocol) -> None:
    """Every tag that EMV could have: three counters, else 6A88; nothing before a SELECT."""
    program = Program(image, protocol)
    assert program.sw(get_data(Tag.ATC)) == LATER
    program.send(select(DIRECTORY))
    assert program.sw(get_data(Tag.ATC)) == LATER
    program.send(select(image.applications[0].aid))
    tags = [first << 8 | last for first in (0x00, 0x5F, 0x9F, 0xBF, 0xDF) for last in range(0x100)]
    told = {tag: program.send(get_data(tag)) for tag in tags}
    counters = {Tag.PIN_TRY_COUNTER, Tag.ATC, Tag.LAST_ONLINE_ATC}
    assert {tag for tag, answer in told.items() if answer.ok} == counters
    assert {answer.sw for tag, answer in told.items() if tag not in counters} == {NO_OBJECT}


def test_a_program_asks_get_data_for_all_there_is() -> None:
    """All 65536 of P1 and P2, as one explorer does: the same three."""
    program = Program(bank_image())
    program.send(select(DPA))
    told = {tag for tag in range(0x10000) if program.sw(get_data(tag)) != NO_OBJECT}
    assert told == {Tag.PIN_TRY_COUNTER, Tag.ATC, Tag.LAST_ONLINE_ATC}


@ALL_CARDS
def test_an_explorer_resets_the_card_behind_each_application(
    image: CardImage, protocol: Protocol
) -> None:
    """A reset forgets the dialogue and nothing else; logs and the chip's life are not there."""
    program = Program(image, protocol)
    for count, application in enumerate(image.applications, start=1):
        program.reset()
        assert program.sw(select(application.aid)) == OK
        assert [program.sw(get_data(tag)) for tag in (0x9F4D, 0xDF60)] == [NO_OBJECT] * 2
        assert program.sw("80A8000002830000") == OK
        assert program.sw(read_record(1, 1)) == OK
        assert program.send(get_data(Tag.ATC)).data[-2:] == count.to_bytes(2)
    program.reset()
    assert program.sw("80CA9F7F00") == LATER
    assert program.sw(read_record(1, 1)) == LATER


@pytest.mark.parametrize("image", [bank_image(), payment_image()], ids=["bank", "payment"])
def test_a_reader_of_payment_cards_finds_number_expiry_and_name(
    image: CardImage, protocol: Protocol
) -> None:
    """It takes the directory's first record and its application, and looks for 57 alone."""
    program = Program(image, protocol)
    program.send(select(DIRECTORY))
    (aid,) = names(program.send(read_record(1, 1)), Tag.AID)
    program.send(select(aid))
    options = program.send("80A8000002830000").data
    records = [
        program.send(read_record(options[at] >> 3, number))
        for at in range(4, len(options), 4)
        for number in range(options[at + 1], options[at + 2] + 1)
    ]
    assert all(record.ok for record in records)
    (track,) = [value for record in records for value in names(record, Tag.TRACK_2)]
    read = re.fullmatch(
        r"([0-9]{1,19})D([0-9]{2})([0-9]{2})([0-9]{3})([0-9]+)F?", track.hex().upper()
    )
    assert read is not None
    assert read.groups()[:4] == (PAN.digits, "29", "12", "201")
    (name,) = [value for record in records for value in names(record, Tag.CARDHOLDER_NAME)]
    assert name == b"MARTIN/ELODIE"


@ALL_CARDS
def test_a_program_takes_6cxx_alone_for_a_record(image: CardImage) -> None:
    """Under T=0; it asks the directory for the records 0 to 255, each with P3 = 00."""
    program = Program(image)
    assert program.t0.respond(select(DIRECTORY).encode())[0] == 0x61
    there = {}
    for number in range(256):
        head = bytes([0x00, 0xB2, number, 0x0C])
        answer = program.t0.respond(head + b"\x00")
        if answer[0] == 0x6C:
            there[number] = program.t0.respond(head + answer[1:])
        else:
            assert answer == NO_RECORD.to_bytes(2)
    assert list(there) == list(range(1, len(image.applications) + 1))
    assert all(answer[-2:] == OK.to_bytes(2) for answer in there.values())


# ── Transactions ─────────────────────────────────────────────────────────────────────────────────


@ALL_CARDS
def test_a_program_sends_pdol_data_of_other_lengths(image: CardImage, protocol: Protocol) -> None:
    """The card has no PDOL: 8300 alone is right. Whatever else comes, the ATC stays."""
    for application in image.applications:
        program = Program(image, protocol)
        program.send(select(application.aid))
        for length in range(1, 254):
            assert program.sw(Command(0x80, 0xA8, 0, 0, bytes([0x83, length]) + bytes(length))) == (
                WRONG_LENGTH
            )
        assert program.sw("80A8000000") == WRONG_LENGTH  # no data
        assert program.sw("80A80000") == WRONG_LENGTH
        assert program.sw("80A800000183") == WRONG_LENGTH  # half a template
        assert program.sw("80A80000028305") == WRONG_DATA  # one that promises more than it has
        assert program.sw("80A80000028400") == WRONG_DATA  # another
        assert program.counters.atc == 0
        assert program.sw("80A8000002830000") == OK  # and an Le
        assert program.counters.atc == 1


def test_a_program_fills_a_pdol_as_the_card_asks() -> None:
    """Exactly so many bytes as its PDOL says, and no others."""
    pdol = bytes.fromhex("9F3501 9F1A02 5F2A02")
    image = sesame_image()
    program = Program(with_application(image, replace(image.applications[0], pdol=pdol)))
    answer = program.send(select(DPA))
    assert find(decode(answer.data), Tag.PDOL) == pdol
    for length in (0, 1, 4, 6, 5):
        expected = OK if length == 5 else WRONG_LENGTH
        assert program.sw(get_processing_options(bytes(length))) == expected
    assert program.counters.atc == 1


@CODE_CARDS
def test_a_program_verifies_the_pin_before_gpo(kind: str, protocol: Protocol) -> None:
    """6985: the PIN belongs to a transaction. No try is spent, and after GPO it works."""
    program = Program(CARDS[kind], protocol)
    assert program.sw(RIGHT) == LATER
    program.send(select(DPA))
    assert [program.sw(RIGHT), program.sw(WRONG)] == [LATER, LATER]
    assert program.counters == Counters(atc=0, pin_tries_left=3)
    program.send(GPO)
    assert program.sw(RIGHT) == OK
    assert code_of(program, PROFILES[kind], 1)


@CODE_CARDS
@pytest.mark.parametrize("first", [AcType.ARQC, AcType.TC])
@pytest.mark.parametrize("second", [None, AcType.AAC, AcType.TC])
def test_a_program_asks_for_a_tc_or_skips_the_end(
    kind: str,
    first: AcType,
    second: AcType | None,
    protocol: Protocol,
) -> None:
    """The first answer is an ARQC and its code is good; so is the next one, however this ended."""
    program = Program(CARDS[kind], protocol)
    for atc in (1, 2, 3):
        for command in (select(DPA), GPO, RIGHT):
            assert program.sw(command) == OK
        assert code_of(program, PROFILES[kind], atc, first)
        if second is not None:
            closed = program.send(generate_ac(second, CDOL2_DATA))
            assert find(decode(closed.data), Tag.CID) == b"\x00"


@CODE_CARDS
def test_a_program_goes_on_after_the_end(kind: str, protocol: Protocol) -> None:
    """A third GENERATE AC, a second GPO, the PIN once more: 6985, and a new SELECT mends it."""
    program = Program(CARDS[kind], protocol)
    for command in (select(DPA), GPO, RIGHT, generate_ac(AcType.ARQC, CDOL1_DATA)):
        assert program.sw(command) == OK
    assert program.sw(generate_ac(AcType.ARQC, CDOL1_DATA)) == LATER
    assert program.sw(generate_ac(AcType.AAC, CDOL2_DATA)) == OK
    for command in (generate_ac(AcType.AAC, CDOL2_DATA), GPO, RIGHT):
        assert program.sw(command) == LATER
    for command in (read_record(1, 1), get_data(Tag.ATC), select(DPA), GPO):
        assert program.sw(command) == OK


@CODE_CARDS
def test_a_program_scans_between_the_steps(kind: str, protocol: Protocol) -> None:
    """Records and counters are read at every step; the code is good all the same."""
    program = Program(CARDS[kind], protocol)

    def scan() -> None:
        for tag in (Tag.PIN_TRY_COUNTER, Tag.ATC, Tag.LAST_ONLINE_ATC):
            assert program.sw(get_data(tag)) == OK
        assert program.sw(get_data(0x9F4F)) == NO_OBJECT
        assert program.sw(read_record(1, 1)) == OK
        assert program.sw(read_record(31 - 1, 1)) == NOT_FOUND

    for command in (select(DPA), GPO, RIGHT):
        assert program.sw(command) == OK
        scan()
    assert code_of(program, PROFILES[kind], 1)
    scan()
    assert program.sw(generate_ac(AcType.AAC, CDOL2_DATA)) == OK


# What programs for other cards try, and commands in forms that EMV has not.
IN_VAIN = {
    "00A4040000000007A0000000038002": WRONG_LENGTH,  # an extended Lc
    "00B2010C000000": WRONG_LENGTH,  # an extended Le
    "80CA9F17000000": WRONG_LENGTH,
    "01B2010C00": 0x6E00,  # logical channel 1
    "03A4040007A000000003800200": 0x6E00,  # 3
    "0CB2010C00": 0x6E00,  # secure messaging
    "84160000041122334400": 0x6E00,  # scripts: APPLICATION BLOCK,
    "841E0000041122334400": 0x6E00,  # UNBLOCK,
    "84240002081122334455667788": 0x6E00,  # PIN CHANGE
    "0024000008241234FFFFFFFFFF": 0x6D00,  # CHANGE REFERENCE DATA
    "002C000000": 0x6D00,  # RESET RETRY COUNTER
    "0020008000": WRONG_LENGTH,  # how many tries are left: EMV has GET DATA for it
    "00200080": WRONG_LENGTH,
    "0020000000": WRONG_P1_P2,
    "0020008808241234FFFFFFFFFF": WRONG_P1_P2,  # an enciphered PIN
    "0084000000": 0x6D00,  # GET CHALLENGE
    "0084000800": 0x6D00,
    "80880000041122334400": 0x6D00,  # INTERNAL AUTHENTICATE, as some have it
    "0088000000": 0x6D00,
    "008200000A1122334455667788303000": 0x6D00,  # EXTERNAL AUTHENTICATE
    "0022F30100": 0x6D00,  # MANAGE SECURITY ENVIRONMENT
    "00CB3FFF045C025FC100": 0x6D00,  # GET DATA of PIV
    "0070000001": 0x6D00,  # MANAGE CHANNEL
    "00D6000001FF": 0x6D00,  # UPDATE BINARY
    "00DC010C01FF": 0x6D00,  # UPDATE RECORD
    "80E2000001FF": 0x6D00,  # STORE DATA
    "8050000008112233445566778800": 0x6D00,  # INITIALIZE UPDATE
    "80F28000024F0000": 0x6D00,  # GET STATUS
    "FF00000000": 0x6E00,  # the reader's own
    "80AE90001D" + CDOL1_DATA.hex(): WRONG_P1_P2,  # a combined signature
    "80AE80001C" + CDOL1_DATA[1:].hex(): WRONG_LENGTH,
    "80AE800000": WRONG_LENGTH,
    "80AE8000": WRONG_LENGTH,
}


@CODE_CARDS
def test_a_program_tries_in_vain_what_other_cards_have(kind: str, protocol: Protocol) -> None:
    """Before GPO, behind it and behind the PIN: a status word each, and the code is good."""
    program = Program(CARDS[kind], protocol)
    program.send(select(DPA))
    # 6985 where a transaction is needed first; what is no command of ours is that before.
    early = {raw: program.sw(raw) for raw in IN_VAIN}
    assert {raw: sw for raw, sw in early.items() if sw != LATER} == {
        raw: sw for raw, sw in IN_VAIN.items() if early[raw] != LATER
    }
    assert {raw[:6] for raw, sw in early.items() if sw == LATER} == {"002000", "80AE80"}
    program.send(GPO)
    assert {raw: program.sw(raw) for raw in IN_VAIN} == IN_VAIN
    assert program.sw(RIGHT) == OK
    assert {raw: program.sw(raw) for raw in IN_VAIN} == IN_VAIN
    assert program.counters == Counters(atc=1, pin_tries_left=3)
    assert code_of(program, PROFILES[kind], 1)


@CODE_CARDS
@pytest.mark.parametrize("le", ["", "00", "FF", "01"])
def test_le_behind_data_does_not_matter(kind: str, protocol: Protocol, le: str) -> None:
    """None, any, more than there is, less: the answers are the same, and the code is good."""
    program = Program(CARDS[kind], protocol)
    for command in (select(DIRECTORY), select(DPA), GPO, RIGHT):
        assert program.sw(command.encode().hex() + le) == OK
    assert code_of(program, PROFILES[kind], 1)


def test_a_program_pays_without_a_pin_and_without_an_end(protocol: Protocol) -> None:
    """A bank card's payments move the counter; its next code is good."""
    program = Program(bank_image(), protocol)
    for command in (select(PAYMENT), GPO, generate_ac(AcType.TC, CDOL1_DATA)):
        assert program.sw(command) == OK
    for command in (select(PAYMENT), GPO, generate_ac(AcType.ARQC, CDOL1_DATA), APPROVED):
        assert program.sw(command) == OK
    for command in (select(DPA), GPO, RIGHT):
        assert program.sw(command) == OK
    assert code_of(program, BANK_CARD, 3)


def code_of(program: Program, profile: Profile, atc: int, kind: AcType = AcType.ARQC) -> bool:
    """Whether the first cryptogram gives the code of *atc*, its objects in customary order.

    Some programs take them in the order in which they come: CID, ATC, AC, IAD.
    """
    answer = program.send(generate_ac(kind, CDOL1_DATA))
    objects = decode(answer.data)[0].children()
    assert [o.tag for o in objects] == [Tag.CID, Tag.ATC, Tag.AC, Tag.IAD]
    assert objects[0].value == bytes([AcType.ARQC])
    digits = show(compress(b"".join(o.value for o in objects), profile.ipb)).replace(" ", "")
    return match(KeyedCard(profile, DKI, "00", DPA_KEY), [atc], Code(digits)) == [True]


def test_no_program_gets_an_atc_twice() -> None:
    """However often it begins and goes away."""
    hand = Hand()
    atcs = []
    for _ in range(20):
        hand.chip.reset()
        hand.begin()
        atcs.append(hand.send(get_data(Tag.ATC)).data[-2:])
    assert len(set(atcs)) == len(atcs)
