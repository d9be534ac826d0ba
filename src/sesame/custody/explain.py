"""Which ATC a code comes from, or why it comes from none: for people who look into one.

The bank's own decision is `sesame.bank.verification`; this one changes nothing, counts nothing,
and looks at every ATC that there is.
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from sesame.cap.mode import LOGIN, Inputs
from sesame.cap.profiles import PROFILES
from sesame.cap.token import Code
from sesame.cap.verification import REACH, claimable
from sesame.custody.custodian import ATCS_PER_CARD, CardRecord, Custodian, Inquiry, Question

_CONTEXT = b"explain"  # the seal is used here and forgotten


@unique
class Outcome(StrEnum):
    """What is to be said of a code."""

    FITS = "fits"  # it would be accepted
    USED = "used"  # its ATC is at or below the last accepted one
    AHEAD = "ahead"  # its ATC lies beyond the window: two codes in a row would be accepted
    LOST = "lost"  # farther than two codes reach
    LOGIN_CODE = "login-code"  # something was to be typed, and nothing was
    UNBOUND = "unbound"  # what was typed makes the command of another mode: nothing to compare
    IMPOSSIBLE = "impossible"  # no card of this profile shows such a number
    WRONG = "wrong"  # no ATC makes it


@dataclass(frozen=True, slots=True)
class Explanation:
    """The outcome, and the ATC where one makes the code."""

    outcome: Outcome
    atc: int | None = None


async def explain(
    custodian: Custodian, card: CardRecord, last_atc: int, code: Code, inputs: Inputs = LOGIN
) -> Explanation:
    """Where *code* of *inputs* stands for *card* whose last accepted ATC is *last_atc*.

    Of several ATCs that fit by chance, the nearest above the last one counts, then the highest
    below it: what the bank would see.

    Raises:
        KeyMissing, WrongUsage: there is no issuer key for codes of that label.
    """
    profile = PROFILES[card.profile]
    if not profile.binds(inputs):
        return Explanation(Outcome.UNBOUND)
    if not profile.fits(code.token):
        return Explanation(Outcome.IMPOSSIBLE)
    sealed = await custodian.register(card, _CONTEXT)
    atcs = claimable(profile, code)

    async def fitting(typed: Inputs) -> list[int]:
        questions = [
            Question(sealed, _CONTEXT, tuple(atcs[at : at + ATCS_PER_CARD]))
            for at in range(0, len(atcs), ATCS_PER_CARD)
        ]
        fits = await custodian.match([Inquiry(code, (asked,), typed) for asked in questions])
        return [fit.atc for found in fits for fit in found]

    fits = await fitting(inputs)
    if above := [atc for atc in fits if atc > last_atc]:
        return Explanation(_reached(above[0] - last_atc, profile.window), above[0])
    if fits:
        return Explanation(Outcome.USED, fits[-1])
    if inputs != LOGIN and (fits := await fitting(LOGIN)):
        return Explanation(Outcome.LOGIN_CODE, fits[-1])
    return Explanation(Outcome.WRONG)


def _reached(distance: int, window: int) -> Outcome:
    if distance <= window:
        return Outcome.FITS
    return Outcome.AHEAD if distance <= REACH * (window + 1) else Outcome.LOST
