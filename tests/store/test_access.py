"""`sesame.store.access`."""

from msgspec.structs import replace

from sesame.store.access import (
    NO_HEAD,
    Access,
    AccessQuestion,
    State,
    Tries,
    delete_stranger_rows,
)
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardRow
from tests.places import Place
from tests.store.databases import (
    STRANGER,
    USER_CODE,
    accepted,
    enrol,
    line,
    step,
)


def _read(place: Place, *user_codes: str) -> list[Access]:
    return place.read_group([AccessQuestion(user_code) for user_code in user_codes])


def test_a_user_code_that_nobody_has_reads_alike(place: Place) -> None:
    """No row is no exception: version 0, nothing failed, no cards."""
    (access,) = _read(place, STRANGER)
    assert access == Access(STRANGER)
    assert access.bucket == bucket_of(STRANGER)
    assert (access.version, access.enrolled, access.cards) == (0, False, ())
    assert (access.head, access.state) == (NO_HEAD, State())


def test_a_customer_is_read_with_their_cards(place: Place) -> None:
    """In the order of their numbers."""
    enrol(place)
    (access,) = place.read_group([AccessQuestion(USER_CODE)])
    assert access == Access(
        user_code=USER_CODE,
        version=1,
        enrolled=True,
        head=line(1).head,
        state=State(stepped_at=1_000, old_code="$argon2id$..."),
        cards=tuple(CardRow(n, "active", "sesame-card-1", b"sealed", 10) for n in (1, 2)),
    )


def test_a_customer_without_cards(place: Place) -> None:
    """The row is read all the same."""
    enrol(place)
    place.execute("DELETE FROM cards")
    (access,) = _read(place, USER_CODE)
    assert (access.version, access.enrolled, access.cards) == (1, True, ())


def test_every_column_of_a_step_is_read_back(place: Place) -> None:
    """What one attempt leaves is what the next one decides on."""
    enrol(place)
    state = State(
        open=Tries(
            failures=1, suspensions=2, suspended_until=77, failed_at=(9, 8), refused=b"\x01" * 16
        ),
        reserved=Tries(
            failures=3, suspensions=4, suspended_until=55, failed_at=(7,), refused=b"\x02" * 16
        ),
        session_epoch=5,
        stepped_at=3_000,
        accepted=b"\x03" * 16,
        accepted_version=6,
        signed_in_at=11,
        old_code="$argon2id$",
        replayed_at=12,
        rehearsal_failures=13,
        rehearsal_failed_at=14,
    )
    taken = accepted()
    later = step(read_version=2, state=state)
    place.swap_group([taken])
    (first,) = place.read_group([AccessQuestion(USER_CODE)])
    place.swap_group([later])
    (second,) = place.read_group([AccessQuestion(USER_CODE)])
    assert first.state == taken.state
    assert [card.last_atc for card in first.cards] == [11, 11]
    assert second == replace(first, version=3, head=later.line.head, state=state)


def test_a_state_does_not_print_the_old_code() -> None:
    """Not even its hash."""
    assert "argon" not in repr(Access(USER_CODE, state=State(old_code="$argon2id$")))


def test_a_device_is_known_to_its_customer_alone(place: Place) -> None:
    """Whichever of the browser's four it is; until when it says."""
    enrol(place)
    enrol(place, "ADA22222")
    device = bytes(32)
    others = (b"\x01" * 32, b"\x02" * 32, b"\x03" * 32)
    place.swap_group([accepted()])
    asked = [
        AccessQuestion(USER_CODE, (device,)),
        AccessQuestion(USER_CODE, (*others, device)),
        AccessQuestion(USER_CODE, others),
        AccessQuestion(USER_CODE),
        AccessQuestion("ADA22222", (device,)),
        AccessQuestion(STRANGER, (device,)),
    ]
    found = [access.device_until for access in place.read_group(asked)]
    assert found == [99_000, 99_000, None, None, None, None]


def test_a_group_is_read_in_its_order(place: Place) -> None:
    """Known and unknown side by side."""
    enrol(place)
    group = _read(place, STRANGER, USER_CODE, "ADA22222")
    assert [access.user_code for access in group] == [STRANGER, USER_CODE, "ADA22222"]
    assert [access.version for access in group] == [0, 1, 0]


def test_a_row_read_by_bucket_alone_is_nobodys(place: Place) -> None:
    """Two user codes of one bucket do not read each other's row."""
    neighbour = next(
        code
        for code in (f"NOBO{n:04d}" for n in range(10_000))
        if bucket_of(code) == bucket_of(USER_CODE)
    )
    enrol(place)
    assert _read(place, neighbour) == [Access(neighbour)]


def test_old_strangers_are_forgotten_with_their_lines(place: Place) -> None:
    """By age only: a customer's row stays, however old, and so does a stranger's of late."""
    enrol(place)
    place.swap_group([step(STRANGER, 0, at=1_999), step("NEMO4444", 0, enrolled=False)])
    place.write(lambda c: delete_stranger_rows(c, untouched_since=2_000))
    assert place.row_of(STRANGER) == {}
    assert place.row_of("NEMO4444")
    assert place.row_of(USER_CODE)
    written = place.everything()
    for table in ("stranger_lines", "stranger_personal"):
        assert [row[1] for row in written[table]] == ["NEMO4444"]
    assert len(written["audit_lines"]) == len(written["audit_personal"]) == 1
