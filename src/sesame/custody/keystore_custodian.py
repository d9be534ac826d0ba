"""The embedded custodian: the keys of a keystore, used in this process.

A code costs less than a tenth of a millisecond of computation, two codes in a row a few
milliseconds, without a pause inside. The key values lie in the memory of the process; an HSM is
for whom that is too much.
"""

import hmac
import secrets
from collections.abc import Iterator, Mapping, Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sesame.cap.profile import Profile
from sesame.cap.profiles import ISSUED
from sesame.cap.verification import KeyedCard
from sesame.custody.answering import answer, answer_pairs
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
    KeyDestroyed,
    KeyMissing,
    ProfileUnknown,
    SealBroken,
    WrongUsage,
)
from sesame.custody.key import ISSUER_USAGES, MAC_USAGES, Random
from sesame.custody.key_life import check_may_issue
from sesame.custody.keystore import Generation, Keystore
from sesame.custody.records import destroyed_on
from sesame.custody.sealing import DECOY, NONCE, PinSeal, Seal, SealedCard
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan
from sesame.emv.pin import Pin

_DES_KEY = 16  # bytes


def keystore_seal(keystore: Keystore) -> Seal:
    """What seals a bank's cards under the keys of *keystore*, and opens them."""
    key = keystore.only(KeyUsage.SEAL)
    return Seal(AESGCM(key.value), key.check_value)


class KeystoreCustodian(Custodian):
    """A `Custodian` on an opened keystore. It writes to nothing.

    Args:
        keystore: the keys.
        random: chance, for nonces and the decoy.
        profiles: those that a card may be registered under, and no other: several bitmaps for
            one key would show more of a cryptogram than one.
    """

    def __init__(
        self,
        keystore: Keystore,
        *,
        random: Random = secrets.token_bytes,
        profiles: Mapping[str, Profile] = ISSUED,
    ) -> None:
        self._random = random
        self._profiles = profiles
        self._keystore = keystore
        self._usages = {key.label: key.usage for key in keystore.keys}
        self._issuer_keys = {
            key.label: DesKey(key.value) for key in keystore.keys if key.usage in ISSUER_USAGES
        }
        self._mac_keys = {usage: keystore.only(usage).value for usage in MAC_USAGES}
        self._pan_index_key = keystore.only(KeyUsage.PAN_INDEX).value
        self._seal = keystore_seal(keystore)
        self._usages[DECOY.key] = KeyUsage.ISSUER_AC
        self._issuer_keys[DECOY.key] = DesKey(random(_DES_KEY))
        self._decoy = Question(self._seal.close(DECOY, b"", random(NONCE)), b"", ())

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """Which candidates fit, for each inquiry in order: see `Custodian.match`."""
        return [
            answer(inquiry, self._cards(number, inquiry.questions))
            for number, inquiry in enumerate(inquiries)
        ]

    async def match_pairs(self, inquiries: Sequence[PairInquiry]) -> list[tuple[PairFit, ...]]:
        """Which pairs fit, for each inquiry in order: see `Custodian.match_pairs`."""
        return [
            answer_pairs(inquiry, self._cards(number, inquiry.questions))
            for number, inquiry in enumerate(inquiries)
        ]

    async def register(self, card: CardRecord, context: bytes) -> bytes:
        """*card* sealed for *context*, under a nonce by chance: see `Custodian.register`."""
        self._profile(card.profile)
        self._issuer_key(card.key.label, KeyUsage.ISSUER_AC)
        return self._seal.close(SealedCard.of(card), context, self._random(NONCE))

    async def register_all(self, cards: Sequence[tuple[CardRecord, bytes]]) -> list[Registered]:
        """Each card sealed, and its PAN's hash: see `Custodian.register_all`."""
        return [
            Registered(await self.register(card, context), await self.pan_index(card.pan))
            for card, context in cards
        ]

    async def pan_index(self, pan: Pan) -> bytes:
        """HMAC-SHA256 (32 bytes) of the digits of *pan*."""
        return hmac.digest(self._pan_index_key, pan.digits.encode(), "sha256")

    async def mac(self, usage: KeyUsage, data: bytes) -> bytes:
        """HMAC-SHA256 (32 bytes) of *data*: see `Custodian.mac`."""
        if usage not in MAC_USAGES:
            raise WrongUsage(f"{usage} keys make no MAC: ask for audit or session")
        return hmac.digest(self._mac_keys[usage], data, "sha256")

    async def close(self) -> None:
        """Nothing to let go of: the keys are this process's own."""

    def _cards(
        self, number: int, questions: Sequence[Question | PairQuestion]
    ) -> Iterator[tuple[KeyedCard, bool]]:
        """The cards of *questions* of inquiry *number*, and decoys for those that are missing.

        With each, whether its key is its own: a card whose issuer key is not here gets the
        decoy's, so that it costs what the others cost.
        """
        decoys = (self._decoy,) * (CARDS_PER_CODE - len(questions))
        for place, question in enumerate((*questions, *decoys)):
            try:
                card = self._seal.open(question.sealed, question.context)
            except SealBroken as broken:
                raise broken.asked(inquiry=number, question=place) from None
            profile = self._profile(card.profile)
            keyed = card.key in self._usages
            imk = self._issuer_key(card.key if keyed else DECOY.key, KeyUsage.ISSUER_AC)
            key = profile.version.card_key(imk, card.pan, card.psn)
            yield KeyedCard(profile, card.dki, card.psn, key), keyed

    def _profile(self, name: str) -> Profile:
        try:
            return self._profiles[name]
        except KeyError:
            raise ProfileUnknown(name) from None

    def _issuer_key(self, label: str, *usages: KeyUsage) -> DesKey:
        try:
            usage = self._usages[label]
        except KeyError:
            if (on := destroyed_on(self._keystore.records, label)) is not None:
                raise KeyDestroyed(label, on) from None
            raise KeyMissing(label) from None
        if usage not in usages:
            raise WrongUsage(f"key {label} is for {usage}, not for {' or '.join(usages)}")
        return self._issuer_keys[label]


class KeystoreRevealingCustodian(KeystoreCustodian, RevealingCustodian):
    """A `KeystoreCustodian` that also says a card's number: for the desk's process."""

    async def reveal(self, sealed: bytes, context: bytes) -> Pan:
        """The number of the sealed card: see `RevealingCustodian.reveal`."""
        return Pan(self._seal.open(sealed, context).pan)


class KeystoreIssuingCustodian(KeystoreCustodian, IssuingCustodian):
    """A `KeystoreCustodian` that also gives cards their keys, and keeps their PINs for letters."""

    async def card_key(self, card: CardRecord) -> DesKey:
        """The key of *card*, derived as its profile says (EMV 4.4 Book 2, A1.4).

        Raises:
            KeyMissing, WrongUsage: as `IssuingCustodian.card_key`.
            KeyRetired: new cards are made under another key.
        """
        imk = self._issuer_key(card.key.label, *ISSUER_USAGES)
        check_may_issue(self._keystore.key(card.key.label))
        return self._profile(card.profile).version.card_key(imk, card.pan.digits, card.psn)

    def current(self, usage: KeyUsage) -> Generation:
        """The issuer key under which new cards are made.

        Raises:
            NoCurrentKey: none is.
        """
        return self._keystore.current(usage)

    def seal_pin(self, pin: Pin, context: bytes) -> bytes:
        """*pin* sealed for *context*, a nonce by chance: 36 bytes for a PIN of four digits."""
        return self._pin_seal.close(pin, context, self._random(NONCE))

    def open_pin(self, sealed: bytes, context: bytes) -> Pin:
        """The PIN in *sealed*, which `seal_pin` gave for *context*.

        Raises:
            PinSealBroken: altered, of another context or keystore, or no sealed PIN.
        """
        return self._pin_seal.open(sealed, context)

    @property
    def _pin_seal(self) -> PinSeal:
        key = self._keystore.only(KeyUsage.SEAL)
        return PinSeal(AESGCM(key.value), key.check_value)
