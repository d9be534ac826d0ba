"""What the rule lets go of, and what a legal hold keeps. Pure.

Evidence is kept as long as a payment can be disputed, thirteen months (docs/reference/
requirements.md 3); the addresses that lines commit to for sixty days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sesame.store.retention import HoldRow


@dataclass(frozen=True, slots=True)
class Rules:
    """How long what is kept; each is the least, for what is held stays."""

    lines: timedelta = timedelta(
        days=397
    )  # 13 months, at the longest: CMF L133-24, and CNIL 2021-122
    personal: timedelta = timedelta(days=60)


def is_too_young_to_be_first(number: int, at: datetime, *, now: datetime, rules: Rules) -> bool:
    """Whether seal *number*, made *at*, cannot be the first that the rule left of a stream.

    What the rule takes away ends before a seal that is old itself.
    """
    return number > 1 and at >= now - rules.lines


class Written(NamedTuple):
    """A line of a chain, and when it was written, in microseconds since 1970-01-01 UTC."""

    version: int
    at: int


def is_held(holds: Sequence[HoldRow], user_code: str, at: int) -> bool:
    """Whether what happened to *user_code* at the moment *at* is to be kept."""
    return any(_holds(hold, user_code, at) for hold in holds)


def is_person_held(holds: Sequence[HoldRow], user_code: str) -> bool:
    """Whether anything of *user_code* is to be kept: by a hold of theirs, or of everybody's."""
    return any(hold.user_code in {"", user_code} for hold in holds)


def prunable(  # noqa: PLR0913 -- each by name
    written: Sequence[Written],
    *,
    user_code: str,
    before: int,
    holds: Sequence[HoldRow],
    sealed: int,
    accepted: int,
) -> int:
    """How many of *written*, the lines of a chain in order, may go: they are its first ones.

    Those older than *before* that no hold keeps. The line *sealed*, to which the latest seal
    leads, and those behind it stay; so do the last *accepted* one (0: none) and those behind it.
    """
    for count, line in enumerate(written):
        stays = (
            line.at >= before
            or line.version >= sealed
            or (accepted and line.version >= accepted)
            or is_held(holds, user_code, line.at)
        )
        if stays:
            return count
    return len(written)


def _holds(hold: HoldRow, user_code: str, at: int) -> bool:
    if hold.user_code:
        return hold.user_code == user_code
    begun = hold.from_at is None or at >= hold.from_at
    return begun and (hold.until_at is None or at < hold.until_at)
