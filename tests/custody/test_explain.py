"""Which ATC a code comes from, or why it comes from none."""

from dataclasses import replace
from pathlib import Path

import pytest

from sesame.cap.mode import LOGIN, Inputs, Mode
from sesame.cap.profiles import PROFILES, SESAME_CARD
from sesame.cap.token import Code
from sesame.cap.verification import pair_candidates
from sesame.custody.custodian import CardRecord, Inquiry, IssuingCustodian, KeyRef, Question
from sesame.custody.errors import KeyMissing
from sesame.custody.explain import Explanation, Outcome, explain
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.emv.pan import Pan
from tests.custody.codes import make_code
from tests.custody.keystores import quick_keystore

CARD = CardRecord(
    pan=Pan("4761730000000011"), psn="01", profile=SESAME_CARD.name, key=KeyRef("dpa-01"), dki=1
)
RESPONSE = Inputs(mode=Mode.M3, challenge="20451")
SIGNATURE = Inputs(mode=Mode.M1, challenge="34567890", amount=125000)
FIELDS = Inputs(mode=Mode.TDS, fields=("125000", "34567890"))


@pytest.fixture
def custodian(tmp_path: Path) -> IssuingCustodian:
    """The standard keys of a demonstration."""
    return KeystoreIssuingCustodian(quick_keystore(tmp_path / "keys"), profiles=PROFILES)


async def code_at(
    custodian: IssuingCustodian, atc: int, inputs: Inputs = LOGIN, card: CardRecord = CARD
) -> Code:
    """What *card* shows."""
    key = await custodian.card_key(card)
    return make_code(key, PROFILES[card.profile], atc=atc, psn=card.psn, inputs=inputs)


@pytest.mark.parametrize("inputs", [LOGIN, RESPONSE, SIGNATURE, FIELDS], ids=lambda i: i.mode)
@pytest.mark.parametrize(
    ("last", "outcome"),
    [
        (69, Outcome.FITS),
        (39, Outcome.FITS),
        (38, Outcome.AHEAD),
        (0, Outcome.AHEAD),
        (70, Outcome.USED),
        (65535, Outcome.USED),
    ],
)
async def test_where_a_code_stands(
    custodian: IssuingCustodian, inputs: Inputs, last: int, outcome: Outcome
) -> None:
    """Near, too far ahead, or behind; found anywhere among 65,535."""
    code = await code_at(custodian, 70, inputs)
    assert await explain(custodian, CARD, last, code, inputs) == Explanation(outcome, 70)


async def test_a_code_of_other_inputs(custodian: IssuingCustodian) -> None:
    """A login code says that it is one; no other is told by name."""
    login = await code_at(custodian, 3)
    signed = await code_at(custodian, 3, SIGNATURE)
    for inputs in (RESPONSE, SIGNATURE, FIELDS):
        found = await explain(custodian, CARD, 0, login, inputs)
        assert found == Explanation(Outcome.LOGIN_CODE, 3)
    assert await explain(custodian, CARD, 0, signed) == Explanation(Outcome.WRONG)
    other = replace(SIGNATURE, amount=125001)
    assert await explain(custodian, CARD, 0, signed, other) == Explanation(Outcome.WRONG)


@pytest.mark.parametrize(
    ("profile", "inputs"),
    [
        ("bank-card-1", Inputs(mode=Mode.M1, amount=50000)),
        ("bank-card-1", Inputs(mode=Mode.M1, challenge="12345678", amount=50000)),
        (SESAME_CARD.name, Inputs(mode=Mode.M1, challenge="12345678")),
        (SESAME_CARD.name, Inputs(mode=Mode.M1, amount=1, currency="978")),
        (SESAME_CARD.name, Inputs(mode=Mode.M3, challenge="0000")),
        (SESAME_CARD.name, Inputs(mode=Mode.M3)),
    ],
)
async def test_what_the_card_never_sees_is_not_compared(
    custodian: IssuingCustodian, profile: str, inputs: Inputs
) -> None:
    """A login's code, or a response, would fit it just as well."""
    card = replace(CARD, profile=profile)
    code = await code_at(custodian, 7, inputs, card)
    assert await explain(custodian, card, 0, code, inputs) == Explanation(Outcome.UNBOUND)
    sealed = await custodian.register(card, b"row")
    question = Question(sealed, b"row", (7,))
    assert await custodian.match([Inquiry(code, (question,), inputs)]) == [()]


@pytest.mark.parametrize(
    ("atc", "outcome"),
    [(2048, Outcome.AHEAD), (2049, Outcome.LOST), (60_000, Outcome.LOST)],
)
async def test_a_card_that_ran_far_ahead(
    custodian: IssuingCustodian, atc: int, outcome: Outcome
) -> None:
    """Two codes in a row reach 64 windows: what the bank does, `explain` says."""
    code, following = await code_at(custodian, atc), await code_at(custodian, atc + 1)
    assert await explain(custodian, CARD, 0, code) == Explanation(outcome, atc)
    ahead = pair_candidates(SESAME_CARD, 0, code, following).ahead
    assert ((atc, atc + 1) in ahead) is (outcome is Outcome.AHEAD)


async def test_a_code_of_no_such_card(custodian: IssuingCustodian) -> None:
    """Another shape, another card, another key index."""
    assert (await explain(custodian, CARD, 0, Code("00000001"))).outcome is Outcome.IMPOSSIBLE
    code = await code_at(custodian, 3)
    assert (await explain(custodian, replace(CARD, psn="02"), 0, code)).outcome is Outcome.WRONG
    assert (await explain(custodian, replace(CARD, dki=2), 0, code)).outcome is Outcome.WRONG
    with pytest.raises(KeyMissing):
        await explain(custodian, replace(CARD, key=KeyRef("nobody")), 0, code)


@pytest.mark.parametrize("profile", PROFILES)
async def test_every_profile(custodian: IssuingCustodian, profile: str) -> None:
    """The recorded layouts too."""
    card = replace(CARD, profile=profile)
    code = await code_at(custodian, 0x1234, card=card)
    found = await explain(custodian, card, 0x1233, code)
    assert found == Explanation(Outcome.FITS, 0x1234)
