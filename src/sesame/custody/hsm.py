"""The custodian on an HSM: issuer keys stay in a PKCS#11 token, and what comes of them too.

Card key, session key and cryptogram are made inside, by triple DES in ECB mode as a derivation
(D9 of the design; docs/decisions/0021): the left half of a session key thrice is single DES, for
the chain; both halves close the retail MAC. What comes out are cryptograms, which are compared
in this process and go no farther. Whoever holds the token's session can do more than that, so
this belongs into a process of its own.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag

from sesame.cap.profile import Profile
from sesame.cap.profiles import ISSUED
from sesame.custody.answering import answer, answer_pairs
from sesame.custody.cryptoki import (
    DES3_CBC_FROM_ZERO,
    DES3_ECB,
    SHA256_HMAC,
    Attribute,
    Attributes,
    Handle,
    KeyType,
    Kind,
    Session,
    Template,
    ecb_derivation,
    gcm,
    load,
)
from sesame.custody.custodian import (
    CARDS_PER_CODE,
    CardRecord,
    Custodian,
    Fit,
    Inquiry,
    IssuingCustodian,
    KeyUsage,
    PairFit,
    PairInquiry,
    PairQuestion,
    Question,
    Registered,
    RevealingCustodian,
)
from sesame.custody.errors import (
    CustodyError,
    HsmKeysIncomplete,
    HsmKeyUnsuitable,
    HsmRefused,
    KeyDestroyed,
    KeyMissing,
    ProfileUnknown,
    ProfileUnsupported,
    SealBroken,
    WrongUsage,
)
from sesame.custody.hsm_inventory import away
from sesame.custody.hsm_keys import TokenKey, check_value, find_keys
from sesame.custody.hsm_life import inventory_of
from sesame.custody.hsm_sessions import Login, Sessions, close_quietly
from sesame.custody.key import ISSUER_USAGES, MAC_USAGES, Random
from sesame.custody.key_life import check_may_issue
from sesame.custody.keystore import Generation
from sesame.custody.passphrase import Passphrase
from sesame.custody.records import destroyed_on
from sesame.custody.sealing import DECOY, NONCE, Seal, SealedCard
from sesame.emv.cryptogram_version import CryptogramVersion, SessionKeyMethod
from sesame.emv.keys import (
    DesKey,
    common_diversifier,
    mastercard_diversifier,
    odd_parity,
    xor,
)
from sesame.emv.pan import Pan

_BLOCK = 8  # bytes
_TWO_BLOCKS = bytes(_BLOCK) + b"\xff" * _BLOCK
_DES_KEY = 16
_SECRET: Template = {
    Attribute.CLASS: Kind.SECRET_KEY,
    Attribute.TOKEN: False,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.DECRYPT: False,
    Attribute.SIGN: False,
    Attribute.VERIFY: False,
    Attribute.WRAP: False,
    Attribute.UNWRAP: False,
}
_DERIVES: Template = {Attribute.DERIVE: True, Attribute.ENCRYPT: False}
_ENCRYPTS: Template = {Attribute.DERIVE: False, Attribute.ENCRYPT: True}
_CARD_KEY = Attributes({**_SECRET, **_DERIVES, Attribute.KEY_TYPE: KeyType.DES2})
_CHAIN_KEY = Attributes({**_SECRET, **_ENCRYPTS, Attribute.KEY_TYPE: KeyType.DES3})  # KL thrice
_CLOSING_KEY = Attributes({**_SECRET, **_ENCRYPTS, Attribute.KEY_TYPE: KeyType.DES2})
# A card's key leaves custody on its way into the chip: for who issues cards, and nobody else.
_LEAVING_KEY = Attributes(
    {
        Attribute.CLASS: Kind.SECRET_KEY,
        Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
        Attribute.VALUE_LEN: _DES_KEY,
        Attribute.TOKEN: False,
        Attribute.SENSITIVE: False,
        Attribute.EXTRACTABLE: True,
    }
)


def open_hsm(  # noqa: PLR0913 -- the place, the PIN, and two sizes, each by name
    module: Path,
    label: str,
    pin: Passphrase,
    *,
    sessions: int = 4,
    waiting: int = 32,
    profiles: Mapping[str, Profile] = ISSUED,
    reveals: bool = False,
) -> "HsmCustodian":
    """The custodian on the token called *label* of the PKCS#11 *module*; close it at the end.

    *sessions* is how many calls the token gets at once, *waiting* how many strangers may wait
    for one of them. With *reveals* it is an `HsmRevealingCustodian`.

    Raises:
        HsmError: the module does not load, there is no such token, it refuses the PIN, or a key
            in it is not as custody makes them.
        UnsuitableKey: a key that custody needs is missing, or there twice.
    """
    kind = HsmRevealingCustodian if reveals else HsmCustodian
    return kind(
        _tried(Login(load(module), label, pin)),
        sessions=sessions,
        waiting=waiting,
        profiles=profiles,
    )


def open_issuing_hsm(
    module: Path, label: str, pin: Passphrase, *, profiles: Mapping[str, Profile] = ISSUED
) -> "HsmIssuingCustodian":
    """The same for who gives cards their keys, with one session.

    Raises:
        HsmError, UnsuitableKey: as `open_hsm`.
    """
    login = _tried(Login(load(module), label, pin))
    return HsmIssuingCustodian(login, sessions=1, waiting=32, profiles=profiles)


def check_token(login: Login) -> list[TokenKey]:
    """The keys of a token in which all is as custody needs it.

    Raises:
        HsmError, UnsuitableKey: as `open_hsm`.
    """
    with login.module.calling():
        session = login.open()
        try:
            return list(_Desk(session).keys.values())
        finally:
            close_quietly(session)


def token_seal(session: Session) -> Seal:
    """What opens the sealed cards of a bank whose keys are in the token of *session*.

    Raises:
        HsmError, UnsuitableKey: as `open_hsm`.
    """
    return _Desk(session).seal


def _seal(session: Session, key: TokenKey) -> Seal:
    return Seal(_TokenCipher(session, key.handle), check_value(session, key))


def _tried(login: Login) -> Login:
    check_token(login)
    return login


# ── With one session ─────────────────────────────────────────────────────────────────────────────


class _TokenCipher:
    """AES-256-GCM under a key in the token."""

    def __init__(self, session: Session, key: Handle) -> None:
        self._session = session
        self._key = key

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        return self._session.encrypt(gcm(nonce, associated_data), self._key, data)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        with suppress(HsmRefused):
            return self._session.decrypt(gcm(nonce, associated_data), self._key, data)
        # Tokens say variously that a tag does not fit, some as if they were out of order. If it
        # still enciphers, and refuses this once more, it is in order and the seal is not. Always
        # the same nothing is enciphered: this nonce, which chance never draws, gives nothing.
        self.encrypt(bytes(NONCE), b"", b"is it in order?")
        try:
            return self._session.decrypt(gcm(nonce, associated_data), self._key, data)
        except HsmRefused:
            raise InvalidTag from None


class _Desk:
    """A session, the keys it found in the token, and what they are for."""

    def __init__(self, session: Session, *, random: Random = secrets.token_bytes) -> None:
        self.session = session
        found = find_keys(session)
        self.inventory = inventory_of(session, found)
        # One that is destroyed on record is not used, though somebody stopped before it went.
        gone = self.inventory.lingering
        self.keys = {key.label: key for key in found if key.label not in gone}
        seal = self.only(KeyUsage.SEAL)
        self.macs = {usage: self.only(usage).handle for usage in MAC_USAGES}
        self.index = self.only(KeyUsage.PAN_INDEX).handle
        issuers = [key for key in self.keys.values() if key.usage is KeyUsage.ISSUER_AC]
        if not issuers:
            raise self._incomplete(KeyUsage.ISSUER_AC, 0)
        # The decoy's cryptograms are dropped, so any key that takes as long will do.
        self._issuer = {key.label: key for key in self.keys.values()} | {DECOY.key: issuers[0]}
        self.seal = _seal(session, seal)
        self.decoy = Question(self.seal.close(DECOY, b"", random(NONCE)), b"", ())
        self._check_obedience(issuers[0])

    def only(self, usage: KeyUsage) -> TokenKey:
        """The one key for *usage*."""
        found = [key for key in self.keys.values() if key.usage is usage]
        if len(found) != 1:
            raise self._incomplete(usage, len(found))
        return found[0]

    def _incomplete(self, usage: KeyUsage, count: int) -> CustodyError:
        """That there are so many keys for *usage*; or none, though one is on record."""
        for key in self.inventory.keys:
            if key.usage is usage and not count:
                return away(key)
        return HsmKeysIncomplete(usage, count)

    def has(self, label: str) -> bool:
        """Whether the token has a key of that label, or the decoy is called so."""
        return label in self._issuer

    def issuer(self, label: str, *usages: KeyUsage) -> Handle:
        """The issuer key *label*, which must be for one of *usages*."""
        try:
            key = self._issuer[label]
        except KeyError:
            if (on := destroyed_on(self.inventory.records, label)) is not None:
                raise KeyDestroyed(label, on) from None
            raise KeyMissing(label) from None
        if key.usage not in usages:
            raise WrongUsage(f"key {label} is for {key.usage}, not for {' or '.join(usages)}")
        return key.handle

    def keyed(
        self, version: CryptogramVersion, diversifier: bytes, imk: Handle
    ) -> AbstractContextManager[Handle]:
        """What the session keys of a card are derived from: its own key.

        Its issuer's where the session key is the card's: both are made of the same bytes then.
        """
        if version.session is SessionKeyMethod.NONE:
            return nullcontext(imk)
        return self.derived(diversifier, imk, _CARD_KEY)

    @contextmanager
    def derived(self, blocks: bytes, key: Handle, wanted: Attributes) -> Iterator[Handle]:
        """A key of this session that is *blocks* under *key*; destroyed at the end."""
        handle = self.session.derive(ecb_derivation(blocks), key, wanted)
        try:
            yield handle
        except BaseException:
            with suppress(HsmRefused):  # the session may be gone, and the key with it
                self.session.destroy(handle)
            raise
        self.session.destroy(handle)

    def _check_obedience(self, issuer: TokenKey) -> None:
        """A key that is derived as one that stays inside must stay inside."""
        with self.derived(_TWO_BLOCKS, issuer.handle, _CARD_KEY) as key:
            if (
                self.session.read_bool(key, Attribute.EXTRACTABLE)
                or not self.session.read_bool(key, Attribute.SENSITIVE)
                or self.session.read(key, Attribute.VALUE) is not None
            ):
                raise HsmKeyUnsuitable(issuer.label, "lets out what is derived from it")


@dataclass(frozen=True, slots=True)
class _TokenCard:
    """A card whose key is in the token: see `cap.verification.Card`.

    `key` is what its session keys are derived from; where its own key is its session key, its
    issuer's, with the card's `diversifier`.
    """

    profile: Profile
    dki: int
    psn: str
    desk: _Desk
    key: Handle
    diversifier: bytes

    def cryptograms(
        self, atcs: Sequence[int], *, before: bytes, un: bytes, iad: bytes
    ) -> list[bytes]:
        version = self.profile.version
        return [
            self._retail_mac(
                self._session_diversifier(version, atc, un),
                version.padded_message(before, atc, iad),
            )
            for atc in atcs
        ]

    def _session_diversifier(self, version: CryptogramVersion, atc: int, un: bytes) -> bytes:
        match version.session:
            case SessionKeyMethod.COMMON:
                return common_diversifier(atc)
            case SessionKeyMethod.MASTERCARD:
                return mastercard_diversifier(atc, un)
            case _:
                return self.diversifier

    def _retail_mac(self, diversifier: bytes, blocks: bytes) -> bytes:
        """ISO/IEC 9797-1 MAC algorithm 3, 8 bytes: more than one block, as every message has."""
        session = self.desk.session
        with self.desk.derived(diversifier[:_BLOCK] * 3, self.key, _CHAIN_KEY) as chain:
            x = session.encrypt(DES3_CBC_FROM_ZERO, chain, blocks[:-_BLOCK])[-_BLOCK:]
        with self.desk.derived(diversifier, self.key, _CLOSING_KEY) as closing:
            return session.encrypt(DES3_ECB, closing, xor(x, blocks[-_BLOCK:]))


# ── For the bank ─────────────────────────────────────────────────────────────────────────────────


class HsmCustodian(Custodian):
    """A `Custodian` on a token: `open_hsm` makes it. It writes nothing into the token.

    Args:
        login: the way into the token.
        sessions, waiting: see `open_hsm`.
        random: chance, for nonces.
        profiles: those that a card may be registered under, and no other.
    """

    def __init__(
        self,
        login: Login,
        *,
        sessions: int,
        waiting: int,
        random: Random = secrets.token_bytes,
        profiles: Mapping[str, Profile] = ISSUED,
    ) -> None:
        self._random = random
        self._profiles = profiles
        prepare = partial(_Desk, random=random)
        self._sessions = Sessions(login, prepare, sessions=sessions, waiting=waiting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sessions.close()

    async def close(self) -> None:
        """End the sessions; whoever still waits hears CustodyUnavailable."""
        self._sessions.close()

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """Which candidates fit, for each inquiry in order: see `Custodian.match`."""
        known = any(inquiry.known for inquiry in inquiries)
        return await self._sessions.ask(partial(self._match, inquiries), known=known)

    async def match_pairs(self, inquiries: Sequence[PairInquiry]) -> list[tuple[PairFit, ...]]:
        """Which pairs fit, for each inquiry in order: see `Custodian.match_pairs`."""
        known = any(inquiry.known for inquiry in inquiries)
        return await self._sessions.ask(partial(self._match_pairs, inquiries), known=known)

    async def register(self, card: CardRecord, context: bytes) -> bytes:
        """*card* sealed for *context*, under a nonce by chance: see `Custodian.register`."""
        return (await self._sessions.ask(partial(self._register, card, context), known=True))[0]

    async def register_all(self, cards: Sequence[tuple[CardRecord, bytes]]) -> list[Registered]:
        """Each card sealed, and its PAN's hash: see `Custodian.register_all`."""
        # One by one: those who sign in meanwhile have their turns between.
        return [
            Registered(*await self._sessions.ask(partial(self._register, *card), known=True))
            for card in cards
        ]

    async def pan_index(self, pan: Pan) -> bytes:
        """HMAC-SHA256 (32 bytes) of the digits of *pan*."""
        return await self._sessions.ask(partial(_pan_index, pan=pan), known=True)

    async def mac(self, usage: KeyUsage, data: bytes) -> bytes:
        """HMAC-SHA256 (32 bytes) of *data*: see `Custodian.mac`."""
        if usage not in MAC_USAGES:
            raise WrongUsage(f"{usage} keys make no MAC: ask for audit or session")
        return await self._sessions.ask(
            lambda desk: desk.session.sign(SHA256_HMAC, desk.macs[usage], data), known=True
        )

    def _match(self, inquiries: Sequence[Inquiry], desk: _Desk) -> list[tuple[Fit, ...]]:
        return [
            answer(inquiry, self._cards(desk, number, inquiry.questions))
            for number, inquiry in enumerate(inquiries)
        ]

    def _match_pairs(
        self, inquiries: Sequence[PairInquiry], desk: _Desk
    ) -> list[tuple[PairFit, ...]]:
        return [
            answer_pairs(inquiry, self._cards(desk, number, inquiry.questions))
            for number, inquiry in enumerate(inquiries)
        ]

    def _register(self, card: CardRecord, context: bytes, desk: _Desk) -> tuple[bytes, bytes]:
        self._profile(card.profile)
        desk.issuer(card.key.label, KeyUsage.ISSUER_AC)
        sealed = desk.seal.close(SealedCard.of(card), context, self._random(NONCE))
        return sealed, _pan_index(desk, pan=card.pan)

    def _cards(
        self, desk: _Desk, number: int, questions: Sequence[Question | PairQuestion]
    ) -> Iterator[tuple[_TokenCard, bool]]:
        """The cards of *questions* of inquiry *number*, and decoys for those that are missing.

        Each has its key in the token for as long as it is looked at. With each, whether that is
        its own: a card whose issuer key is not here gets the decoy's, and costs what others cost.
        """
        decoys = (desk.decoy,) * (CARDS_PER_CODE - len(questions))
        for place, question in enumerate((*questions, *decoys)):
            try:
                card = desk.seal.open(question.sealed, question.context)
            except SealBroken as broken:
                raise broken.asked(inquiry=number, question=place) from None
            profile = self._profile(card.profile)
            keyed = desk.has(card.key)
            imk = desk.issuer(card.key if keyed else DECOY.key, KeyUsage.ISSUER_AC)
            diversifier = profile.version.card_diversifier(card.pan, card.psn)
            with desk.keyed(profile.version, diversifier, imk) as key:
                yield _TokenCard(profile, card.dki, card.psn, desk, key, diversifier), keyed

    def _profile(self, name: str) -> Profile:
        try:
            profile = self._profiles[name]
        except KeyError:
            raise ProfileUnknown(name) from None
        if profile.version.session is SessionKeyMethod.TREE:
            raise ProfileUnsupported(name)
        return profile


class HsmRevealingCustodian(HsmCustodian, RevealingCustodian):
    """An `HsmCustodian` that also says a card's number: `open_hsm` makes it where that is asked."""

    async def reveal(self, sealed: bytes, context: bytes) -> Pan:
        """The number of the sealed card: see `RevealingCustodian.reveal`."""
        return await self._sessions.ask(
            lambda desk: Pan(desk.seal.open(sealed, context).pan), known=True
        )


class HsmIssuingCustodian(HsmCustodian, IssuingCustodian):
    """An `HsmCustodian` that also gives cards their keys: `open_issuing_hsm` makes it."""

    async def card_key(self, card: CardRecord) -> DesKey:
        """The key of *card*, derived as its profile says, and read out for its chip.

        Raises:
            KeyRetired: new cards are made under another key.
            CustodyUnavailable: beside what it always says: the token lets no key out.
        """
        return await self._sessions.ask(partial(self._card_key, card), known=True)

    async def current(self, usage: KeyUsage) -> Generation:
        """The issuer key under which new cards are made, by the token's records.

        Raises:
            NoCurrentKey: none is.
        """
        return await self._sessions.ask(lambda desk: desk.inventory.current(usage), known=True)

    def _card_key(self, card: CardRecord, desk: _Desk) -> DesKey:
        imk = desk.issuer(card.key.label, *ISSUER_USAGES)
        check_may_issue(desk.inventory.key(card.key.label))
        diversify = self._profile(card.profile).version.card_diversifier
        with desk.derived(diversify(card.pan.digits, card.psn), imk, _LEAVING_KEY) as key:
            value = desk.session.read(key, Attribute.VALUE)
        if value is None:
            raise HsmKeyUnsuitable(card.key.label, "gives no card key: the token lets none out")
        return DesKey(odd_parity(value))


def _pan_index(desk: _Desk, *, pan: Pan) -> bytes:
    return desk.session.sign(SHA256_HMAC, desk.index, pan.digits.encode())
