"""What is private never leaves with a trace, however it stands there."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.apdu import Command, Response, read_record, select, verify
from sesame.emv.errors import MalformedTlv
from sesame.emv.pin import Pin, pin_block
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, decode, encode_one
from sesame.reader.blackening import blackened, without_pin
from sesame.reader.recording import Exchange

NAME, PAN = b"MARTIN/CLAIRE", "4970100000000055"
TRACK_2 = bytes.fromhex(f"{PAN}D49122010000012345678F")
DIGITS = {0x5A, 0x57, 0x9F20, 0x9F6B}
LETTERS = {0x56, 0x5F20, 0x5F53, 0x9F0B, 0x9F1F}
ZEROS = {0x93, 0x9F2D, 0x9F46}
PUBLIC = Tag.PREFERRED_NAME  # a bank writes into it what it likes


def answer(data: bytes, command: Command | None = None) -> Exchange:
    """What a card answers to READ RECORD."""
    return Exchange(command or read_record(1, 1), Response(0x9000, data))


def record(*objects: tuple[int, bytes]) -> bytes:
    """A record with these."""
    return encode_one(0x70, b"".join(encode_one(tag, value) for tag, value in objects))


def blackened_record(*objects: tuple[int, bytes]) -> dict[int, bytes]:
    """Its objects afterwards, by tag."""
    (one,) = blackened([answer(record(*objects))])
    return {o.tag: o.value for o in decode(one.response.data)[0].children()}


def text_of(exchanges: Sequence[Exchange]) -> str:
    """Everything, as hexadecimal digits; commands and answers apart."""
    return " ".join(
        f"{one.command.encode().hex()} {one.response.encode().hex()}" for one in exchanges
    )


def test_a_record() -> None:
    """Each with as many bytes of its kind; what is not private stays."""
    assert blackened_record(
        (Tag.PAN, bytes.fromhex("497010000000005F")),
        (Tag.TRACK_2, TRACK_2),
        (Tag.CARDHOLDER_NAME, NAME),
        (Tag.EXPIRY_DATE, bytes.fromhex("491231")),
        (Tag.IPB, bytes.fromhex("0000FF000000000001FFFF")),
        (Tag.TRACK_1_DISCRETIONARY, b"12345678"),
        (Tag.TRACK_2_DISCRETIONARY, bytes.fromhex("12345F")),
    ) == {
        Tag.PAN: bytes.fromhex("000000000000000F"),
        Tag.TRACK_2: bytes.fromhex("0000000000000000D00000000000000000000F"),
        Tag.CARDHOLDER_NAME: b"XXXXXXXXXXXXX",
        Tag.EXPIRY_DATE: bytes.fromhex("491231"),
        Tag.IPB: bytes.fromhex("0000FF000000000001FFFF"),
        Tag.TRACK_1_DISCRETIONARY: b"XXXXXXXX",
        Tag.TRACK_2_DISCRETIONARY: bytes.fromhex("00000F"),
    }


@pytest.mark.parametrize("tag", sorted(DIGITS | LETTERS | ZEROS))
def test_each_private_object(tag: int) -> None:
    """Nothing of it is left."""
    value = bytes.fromhex("1234567890ABCDEF")
    expected = {
        **dict.fromkeys(DIGITS, "0000000000ABCDEF"),
        **dict.fromkeys(LETTERS, b"XXXXXXXX".hex()),
        **dict.fromkeys(ZEROS, "0000000000000000"),
    }
    assert blackened_record((tag, value)) == {tag: bytes.fromhex(expected[tag])}


@pytest.mark.parametrize(
    "elsewhere",
    [
        bytes.fromhex(PAN),
        bytes.fromhex(f"A{PAN}B"),  # half a byte further on
        PAN.encode(),
        b"%B" + PAN.encode() + b"^MARTIN/CLAIRE^4912",
        b"Claire",
        b"claire martin",
        bytes.fromhex("49122010000012345678"),
    ],
)
def test_the_same_where_nobody_expects_it(elsewhere: bytes) -> None:
    """Under a tag that is not private, in another record, in a command."""
    exchanges = [
        answer(record((Tag.TRACK_2, TRACK_2), (Tag.CARDHOLDER_NAME, NAME))),
        answer(record((PUBLIC, b"\x01" + elsewhere + b"\x02"))),
        answer(b"", Command(0x80, 0xA8, 0x00, 0x00, elsewhere)),
    ]
    after = blackened(exchanges)
    assert elsewhere.hex() not in text_of(after)
    assert PAN not in text_of(after)
    assert [len(one.response.data) for one in after] == [
        len(one.response.data) for one in exchanges
    ]
    assert decode(after[1].response.data)[0].children()[0].tag == PUBLIC


def test_an_answer_that_is_no_tlv() -> None:
    """Nobody can say what stands in it: its length and status word stay."""
    cut = record((Tag.PAN, bytes.fromhex(PAN)))[:-1]
    (one,) = blackened([Exchange(read_record(1, 1), Response(0x6282, cut))])
    assert one.response == Response(0x6282, bytes(len(cut)))


@pytest.mark.parametrize("tag", [0x5F21, 0x5F42, 0x9F24, 0x9F7E, 0xC1, 0xDF20])
def test_what_we_do_not_know(tag: int) -> None:
    """Is not shown: track 1 again, an address, the account's reference (PAR), whatever it is."""
    assert blackened_record((tag, b"12 rue du Bac"), (Tag.PSN, b"\1")) == {
        tag: bytes(13),
        Tag.PSN: b"\1",
    }


@pytest.mark.parametrize("blacken", [blackened, without_pin])
def test_a_card_that_repeats_the_pin(blacken: Callable[..., Sequence[Exchange]]) -> None:
    """In its answer to VERIFY, in a later one, in what we send back: nothing of it is left."""
    block = pin_block(Pin("7391"))
    exchanges = [
        Exchange(verify(block), Response(0x9000, encode_one(PUBLIC, b"\x73\x91"))),
        answer(record((PUBLIC, b"\xaa" + block), (Tag.PSN, b"\1"))),
        answer(b"", Command(0x80, 0xAE, 0x80, 0x00, block)),
    ]
    after = blacken(exchanges)
    assert block.hex() not in text_of(after)
    assert after[0].response == Response(0x9000, bytes(5))
    assert after[1].response.data == record((PUBLIC, b"\xaa" + bytes(8)), (Tag.PSN, b"\1"))
    assert without_pin([Exchange(verify(b"\1"), Response(0x6700)), exchanges[1]])[1:] == [
        exchanges[1]
    ]


def test_padding_and_long_lengths() -> None:
    """Found behind 00 bytes, and behind a length of two bytes."""
    data = b"\x00\x00" + bytes.fromhex("7081 0C 00 5A8108 4970100000000055")
    (one,) = blackened([answer(data)])
    assert one.response.data == b"\x00\x00" + bytes.fromhex("7081 0C 00 5A8108 0000000000000000")


def test_zeros_may_complete_a_number() -> None:
    """Then it is written over again."""
    number = "0000000000000012"
    exchanges = [
        answer(record((Tag.PAN, bytes.fromhex(number)))),
        answer(record((PUBLIC, bytes.fromhex(number + "12")))),
    ]
    assert number not in text_of(blackened(exchanges))


def test_what_is_too_short_is_not_looked_for() -> None:
    """Seven digits or two letters stand anywhere by chance."""
    objects = ((Tag.PAN, bytes.fromhex("1234567F")), (Tag.CARDHOLDER_NAME, b"LI / WU"))
    other = record((Tag.APPLICATION_LABEL, b"LIWU"), (PUBLIC, bytes.fromhex("1234567F")))
    after = blackened([answer(record(*objects)), answer(other)])
    assert after[1].response.data == other


@pytest.mark.parametrize("blacken", [blackened, without_pin])
def test_verify_never_keeps_its_pin(blacken: object) -> None:
    """With the rest left as it is, too; how long the PIN was is not told either."""
    assert callable(blacken)
    command = verify(pin_block(Pin("739124")))
    (one,) = blacken([Exchange(command, Response(0x63C2))])
    assert one.command.encode().hex() == "0020008008" + "00" * 8
    assert one.response == Response(0x63C2)


def test_without_pin_leaves_the_rest() -> None:
    """For who wants it whole."""
    exchange = answer(record((Tag.PAN, bytes.fromhex(PAN))), select(b"12345"))
    assert without_pin([exchange]) == [exchange]


# ── Whatever a card says ─────────────────────────────────────────────────────────────────────────

pans = st.text("0123456789", min_size=12, max_size=19).filter(lambda digits: digits.strip("0"))
names = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=4, max_size=12)
tracks = st.text("0123456789", min_size=8, max_size=13).filter(lambda digits: digits.strip("0"))
nibbles = st.text("0123456789abcdef", max_size=5)


def packed(digits: str) -> bytes:
    """In BCD, filled with F."""
    return bytes.fromhex(digits + "f" * (len(digits) % 2))


@given(pans, names, names, tracks, st.data())
def test_planted_anywhere_it_never_leaves(
    pan: str, surname: str, name: str, track: str, data: st.DataObject
) -> None:
    """In private objects and in all others, in any alignment, in BCD or in characters."""
    planted = [pan, track, pan.encode().hex(), surname.encode().hex(), name.encode().hex()]

    def hidden() -> bytes:
        around = [data.draw(nibbles) for _ in planted]
        order = data.draw(st.permutations(planted))
        spelled = "".join(f"{noise}{secret}" for noise, secret in zip(around, order, strict=True))
        return packed(spelled)

    exchanges = [
        answer(
            record(
                (Tag.PAN, packed(pan)),
                (Tag.TRACK_2, packed(f"{pan}d{track}")),
                (Tag.CARDHOLDER_NAME, f"{surname}/{name}".encode()),
                (PUBLIC, hidden()),
            )
        ),
        answer(record((Tag.IAD, hidden())), Command(0x80, 0xA8, 0x00, 0x00, hidden())),
    ]
    after = blackened(data.draw(st.permutations(exchanges)))
    said = text_of(after)
    assert [secret for secret in planted if secret in said] == []
    assert sorted(len(one.response.data) for one in after) == sorted(
        len(one.response.data) for one in exchanges
    )


def structure(objects: Sequence[Tlv]) -> list[object]:
    """Tags and lengths, level by level."""
    return [
        (o.tag, len(o.value), structure(o.children()) if o.constructed else None) for o in objects
    ]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Tag.PAN, Tag.TRACK_2, Tag.CARDHOLDER_NAME, Tag.IPB, PUBLIC]),
            st.binary(max_size=12),
        ),
        max_size=12,  # so that it fits one answer
    )
)
def test_tlv_stays_tlv(objects: list[tuple[int, bytes]]) -> None:
    """Of the same tags and lengths."""
    before = record(*objects)
    after = blackened([answer(before)])[0].response.data
    try:
        assert structure(decode(after)) == structure(decode(before))
    except MalformedTlv:
        # Tags and lengths that happen to spell a secret go with it.
        assert after != before
    assert len(after) == len(before)


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_session_is_blackened(answers: list[bytes]) -> None:
    """Whatever it is, it comes to an end, is as long as before, and is not changed twice."""
    exchanges = [answer(data) for data in answers]
    after = blackened(exchanges)
    assert [len(one.response.data) for one in after] == [len(data) for data in answers]
    assert blackened(after) == after
