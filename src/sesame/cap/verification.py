"""Which ATC could a code come from, and which one was it; the same for two codes in a row.

docs/reference/emv-cap.md, sections 12.2 and 12.3. Pure: custody, which has the key,
calls `match` and `match_pairs`; the bank, which has not, calls `candidates` and
`pair_candidates`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sesame.cap.mode import LOGIN, Inputs
from sesame.cap.profile import Profile, answer
from sesame.cap.tds import mix
from sesame.cap.token import Code
from sesame.emv.keys import DesKey

HIGHEST_ATC = 0xFFFF  # the ATC never wraps: a session key would come again
# Two codes in a row find a card that ran ahead (docs/decisions/0014): how many ATCs the
# first one may claim, and how far behind it the second one may be.
REACH = 64
NEXT_WITHIN = 8
_ANSWER = 11  # bytes: CID, ATC and AC


@dataclass(frozen=True, slots=True)
class Candidates:
    """The two ATCs that a code can claim: None where there is none.

    `near` is the one in the window above the last accepted ATC, `behind` the one at or
    below it: already used, or overtaken.
    """

    near: int | None
    behind: int | None


def candidates(profile: Profile, last_atc: int, code: Code) -> Candidates:
    """The ATCs around *last_atc* (0 to 65535) whose low bits are those in *code*."""
    size = profile.window + 1
    low = profile.atc_bits_of(code.token)
    near = first_candidate(last_atc, profile.atc_bits, low)
    behind = last_atc - (last_atc - low) % size
    return Candidates(
        near=near if near <= min(last_atc + profile.window, HIGHEST_ATC) else None,
        # The first transaction of a card has ATC 1.
        behind=behind if behind >= 1 else None,
    )


Pair = tuple[int, int]  # the ATCs of two codes in a row, the second higher


@dataclass(frozen=True, slots=True)
class PairCandidates:
    """The pairs of ATCs that two codes in a row can claim.

    `ahead` lie above the last accepted ATC, nearest first; `behind` is the one whose second
    ATC is at or below it: already used, or overtaken.
    """

    ahead: tuple[Pair, ...]
    behind: Pair | None


def pair_candidates(
    profile: Profile, last_atc: int, first: Code, second: Code, *, near_only: bool = False
) -> PairCandidates:
    """The pairs around *last_atc* (0 to 65535) whose low bits are those in the two codes.

    Both codes say their ATC's low bits, so the distance between them is known, and each ATC
    of the first leaves one for the second. With *near_only* the first one must come from the
    window of a single code; else from `REACH` times as many ATCs.
    """
    size = profile.window + 1
    low, next_low = profile.atc_bits_of(first.token), profile.atc_bits_of(second.token)
    distance = (next_low - low) % size
    if not 1 <= distance <= NEXT_WITHIN:
        return PairCandidates((), None)
    nearest = first_candidate(last_atc, profile.atc_bits, low)
    highest = last_atc + (profile.window if near_only else REACH * size)
    ahead = range(nearest, min(highest, HIGHEST_ATC - distance) + 1, size)
    behind = last_atc - (last_atc - next_low) % size
    return PairCandidates(
        ahead=tuple((atc, atc + distance) for atc in ahead),
        behind=(behind - distance, behind) if behind > distance else None,
    )


class Card(Protocol):
    """A card whose cryptograms can be made, wherever its key is."""

    @property
    def profile(self) -> Profile:
        """What is known of its kind."""
        ...

    @property
    def dki(self) -> int:
        """The derivation key index in its IAD, one byte."""
        ...

    @property
    def psn(self) -> str:
        """Its PAN sequence number, two digits."""
        ...

    def cryptograms(
        self, atcs: Sequence[int], *, before: bytes, un: bytes, iad: bytes
    ) -> list[bytes]:
        """The 8-byte AC for each of *atcs*: see `CryptogramVersion.cryptograms`."""
        ...


class KeyedCard(NamedTuple):
    """A card whose own key is here."""

    profile: Profile
    dki: int
    psn: str  # two digits
    key: DesKey

    def cryptograms(
        self, atcs: Sequence[int], *, before: bytes, un: bytes, iad: bytes
    ) -> list[bytes]:
        """The 8-byte AC for each of *atcs*, under that key."""
        return self.profile.version.cryptograms(self.key, atcs, before=before, un=un, iad=iad)


def match(card: Card, atcs: Sequence[int], code: Code, inputs: Inputs = LOGIN) -> list[bool]:
    """Whether *card* makes *code* of *inputs* at each of *atcs* (0 to 65535).

    Nothing matches where *inputs* make the same command as others would: a login's code is no
    signature of an amount that the card never saw (`Profile.binds`).

    All of them are computed, and compared without an early end, so that the time tells
    nothing. The code's bits are put back to where the card had them, once, and meet the
    same bits of every predicted answer there.
    """
    profile = card.profile
    typed = profile.selected(code.token)
    possible = profile.fits(code.token)  # or a bit of the code is lost
    possible &= profile.binds(inputs)
    possible &= _same(typed.psn, bytes.fromhex(card.psn), profile.psn_mask)
    head = profile.head(inputs)
    fits = [False] * len(atcs)
    for iad in profile.iads(card.dki, typed.iad):
        acs = card.cryptograms(atcs, before=head, un=inputs.un, iad=iad)
        if inputs.fields:
            acs = [mix(ac, inputs.fields) for ac in acs]
        agrees = possible & _same(typed.iad, iad, profile.iad_mask)
        for at, (atc, ac) in enumerate(zip(atcs, acs, strict=True)):
            predicted = (int.from_bytes(answer(atc, ac)) & profile.answer_mask).to_bytes(_ANSWER)
            fits[at] |= hmac.compare_digest(typed.answer, predicted) & agrees
    return fits


def match_pairs(
    card: Card, pairs: Sequence[Pair], first: Code, second: Code, inputs: Inputs = LOGIN
) -> list[bool]:
    """Whether *card* makes *first*, of *inputs*, and the login code *second* at each of *pairs*.

    Both halves of all of them are computed, whatever fits, so that the time tells nothing.
    """
    firsts = match(card, [atc for atc, _ in pairs], first, inputs)
    seconds = match(card, [atc for _, atc in pairs], second)
    return [one & other for one, other in zip(firsts, seconds, strict=True)]


def first_candidate(last_atc: int, bits: int, low: int) -> int:
    """The smallest ATC above *last_atc* whose *bits* lowest bits are *low*; it may pass 65535."""
    return last_atc + 1 + (low - (last_atc + 1)) % (1 << bits)


def claimable(profile: Profile, code: Code) -> range:
    """Every ATC (1 to 65535) whose low bits are those in *code*, lowest first."""
    first = first_candidate(0, profile.atc_bits, profile.atc_bits_of(code.token))
    return range(first, HIGHEST_ATC + 1, profile.window + 1)


def _same(typed: bytes, predicted: bytes, mask: bytes) -> bool:
    """Whether *predicted* has the bits of *typed* where *mask* (as long as *typed*) has ones."""
    if not any(mask):
        return True  # most cards show neither
    seen = int.from_bytes(predicted) & int.from_bytes(mask)
    return hmac.compare_digest(typed, seen.to_bytes(len(mask)))
