"""Cards in people's hands: the chip and the reader are the real ones."""

from pathlib import Path

import pytest

from sesame.bank.customers import CardKind
from sesame.bank.moments import from_row
from sesame.custody.custodian import Inquiry, Question
from sesame.custody.key import standard_keys
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.emv.apdu import get_data
from sesame.emv.tags import Tag
from sesame.reader.errors import CardIsMute
from sesame.simulation.desk import Issued, issue
from sesame.simulation.plan import START
from sesame.simulation.wallet import How, Made, answer, make_code, make_code_without_pin, sign
from tests.custody.keystores import QUICK, chance

_chance = chance("wallet")
_KEYS = Keystore(
    path=Path("keys"),
    demo=True,
    cost=QUICK,
    keys=standard_keys(demo=True, now=from_row(START), random=_chance),
)
CUSTODIAN = KeystoreIssuingCustodian(_KEYS, random=_chance)
KINDS = pytest.mark.parametrize("kind", CardKind)


def _now() -> float:
    return 0.0


async def _issued(kind: CardKind) -> Issued:
    return await issue(CUSTODIAN, kind, owner=1, number=1, generation=0, pin="1234")


async def _fits(issued: Issued, made: Made) -> bool:
    """Whether custody takes it for a login code, at the ATC where it was made."""
    sealed = await CUSTODIAN.register(issued.new.record, b"here")
    question = Question(sealed, b"here", (made.atc,))
    (fits,) = await CUSTODIAN.match([Inquiry(made.code, (question,))])
    return bool(fits)


@KINDS
async def test_a_code_is_what_the_bank_predicts(kind: CardKind) -> None:
    """And another one each time."""
    issued = await _issued(kind)
    for atc in (1, 2):
        made = make_code(issued.card, _now)
        assert made is not None
        assert (made.how, made.atc) == (How.RIGHT, atc)
        assert await _fits(issued, made)


@KINDS
async def test_no_other_code_is_one(kind: CardKind) -> None:
    """Neither a signature, nor an answer, nor what a thief makes without the PIN."""
    issued = await _issued(kind)
    card = issued.card
    for made in (
        sign(card, _now, "12", "12345678"),
        answer(card, _now, "4711"),
        make_code_without_pin(card),
    ):
        assert made is not None
        assert card.profile.fits(made.code.token)
        assert not await _fits(issued, made)


async def test_wrong_pins_block_the_card() -> None:
    """Two may be forgotten; after the third there is no code for anybody."""
    card = (await _issued(CardKind.SESAME)).card
    assert make_code(card, _now, ("1111", "2222", card.pin)) is not None
    assert card.counters.pin_tries_left == 3
    assert make_code(card, _now, ("1111", "2222", "3333", card.pin)) is None
    assert card.counters.pin_tries_left == 0
    assert make_code(card, _now) is None


async def test_payments_move_the_atc() -> None:
    """Of a bank card; a Sésame card has none."""
    card = (await _issued(CardKind.BANK)).card
    card.pay(7)
    assert card.counters.atc == 7
    assert card.pays
    assert not (await _issued(CardKind.SESAME)).card.pays


async def test_a_twin_says_what_the_card_would() -> None:
    """And leaves it as it is."""
    card = (await _issued(CardKind.BANK)).card
    foreseen = make_code(card.twin_at(3), _now)
    card.pay(2)
    made = make_code(card, _now)
    assert made is not None
    assert foreseen is not None
    assert made.code == foreseen.code


async def test_a_card_without_power_is_mute() -> None:
    """Outside a reader nothing answers."""
    with pytest.raises(CardIsMute):
        (await _issued(CardKind.BANK)).card.transmit(get_data(Tag.ATC))


async def test_it_prints_no_secret() -> None:
    """Neither code nor PIN."""
    made = make_code((await _issued(CardKind.BANK)).card, _now)
    assert made is not None
    assert made.code.digits not in repr(made)
