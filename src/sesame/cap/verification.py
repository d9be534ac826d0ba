"""Which ATC could a code come from, and which one was it; the same for two codes in a row.

docs/reference/emv-cap.md, sections 12.2 and 12.3. Pure: custody, which has the key,
calls `match` and `match_pairs`; the bank, which has not, calls `candidates` and
`pair_candidates`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from sesame.cap.profile import Profile, answer
from sesame.cap.token import Code, expand
from sesame.emv.cryptogram import cryptograms_by_atc
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
    low = _low_bits(profile, code)
    near = last_atc + 1 + (low - (last_atc + 1)) % size
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
    low, next_low = (_low_bits(profile, code) for code in (first, second))
    distance = (next_low - low) % size
    if not 1 <= distance <= NEXT_WITHIN:
        return PairCandidates((), None)
    nearest = last_atc + 1 + (low - (last_atc + 1)) % size
    highest = last_atc + (profile.window if near_only else REACH * size)
    ahead = range(nearest, min(highest, HIGHEST_ATC - distance) + 1, size)
    behind = last_atc - (last_atc - next_low) % size
    return PairCandidates(
        ahead=tuple((atc, atc + distance) for atc in ahead),
        behind=(behind - distance, behind) if behind > distance else None,
    )


def match(
    profile: Profile, dki: int, card_key: DesKey, atcs: Sequence[int], code: Code
) -> list[bool]:
    """Whether the card of *card_key* makes *code* at each of *atcs* (0 to 65535).

    All of them are computed, and compared without an early end, so that the time tells
    nothing. The code's bits are put back to where the card had them, once, and meet the
    same bits of every predicted answer there.
    """
    acs = cryptograms_by_atc(card_key, atcs, before=profile.message_head, after=profile.iad(dki))
    mask = profile.answer_mask
    typed = expand(code.token, profile.ipb)[:_ANSWER].ljust(_ANSWER, b"\x00")
    possible = profile.fits(code.token)  # or `expand` has lost a bit
    fits = []
    for atc, ac in zip(atcs, acs, strict=True):
        predicted = (int.from_bytes(answer(atc, ac)) & mask).to_bytes(_ANSWER)
        fits.append(hmac.compare_digest(typed, predicted) & possible)
    return fits


def match_pairs(  # noqa: PLR0913, PLR0917 -- a card, two codes, and where they may come from
    profile: Profile, dki: int, card_key: DesKey, pairs: Sequence[Pair], first: Code, second: Code
) -> list[bool]:
    """Whether the card of *card_key* makes *first* and *second* at each of *pairs*.

    Both halves of all of them are computed, whatever fits, so that the time tells nothing.
    """
    firsts = match(profile, dki, card_key, [atc for atc, _ in pairs], first)
    seconds = match(profile, dki, card_key, [atc for _, atc in pairs], second)
    return [one & other for one, other in zip(firsts, seconds, strict=True)]


def _low_bits(profile: Profile, code: Code) -> int:
    """The ATC's low bits that *code* holds."""
    return int.from_bytes(expand(code.token, profile.ipb)[1:3])
