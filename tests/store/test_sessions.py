"""`sesame.store.sessions`."""

import pytest

from sesame.store.buckets import bucket_of
from sesame.store.sessions import (
    OpenSession,
    delete_dead_sessions,
    delete_other_sessions,
    delete_session,
    delete_session_of,
    find_session,
    list_sessions,
    touch_session,
)
from tests.places import Place
from tests.store.databases import (
    USER_CODE,
    accepted,
    enrol,
)

_BUCKET = bucket_of(USER_CODE)
_HASH = bytes([1]) * 32  # of the session that `accepted(read_version=1)` opens


@pytest.fixture
def signed_in(place: Place) -> Place:
    """A database with two sessions of one customer."""
    enrol(place)
    place.swap_group([accepted()])
    place.swap_group([accepted(read_version=2, atcs=())])
    return place


def _find(place: Place, token_hash: bytes = _HASH, bucket: int = _BUCKET) -> OpenSession | None:
    return place.write(lambda c: find_session(c, bucket, token_hash))


def test_a_session_is_found_by_bucket_and_hash(signed_in: Place) -> None:
    """With whom it belongs to."""
    assert _find(signed_in) == OpenSession(
        bucket=_BUCKET,
        user_code=USER_CODE,
        name="Véra Dupont",
        means="code",
        erased_old_code=1,
        opened_at=2_000,
        seen_at=2_000,
        ends_at=9_000,
        previous_login_at=None,
        replayed_at=None,
    )


def test_another_hash_or_bucket_finds_nothing(signed_in: Place) -> None:
    """Both belong to the key."""
    assert _find(signed_in, bytes(32)) is None
    assert _find(signed_in, bucket=(_BUCKET + 1) % 64) is None


def test_a_raised_epoch_ends_every_session(signed_in: Place) -> None:
    """One number in the access row, and no request finds any of them."""
    signed_in.execute("UPDATE access SET session_epoch = 1")
    assert _find(signed_in) is None
    assert _find(signed_in, bytes([2]) * 32) is None


def test_a_session_is_touched_forwards_only(signed_in: Place) -> None:
    """Its last moment never runs backwards, and its end does not move."""
    for at, seen_at in ((5_000, 5_000), (4_000, 5_000), (6_000, 6_000)):
        signed_in.write(lambda c, at=at: touch_session(c, _BUCKET, _HASH, at))  # type: ignore[misc]
        session = _find(signed_in)
        assert session is not None
        assert (session.seen_at, session.ends_at) == (seen_at, 9_000)
    other = _find(signed_in, bytes([2]) * 32)
    assert other is not None
    assert other.seen_at == 2_000


def test_one_session_is_ended(signed_in: Place) -> None:
    """The other one stays; ending it again changes nothing."""
    for _ in range(2):
        signed_in.write(lambda c: delete_session(c, _BUCKET, _HASH))
        assert _find(signed_in) is None
        assert _find(signed_in, bytes([2]) * 32) is not None


def test_a_customers_open_sessions_are_listed(signed_in: Place) -> None:
    """Newest first; not those that were seen too long ago, are at their end, or were all ended."""

    def listed(*, seen_since: int = 1_999, now: int = 8_999) -> list[int]:
        found = signed_in.write(
            lambda c: list_sessions(c, _BUCKET, USER_CODE, seen_since=seen_since, now=now),
        )
        return [session.token_hash[0] for session in found]

    signed_in.execute("UPDATE sessions SET opened_at = 2001 WHERE token_hash = ?", _HASH)
    assert listed() == [1, 2]
    assert listed(now=9_000) == listed(seen_since=2_000) == []
    signed_in.write(lambda c: touch_session(c, _BUCKET, _HASH, 3_000))
    assert listed(seen_since=2_000) == [1]
    signed_in.execute("UPDATE access SET session_epoch = 1")
    assert listed() == []


def test_a_customer_ends_their_own_sessions_only(signed_in: Place) -> None:
    """One by its hash, or all but one; of another customer none."""
    other = "ADA22222"
    enrol(signed_in, other)
    signed_in.swap_group([accepted(other)])
    key = (bucket_of(other), other)
    signed_in.write(lambda c: delete_session_of(c, *key, bytes([2]) * 32))
    signed_in.write(lambda c: delete_other_sessions(c, *key, _HASH))
    assert len(signed_in.everything()["sessions"]) == 3
    signed_in.write(lambda c: delete_other_sessions(c, _BUCKET, USER_CODE, _HASH))
    assert _find(signed_in) is not None
    assert _find(signed_in, bytes([2]) * 32) is None
    signed_in.write(lambda c: delete_session_of(c, _BUCKET, USER_CODE, _HASH))
    assert [row[1] for row in signed_in.everything()["sessions"]] == [other]


@pytest.mark.parametrize(
    ("unseen_since", "now", "left"),
    [(2_000, 9_000, 2), (2_001, 2_001, 1), (0, 9_001, 0)],
    ids=["all alive", "idle", "at its end"],
)
def test_dead_sessions_are_forgotten(
    signed_in: Place, unseen_since: int, now: int, left: int
) -> None:
    """Those unseen for too long, and those at their end."""
    signed_in.write(lambda c: touch_session(c, _BUCKET, _HASH, 3_000))
    signed_in.write(lambda c: delete_dead_sessions(c, unseen_since=unseen_since, now=now))
    assert len(signed_in.everything()["sessions"]) == left
