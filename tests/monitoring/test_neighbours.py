"""`sesame.monitoring.neighbours`: processes add up, and what one counted outlives it."""

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from sesame.meters import Meters
from sesame.monitoring.exposition import Exposition
from sesame.monitoring.neighbours import Neighbours, Told

_ATTEMPT = ("rest", "code", "refused", "wrong")


def process(folder: Path | None, times: int) -> tuple[Neighbours, Told]:
    """One that counted so many attempts."""
    meters, neighbours = Meters(), Neighbours(folder)
    meters.attempts.add(*_ATTEMPT, times=times)
    meters.store_waiting.put(1, "read")
    return neighbours, Exposition(meters, neighbours).own()


def counted(heard: list[Told]) -> list[float]:
    """The attempts of each, in order."""
    return [dict(told.reading.counts["sesame_attempts_total"])[_ATTEMPT] for told in heard]


def test_one_alone_writes_nothing() -> None:
    """And hears itself."""
    neighbours, own = process(None, 2)
    neighbours.tell(own)
    assert neighbours.heard(own) == [own]


def test_each_hears_the_others_once(tmp_path: Path) -> None:
    """Their last word, and its own as it is now."""
    one, of_one = process(tmp_path, 1)
    other, of_other = process(tmp_path, 2)
    one.tell(of_one)
    other.tell(of_one)
    other.tell(of_other)
    assert counted(one.heard(of_one)) == [1, 2]
    assert counted(other.heard(of_other)) == [2, 1]
    assert counted(Neighbours(tmp_path).heard(of_one))[1:] in ([1, 2], [2, 1])


@pytest.mark.parametrize("at", [0.0, time.time() - 3600], ids=["ended", "killed"])
def test_what_a_process_counted_outlives_it(tmp_path: Path, at: float) -> None:
    """What it had in use, and its memory, do not."""
    gone, told = process(tmp_path, 7)
    gone.tell(replace(told, at=at))
    alive, own = process(tmp_path, 1)
    _, heard = alive.heard(own)
    assert counted([heard]) == [7]
    assert heard.reading.gauges == {}
    assert heard.figures == []
    assert own.figures != []


def test_a_word_is_whole_or_not_there(tmp_path: Path) -> None:
    """What a process was writing when it was killed is nobody's."""
    neighbours, own = process(tmp_path, 1)
    (tmp_path / "99-abc.half").write_bytes(b"\x84")
    assert neighbours.heard(own) == [own]
