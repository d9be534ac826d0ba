"""Which ATC could a code come from, and which one was it.

docs/reference/emv-cap.md, sections 12.2 and 12.3. Pure: custody, which has the key,
calls `match`; the bank, which has not, calls `candidates`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from sesame.cap.profile import Profile, answer
from sesame.cap.token import Code, expand
from sesame.emv.cryptogram import cryptograms_by_atc
from sesame.emv.keys import DesKey

HIGHEST_ATC = 0xFFFF  # the ATC never wraps: a session key would come again
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
    low = int.from_bytes(expand(code.token, profile.ipb)[1:3])
    near = last_atc + 1 + (low - (last_atc + 1)) % size
    behind = last_atc - (last_atc - low) % size
    return Candidates(
        near=near if near <= min(last_atc + profile.window, HIGHEST_ATC) else None,
        # The first transaction of a card has ATC 1.
        behind=behind if behind >= 1 else None,
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
