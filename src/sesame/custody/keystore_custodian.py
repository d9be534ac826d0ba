"""The embedded custodian: the keys of a keystore, used in this process.

A code costs less than a tenth of a millisecond of computation, two codes in a row a few
milliseconds, without a pause inside. The key values lie in the memory of the process; an HSM is
for whom that is too much.
"""

import hmac
import secrets
from collections.abc import Iterator, Mapping, Sequence

from sesame.cap.profile import Profile
from sesame.cap.profiles import ISSUED, SESAME_CARD
from sesame.cap.verification import KeyedCard, Pair, match, match_pairs
from sesame.custody.custodian import (
    ATCS_PER_CARD,
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
)
from sesame.custody.errors import KeyMissing, ProfileUnknown, SealBroken, WrongUsage
from sesame.custody.key import ISSUER_USAGES, Random
from sesame.custody.keystore import Keystore
from sesame.custody.sealing import NONCE, Seal, SealedCard
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan

_DECOY = SealedCard(
    pan="0000000000000000",
    psn="00",
    profile=SESAME_CARD.name,
    key="",  # no key of a keystore is called so
    dki=0,
)
_DES_KEY = 16  # bytes
_NO_ATC = 0  # the first transaction of a card has 1
_NO_PAIR: Pair = (_NO_ATC, _NO_ATC)
_MAC_USAGES = (KeyUsage.AUDIT, KeyUsage.SESSION)


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
        self._usages = {key.label: key.usage for key in keystore.keys}
        self._issuer_keys = {
            key.label: DesKey(key.value) for key in keystore.keys if key.usage in ISSUER_USAGES
        }
        self._mac_keys = {usage: keystore.only(usage).value for usage in _MAC_USAGES}
        self._pan_index_key = keystore.only(KeyUsage.PAN_INDEX).value
        seal_key = keystore.only(KeyUsage.SEAL)
        self._seal = Seal(seal_key.value, seal_key.check_value)
        self._usages[_DECOY.key] = KeyUsage.ISSUER_AC
        self._issuer_keys[_DECOY.key] = DesKey(random(_DES_KEY))
        self._decoy = Question(self._seal.close(_DECOY, b"", random(NONCE)), b"", ())

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """Which candidates fit, for each inquiry in order: see `Custodian.match`."""
        return [self._answer(number, inquiry) for number, inquiry in enumerate(inquiries)]

    async def match_pairs(self, inquiries: Sequence[PairInquiry]) -> list[tuple[PairFit, ...]]:
        """Which pairs fit, for each inquiry in order: see `Custodian.match_pairs`."""
        return [self._answer_pairs(number, inquiry) for number, inquiry in enumerate(inquiries)]

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
        if usage not in _MAC_USAGES:
            raise WrongUsage(f"{usage} keys make no MAC: ask for audit or session")
        return hmac.digest(self._mac_keys[usage], data, "sha256")

    def _answer(self, number: int, inquiry: Inquiry) -> tuple[Fit, ...]:
        """The fits of inquiry *number*, by the same work whatever is asked."""
        fits = []
        for place, card in enumerate(self._cards(number, inquiry.questions)):
            asked = inquiry.questions[place].atcs if place < len(inquiry.questions) else ()
            atcs = asked + (_NO_ATC,) * (ATCS_PER_CARD - len(asked))
            found = match(card, atcs, inquiry.code, inquiry.inputs)
            # What was found at the ATCs behind those asked for is dropped.
            fits += [Fit(place, atc) for atc, fit in zip(asked, found, strict=False) if fit]
        return tuple(fits)

    def _answer_pairs(self, number: int, inquiry: PairInquiry) -> tuple[PairFit, ...]:
        """The same for two codes in a row."""
        fits = []
        for place, card in enumerate(self._cards(number, inquiry.questions)):
            asked = inquiry.questions[place].pairs if place < len(inquiry.questions) else ()
            pairs = asked + (_NO_PAIR,) * (inquiry.reach - len(asked))
            found = match_pairs(card, pairs, inquiry.first, inquiry.second)
            fits += [PairFit(place, pair) for pair, fit in zip(asked, found, strict=False) if fit]
        return tuple(fits)

    def _cards(
        self, number: int, questions: Sequence[Question | PairQuestion]
    ) -> Iterator[KeyedCard]:
        """The cards of *questions* of inquiry *number*, and decoys for those that are missing."""
        decoys = (self._decoy,) * (CARDS_PER_CODE - len(questions))
        for place, question in enumerate((*questions, *decoys)):
            try:
                card = self._seal.open(question.sealed, question.context)
            except SealBroken as broken:
                raise broken.asked(inquiry=number, question=place) from None
            profile = self._profile(card.profile)
            imk = self._issuer_key(card.key, KeyUsage.ISSUER_AC)
            key = profile.version.card_key(imk, card.pan, card.psn)
            yield KeyedCard(profile, card.dki, card.psn, key)

    def _profile(self, name: str) -> Profile:
        try:
            return self._profiles[name]
        except KeyError:
            raise ProfileUnknown(name) from None

    def _issuer_key(self, label: str, *usages: KeyUsage) -> DesKey:
        try:
            usage = self._usages[label]
        except KeyError:
            raise KeyMissing(label) from None
        if usage not in usages:
            raise WrongUsage(f"key {label} is for {usage}, not for {' or '.join(usages)}")
        return self._issuer_keys[label]


class KeystoreIssuingCustodian(KeystoreCustodian, IssuingCustodian):
    """A `KeystoreCustodian` that also gives cards their keys."""

    async def card_key(self, card: CardRecord) -> DesKey:
        """The key of *card*, derived as its profile says (EMV 4.4 Book 2, A1.4)."""
        imk = self._issuer_key(card.key.label, *ISSUER_USAGES)
        return self._profile(card.profile).version.card_key(imk, card.pan.digits, card.psn)
