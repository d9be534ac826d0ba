"""A bank leaves the old code behind: nobody is stranded, and what would strand one is found."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

import sesame.bank.verification
from sesame.bank.limits import Limits
from sesame.bank.matching import Verdict
from sesame.bank.sessions import Means
from sesame.bank.switching import Reason, Way
from sesame.bank.verification import Attempt, Decision, Reading, decide
from sesame.cli.main import main
from sesame.simulation.switching import Campaign, Course, Stranded, live

SMALL = Campaign(customers=24, days=56, seed=4, bank_cards=0.4, waves=3)


async def test_everybody_switches_in_their_own_time() -> None:
    """From the old code over both to the new one; nobody ever has neither; twice the same."""
    course = await live(SMALL)
    assert course.of_way(Way.NONE) == [0] * SMALL.days
    ready = course.of_way(Way.SESAME_ONLY)
    assert ready == sorted(ready)
    assert ready[0] == 0
    assert ready[-1] > SMALL.customers // 2
    assert course.by_old_code > 0
    assert course.by_code > course.failed > 0
    assert course.old_code_refused > 0
    assert course.returned > 0
    assert course.reminded > 0
    reasons = {standing.reason for board in course.days for standing in board.counts}
    assert {Reason.NOT_ORDERED, Reason.NOT_ACTIVATED, Reason.NEVER_TRIED, Reason.RETURNED} < reasons
    again: Course = await live(SMALL)
    assert again == course


async def test_an_old_code_that_outlives_a_success_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever has both after their own success has two ways in, one of them old."""

    def keep(reading: Reading, attempt: Attempt, verdict: Verdict, limits: Limits) -> Decision:
        right = decide(reading, attempt, verdict, limits)
        kept = replace(right.state, old_code=reading.access.state.old_code)
        return replace(right, state=kept, retires_old_code=False)

    monkeypatch.setattr(sesame.bank.verification, "decide", keep)
    with pytest.raises(Stranded, match=r"old code|two codes"):
        await live(SMALL)


async def test_an_old_code_that_dies_too_soon_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here by its own success: whoever has no card yet is outside."""

    def erase(reading: Reading, attempt: Attempt, verdict: Verdict, limits: Limits) -> Decision:
        right = decide(reading, attempt, verdict, limits)
        if attempt.means is Means.OLD_CODE and right.cause is None:
            return replace(right, state=replace(right.state, old_code=None))
        return right

    monkeypatch.setattr(sesame.bank.verification, "decide", erase)
    with pytest.raises(Stranded, match=r"no way in|refused before a success"):
        await live(SMALL)


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table, the same for a program, and a drawing."""
    monkeypatch.setenv("LC_ALL", "en")
    drawing = tmp_path / "switch.svg"
    asked = ["switch-over", "--customers", "4", "--days", "9", "--seed", "2"]
    assert main([*asked, "--plot", str(drawing)]) == 0
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 3 + 9 + 1 + 7
    assert said.splitlines()[2].split()[:4] == ["day", "old", "code", "only"]
    assert ET.fromstring(drawing.read_text()).tag.endswith("svg")  # noqa: S314 -- our own
    assert main([*asked, "--plot", "/dev/full"]) == 1
    assert capsys.readouterr().out == said
    assert main([*asked, "--json"]) == 0
    members = json.loads(capsys.readouterr().out)
    assert [sum(day) for day in zip(*members["ways"].values(), strict=True)] == [4] * 9


@pytest.mark.parametrize(
    "asked", [["--customers", "0"], ["--days", "9999"], ["--plot", "/nowhere/switch.svg"]]
)
def test_what_makes_no_bank(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence that says what is wrong, before anything is lived."""
    assert main(["switch-over", "--customers", "2", "--days", "2", *asked]) == 1
    assert asked[0] in capsys.readouterr().err or "nowhere" in asked[1]


def test_what_must_not_be_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For whom, when, and from which seed."""

    async def strand(_: Campaign) -> Course:
        raise Stranded("no way in", user_code="VERA2345", day=3)

    monkeypatch.setattr("sesame.cli.switch_over.live", strand)
    drawing = tmp_path / "switch.svg"
    assert main(["switch-over", "--seed", "9", "--plot", str(drawing)]) == 3
    assert not drawing.exists()
    said = capsys.readouterr().out
    assert "no way in: VERA2345, day 3" in said
    assert "9" in said.splitlines()[1]
