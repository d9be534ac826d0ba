"""What every custodian promises, whoever keeps the keys."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.mode import LOGIN, Inputs, Mode
from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, PROFILES, SESAME_CARD
from sesame.cap.token import Code
from sesame.custody.custodian import (
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
    Registered,
)
from sesame.custody.errors import (
    KeyMissing,
    MalformedInquiry,
    ProfileUnknown,
    SealBroken,
    UnsuitableCard,
    UnsuitableKey,
    WrongUsage,
)
from sesame.emv.iad import Cvr
from sesame.emv.pan import Pan
from tests.custody.codes import make_code
from tests.vectors.reading import says, vectors

CARD = CardRecord(
    pan=Pan("4761730000000011"), psn="01", profile=BANK_CARD.name, key=KeyRef("dpa-02"), dki=1
)
CONTEXT = b"7|K4XW29PM|1"
ELSEWHERE = b"7|K4XW29PM|2"

# Card key: published with the issuer key. Codes: computed by another author's EMV library from
# that key, with the terminal data, IAD and bitmaps of our profiles. Bank card, ATC 0105;
# Sésame card, ATC 00FF.
CARD_KEY = "8A6DCE9DC429B00BCDEF8A29DF7FE346"
BANK_CODE = Code("34334243")
SESAME_CODE = Code("66665085")


async def fits(
    custodian: IssuingCustodian, card: CardRecord, code: Code, *atcs: int, inputs: Inputs = LOGIN
) -> list[int]:
    """The ATCs among *atcs* at which *card* makes *code* of *inputs*."""
    sealed = await custodian.register(card, CONTEXT)
    (found,) = await custodian.match([Inquiry(code, (Question(sealed, CONTEXT, atcs),), inputs)])
    return [fit.atc for fit in found]


async def test_published_card_key(custodian: IssuingCustodian) -> None:
    """Option B from the published issuer key, PAN and PSN."""
    assert (await custodian.card_key(CARD)).value.hex().upper() == CARD_KEY


@pytest.mark.parametrize(
    ("profile", "code", "atc"), [(BANK_CARD, BANK_CODE, 0x0105), (SESAME_CARD, SESAME_CODE, 0xFF)]
)
async def test_codes_of_another_library(
    custodian: IssuingCustodian, profile: Profile, code: Code, atc: int
) -> None:
    """A code fits at its own ATC and not at one with the same low bits."""
    card = replace(CARD, profile=profile.name)
    assert await fits(custodian, card, code, atc, atc + profile.window + 1) == [atc]
    assert await fits(custodian, card, code, atc + profile.window + 1, atc) == [atc]
    assert await fits(custodian, card, code) == []


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
async def test_what_the_chip_makes_fits(custodian: IssuingCustodian, profile: Profile) -> None:
    """The key that personalises a card and the key that verifies it are one, at every ATC."""
    card = replace(CARD, profile=profile.name, key=KeyRef("dpa-01"), dki=0xA7)
    key = await custodian.card_key(card)
    for atc in (1, 2, 0xFF, 0x100, 0x7FFF, 0xFFFF):
        code = make_code(key, profile, atc=atc, dki=card.dki, psn=card.psn)
        assert await fits(custodian, card, code, atc) == [atc]


@pytest.mark.parametrize("flipped", range(24))
async def test_another_pin_result_never_fits(custodian: IssuingCustodian, flipped: int) -> None:
    """One bit of the CVR otherwise, the PIN's bits among them, and the code is worthless."""
    key = await custodian.card_key(CARD)
    cvr = Cvr(BANK_CARD.cvr ^ 1 << flipped)
    code = make_code(key, BANK_CARD, atc=9, cvr=cvr)
    assert await fits(custodian, CARD, code, 9) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(CARD, pan=Pan("4761730000000029")),
        replace(CARD, psn="02"),
        replace(CARD, key=KeyRef("dpa-01")),
        replace(CARD, key=KeyRef("dpa-03")),
        replace(CARD, dki=2),
        replace(CARD, profile=SESAME_CARD.name),
    ],
    ids=["pan", "psn", "key by chance", "key", "dki", "profile"],
)
async def test_another_card_never_fits(custodian: IssuingCustodian, other: CardRecord) -> None:
    """PAN, PSN, issuer key, DKI and profile all enter the code."""
    assert await fits(custodian, other, BANK_CODE, 0x0105) == []


async def test_other_atcs_never_fit(custodian: IssuingCustodian) -> None:
    """None of the 255 ATCs with the same low bits, none of a thousand others."""
    same_bits = [atc for atc in range(0x05, 0x10000, 0x100) if atc != 0x0105]
    for atc in [*same_bits, *range(1, 0x0105), *range(0x0106, 1000)]:
        assert await fits(custodian, CARD, BANK_CODE, atc) == []


async def test_inquiries_are_answered_in_their_order(custodian: IssuingCustodian) -> None:
    """A fit names the place of its card; a code may fit two cards."""
    bank = await custodian.register(CARD, CONTEXT)
    sesame = await custodian.register(replace(CARD, profile=SESAME_CARD.name), ELSEWHERE)
    first = Question(bank, CONTEXT, (0x0105, 0x05))
    second = Question(sesame, ELSEWHERE, (0xFF, 0xDF))
    inquiries = [
        Inquiry(SESAME_CODE, (first, second)),
        Inquiry(SESAME_CODE),
        Inquiry(BANK_CODE, (second, first)),
        Inquiry(BANK_CODE, (first, first)),
    ]
    assert await custodian.match(inquiries) == [
        (Fit(1, 0xFF),),
        (),
        (Fit(1, 0x0105),),
        (Fit(0, 0x0105), Fit(1, 0x0105)),
    ]
    assert await custodian.match([]) == []


async def test_two_codes_fit_together_or_not_at_all(custodian: IssuingCustodian) -> None:
    """Each inquiry by its place, each card by its own; one half of a pair is nothing."""
    key = await custodian.card_key(CARD)
    first, second, third = (make_code(key, BANK_CARD, atc=atc) for atc in (700, 703, 704))
    bank = await custodian.register(CARD, CONTEXT)
    sesame = await custodian.register(replace(CARD, profile=SESAME_CARD.name), ELSEWHERE)
    pairs = ((444, 447), (700, 703), (956, 959))
    asked = (PairQuestion(sesame, ELSEWHERE, pairs), PairQuestion(bank, CONTEXT, pairs))
    inquiries = [
        PairInquiry(first, second, Reach.FAR, asked),
        PairInquiry(first, third, Reach.FAR, asked),
        PairInquiry(third, second, Reach.FAR, asked),
        PairInquiry(second, first, Reach.FAR, asked),
        PairInquiry(first, second, Reach.FAR),
        PairInquiry(first, second, Reach.NEAR, (PairQuestion(bank, CONTEXT, pairs[1:]),)),
    ]
    assert await custodian.match_pairs(inquiries) == [
        (PairFit(1, (700, 703)),),
        (),
        (),
        (),
        (),
        (PairFit(0, (700, 703)),),
    ]
    assert await custodian.match_pairs([]) == []


@dataclass(frozen=True)
class Typed:
    """A card of the published key that made a code of *inputs*, and a login's right after it.

    Both codes by another author's EMV library, out of tests/vectors/code.toml.
    """

    name: str
    card: CardRecord
    inputs: Inputs
    atc: int
    code: Code
    following: Code

    @classmethod
    def of(cls, vector: dict[str, Any]) -> "Typed":
        """The entry *vector* of that file."""
        what = {name: vector[name] for name in ("challenge", "amount") if name in vector}
        fields = tuple(vector.get("fields", ()))
        return cls(
            says(vector),
            replace(CARD, profile=vector["profile"], psn=vector["psn"], dki=vector["dki"]),
            Inputs(mode=Mode(vector["mode"]), fields=fields, **what),
            vector["atc"],
            Code(vector["code"]),
            Code(vector["next"]),
        )


TYPED = [Typed.of(vector) for vector in vectors("code", "typed")]
OTHERS = (
    LOGIN,
    Inputs(mode=Mode.M3, challenge="20451988"),
    Inputs(mode=Mode.M1, challenge="34567890", amount=125001),
    Inputs(mode=Mode.TDS, fields=("125001", "34567890")),
    *(typed.inputs for typed in TYPED),
)


@pytest.mark.parametrize("typed", TYPED, ids=lambda typed: typed.name)
async def test_codes_of_what_was_typed(custodian: IssuingCustodian, typed: Typed) -> None:
    """They fit for that alone, at their own ATC: neither a login's nor a response's is any other.

    So a code that was kept from before a restore answers no challenge.
    """
    again = typed.atc + PROFILES[typed.card.profile].window + 1
    atcs = (typed.atc, again)
    for inputs in OTHERS:
        fitting = [typed.atc] if inputs == typed.inputs else []
        assert await fits(custodian, typed.card, typed.code, *atcs, inputs=inputs) == fitting
    login = (typed.following, typed.atc + 1)
    assert await fits(custodian, typed.card, *login) == [typed.atc + 1]
    assert await fits(custodian, typed.card, *login, inputs=typed.inputs) == []


@pytest.mark.parametrize("typed", TYPED, ids=lambda typed: typed.name)
async def test_an_answer_and_the_login_after_it_fit_together(
    custodian: IssuingCustodian, typed: Typed
) -> None:
    """The first code of what was typed, the second of nothing; and in no other way."""
    again = typed.atc + PROFILES[typed.card.profile].window + 1
    pairs = ((again, again + 1), (typed.atc, typed.atc + 1))
    sealed = await custodian.register(typed.card, CONTEXT)
    asked = (PairQuestion(sealed, CONTEXT, pairs),)
    right = PairInquiry(
        typed.code, typed.following, Reach.NEAR, asked, known=True, inputs=typed.inputs
    )
    wrong = [
        replace(right, first=typed.following, second=typed.code),
        replace(right, second=typed.code),
        replace(right, first=typed.following),
        *(replace(right, inputs=inputs) for inputs in OTHERS if inputs != typed.inputs),
    ]
    fit = (PairFit(0, pairs[1]),)
    assert await custodian.match_pairs([right, *wrong, right]) == [fit, *[()] * len(wrong), fit]
    far = replace(right, reach=Reach.FAR)
    assert await custodian.match_pairs([replace(far, inputs=LOGIN), far]) == [(), fit]


async def test_inquiries_of_several_modes_are_told_apart(custodian: IssuingCustodian) -> None:
    """In one call, of two cards each: what was typed for one is not taken for another's."""
    inquiries = []
    for typed, other in zip(TYPED, [*TYPED[1:], TYPED[0]], strict=True):
        asked = [
            Question(await custodian.register(one.card, CONTEXT), CONTEXT, (one.atc,))
            for one in (other, typed)
        ]
        inquiries.append(Inquiry(typed.code, tuple(asked), typed.inputs))
    assert await custodian.match(inquiries) == [(Fit(1, typed.atc),) for typed in TYPED]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("inputs", OTHERS[1:4], ids=["a challenge", "an amount", "fields"])
async def test_what_was_typed_counts_on_every_card(
    custodian: IssuingCustodian, profile: Profile, inputs: Inputs
) -> None:
    """Also where it enters the session key; and nothing fits that the card never sees."""
    card = replace(CARD, profile=profile.name, key=KeyRef("dpa-01"))
    key = await custodian.card_key(card)
    code = make_code(key, profile, atc=0x1234, psn=card.psn, inputs=inputs)
    fitting = [0x1234] if profile.binds(inputs) else []
    assert await fits(custodian, card, code, 0x1234, inputs=inputs) == fitting


async def test_a_moved_seal_is_refused_for_two_codes_too(custodian: IssuingCustodian) -> None:
    """And says where it stood."""
    good = PairQuestion(await custodian.register(CARD, CONTEXT), CONTEXT, ((1, 2),))
    moved = replace(good, context=ELSEWHERE)
    inquiry = PairInquiry(BANK_CODE, SESAME_CODE, Reach.NEAR, (good, moved))
    with pytest.raises(SealBroken, match="altered, or moved") as broken:
        await custodian.match_pairs([inquiry])
    assert (broken.value.inquiry, broken.value.question) == (0, 1)


async def test_a_sealed_card_tells_nothing(custodian: IssuingCustodian) -> None:
    """Neither number nor key label stands in it, and no two seals of a card are alike."""
    first = await custodian.register(CARD, CONTEXT)
    second = await custodian.register(CARD, CONTEXT)
    assert first != second
    for sealed in (first, second):
        assert CARD.pan.digits.encode() not in sealed
        assert CARD.pan.encode() not in sealed
        assert b"dpa-02" not in sealed


async def test_a_moved_seal_is_refused(custodian: IssuingCustodian) -> None:
    """A sealed card copied to another row does not open; the error says where it stood."""
    good = Question(await custodian.register(CARD, CONTEXT), CONTEXT, (0x0105,))
    moved = replace(good, context=ELSEWHERE)
    with pytest.raises(SealBroken, match="altered, or moved") as broken:
        await custodian.match([Inquiry(BANK_CODE, (good,)), Inquiry(BANK_CODE, (good, moved))])
    assert (broken.value.inquiry, broken.value.question) == (1, 1)
    assert CARD.pan.last4 not in str(broken.value)


async def test_every_bit_of_a_seal_counts(custodian: IssuingCustodian) -> None:
    """Whichever bit is flipped, and wherever it is cut, a sealed card does not open."""
    sealed = await custodian.register(CARD, CONTEXT)
    flipped = (
        bytes(byte ^ (1 << bit) * (at == place) for at, byte in enumerate(sealed))
        for place in range(len(sealed))
        for bit in range(8)
    )
    cut = (sealed[:length] for length in range(len(sealed)))
    for broken in [*flipped, *cut, sealed + b"\x00"]:
        with pytest.raises(SealBroken):
            await custodian.match([Inquiry(BANK_CODE, (Question(broken, CONTEXT, ()),))])


@given(sealed=st.binary(max_size=100))
async def test_any_bytes_are_refused(custodian: IssuingCustodian, sealed: bytes) -> None:
    """Bytes that custody did not seal raise SealBroken and nothing else."""
    with pytest.raises(SealBroken):
        await custodian.match([Inquiry(BANK_CODE, (Question(sealed, CONTEXT, (1,)),))])


async def test_registering_wants_the_issuer_key_of_codes(custodian: IssuingCustodian) -> None:
    """No other usage will do, and no label that is not there."""
    for label in ("payment-01", "seal-01", "audit-01"):
        with pytest.raises(WrongUsage, match=label):
            await custodian.register(replace(CARD, key=KeyRef(label)), CONTEXT)
    with pytest.raises(KeyMissing, match="dpa-99"):
        await custodian.register(replace(CARD, key=KeyRef("dpa-99")), CONTEXT)


async def test_card_keys_come_from_issuer_keys(custodian: IssuingCustodian) -> None:
    """Those of payments too, which are others; never from a key of another usage."""
    for_payments = await custodian.card_key(replace(CARD, key=KeyRef("payment-01")))
    assert for_payments != await custodian.card_key(replace(CARD, key=KeyRef("dpa-01")))
    with pytest.raises(WrongUsage, match="session-01"):
        await custodian.card_key(replace(CARD, key=KeyRef("session-01")))
    with pytest.raises(KeyMissing, match="dpa-99"):
        await custodian.card_key(replace(CARD, key=KeyRef("dpa-99")))


async def test_the_index_finds_a_pan(custodian: IssuingCustodian) -> None:
    """The same number gives the same 32 bytes, another one others."""
    index = await custodian.pan_index(CARD.pan)
    assert len(index) == 32
    assert index == await custodian.pan_index(Pan(CARD.pan.digits))
    assert index != await custodian.pan_index(Pan("4761730000000029"))


async def test_macs_are_bound_to_their_usage(custodian: IssuingCustodian) -> None:
    """32 bytes, others for each usage and each data."""
    macs = {
        await custodian.mac(usage, data)
        for usage in (KeyUsage.AUDIT, KeyUsage.SESSION)
        for data in (b"", b"line", b"lines")
    }
    assert len(macs) == 6
    assert {len(mac) for mac in macs} == {32}
    assert await custodian.mac(KeyUsage.AUDIT, b"line") in macs


@pytest.mark.parametrize(
    "usage", [usage for usage in KeyUsage if usage not in {KeyUsage.AUDIT, KeyUsage.SESSION}]
)
async def test_other_usages_make_no_mac(custodian: IssuingCustodian, usage: KeyUsage) -> None:
    """A key of cards, seals or numbers signs nothing that the bank chooses."""
    with pytest.raises(WrongUsage, match=usage):
        await custodian.mac(usage, b"line")


def test_card_data_are_checked_when_made() -> None:
    """A record that exists can be registered."""
    with pytest.raises(UnsuitableCard, match="16 digits"):
        replace(CARD, pan=Pan("47617300000000026"))
    for psn in ("", "1", "001", "1a", "\u0661\u0661"):
        with pytest.raises(UnsuitableCard, match="two digits"):
            replace(CARD, psn=psn)
    for dki in (-1, 256):
        with pytest.raises(UnsuitableCard, match="one byte"):
            replace(CARD, dki=dki)
    with pytest.raises(ProfileUnknown, match="gold-card"):
        replace(CARD, profile="gold-card")
    for label in ("", "-dpa", "DPA-01", "dpa 01", "d" * 33, "dpa-01\n"):
        with pytest.raises(UnsuitableKey, match="label"):
            KeyRef(label)


def test_inquiries_are_checked_when_made() -> None:
    """Two cards, two candidates, ATCs that a card can have: more would be more work."""
    question = Question(b"", b"", (1, 0xFFFF))
    with pytest.raises(MalformedInquiry, match="two candidates"):
        replace(question, atcs=(1, 2, 3))
    for atc in (-1, 0, 0x10000):
        with pytest.raises(MalformedInquiry, match="65535"):
            replace(question, atcs=(atc,))
    with pytest.raises(MalformedInquiry, match="two cards"):
        Inquiry(BANK_CODE, (question, question, question))


def test_inquiries_of_two_codes_are_checked_when_made() -> None:
    """Two cards, as many pairs as the reach, in order, ATCs that a card can have."""
    question = PairQuestion(b"", b"", ((1, 2), (0xFFFE, 0xFFFF)))
    for pair in ((0, 1), (2, 2), (3, 2), (0xFFFF, 0x10000)):
        with pytest.raises(MalformedInquiry, match="the second higher"):
            replace(question, pairs=(pair,))
    inquiry = PairInquiry(BANK_CODE, SESAME_CODE, Reach.NEAR, (question, question))
    with pytest.raises(MalformedInquiry, match="two cards"):
        replace(inquiry, questions=(question,) * 3)
    for reach in Reach:
        many = replace(question, pairs=tuple((atc, atc + 1) for atc in range(1, reach + 2)))
        with pytest.raises(MalformedInquiry, match=f"at most {reach} pairs"):
            replace(inquiry, reach=reach, questions=(many,))
    for code in (BANK_CODE, SESAME_CODE):
        assert code.digits not in repr(inquiry)


def test_records_and_inquiries_keep_their_secrets() -> None:
    """The number and the code are in no repr."""
    assert CARD.pan.digits not in repr(CARD)
    assert BANK_CODE.digits not in repr(Inquiry(BANK_CODE))


def test_nothing_prints_a_seal() -> None:
    """Nor the hash that finds a PAN: a trace shows what was asked, and of nobody's card."""
    seal, pan_hash = b"a seal", b"a hash"
    question = Question(seal, b"context", (7,))
    pair = PairQuestion(seal, b"context", ((7, 8),))
    registered = Registered(seal, pan_hash)
    printed = repr([question, pair, registered, Inquiry(Code("12345678"), (question,))])
    assert "Question(context=b'context', atcs=(7,))" in printed
    assert "Registered()" in printed
    for secret in (seal, pan_hash):
        assert repr(secret) not in printed
