"""The peers run as well as they can."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.hotp import Tokens
from bench.peers import peer
from bench.peers.peer import Peer


async def test_one_good_trial_does_not_choose_a_gunicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is tried twice, the others in between, and the best average is taken."""
    lucky, steady, slow = ("--lucky",), ("--steady",), ("--slow",)
    rates: dict[tuple[str, ...], Iterator[float]] = {
        lucky: iter([90.0, 10.0]),
        steady: iter([60.0, 60.0]),
        slow: iter([1.0, 80.0]),
    }
    tried: list[tuple[str, ...]] = []

    async def trial(_peer: Peer, arguments: tuple[str, ...]) -> float:
        tried.append(arguments)
        return next(rates[arguments])

    monkeypatch.setattr(peer, "_GUNICORNS", (lucky, steady, slow))
    monkeypatch.setattr(Peer, "_try", trial)
    tuned = _peer()
    await tuned.tune()
    assert tuned.arguments == steady
    assert tried == [lucky, steady, slow] * 2


def _peer() -> Peer:
    tokens = Tokens(1, lambda _number, _code: b"")
    return Peer("a peer", "module:application", {}, Path("log"), tokens, b"yes")
