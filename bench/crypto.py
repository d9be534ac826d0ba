"""What the triple DES of one code costs, beside the same through `pyemv`.

A code is asked of four candidates, as custody does: the card's key from the issuer's, four
session keys, four cryptograms. Both sides get the same card number, ATCs and messages.
"""

import statistics
import time
import timeit
import warnings
from collections.abc import Callable
from functools import partial

import pyemv.ac
import pyemv.kd
from cryptography.utils import CryptographyDeprecationWarning

from sesame.cap.profiles import SESAME_CARD
from sesame.cap.token import Code
from sesame.cap.verification import KeyedCard, match
from sesame.emv.cryptogram import cryptograms_by_atc
from sesame.emv.keys import DesKey, card_key_b

ROUNDS = 101
CALLS = 40  # of each in a round: a few milliseconds, so that all meet the same machine

_IMK = DesKey(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
_PAN, _PSN, _DKI = "4761730000000011", "01", 1
_ATCS = (17, 18, 19, 20)
_MESSAGES = tuple(SESAME_CARD.message(_DKI, atc) for atc in _ATCS)
_CODE = Code("34656023")


def measure() -> dict[str, float]:
    """Microseconds of processor time for one code, and ours divided by pyemv's.

    `crypto_sesame_us` and `crypto_pyemv_us` are the triple DES alone, `crypto_over_pyemv`
    the first divided by the second; `crypto_one_…` the same for one candidate instead of
    four; `crypto_match_us` is all that custody computes for a code: the card's key and
    `match`. Medians of rounds in which each has a turn; a ratio is the median of the
    rounds' ratios, and only the ratios say something on another machine.
    """
    sides: dict[str, Callable[[], object]] = {
        "crypto_sesame_us": partial(sesame_cryptograms, len(_ATCS)),
        "crypto_pyemv_us": partial(pyemv_cryptograms, len(_ATCS)),
        "crypto_one_sesame_us": partial(sesame_cryptograms, 1),
        "crypto_one_pyemv_us": partial(pyemv_cryptograms, 1),
        "crypto_match_us": _match,
    }
    rounds: dict[str, list[float]] = {name: [] for name in sides}
    with warnings.catch_warnings():
        # pyemv passes keys of 8 and 16 bytes; a warning that is ignored is the cheapest.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for _ in range(ROUNDS):
            for name, side in sides.items():
                # Processor time: what else this machine does is not counted.
                seconds = timeit.timeit(side, timer=time.process_time, number=CALLS)
                rounds[name].append(seconds / CALLS * 1e6)
    figures = {name: statistics.median(times) for name, times in rounds.items()}
    for ours, theirs, ratio in (
        ("crypto_sesame_us", "crypto_pyemv_us", "crypto_over_pyemv"),
        ("crypto_one_sesame_us", "crypto_one_pyemv_us", "crypto_one_over_pyemv"),
    ):
        pairs = zip(rounds[ours], rounds[theirs], strict=True)
        figures[ratio] = statistics.median(a / b for a, b in pairs)
    return figures


def sesame_cryptograms(count: int) -> list[bytes]:
    """The cryptograms of the first *count* candidates, as we make them."""
    card_key = card_key_b(_IMK, _PAN, _PSN)
    return cryptograms_by_atc(
        card_key, _ATCS[:count], before=SESAME_CARD.message_head, after=SESAME_CARD.iad(_DKI)
    )


def pyemv_cryptograms(count: int) -> list[bytes]:
    """The same by pyemv."""
    card_key = pyemv.kd.derive_icc_mk_b(_IMK.value, _PAN, _PSN)
    return [
        pyemv.ac.generate_ac(
            pyemv.kd.derive_common_sk(card_key, atc.to_bytes(2) + bytes(6)),
            message,
            pyemv.ac.PaddingType.EMV,
        )
        for atc, message in zip(_ATCS[:count], _MESSAGES, strict=False)
    ]


def _match() -> list[bool]:
    card = KeyedCard(SESAME_CARD, _DKI, _PSN, card_key_b(_IMK, _PAN, _PSN))
    return match(card, _ATCS, _CODE)
