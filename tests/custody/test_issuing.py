"""A card that is made: the chip computes what the bank predicts, and nobody sees the PIN."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from sesame.cap.token import Code
from sesame.card.card_file import create
from sesame.card.cps import decode_groupings
from sesame.card.errors import PersonalisationError
from sesame.card.numbering import draw_number
from sesame.catalogue import Language
from sesame.custody.custodian import Fit, Inquiry, Question
from sesame.custody.errors import (
    ChanceFails,
    IssuingNeedsKeystore,
    NoCurrentKey,
    PinSealBroken,
    SealBroken,
)
from sesame.custody.issuing import CardMaker, CardOrder
from sesame.custody.key import KeyState
from sesame.custody.keystore_custodian import KeystoreCustodian, KeystoreIssuingCustodian
from sesame.emv.pin import Pin
from sesame.reader.code import WrongPin, make_code
from sesame.reader.virtual_slot import VirtualSlot
from tests.custody.keystores import chance, quick_keystore

ORDER = CardOrder(
    pan=draw_number("9250", chance("pan")),
    psn="01",
    name="Inès Lefèvre",
    language=Language.ENGLISH,
    effective=date(2020, 1, 1),
    expiry=date(2049, 12, 31),
    context=b"7|K4XW29PM|1",
)


@pytest.fixture(scope="module")
def custodian(tmp_path_factory: pytest.TempPathFactory) -> KeystoreIssuingCustodian:
    """The keys of a demonstration."""
    return KeystoreIssuingCustodian(quick_keystore(tmp_path_factory.mktemp("keys") / "keys"))


@pytest.fixture
def maker(custodian: KeystoreIssuingCustodian) -> CardMaker:
    """On those keys, with true chance."""
    return CardMaker(custodian)


async def test_the_card_makes_codes_that_custody_predicts(
    maker: CardMaker, custodian: KeystoreIssuingCustodian, tmp_path: Path
) -> None:
    """Through the groupings into a card file, with the PIN of the letter; the first ATC is 1."""
    made = await maker.make(ORDER)
    pin = maker.open_pin(made.sealed_pin, ORDER.context)
    image, counters = decode_groupings(made.groupings)
    assert (counters.atc, counters.pin_tries_left) == (0, 3)
    create(tmp_path / "new.card", image, counters)
    with VirtualSlot(tmp_path / "new.card") as slot:
        code = make_code(slot, Pin(pin))
        wrong = Pin("4711" if pin != "4711" else "8642")
        assert make_code(slot, wrong) == WrongPin(tries_left=2)
    assert isinstance(code, Code)
    question = Question(made.registered.sealed, ORDER.context, (1,))
    assert await custodian.match([Inquiry(code, (question,))]) == [(Fit(0, 1),)]
    other = Question(made.registered.sealed, ORDER.context, (2,))
    assert await custodian.match([Inquiry(code, (other,))]) == [()]


async def test_the_card_is_what_was_ordered(
    maker: CardMaker, custodian: KeystoreIssuingCustodian
) -> None:
    """Its name as cards print it, its holder's language first, the current issuer key."""
    made = await maker.make(ORDER)
    image, _ = decode_groupings(made.groupings)
    assert image.data.name == "INES LEFEVRE"
    assert image.data.languages == ("en", "fr")
    assert (image.data.pan, image.data.psn) == (ORDER.pan, "01")
    assert (image.data.effective, image.data.expiry) == (ORDER.effective, ORDER.expiry)
    assert image.data.pin.digits == maker.open_pin(made.sealed_pin, ORDER.context)
    assert made.record.key.label == "dpa-01"
    assert (made.record.pan, made.last4) == (ORDER.pan, ORDER.pan.last4)
    assert made.registered.pan_hash == await custodian.pan_index(ORDER.pan)


async def test_each_card_has_a_pin_of_its_own(maker: CardMaker) -> None:
    """And nothing of it is seen in what is stored: no nonce comes twice, and all are as long."""
    made = [await maker.make(ORDER) for _ in range(40)]
    assert len({maker.open_pin(one.sealed_pin, ORDER.context) for one in made}) > 30
    sealed = [one.sealed_pin for one in made] + [one.registered.sealed for one in made]
    assert len({nonce[4:16] for nonce in sealed}) == 80  # both are under one key
    assert {len(one.sealed_pin) for one in made} == {36}


async def test_a_pin_opens_for_its_own_row_alone(
    maker: CardMaker, custodian: KeystoreIssuingCustodian, tmp_path: Path
) -> None:
    """Altered, moved to another customer, of another bank, or a sealed card: it stays shut."""
    made = await maker.make(ORDER)
    sealed = made.sealed_pin
    moved = b"7|K4XW29PM|2"
    with pytest.raises(PinSealBroken, match="altered, or moved"):
        maker.open_pin(sealed, moved)
    for at in range(4, len(sealed)):
        altered = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(PinSealBroken, match="altered, or moved"):
            maker.open_pin(altered, ORDER.context)
    for none in (b"", sealed[:-1], sealed + b"\0", bytes(36), made.registered.sealed):
        with pytest.raises(PinSealBroken, match="it is none"):
            maker.open_pin(none, ORDER.context)
    other = CardMaker(KeystoreIssuingCustodian(quick_keystore(tmp_path / "other", seed="other")))
    with pytest.raises(PinSealBroken, match="is it the keystore of this database"):
        other.open_pin(sealed, ORDER.context)
    with pytest.raises(SealBroken):
        await custodian.match([Inquiry(Code("33554432"), (Question(sealed, ORDER.context, (1,)),))])


async def test_neither_seal_opens_as_the_other(
    maker: CardMaker, custodian: KeystoreIssuingCustodian
) -> None:
    """Both are of one key: the first byte, which tells them apart, is under the tag."""
    made = await maker.make(ORDER)
    dressed = b"\x01" + made.sealed_pin[1:]
    with pytest.raises(SealBroken, match="altered"):
        await custodian.match(
            [Inquiry(Code("33554432"), (Question(dressed, ORDER.context, (1,)),))]
        )


async def test_nothing_prints_itself(maker: CardMaker) -> None:
    """No PIN, no number, no key: neither the order, nor what was made, nor an error."""
    made = await maker.make(ORDER)
    pin = maker.open_pin(made.sealed_pin, ORDER.context)
    assert repr(made).startswith("<sesame.custody.issuing.MadeCard object")
    assert repr(ORDER).startswith("<sesame.custody.issuing.CardOrder object")
    assert pin not in f"{made.record!r} {made.registered!r}".replace(made.last4, "")
    with pytest.raises(PersonalisationError) as refused:
        await maker.make(replace(ORDER, name="Ж"))
    assert ORDER.pan.digits not in str(refused.value)


async def test_without_chance_no_card_is_made(custodian: KeystoreIssuingCustodian) -> None:
    """Zeros for ever."""
    with pytest.raises(ChanceFails):
        await CardMaker(custodian, random=bytes).make(ORDER)


async def test_the_pin_is_not_printed_on_the_card(custodian: KeystoreIssuingCustodian) -> None:
    """The chance first says what stands in the card's number, then its date of expiry."""
    draws = iter([int(ORDER.pan.digits[6:10]), 1249, 4711])
    maker = CardMaker(custodian, random=lambda many: next(draws).to_bytes(many))
    made = await maker.make(ORDER)
    assert maker.open_pin(made.sealed_pin, ORDER.context) == "4711"


async def test_without_a_current_key_no_card_is_made(tmp_path: Path) -> None:
    """Every issuer key of the keystore is retired."""
    keystore = quick_keystore(tmp_path / "keys")
    keys = tuple(
        replace(key, state=KeyState.VERIFY_ONLY) if key.dki is not None else key
        for key in keystore.keys
    )
    maker = CardMaker(KeystoreIssuingCustodian(replace(keystore, keys=keys)))
    with pytest.raises(NoCurrentKey):
        await maker.make(ORDER)


def test_cards_are_made_where_the_keystore_is(tmp_path: Path) -> None:
    """A custodian that only verifies, or is elsewhere, is refused before anything is ordered."""
    with pytest.raises(IssuingNeedsKeystore, match="where the keystore is"):
        CardMaker(KeystoreCustodian(quick_keystore(tmp_path / "keys")))
