"""T=0 and T=1 from the reader's side: whole answers, whatever the transport makes of them."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.apdu import AcType, Command, Response, generate_ac, read_record, select, verify
from sesame.emv.errors import MalformedApdu
from sesame.emv.pin import EMPTY_PIN_BLOCK
from sesame.reader.transport import exchange
from tests.reader.pcsc import t0

SELECT = select(bytes.fromhex("A0000000038002"))


def scripted(*pairs: tuple[str, str]) -> Callable[[bytes], bytes]:
    """A card that expects these commands, in this order, and answers them so."""
    left = list(pairs)

    def send(raw: bytes) -> bytes:
        command, answer = left.pop(0)
        assert raw == bytes.fromhex(command)
        return bytes.fromhex(answer)

    return send


@pytest.mark.parametrize("protocol", [True, False])
def test_a_whole_answer(protocol: bool) -> None:  # noqa: FBT001 -- T=0 or not
    """Comes as it is."""
    card = scripted(("00B2010C00", "70009000"))
    assert exchange(read_record(1, 1), card, t0=protocol) == Response(0x9000, b"\x70\x00")


def test_t0_sends_data_without_le_and_fetches_the_answer() -> None:
    """61xx says how much waits; 6100 is 256 bytes."""
    card = scripted(("00A4040007A0000000038002", "6104"), ("00C0000004", "6F0284009000"))
    assert exchange(SELECT, card, t0=True) == Response(0x9000, bytes.fromhex("6F028400"))
    card = scripted(("00A4040007A0000000038002", "6100"), ("00C0000000", "AA" * 256 + "9000"))
    assert len(exchange(SELECT, card, t0=True).data) == 256


def test_t0_fetches_the_rest_too() -> None:
    """An answer in pieces; the last status word is the answer's."""
    card = scripted(
        ("00A4040007A0000000038002", "6102"), ("00C0000002", "0102 6101"), ("00C0000001", "03 6283")
    )
    assert exchange(SELECT, card, t0=True) == Response(0x6283, b"\1\2\3")


def test_t0_asks_again_with_the_right_length() -> None:
    """6Cxx, to a command and to GET RESPONSE."""
    card = scripted(("00B2010C00", "6C02"), ("00B2010C02", "7000 9000"))
    assert exchange(read_record(1, 1), card, t0=True) == Response(0x9000, b"\x70\x00")
    card = scripted(
        ("00A4040007A0000000038002", "6103"), ("00C0000003", "6C02"), ("00C0000002", "0102 9000")
    )
    assert exchange(SELECT, card, t0=True) == Response(0x9000, b"\1\2")


def test_t1_says_that_an_answer_is_awaited() -> None:
    """Le = 00 behind data that are sent, but not behind a PIN."""
    card = scripted(("00A4040007A000000003800200", "9000"))
    assert exchange(SELECT, card, t0=False) == Response(0x9000)
    card = scripted(("80AE8000020102 00", "9000"))
    assert exchange(generate_ac(AcType.ARQC, b"\1\2"), card, t0=False) == Response(0x9000)
    card = scripted(("002000800820FFFFFFFFFFFFFF", "63C2"))
    assert exchange(verify(EMPTY_PIN_BLOCK), card, t0=False) == Response(0x63C2)


def test_a_command_that_has_both_loses_its_le_under_t0() -> None:
    """There it has no place."""
    both = Command(0x00, 0xA4, 0x04, 0x00, b"\1", 256)
    assert exchange(both, scripted(("00A404000101", "6A82")), t0=True) == Response(0x6A82)


def test_a_card_that_asks_for_ever() -> None:
    """Is asked again once, and for more only while more comes: then there is no answer."""
    with pytest.raises(MalformedApdu, match="6C01"):
        exchange(
            read_record(1, 1), scripted(*[("00B2010C00", "6C01"), ("00B2010C01", "6C01")]), t0=True
        )
    select_and_fetch = [("00A4040007A0000000038002", "6101"), ("00C0000001", "6101")]
    with pytest.raises(MalformedApdu, match="6101"):
        exchange(SELECT, scripted(*select_and_fetch), t0=True)


def test_an_answer_byte_by_byte() -> None:
    """Is put together whatever it takes; when it is too long, it is refused."""
    left = 256

    def send(raw: bytes) -> bytes:
        nonlocal left
        if raw[1] == 0xA4:
            return bytes.fromhex("6101")
        left -= 1
        return b"\x07" + bytes.fromhex("6101" if left else "9000")

    assert exchange(SELECT, send, t0=True) == Response(0x9000, b"\x07" * 256)
    left = 257
    with pytest.raises(MalformedApdu, match="257"):
        exchange(SELECT, send, t0=True)


def test_pieces_to_a_command_that_was_answered_in_part() -> None:
    """What comes with the first 61xx counts too."""
    card = scripted(("00B2010C00", "7001 6101"), ("00C0000001", "AA 9000"))
    assert exchange(read_record(1, 1), card, t0=False) == Response(0x9000, b"\x70\x01\xaa")


@pytest.mark.parametrize("protocol", [True, False])
def test_what_carries_data_is_sent_once(protocol: bool) -> None:  # noqa: FBT001
    """A card that wants a PIN or a transaction again, with another Le, does not get it."""
    for command in (verify(EMPTY_PIN_BLOCK), generate_ac(AcType.ARQC, b"\1\2"), SELECT):
        sent: list[bytes] = []

        def send(raw: bytes, sent: list[bytes] = sent) -> bytes:
            sent.append(raw)
            return bytes.fromhex("6C08")

        assert exchange(command, send, t0=protocol) == Response(0x6C08)
        assert len(sent) == 1


@given(st.lists(st.binary(max_size=300), min_size=1), st.booleans(), st.sampled_from([SELECT]))
def test_any_card_comes_to_an_end(answers: list[bytes], protocol: bool, command: Command) -> None:  # noqa: FBT001
    """With an answer that is one, or an error that says why not."""
    asked = 0

    def send(_: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return answers[asked % len(answers)]

    try:
        response = exchange(command, send, t0=protocol)
    except MalformedApdu:
        return
    finally:
        assert asked <= 2 + 2 * 257
    assert len(response.data) <= 256
    assert response.sw >> 8 not in (0x61, 0x6C)


@given(st.binary(min_size=1, max_size=256), st.binary(min_size=1, max_size=255))
def test_t0_hides_itself(data: bytes, sent: bytes) -> None:
    """Whatever is sent and answered, the answer is the card's own."""

    def card(_: bytes) -> bytes:
        return data + b"\x90\x00"

    for command in (Command(0, 0xA4, 4, 0, sent), read_record(1, 1)):
        assert exchange(command, t0(card), t0=True) == Response(0x9000, data)
