"""`sesame.store.steps`: one commit settles all that belongs to a step, or nothing of it."""

import pytest

from sesame.store.access import State, Tries, delete_stranger_rows, state_columns
from sesame.store.buckets import bucket_of
from sesame.store.devices import DeviceRow
from sesame.store.failures import delete_old_failures, read_failures
from sesame.store.steps import Fate
from sesame.store.whole_step import take_step
from tests.places import Place
from tests.store.databases import (
    STRANGER,
    USER_CODE,
    accepted,
    enrol,
    step,
)

_OTHER = "ADA22222"


@pytest.fixture
def enrolled(place: Place) -> Place:
    """A database with one customer, who has two cards at ATC 10."""
    enrol(place)
    return place


def test_a_step_settles_everything_in_one_commit(enrolled: Place) -> None:
    """Row, both cards, session, erased old code, line and its personal values."""
    taken = accepted()
    assert enrolled.swap_group([taken]) == [Fate.WON]
    key = (bucket_of(USER_CODE), USER_CODE)
    written = enrolled.everything()
    assert enrolled.row_of(USER_CODE) | {"enrolled_at": 0} == {
        "bucket": key[0],
        "user_code": USER_CODE,
        "version": 2,
        "enrolled_at": 0,
        "head": taken.line.head,
        **state_columns(taken.state),
    }
    assert enrolled.row_of(USER_CODE)["old_code"] is None
    assert enrolled.last_atcs(USER_CODE) == [11, 11]
    assert taken.session is not None
    session = (taken.session.token_hash, 0, 2_000, 2_000, 9_000, None, "code", 1)
    assert written["sessions"] == [(*key, *session)]
    assert written["devices"] == [(*key, bytes(32), 2_000, 99_000)]
    line = taken.line
    assert written["audit_lines"][1:] == [(*key, 2, line.attempt, 2_000, line.line, line.head)]
    assert written["audit_personal"][1:] == [(*key, 2, 2_000, line.salt, "192.0.2.1")]


def test_a_refused_step_leaves_the_login_as_it_was(enrolled: Place) -> None:
    """It counts, and names its attempt; old code, last login and cards stay."""
    before = enrolled.row_of(USER_CODE)
    tries = Tries(failures=2, suspended_until=7_000, failed_at=(2_000,), refused=b"\x02" * 16)
    state = State(open=tries, stepped_at=2_000, old_code="$argon2id$...")
    refused = step(state=state, failed_hour=7)
    assert enrolled.swap_group([refused]) == [Fate.WON]
    changed = {"version": 2, "head": refused.line.head, **state_columns(state)}
    assert enrolled.row_of(USER_CODE) == before | changed
    ((bucket, hour, _, failures),) = enrolled.everything()["stranger_failures"]
    assert (bucket, hour, failures) == (bucket_of(USER_CODE), 7, 1)
    assert enrolled.last_atcs(USER_CODE) == [10, 10]
    assert enrolled.everything()["sessions"] == []


def test_of_two_steps_from_one_version_one_wins(enrolled: Place) -> None:
    """The other leaves nothing behind, not even a line."""
    assert enrolled.swap_group([accepted()]) == [Fate.WON]
    after_the_first = enrolled.everything()
    second = accepted(atcs=((1, 12),))
    assert enrolled.swap_group([second]) == [Fate.LOST]
    assert enrolled.everything() == after_the_first


def test_two_connections_take_turns(enrolled: Place) -> None:
    """Each step of one is a lost swap for the other, until it reads again."""
    for version in range(1, 10, 2):
        assert enrolled.swap_group([step(read_version=version)]) == [Fate.WON]
        assert enrolled.swap_group([step(read_version=version)]) == [Fate.LOST]
        assert enrolled.swap_group([step(read_version=version + 1)]) == [Fate.WON]
    assert enrolled.row_of(USER_CODE)["version"] == 11


def test_a_lost_step_takes_nobody_with_it(enrolled: Place) -> None:
    """The others of its group are taken."""
    enrol(enrolled, _OTHER)
    fates = enrolled.swap_group([accepted(_OTHER), accepted(read_version=7)])
    assert fates == [Fate.WON, Fate.LOST]
    assert enrolled.row_of(_OTHER)["version"] == 2
    assert enrolled.row_of(USER_CODE)["version"] == 1


@pytest.mark.parametrize("atcs", [((1, 10),), ((1, 11), (2, 10)), ((1, 11), (3, 11))])
def test_a_card_that_moved_aside_undoes_its_step(
    enrolled: Place, atcs: tuple[tuple[int, int], ...]
) -> None:
    """A last ATC that is there already, or a card that is not: nothing of the step stays."""
    before = enrolled.everything()
    assert enrolled.swap_group([accepted(atcs=atcs)]) == [Fate.LOST]
    assert enrolled.everything() == before
    assert enrolled.swap_group([accepted()]) == [Fate.WON]


def test_devices_are_forgotten_with_the_step_that_says_so(enrolled: Place) -> None:
    """All of one customer's; a new one beside it stays, and is known again when it comes twice."""
    enrol(enrolled, _OTHER)
    enrolled.swap_group([accepted(), accepted(_OTHER)])
    enrolled.swap_group([step(read_version=2, forgets_devices=True)])
    key = (bucket_of(_OTHER), _OTHER)
    assert enrolled.everything()["devices"] == [(*key, bytes(32), 2_000, 99_000)]
    again = DeviceRow(device_hash=bytes(32), known_since=3_000, expires_at=100_000)
    enrolled.swap_group([step(_OTHER, 2, device=again)])
    assert enrolled.everything()["devices"] == [(*key, bytes(32), 3_000, 100_000)]


def test_who_loses_an_old_code_is_told_so(enrolled: Place) -> None:
    """A notice to be sorted, by the step that retires it: in a group, in a transaction of its own.

    A step that is lost brings none, and one that retires nothing.
    """
    enrol(enrolled, _OTHER)
    third = "OMAR2222"
    enrol(enrolled, third)
    told = [
        *(accepted(farewell=b"f" * 16), accepted(_OTHER, farewell=b"g" * 16)),
        accepted(third),  # who shares the group, and is told nothing
    ]
    assert enrolled.swap_group(told) == [Fate.WON] * 3
    assert enrolled.swap_group([accepted(farewell=b"h" * 16)]) == [Fate.LOST]
    assert enrolled.swap_group([step(read_version=2)]) == [Fate.WON]
    whole = accepted(read_version=3, atcs=((1, 12),), device=None, farewell=b"i" * 16)
    enrolled.write(lambda connection: take_step(connection, whole))
    notices = sorted(enrolled.everything()["notices"])
    assert notices == [
        (notice * 16, bucket_of(who), who, "old-code", 2_000, b"{}", "new", 0, 2_000, None, None)
        for notice, who in ((b"f", USER_CODE), (b"g", _OTHER), (b"i", USER_CODE))
    ]


def test_strangers_failures_are_counted_by_the_hour(enrolled: Place) -> None:
    """One row a bucket and hour; they are read as one number an hour, and forgotten by age."""
    enrolled.swap_group([step(read_version=1, failed_hour=7)])
    enrolled.swap_group([step(read_version=2, failed_hour=7), step(STRANGER, 0, failed_hour=7)])
    enrolled.swap_group([step(read_version=3, failed_hour=8)])
    assert enrolled.write(lambda c: read_failures(c, since=7)) == {7: 3, 8: 1}
    assert enrolled.write(lambda c: read_failures(c, since=8)) == {8: 1}
    enrolled.write(lambda c: delete_old_failures(c, before=8))
    assert enrolled.write(lambda c: read_failures(c, since=0)) == {8: 1}


# ── User codes that nobody has ───────────────────────────────────────────────────────────────────


def test_a_stranger_gets_a_row_by_the_same_statement(place: Place) -> None:
    """The first step writes it, the next one moves it; its lines stand outside the chains."""
    assert place.swap_group([step(STRANGER, 0)]) == [Fate.WON]
    assert place.swap_group([step(STRANGER, 0)]) == [Fate.LOST]
    assert place.swap_group([step(STRANGER, 1)]) == [Fate.WON]
    row = place.row_of(STRANGER)
    assert (row["version"], row["open_failures"], row["enrolled_at"]) == (2, 1, None)
    written = place.everything()
    assert written["audit_lines"] == written["audit_personal"] == []
    assert [line[2] for line in written["stranger_lines"]] == [1, 2]
    assert [line[2] for line in written["stranger_personal"]] == [1, 2]


def test_a_row_that_was_forgotten_meanwhile_does_not_come_back(place: Place) -> None:
    """A step from a version that is gone is lost; the row begins anew from a fresh read."""
    place.swap_group([step(STRANGER, 0)])
    place.write(lambda c: delete_stranger_rows(c, untouched_since=2_001))
    assert place.swap_group([step(STRANGER, 1)]) == [Fate.LOST]
    assert place.row_of(STRANGER) == {}
    assert place.everything()["stranger_lines"] == []
    assert place.swap_group([step(STRANGER, 0)]) == [Fate.WON]


def test_a_customer_enrolled_meanwhile_is_not_taken_for_a_stranger(place: Place) -> None:
    """A step that was planned on nothing is lost against the new row."""
    enrol(place, STRANGER)
    assert place.swap_group([step(STRANGER, 0)]) == [Fate.LOST]
    assert place.row_of(STRANGER)["version"] == 1
