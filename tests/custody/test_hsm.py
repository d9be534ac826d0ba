"""What the custodian on an HSM does beyond what every custodian promises; on SoftHSM2."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from sesame.cap.mode import Mode
from sesame.cap.profiles import BANK_CARD, PROFILES
from sesame.cap.token import Code
from sesame.cap.verification import match
from sesame.custody import hsm, hsm_keys
from sesame.custody.cryptoki import Attribute, Attributes, KeyType, Kind, Module, ecb_derivation
from sesame.custody.custodian import (
    KEYLESS,
    NO_ATC,
    CardRecord,
    Fit,
    Inquiry,
    KeyRef,
    KeyUsage,
    PairFit,
    PairInquiry,
    PairQuestion,
    Question,
    Reach,
)
from sesame.custody.errors import (
    CustodyUnavailable,
    HsmKeyUnsuitable,
    HsmRefused,
    HsmTokenMissing,
    KeyMissing,
    ProfileUnsupported,
    SealBroken,
    UnsuitableKey,
)
from sesame.custody.hsm import HsmCustodian, HsmIssuingCustodian, open_hsm, open_issuing_hsm
from sesame.custody.hsm_keys import find_keys, generate
from sesame.custody.hsm_sessions import Login
from sesame.custody.keystore_custodian import KeystoreCustodian, KeystoreIssuingCustodian
from sesame.custody.passphrase import Passphrase
from sesame.emv.cryptogram_version import MCHIP_12, VERSIONS
from sesame.emv.keys import odd_parity
from sesame.emv.pan import Pan
from tests.cap.test_every_mode import dki_of, profile_of, typed
from tests.custody.codes import make_code
from tests.custody.keystores import chance, issuer_key, quick_keystore
from tests.custody.tokens import MODULE, PIN, carry_in, empty_token, new_token, softhsm
from tests.emv.test_cryptogram_version import NAMES, PUBLISHED, iad_of
from tests.vectors.reading import vectors

pytestmark = pytest.mark.needs("softhsm2")

CARD = CardRecord(
    pan=Pan("4761730000000011"), psn="00", profile=BANK_CARD.name, key=KeyRef("dpa-01"), dki=1
)
WRONG = Code("33554432")


@cache
def _one() -> Login:
    return new_token("one")


@pytest.fixture
def custodian() -> Iterator[HsmIssuingCustodian]:
    """On a token with the standard keys, with one session."""
    _one()
    with open_issuing_hsm(MODULE, "one", PIN) as custodian:
        yield custodian


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often each function of the module is called."""
    calls: Counter[str] = Counter()
    call = Module.call

    def count(module: Module, name: str, *arguments: object) -> None:
        calls[name] += 1
        call(module, name, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Module, "call", count)
        yield calls


# ── The same as a keystore ───────────────────────────────────────────────────────────────────────


async def test_a_keystores_keys_can_move_into_a_token(tmp_path: Path) -> None:
    """What was sealed, indexed and signed before holds after; and the other way round."""
    keystore = quick_keystore(tmp_path / "keys", seed="moved")
    before = KeystoreIssuingCustodian(keystore)
    login = empty_token("moved")
    session = login.open(writes=True)
    carry_in(session, keystore.keys)
    session.close()
    code = make_code(await before.card_key(CARD), BANK_CARD, atc=5)
    with open_issuing_hsm(MODULE, "moved", PIN) as after:
        assert await after.card_key(CARD) == await before.card_key(CARD)
        assert await after.pan_index(CARD.pan) == await before.pan_index(CARD.pan)
        for usage in (KeyUsage.AUDIT, KeyUsage.SESSION):
            assert await after.mac(usage, b"line") == await before.mac(usage, b"line")
        for one, other in ((before, after), (after, before)):
            question = Question(await one.register(CARD, b"row"), b"row", (5,))
            (fits,) = await other.match([Inquiry(code, (question,))])
            assert [fit.atc for fit in fits] == [5]


async def test_a_card_is_sealed_for_the_keys_of_one_token(
    custodian: HsmCustodian, tmp_path: Path
) -> None:
    """Neither another token nor a keystore opens it, and each says whose it is."""
    question = Question(await custodian.register(CARD, b"row"), b"row", (5,))
    new_token("another")
    others = KeystoreCustodian(quick_keystore(tmp_path / "keys"))
    with open_hsm(MODULE, "another", PIN, sessions=1) as another:
        for stranger in (another, others):
            with pytest.raises(SealBroken, match="sealed under key"):
                await stranger.match([Inquiry(WRONG, (question,))])


@pytest.mark.parametrize("second", [None, (), (261, 5)], ids=str)
@pytest.mark.parametrize("first", [None, (), (5,), (5, 261)], ids=str)
async def test_work_is_constant(
    custodian: HsmIssuingCustodian,
    first: tuple[int, ...] | None,
    second: tuple[int, ...] | None,
) -> None:
    """Call by call: two seals, two card keys, four cryptograms of two derivations each."""
    right = make_code(await custodian.card_key(CARD), BANK_CARD, atc=5)
    sealed = await custodian.register(CARD, b"row")
    questions = tuple(
        Question(sealed, b"row", atcs) for atcs in (first, second) if atcs is not None
    )
    with counted() as for_nobody:
        await custodian.match([Inquiry(WRONG)])
    assert for_nobody == {
        "C_DecryptInit": 2,
        "C_Decrypt": 2,
        "C_EncryptInit": 8,
        "C_Encrypt": 8,
        "C_DeriveKey": 2 + 8,
        "C_DestroyObject": 2 + 8,
    }
    for code in (right, WRONG, Code("00000000"), Code("99999999")):
        with counted() as calls:
            (fits,) = await custodian.match([Inquiry(code, questions)])
        assert calls == for_nobody
        assert bool(fits) == (code is right and 5 in (*(first or ()), *(second or ())))


async def test_a_card_whose_issuer_key_is_gone() -> None:
    """It fits nowhere, says so, costs what others cost, and spoils nobody's answer."""
    login = new_token("gone")
    session = login.open(writes=True)
    generate(session, "dpa-02", KeyUsage.ISSUER_AC)
    card = replace(CARD, key=KeyRef("dpa-02"))
    with HsmIssuingCustodian(login, sessions=1, waiting=1) as before:
        card_key = await before.card_key(card)
        one, other = (make_code(card_key, BANK_CARD, atc=atc) for atc in (5, 6))
        sealed = await before.register(card, b"row")
    (key,) = [key for key in find_keys(session) if key.label == "dpa-02"]
    session.destroy(key.handle)
    session.close()
    with HsmCustodian(login, sessions=1, waiting=1) as after:
        await after.match([])  # the session is opened
        with counted() as for_nobody:
            await after.match([Inquiry(WRONG)])
        with counted() as calls:
            (fits,) = await after.match([Inquiry(one, (Question(sealed, b"row", (5,)),))])
        assert calls == for_nobody
        assert fits == (Fit(0, NO_ATC),)
        question = PairQuestion(sealed, b"row", ((5, 6),))
        (pairs,) = await after.match_pairs([PairInquiry(one, other, Reach.NEAR, (question,))])
        assert pairs == (PairFit(0, KEYLESS),)
        with pytest.raises(KeyMissing, match="dpa-02"):
            await after.register(card, b"row")


@pytest.mark.parametrize("reach", Reach)
async def test_work_for_two_codes_is_constant(custodian: HsmIssuingCustodian, reach: Reach) -> None:
    """As many calls for nobody as for a card whose codes they are."""
    key = await custodian.card_key(CARD)
    one, other = (make_code(key, BANK_CARD, atc=atc) for atc in (5, 6))
    sealed = await custodian.register(CARD, b"row")
    with counted() as for_nobody:
        assert await custodian.match_pairs([PairInquiry(WRONG, one, reach)]) == [()]
    assert for_nobody["C_DeriveKey"] == 2 + 2 * 2 * 2 * reach
    question = PairQuestion(sealed, b"row", ((261, 262), (5, 6)))
    for codes in ((one, other), (other, one), (one, WRONG)):
        with counted() as calls:
            (fits,) = await custodian.match_pairs([PairInquiry(*codes, reach, (question,))])
        assert calls == for_nobody
        assert [fit.pair for fit in fits] == [(5, 6)] * (codes == (one, other))


def test_what_payment_hsms_compute() -> None:
    """Their recorded cryptograms, of every recipe but the tree's, from the issuer's key."""
    issuers = {bytes.fromhex(vector["imk"]) for vector in PUBLISHED}
    labels = {imk: f"imk-{number}" for number, imk in enumerate(sorted(issuers))}
    login = new_token("vectors", keys=[issuer_key(label, imk) for imk, label in labels.items()])
    session = login.open()
    desk = hsm._Desk(session)  # noqa: SLF001 -- of the profiles' recipes only some are issued
    for vector in PUBLISHED:
        version = VERSIONS[NAMES[vector["id"]]]
        imk = desk.issuer(labels[bytes.fromhex(vector["imk"])], KeyUsage.ISSUER_AC)
        diversifier = version.card_diversifier(vector["pan"], vector["psn"])
        with desk.keyed(version, diversifier, imk) as key:
            card = hsm._TokenCard(  # noqa: SLF001 -- as above
                SimpleNamespace(version=version),  # type: ignore[arg-type]  # all it is asked for
                *(1, vector["psn"], desk, key, diversifier),
            )
            tags = {tag: bytes.fromhex(value) for tag, value in vector["tags"].items()}
            iad, message = iad_of(version, vector["tail"]), bytes.fromhex(vector["message"])
            (ac,) = card.cryptograms(
                [int.from_bytes(tags["9F36"])],
                before=message[: -len(version.closing(iad)) - 2],
                un=tags["9F37"],
                iad=iad,
            )
        assert ac == bytes.fromhex(vector["ac"]), vector["id"]
    session.close()


def test_codes_of_every_mode_from_the_issuer_key() -> None:
    """The vectors from the issuer's key to the code, but for the tree's; only with the PIN."""
    told = [v for v in vectors("end_to_end", "end_to_end") if v["session"] != "tree"]
    issuers = sorted({bytes.fromhex(vector["imk"]) for vector in told})
    keys = [issuer_key(f"imk-{number}", imk) for number, imk in enumerate(issuers)]
    login = new_token("end to end", keys=keys)
    session = login.open()
    desk = hsm._Desk(session)  # noqa: SLF001 -- of the vectors' layouts none is issued
    for vector in told:
        profile, iad = profile_of(vector)
        label = f"imk-{issuers.index(bytes.fromhex(vector['imk']))}"
        imk = desk.issuer(label, KeyUsage.ISSUER_AC)
        diversifier = profile.version.card_diversifier(vector["pan"], vector["psn"])
        with desk.keyed(profile.version, diversifier, imk) as key:
            card = hsm._TokenCard(  # noqa: SLF001 -- as above
                *(profile, dki_of(iad), vector["psn"], desk, key, diversifier)
            )
            code, inputs = Code(vector["code"]), typed(vector, profile.iaf)
            found = match(card, [int(vector["atc"], 16)], code, inputs)
        assert found == [not vector.get("refused", False)], vector["id"]
    assert {Mode(vector["mode"]) for vector in told} == set(Mode)
    session.close()


async def test_a_tree_of_session_keys_stays_with_a_keystore() -> None:
    """No HSM derives it inside; it is said when a card is registered, and when one is asked of."""
    name = "cap-mchip-10"
    card = replace(CARD, profile=name)
    with HsmIssuingCustodian(_one(), sessions=1, waiting=1, profiles=PROFILES) as usual:
        sealed = await usual.register(card, b"row")
    trees = {name: replace(PROFILES[name], version=MCHIP_12)}
    with HsmIssuingCustodian(_one(), sessions=1, waiting=1, profiles=trees) as custodian:
        asked = [Inquiry(WRONG, (Question(sealed, b"row", (1,)),))]
        for refused in (
            custodian.register(card, b"row"),
            custodian.card_key(card),
            custodian.match(asked),
        ):
            with pytest.raises(ProfileUnsupported, match=name):
                await refused


# ── What stays inside ────────────────────────────────────────────────────────────────────────────


async def test_nothing_of_a_login_is_left_in_the_token(custodian: HsmCustodian) -> None:
    """Card and session keys are destroyed after use, also where the inquiry fails."""
    watcher = _one().open()
    try:
        keys = {Attribute.CLASS: Kind.SECRET_KEY}
        before = watcher.find(keys)
        sealed = await custodian.register(CARD, b"row")
        good, moved = Question(sealed, b"row", (1,)), Question(sealed, b"elsewhere", (1,))
        await custodian.match([Inquiry(WRONG, (good,))] * 3)
        with pytest.raises(SealBroken):
            await custodian.match([Inquiry(WRONG, (good, moved))])
        assert watcher.find(keys) == before
    finally:
        watcher.close()


def test_a_key_of_work_that_fails_is_destroyed_too() -> None:
    """Whatever the fault: the session goes on, and would keep it."""
    session = _one().open()
    desk = hsm._Desk(session)  # noqa: SLF001 -- what fails while a key is there is a fault of ours
    keys = {Attribute.CLASS: Kind.SECRET_KEY}
    before = session.find(keys)
    imk = desk.issuer("dpa-01", KeyUsage.ISSUER_AC)

    def fail() -> None:
        with desk.derived(bytes(range(16)), imk, hsm._CARD_KEY):  # noqa: SLF001 -- as above
            assert len(session.find(keys)) == len(before) + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert session.find(keys) == before
    session.close()


async def test_the_session_is_the_border(custodian: HsmIssuingCustodian) -> None:
    """Beware: SoftHSM2 derives a key that comes out from one that does not, for who asks.

    So whoever holds a session of the token has every card's key, though never the issuer's:
    it is no more than custody itself has to know, and it must be custody alone.
    """
    session = _one().open()
    try:
        (issuer,) = [key for key in find_keys(session) if key.usage is KeyUsage.ISSUER_AC]
        assert session.read(issuer.handle, Attribute.VALUE) is None
        diversifier = BANK_CARD.version.card_diversifier(CARD.pan.digits, CARD.psn)
        stolen = session.derive(
            ecb_derivation(diversifier),
            issuer.handle,
            Attributes(
                {
                    Attribute.CLASS: Kind.SECRET_KEY,
                    Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
                    Attribute.VALUE_LEN: 16,
                    Attribute.SENSITIVE: False,
                    Attribute.EXTRACTABLE: True,
                }
            ),
        )
        value = session.read(stolen, Attribute.VALUE)
        assert value is not None
        assert odd_parity(value) == (await custodian.card_key(CARD)).value
        for use in (Attribute.ENCRYPT, Attribute.WRAP, Attribute.SIGN):
            assert not session.read_bool(issuer.handle, use)
        with pytest.raises(HsmRefused):  # the key itself does nothing but derive
            session.encrypt(ecb_derivation(bytes(8)), issuer.handle, bytes(8))
    finally:
        session.close()


async def test_a_verifying_process_cannot_make_cards() -> None:
    """Its custodian has no way to a card's key."""
    _one()
    with open_hsm(MODULE, "one", PIN, sessions=1) as custodian:
        assert not hasattr(custodian, "card_key")


async def test_the_pin_is_printed_nowhere(custodian: HsmCustodian) -> None:
    """Neither by who holds it nor by an error about it."""
    wrong = Passphrase("pas le bon PIN")
    with pytest.raises(HsmRefused, match="C_Login") as refused:
        open_hsm(MODULE, "one", wrong)
    for text in (repr(_one()), str(refused.value), repr(custodian), repr(refused.value)):
        assert PIN.text not in text
        assert wrong.text not in text


# ── A token that is not as it must be ────────────────────────────────────────────────────────────


def test_a_token_without_its_keys_is_refused_at_start() -> None:
    """Which one is missing is said, one after the other."""
    login = empty_token("hollow")
    session = login.open(writes=True)
    wanted = [
        (KeyUsage.SEAL, "0 seal keys"),
        (KeyUsage.AUDIT, "0 audit keys"),
        (KeyUsage.SESSION, "0 session keys"),
        (KeyUsage.PAN_INDEX, "0 pan-index keys"),
        (KeyUsage.ISSUER_AC, "0 issuer-ac keys"),
    ]
    for usage, problem in wanted:
        with pytest.raises(UnsuitableKey, match=problem):
            open_hsm(MODULE, "hollow", PIN)
        generate(session, f"{usage}-01", usage)
    session.close()
    with open_hsm(MODULE, "hollow", PIN):
        pass


def test_a_token_with_two_keys_for_one_usage_is_refused() -> None:
    """Another program made the second: nobody could say which one sealed what."""
    session = new_token("twice").open(writes=True)
    hsm_keys._generate(session, "seal-02", KeyUsage.SEAL)  # noqa: SLF001 -- without asking
    session.close()
    with pytest.raises(UnsuitableKey, match="2 seal keys"):
        open_hsm(MODULE, "twice", PIN)


def test_a_token_that_lets_out_what_it_derives_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for a key that stays inside, some give one that does not: it is tried at start."""
    _one()
    disobedient = Attributes(
        {
            Attribute.CLASS: Kind.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.DES2,
            Attribute.SENSITIVE: False,
            Attribute.EXTRACTABLE: True,
        }
    )
    monkeypatch.setattr(hsm, "_CARD_KEY", disobedient)
    with pytest.raises(HsmKeyUnsuitable, match="'dpa-01' in the token lets out what is derived"):
        open_hsm(MODULE, "one", PIN)


def test_a_token_that_is_not_there_is_named() -> None:
    """With its module."""
    with pytest.raises(HsmTokenMissing, match="no token 'nowhere'"):
        open_hsm(softhsm(), "nowhere", PIN)


async def test_a_closed_custodian_answers_nothing_more() -> None:
    """And says so; to close it twice does nothing."""
    _one()
    custodian = open_hsm(MODULE, "one", PIN, sessions=2)
    await asyncio.gather(*(custodian.match([Inquiry(WRONG)]) for _ in range(5)))
    await custodian.close()
    await custodian.close()
    with pytest.raises(CustodyUnavailable, match="closed"):
        await custodian.match([Inquiry(WRONG)])


async def test_nonces_come_from_the_chance_that_was_given() -> None:
    """12 bytes for each seal, and never again the same."""
    with HsmCustodian(_one(), sessions=1, waiting=1, random=chance("nonces")) as custodian:
        seals = [await custodian.register(CARD, b"row") for _ in range(20)]
    assert len({sealed[4:16] for sealed in seals}) == 20


async def test_many_are_registered_at_once(custodian: HsmCustodian) -> None:
    """Each in its order, with the hash that finds it."""
    cards = [(replace(CARD, psn=f"{number:02}"), b"%d" % number) for number in range(5)]
    registered = await custodian.register_all(cards)
    for (card, context), one in zip(cards, registered, strict=True):
        assert one.pan_hash == await custodian.pan_index(card.pan)
        assert await custodian.match([Inquiry(WRONG, (Question(one.sealed, context, (1,)),))])
