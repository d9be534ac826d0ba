"""What the audit line of a judged request must say, told from the model: pure.

With json and hashlib, as a stranger reads it, and not with `sesame.bank.audit`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sesame.simulation.model import Asked, Judged
from sesame.store.steps import Step

_DOMAIN = b"sesame-audit-1\x00"
_HASH = 64  # hexadecimal digits
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the line is about. The moment is in microseconds."""

    asked: Asked
    judged: Judged
    at: int
    user_code: str
    address: str = field(repr=False)
    means: str
    prev: bytes  # 32 bytes: the head of the row that was read
    profiles: Mapping[int, str]  # of the cards, by number; none: nobody has the user code
    order: int | None = None  # of an activation: its card's, and which card that replaces
    replaces: int | None = None


def wrong_field(step: Step, truth: Truth) -> str | None:
    """The first name of the line that does not say what is true; None where all do.

    An empty one where the line is not in its one spelling, or its hash another's.
    """
    line = step.line.line
    said = json.loads(line)
    spelt = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    head = hashlib.sha256(_DOMAIN + b"line\x00" + line).digest()
    if (spelt, head) != (line, step.line.head):
        return ""
    right = _right(step, truth)
    judged = truth.judged
    if judged.accepted:
        # Custody's word for it; whose it is, is custody's to say.
        mac = said.pop("mac", "")
        if len(mac) != _HASH:
            return "mac"
    elif said.get("cause") in _causes(truth):
        right["cause"] = said["cause"]
        if said["cause"] in _BEHIND:
            right["behind"] = said["behind"] if _stands_behind(said, truth) else ""
    names = sorted(said.keys() | right.keys())
    return next((name for name in names if said.get(name) != right.get(name)), None)


def _right(step: Step, truth: Truth) -> dict[str, object]:
    asked, judged, salt = truth.asked, truth.judged, step.line.salt
    until = judged.suspended_until
    opened = asked.opens if judged.accepted else None
    of_activation = {
        "opened": [] if opened is None else [[opened, truth.order]],
        "retired": [] if opened is None or truth.replaces is None else [[truth.replaces]],
    }
    return {
        **({} if asked.opens is None else of_activation),
        "v": 1,
        "event": "login" if asked.opens is None else "activation",
        "version": step.read_version + 1,
        "prev": truth.prev.hex(),
        "at": _moment(truth.at),
        "attempt": asked.attempt.hex(),
        "subject": _commitment(b"subject", truth.user_code, salt),
        "address": _commitment(b"address", truth.address, salt),
        "door": "portal",
        "means": truth.means,
        "outcome": "accepted" if judged.accepted else "refused",
        "cause": "",
        "side": judged.side,
        "device": "known" if asked.known else "unknown",
        "failures": judged.failures,
        "suspended_until": "" if until is None else _moment(until),
        "cards": [[fit.card, truth.profiles[fit.card], fit.atc] for fit in judged.advance],
    }


def _causes(truth: Truth) -> frozenset[str]:
    """Why it may have been refused: of whom nobody has the code, for that reason alone."""
    if not truth.profiles:
        return frozenset({"unknown-user-code"})
    return frozenset({"wrong", "used", "overtaken", "card-not-active", "card-unsure"})


def _stands_behind(said: Mapping[str, Any], truth: Truth) -> bool:
    """Whether a used or overtaken code is said to be of cards of theirs, at or below their last."""
    behind = said.get("behind", [])
    atcs = [(atc, last) for number, atc, last in behind if number in truth.profiles and atc <= last]
    used = any(atc == last for atc, last in atcs)
    return bool(atcs) and len(atcs) == len(behind) and used == (said["cause"] == "used")


_BEHIND = frozenset({"used", "overtaken"})


def _commitment(name: bytes, value: str, salt: bytes) -> str:
    return hashlib.sha256(_DOMAIN + name + b"\x00" + salt + value.encode()).hexdigest()


def _moment(at: int) -> str:
    return (_BEGINNING + timedelta(microseconds=at)).isoformat(timespec="microseconds")
