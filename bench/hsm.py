"""What a code costs with the keys in an HSM, beside a keystore; and who waits when it is flooded.

The HSM is SoftHSM2 on the processor of this machine. A network HSM answers each of the calls
(40 for a code, 2,088 for two codes in a row) after its own round trip instead.
"""

import asyncio
import os
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sesame.cap.profiles import BANK_CARD
from sesame.cap.token import Code
from sesame.custody.cryptoki import load
from sesame.custody.custodian import (
    CardRecord,
    Custodian,
    Inquiry,
    KeyRef,
    PairInquiry,
    PairQuestion,
    Question,
    Reach,
)
from sesame.custody.errors import CustodyBusy
from sesame.custody.hsm import open_hsm
from sesame.custody.hsm_keys import generate_standard
from sesame.custody.hsm_sessions import Login
from sesame.custody.hsm_tokens import make_token
from sesame.custody.key import standard_keys
from sesame.custody.keystore import Cost, Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.custody.passphrase import Passphrase
from sesame.emv.pan import Pan

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
ROUNDS = 15
CODES = 40  # in a round
SECONDS = 4.0  # of each flood
SHARES = (0.5, 0.8, 1.0, 1.25, 2.0, 4.0)  # of what strangers can have of the HSM
SESSIONS = 2

_LABEL, _PIN = "bench", Passphrase("only for a measurement")
_CARD = CardRecord(
    pan=Pan("4761730000000011"), psn="00", profile=BANK_CARD.name, key=KeyRef("dpa-01"), dki=1
)
_CONTEXT = b"bench"
_CODE, _NEXT = Code("33554432"), Code("33816577")
_A_SECOND = 1.0
_BETWEEN_OWNERS = 0.05  # seconds


def measure(seconds: float = SECONDS) -> dict[str, float]:
    """The figures; a flood lasts *seconds*, and there are six. None where SoftHSM2 is missing.

    `hsm_match_us` and `keystore_match_us` are a code, asked and answered; `hsm_over_keystore`
    the median of the rounds' ratios; `hsm_codes_per_second` with as many callers as sessions;
    `hsm_pair_ms` two codes in a row, searched far. `hsm_garbage_capacity` is how many such pairs
    a second strangers can have; `hsm_garbage_until_strangers_wait_a_second` the rate from which
    the 99th percentile of an owner on an unknown browser is a second, or they are sent away;
    `hsm_known_p99_ms_at_4_times` what an owner on a known one waits at four times the capacity.
    """
    if not MODULE.exists():
        print("SoftHSM2 is missing (apt-get install softhsm2): no figures of an HSM")
        return {}
    with _token():
        return asyncio.run(_measure(seconds))


@contextmanager
def _token() -> Iterator[None]:
    """A token with the standard keys, in a folder that goes away."""
    folder = Path(tempfile.mkdtemp(prefix="sesame hsm "))
    before = os.environ.get("SOFTHSM2_CONF")
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {folder}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(settings)
    try:
        load(MODULE).initialize_anew()  # it may be set up for another folder
        make_token(MODULE, _LABEL, officer_pin=_PIN, pin=_PIN)
        session = Login(load(MODULE), _LABEL, _PIN).open(writes=True)
        generate_standard(session, demo=False)
        session.close()
        yield
    finally:
        os.environ.pop("SOFTHSM2_CONF")
        if before is not None:
            os.environ["SOFTHSM2_CONF"] = before
            load(MODULE).initialize_anew()
        shutil.rmtree(folder)


async def _measure(seconds: float) -> dict[str, float]:
    with open_hsm(MODULE, _LABEL, _PIN, sessions=SESSIONS) as hsm:
        figures = await _beside(hsm, _keystore())
        busy = await _codes_at_once(hsm)
        pair = await _pairs(hsm)
        capacity = (SESSIONS - 1) / pair
        floods = {share: await _flood(hsm, share * capacity, seconds) for share in SHARES}
    return figures | {
        "hsm_codes_per_second": busy,
        "hsm_pair_ms": pair * 1e3,
        "hsm_garbage_capacity": capacity,
        "hsm_garbage_until_strangers_wait_a_second": capacity * _tipping(floods),
        "hsm_known_p99_ms_at_4_times": _p99(floods[SHARES[-1]].known) * 1e3,
    }


def _keystore() -> KeystoreCustodian:
    keys = standard_keys(demo=False, now=datetime.now(UTC), random=secrets.token_bytes)
    cost = Cost(time=1, memory_kib=8, lanes=1)  # it is never written
    return KeystoreCustodian(Keystore(path=Path("keys"), demo=True, cost=cost, keys=keys))


async def _beside(hsm: Custodian, keystore: Custodian) -> dict[str, float]:
    """Both in turn, so that they meet the same machine."""
    sides = {
        "hsm_match_us": (hsm, await _inquiry(hsm)),
        "keystore_match_us": (keystore, await _inquiry(keystore)),
    }
    rounds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, (custodian, inquiry) in sides.items():
            begun = time.perf_counter()
            for _ in range(CODES):
                await custodian.match([inquiry])
            rounds[name].append((time.perf_counter() - begun) / CODES * 1e6)
    ratios = [a / b for a, b in zip(*rounds.values(), strict=True)]
    return {name: statistics.median(times) for name, times in rounds.items()} | {
        "hsm_over_keystore": statistics.median(ratios)
    }


async def _codes_at_once(hsm: Custodian) -> float:
    inquiry = await _inquiry(hsm)
    begun = time.perf_counter()

    async def ask() -> None:
        for _ in range(ROUNDS * CODES // SESSIONS):
            await hsm.match([inquiry])

    await asyncio.gather(*(ask() for _ in range(SESSIONS)))
    return ROUNDS * CODES / (time.perf_counter() - begun)


async def _pairs(hsm: Custodian) -> float:
    """Seconds that two codes in a row take, the median of a few."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        await hsm.match_pairs([await _garbage(hsm)])
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


async def _inquiry(custodian: Custodian, *, known: bool = True) -> Inquiry:
    sealed = await custodian.register(_CARD, _CONTEXT)
    return Inquiry(_CODE, (Question(sealed, _CONTEXT, (1, 257)),), known=known)


async def _garbage(custodian: Custodian) -> PairInquiry:
    sealed = await custodian.register(_CARD, _CONTEXT)
    pairs = tuple((atc, atc + 1) for atc in range(1, 64 * 256, 256))
    return PairInquiry(_CODE, _NEXT, Reach.FAR, (PairQuestion(sealed, _CONTEXT, pairs),))


# ── Floods ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Waits:
    """Seconds that owners waited, on browsers that are known and unknown; a refusal is for ever."""

    known: list[float] = field(default_factory=list)
    unknown: list[float] = field(default_factory=list)


async def _flood(hsm: Custodian, rate: float, seconds: float) -> Waits:
    """Strangers send *rate* pairs a second for so many *seconds*; owners sign in all the while."""
    waits = Waits()
    garbage, own, elsewhere = (
        await _garbage(hsm),
        await _inquiry(hsm),
        await _inquiry(hsm, known=False),
    )
    end = time.perf_counter() + seconds
    async with asyncio.TaskGroup() as group:

        async def every(period: float, ask: Callable[[], Coroutine[None, None, None]]) -> None:
            due = time.perf_counter()
            while due < end:
                group.create_task(ask())  # open loop: nobody waits for who came before
                due += period
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

        async def flood() -> None:
            await _waited(hsm.match_pairs([garbage]))

        async def known() -> None:
            waits.known.append(await _waited(hsm.match([own])))

        async def unknown() -> None:
            waits.unknown.append(await _waited(hsm.match([elsewhere])))

        group.create_task(every(1 / rate, flood))
        group.create_task(every(_BETWEEN_OWNERS, known))
        group.create_task(every(_BETWEEN_OWNERS, unknown))
    return waits


async def _waited(answer: Awaitable[object]) -> float:
    begun = time.perf_counter()
    try:
        await answer
    except CustodyBusy:
        return float("inf")
    return time.perf_counter() - begun


def _p99(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]


def _tipping(floods: Mapping[float, Waits]) -> float:
    """The smallest share at which owners on unknown browsers wait a second, or are sent away."""
    return next(
        (share for share, waits in floods.items() if _p99(waits.unknown) >= _A_SECOND),
        float("inf"),
    )
