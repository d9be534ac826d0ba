"""The bank as one value, made at start and passed by hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sesame.bank.challenge_key import ChallengeKey
from sesame.bank.closures import Closures
from sesame.bank.limits import Limits
from sesame.bank.old_code import OldCodes
from sesame.bank.pressure import Pressure
from sesame.bank.recovery import Recovery
from sesame.bank.sources import Sources
from sesame.bank.tally import Tally
from sesame.bank.turnstile import Turnstile
from sesame.cap.profile import Profile
from sesame.cap.profiles import ISSUED
from sesame.custody.custodian import Custodian
from sesame.meters import Meters
from sesame.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """Everything a decision needs that is not in the request."""

    store: Store
    custodian: Custodian
    now: Callable[[], datetime]  # aware, UTC
    random_bytes: Callable[[int], bytes]
    limits: Limits = field(default_factory=Limits)
    profiles: Mapping[str, Profile] = field(default_factory=lambda: ISSUED)
    old_codes: OldCodes = field(default_factory=OldCodes)
    turnstile: Turnstile = field(default_factory=Turnstile)
    tally: Tally = field(default_factory=Tally)
    pressure: Pressure = field(default_factory=Pressure)
    recovery: Recovery = field(default_factory=Recovery)
    challenge_key: ChallengeKey = field(default_factory=ChallengeKey)
    meters: Meters = field(default_factory=Meters)
    sources: Sources = field(default_factory=Sources)
    closures: Closures = field(default_factory=Closures)
    ignored_limits: set[tuple[str, int]] = field(default_factory=set)  # of which a log told
