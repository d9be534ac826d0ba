"""Attempts that were not judged: counted here, and written down in one line a minute."""

from collections import Counter

_MOST = 10_000  # user codes at a time, so that nobody fills the memory


class Tally:
    """How many attempts this process turned away since it last wrote them down, by cause."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def add(self, user_code: str, cause: str) -> None:
        """Count one. Beyond ten thousand user codes at a time others are not counted."""
        if user_code in self._counts or len(self._counts) < _MOST:
            self._counts.setdefault(user_code, Counter())[cause] += 1

    def take(self, user_code: str) -> Counter[str]:
        """What was counted for *user_code*, which begins anew."""
        return self._counts.pop(user_code, Counter())

    def put_back(self, user_code: str, counts: Counter[str]) -> None:
        """Count *counts* again: they could not be written."""
        for cause, times in counts.items():
            self._counts.setdefault(user_code, Counter())[cause] += times

    def waiting(self) -> list[str]:
        """The user codes with something to write down."""
        return list(self._counts)
