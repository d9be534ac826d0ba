"""A chip in a conversation, and somebody who watches that it stays honest.

The rules that hold whatever is said to it:

- every answer is a status word and at most 256 bytes;
- the ATC goes up by one with a good GPO, and in no other way: none comes twice;
- every wrong PIN costs a try, a right one gives all of them back, and nothing else does;
- the counters are on disk before the answer leaves;
- a payment alone is approved, and by the word for it alone;
- no code leaves before the right PIN.

`converse` makes a conversation of any bytes, so that a fuzzer can look for one that breaks them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sesame.card.memory import CardImage, Counters
from sesame.card.transport import T0
from sesame.emv.apdu import AcType, Command, Response, generate_ac, get_data, read_record, select
from sesame.emv.pin import pin_block
from sesame.emv.tags import Tag
from sesame.emv.tlv import decode, find
from tests.card.cards import (
    CDOL1_DATA,
    CDOL2_DATA,
    DIRECTORY,
    DPA,
    GPO,
    PAYMENT,
    PIN,
    RIGHT,
    WRONG,
    Hand,
    bank_image,
    payment_image,
    sesame_image,
)

APPROVED = Command(0x80, 0xAE, 0x40, 0x00, b"00" + CDOL1_DATA)  # the second: ARC 00, a TC asked


@dataclass
class Witness:
    """A card, and what must be true of it after each command."""

    image: CardImage
    counters: Counters
    hand: Hand = field(init=False)
    _verified: bool = field(init=False, default=False)  # the right PIN was the last one given
    _for_codes: bool = field(init=False, default=False)  # the application for codes is selected

    def __post_init__(self) -> None:
        self.hand = Hand(image=self.image, counters=self.counters)

    def reset(self) -> None:
        """Take the power away and give it back."""
        self.hand.chip.reset()
        self._forget()

    def put(self, raw: bytes) -> bytes:
        """The chip's answer; an AssertionError where a rule is broken."""
        before, writes = self.hand.last, len(self.hand.kept)
        encoded = self.hand.chip.respond(raw)
        answer = Response.decode(encoded)
        after = self.hand.last
        assert len(answer.data) <= 256

        begun = answer.ok and raw[:4] == GPO.encode()[:4]
        assert after.atc == before.atc + begun
        wrong = answer.sw & 0xFFF0 == 0x63C0
        right = answer.ok and raw[1:2] == b"\x20"
        if right:
            assert raw[:13] == RIGHT.encode()
            assert before.pin_tries_left > 0
            assert after.pin_tries_left == self.image.pin_try_limit
        else:
            assert after.pin_tries_left == before.pin_tries_left - wrong
        assert not wrong or answer.sw & 0x0F == after.pin_tries_left
        cid = _cid(answer) if answer.ok and raw[1:2] == b"\xae" else None
        completed = cid == AcType.TC
        assert after.last_online_atc == (after.atc if completed else before.last_online_atc)
        assert len(self.hand.kept) - writes == begun + wrong + 2 * right + completed

        if answer.ok and raw[1:2] == b"\xa4":
            self._forget()
            self._for_codes = DPA in answer.data
        self._verified = (self._verified or right) and not wrong
        if cid is not None:
            self._check_cryptogram(raw, answer, cid)
        return encoded

    def close(self) -> None:
        """The counters that the card tells are those on its disk."""
        tags = (Tag.ATC, Tag.PIN_TRY_COUNTER, Tag.LAST_ONLINE_ATC)
        self.hand.send(select(self.image.applications[-1].aid))
        told = [int.from_bytes(self.hand.send(get_data(tag)).data[3:]) for tag in tags]
        last = self.hand.last
        assert told == [last.atc, last.pin_tries_left, last.last_online_atc]

    def _check_cryptogram(self, raw: bytes, answer: Response, cid: int) -> None:
        assert cid in {AcType.AAC, AcType.ARQC, AcType.TC}
        assert find(decode(answer.data), Tag.ATC) == self.hand.last.atc.to_bytes(2)
        if cid == AcType.TC:
            assert not self._for_codes
            assert raw[:7] == APPROVED.encode()[:7]
        if self._for_codes and not self._verified:
            assert cid == AcType.AAC

    def _forget(self) -> None:
        self._verified = False
        self._for_codes = False


def _cid(answer: Response) -> int:
    value = find(decode(answer.data), Tag.CID)
    assert value is not None
    return value[0]


# ── Conversations out of bytes ───────────────────────────────────────────────────────────────────

IMAGES = (sesame_image(), bank_image(), payment_image())
_ATCS = (0, 1, 0xFFFD, 0xFFFE, 0xFFFF)

# What a terminal says, and what one that is wrong says.
SENSIBLE = (
    select(DPA),
    select(PAYMENT),
    select(DIRECTORY),
    select(PAYMENT[:5]),
    Command(0x00, 0xA4, 0x04, 0x02, PAYMENT[:5]),
    GPO,
    RIGHT,
    WRONG,
    read_record(1, 1),
    read_record(1, 2),
    get_data(Tag.PIN_TRY_COUNTER),
    get_data(Tag.ATC),
    generate_ac(AcType.ARQC, CDOL1_DATA),
    generate_ac(AcType.TC, CDOL1_DATA),
    generate_ac(AcType.AAC, CDOL1_DATA),
    generate_ac(AcType.ARQC, CDOL2_DATA),
    generate_ac(AcType.AAC, CDOL2_DATA),
    APPROVED,
    Command(0x80, 0xAE, 0x90, 0x00, CDOL1_DATA),
    Command(0x00, 0x20, 0x00, 0x80, bytes.fromhex("24123AFFFFFFFFFF")),
    Command(0x00, 0xC0, 0x00, 0x00, le=0x1F),
    Command(0x00, 0x20, 0x00, 0x80, pin_block(PIN), le=256),
)
_RAW, _HEADED, _RESET = 0xF0, 0xC0, 0xFF


def converse(
    data: bytes, listen: Callable[[bytes, bytes], None] = lambda _raw, _answer: None
) -> None:
    """Make a conversation of *data*, and hold the card to the rules.

    The first byte chooses card and counters. Then each byte chooses what is said: a command of
    `SENSIBLE`; the header of one and so many of the bytes that follow; only such bytes; or the
    power goes. *listen* hears each command and its answer.

    Raises:
        AssertionError: a rule was broken.
    """
    first = data[0] if data else 0
    counters = Counters(atc=_ATCS[first // 12 % len(_ATCS)], pin_tries_left=first // 3 % 4)
    witness = Witness(IMAGES[first % 3], counters)
    transport = T0(witness.put)
    # Half of them go through T=0: it may hide an answer, but not break a rule.
    put = transport.respond if first & 0x80 else witness.put
    for said in _said(data[1:]):
        if said is None:
            witness.reset()
            transport.reset()
        else:
            answer = put(said)
            assert 2 <= len(answer) <= 258
            listen(said, answer)
    witness.close()


def _said(data: bytes) -> Iterator[bytes | None]:
    at = 0
    while at < len(data):
        choice = data[at]
        at += 1
        if choice == _RESET:
            yield None
        elif choice < _HEADED:
            yield SENSIBLE[choice % len(SENSIBLE)].encode()
        else:
            length = data[at] if at < len(data) else 0
            body = data[at + 1 : at + 1 + length]
            at += 1 + length
            head = SENSIBLE[choice % len(SENSIBLE)].encode()[:4] if choice < _RAW else b""
            yield head + body
