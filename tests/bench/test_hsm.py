"""The figures of an HSM: that they are taken, and that they mean what they say."""

import pytest

from bench import hsm
from bench.hsm import Waits


def test_the_tipping_point_is_the_smallest_share() -> None:
    """A second for the slowest in a hundred; to be sent away is to wait for ever."""
    quick, slow = Waits(unknown=[0.1] * 100), Waits(unknown=[0.1] * 99 + [1.0])
    away = Waits(unknown=[0.1] * 98 + [float("inf")] * 2)
    assert hsm._tipping({0.5: quick, 1.0: slow, 2.0: away}) == 1.0  # noqa: SLF001 -- its arithmetic
    assert hsm._tipping({0.5: away, 1.0: quick}) == 0.5  # noqa: SLF001 -- as above
    assert hsm._tipping({0.5: quick}) == float("inf")  # noqa: SLF001 -- as above


@pytest.mark.needs("softhsm2")
def test_every_figure_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a short run: an HSM costs more than a keystore, and known devices wait the least."""
    monkeypatch.setattr(hsm, "ROUNDS", 3)
    monkeypatch.setattr(hsm, "CODES", 4)
    monkeypatch.setattr(hsm, "SHARES", (1.0, 4.0))
    figures = hsm.measure(seconds=0.2)
    assert set(figures) == {
        *("hsm_match_us", "keystore_match_us", "hsm_over_keystore", "hsm_codes_per_second"),
        *("hsm_pair_ms", "hsm_garbage_capacity", "hsm_garbage_until_strangers_wait_a_second"),
        "hsm_known_p99_ms_at_4_times",
    }
    assert figures["hsm_over_keystore"] > 1
    assert 0 < figures["hsm_known_p99_ms_at_4_times"] < 1000
