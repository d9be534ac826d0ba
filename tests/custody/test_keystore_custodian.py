"""What the embedded custodian does beyond what every custodian promises."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sesame.cap import verification
from sesame.cap.mode import LOGIN, Inputs
from sesame.cap.profiles import BANK_CARD, PROFILES
from sesame.cap.token import Code
from sesame.cap.verification import Card, Pair
from sesame.custody import answering
from sesame.custody.custodian import (
    CRYPTOGRAMS_PER_CODE,
    KEYLESS,
    NO_ATC,
    CardRecord,
    Fit,
    Inquiry,
    IssuingCustodian,
    KeyRef,
    KeyUsage,
    PairFit,
    PairInquiry,
    PairQuestion,
    Question,
    Reach,
)
from sesame.custody.errors import KeyDestroyed, KeyRetired, ProfileUnknown, WrongUsage
from sesame.custody.key_life import with_current, with_key, without_key
from sesame.custody.keystore import Generation, Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian, KeystoreIssuingCustodian
from sesame.custody.records import Act, Deed, Officer
from sesame.custody.sealing import Seal, SealedCard
from sesame.emv.pan import Pan
from tests.custody.codes import make_code
from tests.custody.keystores import NOW, chance, issuer_key, quick_keystore

CARD = CardRecord(
    pan=Pan("4761730000000011"), psn="00", profile=BANK_CARD.name, key=KeyRef("dpa-01"), dki=1
)
WRONG = Code("33554432")


@dataclass
class Work:
    """What was computed."""

    candidates: int = 0
    opened: int = 0  # sealed cards
    ciphers: int = 0  # each a key set up for one pass over some blocks


@contextmanager
def metered() -> Iterator[Work]:
    """Count what is computed, and let it be computed."""
    work = Work()
    compute, unseal, encryptor = verification.match, Seal.open, Cipher.encryptor

    def match(card: Card, atcs: Sequence[int], code: Code, inputs: Inputs = LOGIN) -> list[bool]:
        work.candidates += len(atcs)
        return compute(card, atcs, code, inputs)

    def open_seal(seal: Seal, sealed: bytes, context: bytes) -> SealedCard:
        work.opened += 1
        return unseal(seal, sealed, context)

    def count_cipher(cipher: Cipher[Any]) -> CipherContext:
        work.ciphers += 1
        context: CipherContext = encryptor(cipher)
        return context

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answering, "match", match)
        patched.setattr(verification, "match", match)  # both halves of a pair
        patched.setattr(Seal, "open", open_seal)
        patched.setattr(Cipher, "encryptor", count_cipher)
        yield work


@pytest.fixture
def keystore(tmp_path: Path) -> Keystore:
    """The standard keys of a demonstration."""
    return quick_keystore(tmp_path / "keys")


@pytest.mark.parametrize("second", [None, (), (3,), (261, 5)], ids=str)
@pytest.mark.parametrize("first", [None, (), (5,), (5, 261)], ids=str)
async def test_work_is_constant(
    keystore: Keystore,
    first: tuple[int, ...] | None,
    second: tuple[int, ...] | None,
) -> None:
    """Four cryptograms, two seals: for nobody, one card or two, a code right or wrong."""
    custodian = KeystoreIssuingCustodian(keystore)
    right = make_code(await custodian.card_key(CARD), BANK_CARD, atc=5)
    sealed = await custodian.register(CARD, b"row")
    questions = tuple(
        Question(sealed, b"row", atcs) for atcs in (first, second) if atcs is not None
    )
    with metered() as for_nobody:
        await custodian.match([Inquiry(WRONG)])
    assert for_nobody.candidates == CRYPTOGRAMS_PER_CODE == 4
    assert for_nobody.opened == 2
    assert for_nobody.ciphers > 4
    for code in (right, WRONG, Code("00000000"), Code("99999999")):
        with metered() as work:
            (fits,) = await custodian.match([Inquiry(code, questions)])
        assert work == for_nobody
        assert bool(fits) == (code is right and 5 in (*(first or ()), *(second or ())))


async def test_work_grows_by_the_code_only(keystore: Keystore) -> None:
    """A batch costs four cryptograms for each code in it."""
    with metered() as work:
        await KeystoreCustodian(keystore).match([Inquiry(WRONG)] * 7)
    assert work.candidates == 28


_FEW: tuple[Pair, ...] = ((261, 262), (5, 6))
_MANY: tuple[Pair, ...] = ((5, 6), *((5 + 256 * turn, 6 + 256 * turn) for turn in range(1, 65)))


@pytest.mark.parametrize("reach", Reach)
@pytest.mark.parametrize("second", [None, (), _FEW[:1], _FEW, _MANY], ids=str)
@pytest.mark.parametrize("first", [None, (), _FEW, _MANY], ids=str)
async def test_work_for_two_codes_is_constant(
    keystore: Keystore,
    first: tuple[Pair, ...] | None,
    second: tuple[Pair, ...] | None,
    reach: Reach,
) -> None:
    """Two cards, their reach, two cryptograms each: for nobody, right, half right or wrong."""
    custodian = KeystoreIssuingCustodian(keystore)
    key = await custodian.card_key(CARD)
    one, other = (make_code(key, BANK_CARD, atc=atc) for atc in (5, 6))
    sealed = await custodian.register(CARD, b"row")
    asked = [pairs[:reach] for pairs in (first, second) if pairs is not None]
    questions = tuple(PairQuestion(sealed, b"row", pairs) for pairs in asked)
    with metered() as for_nobody:
        assert await custodian.match_pairs([PairInquiry(WRONG, one, reach)]) == [()]
    assert for_nobody.candidates == 2 * 2 * reach
    assert for_nobody.opened == 2
    expected = tuple(PairFit(at, (5, 6)) for at, pairs in enumerate(asked) if (5, 6) in pairs)
    for codes, fit in (
        ((one, other), expected),
        ((other, one), ()),
        ((one, WRONG), ()),
        ((WRONG, other), ()),
        ((one, one), ()),
        ((Code("00000000"), Code("99999999")), ()),
    ):
        with metered() as work:
            (fits,) = await custodian.match_pairs([PairInquiry(*codes, reach, questions)])
        assert work == for_nobody
        assert fits == fit


async def test_a_pair_never_fits_a_decoy(keystore: Keystore) -> None:
    """Nor ATC 0, which fills up what was not asked: no card has made it a code."""
    custodian = KeystoreIssuingCustodian(keystore)
    key = await custodian.card_key(CARD)
    sealed = await custodian.register(CARD, b"row")
    zero = make_code(key, BANK_CARD, atc=0)
    nothing = (PairQuestion(sealed, b"row", ()),)
    assert await custodian.match_pairs([PairInquiry(zero, zero, Reach.FAR, nothing)]) == [()]


async def test_a_verifying_process_cannot_make_cards(keystore: Keystore) -> None:
    """The custodian of the portal has no way to a card's key."""
    assert not hasattr(KeystoreCustodian(keystore), "card_key")


async def test_a_card_of_another_keystore_s_issuer(keystore: Keystore) -> None:
    """Sealed here and predicted nowhere: a key for something else, a profile of later."""
    custodian = KeystoreCustodian(keystore)
    for key, profile, error in (
        ("payment-01", BANK_CARD.name, WrongUsage),
        ("dpa-01", "gold-card-9", ProfileUnknown),
    ):
        seal_key = keystore.only(KeyUsage.SEAL)
        card = SealedCard(pan=CARD.pan.digits, psn="00", profile=profile, key=key, dki=1)
        seal = Seal(AESGCM(seal_key.value), seal_key.check_value)
        sealed = seal.close(card, b"row", bytes(12))
        with pytest.raises(error) as raised:
            await custodian.match([Inquiry(WRONG, (Question(sealed, b"row", (1,)),))])
        assert CARD.pan.digits not in str(raised.value)


async def test_a_card_without_its_key_costs_what_others_cost(keystore: Keystore) -> None:
    """It has no fit but says so, whatever is asked; who stands beside it is answered."""
    seal_key = keystore.only(KeyUsage.SEAL)
    card = SealedCard(pan=CARD.pan.digits, psn="00", profile=BANK_CARD.name, key="dpa-99", dki=9)
    orphan = Seal(AESGCM(seal_key.value), seal_key.check_value).close(card, b"row", bytes(12))
    custodian = KeystoreIssuingCustodian(keystore)
    right = make_code(await custodian.card_key(CARD), BANK_CARD, atc=5)
    following = make_code(await custodian.card_key(CARD), BANK_CARD, atc=6)
    sealed = await custodian.register(CARD, b"row")
    with metered() as for_others:
        await custodian.match([Inquiry(right, (Question(sealed, b"row", (5,)),) * 2)])
    with metered() as work:
        (fits,) = await custodian.match(
            [Inquiry(right, (Question(orphan, b"row", (5,)), Question(sealed, b"row", (5,))))]
        )
    assert fits == (Fit(0, NO_ATC), Fit(1, 5))
    assert work == for_others
    (alone,) = await custodian.match([Inquiry(WRONG, (Question(orphan, b"row", ()),))])
    assert alone == (Fit(0, NO_ATC),)
    pairs = (PairQuestion(orphan, b"row", ((5, 6),)), PairQuestion(sealed, b"row", ((5, 6),)))
    (found,) = await custodian.match_pairs([PairInquiry(right, following, Reach.NEAR, pairs)])
    assert found == (PairFit(0, KEYLESS), PairFit(1, (5, 6)))


async def test_no_new_cards_under_a_retired_key(keystore: Keystore) -> None:
    """Under a new one there are, to try it; a retired one still takes cards that exist."""
    second = replace(issuer_key("dpa-02"), dki=2)
    deed = Deed(NOW, (Officer("Ada", "sécurité"), Officer("Brice", "émission")), "rotation")
    custodian = KeystoreIssuingCustodian(with_key(keystore, second, Act.CEREMONY, deed))
    assert custodian.current(KeyUsage.ISSUER_AC) == Generation(KeyRef("dpa-01"), 1)
    await custodian.card_key(replace(CARD, key=KeyRef("dpa-02"), dki=2))
    rotated = with_current(with_key(keystore, second, Act.CEREMONY, deed), "dpa-02", deed)
    custodian = KeystoreIssuingCustodian(rotated)
    assert custodian.current(KeyUsage.ISSUER_AC) == Generation(KeyRef("dpa-02"), 2)
    with pytest.raises(KeyRetired, match="'dpa-01' only verifies"):
        await custodian.card_key(CARD)
    await custodian.register(CARD, b"row")
    gone = without_key(rotated, "dpa-01", deed, cards={}, given_up=0)
    with pytest.raises(KeyDestroyed, match="was destroyed on 2025-03-14"):
        await KeystoreCustodian(gone).register(CARD, b"row")


async def test_nonces_come_from_the_chance_that_was_given(keystore: Keystore) -> None:
    """12 bytes for each seal, and never again the same."""
    custodian = KeystoreCustodian(keystore, random=chance("nonces"))
    seals = [await custodian.register(CARD, b"row") for _ in range(100)]
    assert len({sealed[4:16] for sealed in seals}) == 100
    twin = KeystoreCustodian(keystore, random=chance("nonces"))
    assert await twin.register(CARD, b"row") == seals[0]


async def test_two_processes_understand_each_other(keystore: Keystore) -> None:
    """What one seals, indexes or signs, another on the same keystore knows."""
    one, other = KeystoreIssuingCustodian(keystore), KeystoreCustodian(keystore)
    code = make_code(await one.card_key(CARD), BANK_CARD, atc=5)
    sealed = await one.register(CARD, b"row")
    (fits,) = await other.match([Inquiry(code, (Question(sealed, b"row", (5,)),))])
    assert [fit.atc for fit in fits] == [5]
    assert await one.pan_index(CARD.pan) == await other.pan_index(CARD.pan)
    assert await one.mac(KeyUsage.AUDIT, b"line") == await other.mac(KeyUsage.AUDIT, b"line")


async def test_no_key_prints_itself(keystore: Keystore) -> None:
    """Neither by the custodian nor by what it holds; the number of a sealed card neither."""
    custodian: IssuingCustodian = KeystoreIssuingCustodian(keystore)
    printed = [
        repr(custodian),
        str(custodian),
        repr(await custodian.card_key(CARD)),
        repr(keystore),
    ]
    secrets = [key.value for key in keystore.keys] + [(await custodian.card_key(CARD)).value]
    for text in printed:
        for secret in secrets:
            assert secret.hex() not in text.lower()
            assert repr(secret) not in text


async def test_only_issued_profiles_are_registered(keystore: Keystore) -> None:
    """Another bitmap for the same key would show more of its cryptograms."""
    custodian = KeystoreIssuingCustodian(keystore)
    foreign = replace(CARD, profile="dpa-fr")
    for refused in (custodian.register(foreign, b"row"), custodian.card_key(foreign)):
        with pytest.raises(ProfileUnknown, match="dpa-fr"):
            await refused
    sealed = await KeystoreIssuingCustodian(keystore, profiles=PROFILES).register(foreign, b"row")
    with pytest.raises(ProfileUnknown, match="dpa-fr"):
        await custodian.match([Inquiry(WRONG, (Question(sealed, b"row", (1,)),))])
