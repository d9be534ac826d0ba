"""The checker itself, on histories written by hand: it lets right ones pass and no other.

One customer, Ada, with one card and a window of 31. Moments are small numbers of
milliseconds, so that a history can be read.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.history import records
from tests.history.checker import History, Left, Line, Unexplained, check
from tests.history.model import (
    CODE,
    NOBODY,
    OLD_CODE,
    OPEN,
    RESERVED,
    SECOND,
    TWO_CODES,
    Customer,
    Rules,
)
from tests.history.records import NEVER, ClockWasSet, Kill, Log, Request, read_logs

ADA = "ADAADA22"
NEMO = "NEMO3333"
MS = 1_000
RULES = Rules(
    tries={OPEN: 3, RESERVED: 2},
    suspensions={OPEN: (100 * MS, 200 * MS), RESERVED: (100 * MS,)},
    pressed_after=9,
    pressed_for=10 * SECOND,
    pressed_suspension=50 * MS,
    pressed_old_code=100 * MS,
    repeated=20 * MS,
    hour_floor=100,
    day_floor=200,
    looked=5 * SECOND,
)


class Story:
    """A history as it is written down."""

    def __init__(self, user_code: str = ADA) -> None:
        self.user_code = user_code
        self.requests: list[Request] = []
        self.lines: list[Line] = []
        self.sessions: list[tuple[bytes, str, int]] = []
        self.kills: list[Kill] = []
        self.last_atc = 0
        self.devices = 0
        self.old_code = user_code == ADA
        if user_code == ADA:
            self.lines.append(Line(1, 0, {"event": "enrolment", "attempt": "none"}))

    def ask(  # noqa: PLR0913 -- a request has many sides
        self,
        attempt: str,
        *typed: str,
        at: tuple[int, int],
        answer: str,
        means: str = CODE,
        retry_after: int | None = None,
        devices: Sequence[str] = (),
        gave: Sequence[str] = (),
        server: str = "one",
    ) -> None:
        """A request; `at` is when it began and ended, in milliseconds."""
        self.requests.append(
            Request(
                log="client",
                number=len(self.requests) + 1,
                server=server,
                user_code=self.user_code,
                attempt=attempt,
                means=means,
                typed=typed,
                knows="by hand",
                devices=tuple(devices),
                shared=not gave,
                began=at[0] * MS,
                ended=at[1] * MS,
                answer=answer,
                retry_after=retry_after,
                token=f"token of {attempt}" if answer == records.ACCEPTED else None,
                gave=tuple(gave),
            )
        )

    def line(self, attempt: str, at: int, cause: str = "", **said: object) -> None:
        """A line, by default of an accepted or refused single code of an unknown device."""
        facts = {
            "event": "login",
            "attempt": attempt,
            "means": CODE,
            "cause": cause,
            "side": OPEN,
            "device": "unknown",
            "failures": 1 if cause else 0,
            "suspended_until": "",
            "cards": [],
            **said,
        }
        self.lines.append(Line(len(self.lines) + 1, at * MS, facts))

    def accept(self, attempt: str, at: int, atc: int | None, **said: str) -> None:
        """The line of an accepted attempt, with its session."""
        cards = [] if atc is None else [[1, "sesame", atc]]
        self.line(attempt, at, "", cards=cards, **said)
        self.last_atc = atc or self.last_atc
        self.old_code = self.old_code and atc is None
        hashed = hashlib.sha256(f"token of {attempt}".encode()).digest()
        self.sessions.append((hashed, said.get("means", CODE), at * MS))

    @property
    def history(self) -> History:
        """As the checker reads it; the code of ATC 7 is "7"."""
        windows = {1: 31} if self.user_code == ADA else {}
        left = Left(
            lines=self.lines,
            version=len(self.lines),
            last_atcs=dict.fromkeys(windows, self.last_atc),
            has_old_code=self.old_code,
            devices=self.devices,
            sessions=self.sessions,
        )
        return History(
            rules=RULES,
            customers={self.user_code: Customer(windows=windows) if windows else NOBODY},
            requests=sorted(self.requests, key=lambda one: one.began),
            kills=self.kills,
            left={self.user_code: left},
            fits={ADA: {str(atc): frozenset({(1, atc)}) for atc in range(1, 200)}},
            old_code="old",
        )

    def holds(self) -> None:
        """It can be explained."""
        check(self.history)

    def fails(self, because: str) -> None:
        """It cannot."""
        with pytest.raises(Unexplained, match=because):
            check(self.history)


def until(at: int) -> str:
    """A moment in milliseconds as lines write it."""
    return f"1970-01-01T00:00:00.{at * MS:06}+00:00"


@pytest.fixture
def story() -> Story:
    """Nothing yet."""
    return Story()


def three_failures(story: Story) -> None:
    """At 10, 20 and 30 ms; the open side is suspended until 130."""
    for n, (failures, end) in enumerate([(1, ""), (2, ""), (0, until(130))], 1):
        story.ask(f"f{n}", f"bad {n}", at=(n * 10, n * 10 + 5), answer=records.REFUSED)
        story.line(f"f{n}", n * 10, "wrong", failures=failures, suspended_until=end)


# ── What is right ────────────────────────────────────────────────────────────────────────────────


def test_nothing_happened(story: Story) -> None:
    """An enrolment is a history."""
    story.holds()


def test_codes_one_after_the_other(story: Story) -> None:
    """To the end of the window."""
    story.ask("a", "1", at=(10, 12), answer=records.ACCEPTED)
    story.accept("a", 11, 1)
    story.ask("b", "32", at=(20, 22), answer=records.ACCEPTED)
    story.accept("b", 21, 32)
    story.holds()


def test_a_race_may_go_either_way(story: Story) -> None:
    """Of two who were on their way at once, the later one may have come first."""
    story.ask("a", "1", at=(10, 40), answer=records.REFUSED)
    story.ask("b", "1", at=(20, 30), answer=records.ACCEPTED)
    story.accept("b", 25, 1)
    story.line("a", 26, "used")
    story.holds()


def test_a_lost_answer_may_have_taken_effect_or_not(story: Story) -> None:
    """Who tries again with the same form reads what the first one led to."""
    story.ask("a", "1", at=(10, 20), answer=records.LOST)
    story.kills.append(Kill("one", 21 * MS))
    story.ask("a", "1", at=(30, 40), answer=records.ACCEPTED, server="two")
    early, late = Story(), Story()
    for one, at in ((early, 12), (late, 35)):
        one.requests, one.kills = story.requests, story.kills
        one.accept("a", at, 1)
        one.holds()
        assert check(one.history).took_effect == (at == 12)


def test_a_second_click_is_answered_like_the_first(story: Story) -> None:
    """Accepted or refused: one line."""
    story.ask("a", "1", at=(10, 20), answer=records.ACCEPTED)
    story.ask("a", "1", at=(11, 15), answer=records.ACCEPTED)
    story.accept("a", 12, 1)
    story.ask("b", "bad", at=(30, 32), answer=records.REFUSED)
    story.ask("b", "bad", at=(33, 35), answer=records.REFUSED)
    story.line("b", 31, "wrong")
    story.holds()


def test_suspended_after_three(story: Story) -> None:
    """Even the right code; and judged again once it is over."""
    three_failures(story)
    story.ask("a", "1", at=(40, 45), answer=records.SUSPENDED, retry_after=1)
    story.ask("b", "1", at=(129, 132), answer=records.ACCEPTED)
    story.accept("b", 131, 1)
    story.holds()


def test_a_known_device_has_tries_of_its_own(story: Story) -> None:
    """Strangers do not suspend it."""
    story.ask("a", "1", at=(1, 3), answer=records.ACCEPTED, gave=["d"])
    story.accept("a", 2, 1)
    story.devices = 1
    three_failures(story)
    story.ask("b", "2", at=(40, 45), answer=records.ACCEPTED, devices=["d"])
    story.accept("b", 41, 2, side=RESERVED, device="known")
    story.holds()


def test_two_codes_go_beyond_the_window(story: Story) -> None:
    """Where one does not."""
    story.ask("a", "100", at=(10, 12), answer=records.REFUSED)
    story.line("a", 11, "wrong")
    story.ask("b", "100", "102", at=(20, 22), answer=records.ACCEPTED, means=TWO_CODES)
    story.accept("b", 21, 102, means=TWO_CODES)
    story.holds()


def test_an_old_code_until_the_first_code(story: Story) -> None:
    """And never after it."""
    story.ask("a", "old", at=(10, 12), answer=records.ACCEPTED, means=OLD_CODE)
    story.accept("a", 11, None, means=OLD_CODE)
    story.ask("b", "1", at=(20, 22), answer=records.ACCEPTED)
    story.accept("b", 21, 1)
    story.ask("c", "old", at=(30, 32), answer=records.REFUSED, means=OLD_CODE)
    story.line("c", 31, "wrong", means=OLD_CODE)
    story.holds()


def test_after_nine_failures_two_codes_are_asked_for(story: Story) -> None:
    """And the third suspension is short."""
    at = 0
    for n in range(1, 10):
        at = {4: 200, 7: 500}.get(n, at + 10)
        length = {3: 100, 6: 200, 9: 50}.get(n)
        end = until(at + length) if length else ""
        story.ask(f"f{n}", f"bad {n}", at=(at, at + 5), answer=records.REFUSED)
        story.line(f"f{n}", at, "wrong", failures=n % 3, suspended_until=end)
    story.ask("a", "1", at=(600, 602), answer=records.TWO_CODES_WANTED)
    story.holds()
    story.ask("b", "1", at=(610, 612), answer=records.ACCEPTED)
    story.accept("b", 611, 1)
    story.fails(r"line 11 of attempt b .*\n.*asks for two codes")


def test_nobodys_user_code_is_refused_alike() -> None:
    """Three times, and then suspended."""
    story = Story(NEMO)
    for n, (failures, end) in enumerate([(1, ""), (2, ""), (0, until(130))], 1):
        story.ask(f"f{n}", "1", at=(n * 10, n * 10 + 5), answer=records.REFUSED)
        cause = "unknown-user-code"
        story.line(f"f{n}", n * 10, cause, failures=failures, suspended_until=end)
    story.ask("a", "1", at=(40, 45), answer=records.SUSPENDED, retry_after=1)
    story.holds()


def test_turned_away_is_written_down_in_sums(story: Story) -> None:
    """Of those who were."""
    three_failures(story)
    story.ask("a", "1", at=(40, 45), answer=records.SUSPENDED, retry_after=1)
    line = Line(
        5, 50 * MS, {"event": "turned-away", "attempt": "none", "causes": [["suspended", 1]]}
    )
    story.lines.append(line)
    story.holds()
    story.lines[-1] = replace(line, said={**line.said, "causes": [["suspended", 2]]})
    story.fails("tell of 2 attempts turned away")


# ── What is wrong ────────────────────────────────────────────────────────────────────────────────


def test_a_code_accepted_twice(story: Story) -> None:
    """The clients' logs alone give it away."""
    for n, name in enumerate("ab"):
        story.ask(name, "1", at=(n * 10 + 10, n * 10 + 15), answer=records.ACCEPTED)
    story.accept("a", 11, 1)
    story.fails("one code was accepted twice")


def test_one_beyond_the_window(story: Story) -> None:
    """32 above the last ATC."""
    story.ask("a", "32", at=(10, 12), answer=records.ACCEPTED)
    story.accept("a", 11, 32)
    story.fails(r"line 2 of attempt a says « accepts.*\n.*the model refuses \(wrong\)")


def test_an_effect_that_was_acknowledged_and_is_not_there(story: Story) -> None:
    """Accepted, and no line."""
    story.ask("a", "1", at=(10, 12), answer=records.ACCEPTED)
    story.fails("client #1, attempt a, was answered « accepted » and no line explains it")


def test_an_effect_that_nobody_asked_for(story: Story) -> None:
    """A line, and no client who sent it."""
    story.accept("a", 11, 1)
    story.fails("no client sent such an attempt")


def test_an_effect_after_its_answer(story: Story) -> None:
    """What was decided when all was over is somebody else's."""
    story.ask("a", "1", at=(10, 12), answer=records.ACCEPTED)
    story.accept("a", 13, 1)
    story.fails("was on its way at another time")


def test_an_effect_of_a_server_that_was_dead(story: Story) -> None:
    """What was lost may come no later than its server's end."""
    story.ask("a", "1", at=(10, 20), answer=records.LOST)
    story.kills.append(Kill("one", 21 * MS))
    story.accept("a", 30, 1)
    story.fails("was on its way at another time")


def test_an_effect_of_what_was_never_sent() -> None:
    """Busy says that nothing was counted, and so does a connection that was not made."""
    for answer in (records.BUSY, records.UNREACHED):
        one = Story()
        one.ask("a", "1", at=(10, 12), answer=answer)
        one.accept("a", 11, 1)
        one.fails(f"was answered « {answer} »")


def test_busy_and_few_others(story: Story) -> None:
    """One inside and five who wait make a sixth go away, not before."""
    story.ask("a", "1", at=(10, 12), answer=records.BUSY)
    for n in range(5):
        story.ask(f"b{n}", "2", at=(9, 11), answer=records.LOST)
    story.fails("attempt a, was answered « busy », while 5 others were there")
    story.ask("c", "2", at=(9, 11), answer=records.LOST, server="two")
    story.fails("while 5 others were there")
    story.ask("d", "2", at=(9, 11), answer=records.LOST)
    story.holds()


def test_an_answer_from_the_past(story: Story) -> None:
    """Suspended, when the suspension was over."""
    three_failures(story)
    story.ask("a", "1", at=(131, 140), answer=records.SUSPENDED, retry_after=1)
    story.fails("attempt a, was answered « suspended, 1 s to go » and no line explains it")


def test_the_wrong_time_to_wait(story: Story) -> None:
    """A second at most is left."""
    three_failures(story)
    story.ask("a", "1", at=(40, 45), answer=records.SUSPENDED, retry_after=2)
    story.fails("was answered « suspended, 2 s to go »")


def test_judged_while_suspended(story: Story) -> None:
    """A moment too early."""
    three_failures(story)
    story.ask("b", "1", at=(128, 132), answer=records.ACCEPTED)
    story.accept("b", 129, 1)
    story.fails(r"line 5 of attempt b .*\n.*judges nothing: suspended until 130000")


def test_a_try_not_counted(story: Story) -> None:
    """The second failure counts as two."""
    for n in (1, 2):
        story.ask(f"f{n}", f"bad {n}", at=(n * 10, n * 10 + 5), answer=records.REFUSED)
        story.line(f"f{n}", n * 10, "wrong", failures=1)
    story.fails(r"line 3 of attempt f2 .*1 failures in a row(.|\n)*the model .*2 failures in a row")


def test_overtaken_by_an_earlier_answer(story: Story) -> None:
    """Two lines cannot come in the other order than their answers, whatever their moments say."""
    story.ask("a", "1", at=(10, 12), answer=records.ACCEPTED)
    story.ask("b", "2", at=(12, 14), answer=records.ACCEPTED)
    story.accept("b", 12, 2)
    story.line("a", 12, "overtaken")
    story.fails("line 3 of attempt a")


def test_an_answer_overtaken_by_another() -> None:
    """A repeated answer that is right only before a line which had been told of already.

    f's second click is repeated as refused only until g fails on the same side; s was told of
    g's suspension before f clicked.
    """
    story = Story()
    three_failures(story)
    # The third failure's answer came late, so that its line may have come late too.
    story.requests[2] = replace(story.requests[2], ended=90 * MS)
    story.ask("f2", "bad 2", at=(25, 29), answer=records.REFUSED)
    story.holds()
    story.requests[-1] = replace(story.requests[-1], began=34 * MS, ended=36 * MS)
    story.holds()
    story.ask("s", "1", at=(31, 33), answer=records.SUSPENDED, retry_after=1)
    story.fails(r"client #4, attempt f2, was answered « refused »(.|\n)*was over when it was asked")


def test_a_session_too_few_or_too_many(story: Story) -> None:
    """One for each accepted attempt."""
    story.ask("a", "1", at=(10, 12), answer=records.ACCEPTED)
    story.accept("a", 11, 1)
    session = story.sessions.pop()
    story.fails("0 sessions for 1 accepted attempts; the odd one is of attempt a")
    story.sessions = [session, session]
    story.fails("2 sessions for 1 accepted attempts")
    story.sessions = [(bytes(32), *session[1:])]
    story.fails("client #1 was given a session that is not there, attempt a")


def test_a_session_that_its_old_code_took_along(story: Story) -> None:
    """Who looks in after the first code Sésame ends it for good; no other session goes so."""
    old = {"means": "old-code"}
    story.ask("a", "old", at=(10, 12), answer=records.ACCEPTED, means="old-code")
    story.accept("a", 11, None, **old)
    story.ask("b", "1", at=(20, 22), answer=records.ACCEPTED)
    story.accept("b", 21, 1)
    story.holds()
    of_old_code, of_code = story.sessions
    story.sessions = [of_code]
    story.holds()
    story.sessions = [of_old_code]
    story.fails("1 sessions for 2 accepted attempts; the odd one is of attempt b")
    story.sessions = [of_code, of_code]
    story.fails("2 sessions for 2 accepted attempts")


def test_other_tables_that_say_something_else(story: Story) -> None:
    """Cards, old codes, devices, versions."""
    story.ask("a", "1", at=(10, 12), answer=records.ACCEPTED)
    story.accept("a", 11, 1)
    story.last_atc = 2
    story.fails("card 1 is at ATC 2, its lines end at 1")
    story.last_atc, story.old_code = 1, True
    story.fails("the old code is there in the end(.|\n)*attempt a")
    story.old_code, story.devices = False, 1
    story.fails("1 devices are known, 0 were given")
    story.devices = 0
    history = story.history
    for left, because in (
        (replace(history.left[ADA], broken_at=2), "broken at line 2, attempt a"),
        (replace(history.left[ADA], version=3), "one line for each version"),
    ):
        with pytest.raises(Unexplained, match=because):
            check(replace(history, left={ADA: left}))
    with pytest.raises(Unexplained, match="counted 1 failures of unknown devices"):
        check(replace(history, strangers_failures=1))


def test_an_answer_that_is_none(story: Story) -> None:
    """An error page is no answer of a bank."""
    story.ask("a", "1", at=(10, 12), answer="something with status 500")
    story.fails("attempt a, was answered « something with status 500 » and no line explains it")


def test_one_secret_for_two(story: Story) -> None:
    """Two forms never open the same session."""
    story.ask("a", "1", at=(10, 12), answer=records.ACCEPTED, gave=["d"])
    story.accept("a", 11, 1)
    story.ask("b", "2", at=(20, 22), answer=records.ACCEPTED, gave=["d"])
    story.accept("b", 21, 2)
    story.devices = 2
    story.fails("are two attempts and were given the same secret")


def test_six_failures_in_a_row(story: Story) -> None:
    """However the sides are counted, and before the model is asked."""
    for n in range(6):
        story.line(f"f{n}", 10 + n, "wrong")
    story.fails(r"lines 2 to 7 are six judged failures in a row within 5000 µs(.|\n)*attempt f5")


# ── Logs ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_client_that_was_cut_off_leaves_an_unknown_outcome(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """What began and never ended was lost."""
    folder = tmp_path_factory.mktemp("logs")
    log = Log(folder, "client")
    said = {"server": "one", "user_code": ADA, "attempt": "a", "means": CODE, "typed": ["1"]}
    number = log.began(**said, knows="", made=[[1, 1]], devices=[], shared=True)
    log.began(**said, knows="", made=[], devices=[], shared=True)
    log.ended(number, answer=records.ACCEPTED, status=303, token="t")
    log.killed("one")
    log.close()
    logs = read_logs(folder)
    (first, second), (kill,) = logs.requests, logs.kills
    assert (first.answer, first.token, first.made) == (records.ACCEPTED, "t", ((1, 1),))
    assert (second.answer, second.ended) == (records.LOST, NEVER)
    assert first.began <= first.ended <= kill.gone


def test_a_clock_that_was_set_spoils_the_history(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It is said, and not taken for the bank's fault."""
    folder = tmp_path_factory.mktemp("logs")
    lines = [
        f'{{"event": "killed", "at": {at}, "steady": 0, "server": "one"}}' for at in (0, 10**6)
    ]
    (folder / "kills.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ClockWasSet):
        read_logs(folder)
