"""`sesame.store.incarnation`: no card of an earlier life is moved but by a challenge's answer."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest
from msgspec.structs import replace

from sesame.store import postgresql_login
from sesame.store.access import AccessQuestion
from sesame.store.incarnation import (
    Beat,
    Incarnation,
    Known,
    begin_incarnation,
    look_for,
    mark_as_backup,
    read_incarnation,
    take_beat,
)
from sesame.store.roles import WEB_ROLE
from sesame.store.schema import migrate
from sesame.store.steps import Fate
from tests.places import Place
from tests.postgresql import Cluster
from tests.store.databases import USER_CODE, accepted, enrol

MARK = b"the life that is"
FRESH = b"a fresh name...."


def begin(place: Place, mark: bytes = MARK) -> Incarnation:
    """Have *place* be restored, as a server notices it."""
    found, begun = place.write(
        lambda c: begin_incarnation(c, wanted=lambda *_: True, mark=mark, at=5)
    )
    assert begun
    return found


def _beat(place: Place, last: Beat | None = None, *, fresh: bytes = FRESH) -> Beat | None:
    """One more beat of a process that took *last*; None where the row is missing."""
    _, taken = place.write(
        lambda c: take_beat(
            c, wanted=lambda found, _: found is None, server=None, last=last, fresh=fresh, at=5
        )
    )
    return taken


def test_an_unsure_card_is_moved_by_the_answer_to_a_challenge_of_this_life_only(
    place: Place,
) -> None:
    """Said by the statement that writes, whatever its server has noticed."""
    enrol(place)
    begin(place)
    (access,) = place.read_group([AccessQuestion(USER_CODE)])
    assert not any(card.sure for card in access.cards)
    plain = accepted()
    for step in (plain, replace(plain, answers=b"another life"), replace(plain, answers=b"")):
        assert place.swap_group([step]) == [Fate.LOST]
        assert place.last_atcs(USER_CODE) == [10, 10]
    assert place.swap_group([replace(plain, answers=MARK)]) == [Fate.WON]
    (access,) = place.read_group([AccessQuestion(USER_CODE)])
    assert [(bool(card.sure), card.last_atc) for card in access.cards] == [(True, 11)] * 2
    # And from now on by plain codes again.
    assert place.swap_group([accepted(read_version=2, atcs=((1, 12),))]) == [Fate.WON]


def test_what_moves_no_card_is_taken_all_the_same(place: Place) -> None:
    """A refusal is counted, whatever the card is."""
    enrol(place)
    begin(place)
    assert place.swap_group([accepted(atcs=())]) == [Fate.WON]


def test_another_life_ends_all_sessions(place: Place) -> None:
    """And leaves beats as they are."""
    enrol(place)
    place.swap_group([accepted()])
    before = place.write(read_incarnation)
    assert before is not None
    _beat(place)
    beats = place.everything()["beats"]
    begun = begin(place)
    assert begun == Incarnation(before.generation + 1, MARK, 5)
    assert place.write(read_incarnation) == begun
    assert place.everything()["sessions"] == []
    assert place.everything()["beats"] == beats


def test_where_it_is_not_wanted_any_more_no_life_begins(place: Place) -> None:
    """Asked again under the lock, of what is there then; the beat is taken all the same."""
    _beat(place)
    before = place.everything()
    asked: list[tuple[Incarnation | None, Known]] = []

    def wanted(found: Incarnation | None, known: Known) -> bool:
        asked.append((found, known))
        return False

    fresh = b"of another one.."
    found, begun = place.write(
        lambda c: begin_incarnation(c, wanted=wanted, mark=MARK, at=5, server=FRESH, fresh=fresh)
    )
    assert not begun
    assert asked == [(found, Known(1, beaten=True))]
    after = place.everything()
    assert sorted(after.pop("beats")) == sorted([*before.pop("beats"), (fresh, 1, 5)])
    assert after == before


def test_a_beat_follows_the_last_one_of_its_process_or_is_the_first_of_a_new_name(
    place: Place,
) -> None:
    """No number is taken twice, whatever the database has meanwhile."""
    others = _beat(place, fresh=b"of another one..")
    first = _beat(place)
    second = _beat(place, first)
    assert first is not None
    assert (first, second) == (Beat(FRESH, 1), Beat(FRESH, 2))
    # As a copy of the file has it, and as a database that was put back.
    for last in (first, Beat(FRESH, 3), Beat(b"that was never..", 1)):
        fresh = str(last.number).encode() + last.server[1:]
        assert _beat(place, last, fresh=fresh) == Beat(fresh, 1)
    assert _beat(place, second) == Beat(FRESH, 3)
    assert others is not None
    found, known = place.write(lambda c: look_for(c, others.server))
    assert found == place.write(read_incarnation)
    assert known == Known(1, beaten=True)


def test_a_missing_row_makes_every_card_unsure(place: Place) -> None:
    """What a restore leaves that broke off lets nobody in."""
    enrol(place)
    begin(place)
    place.swap_group([replace(accepted(), answers=MARK)])
    place.execute("DELETE FROM incarnation")
    assert _beat(place) is None
    assert place.everything()["beats"] == []
    (access,) = place.read_group([AccessQuestion(USER_CODE)])
    assert not any(card.sure for card in access.cards)
    step = accepted(read_version=2, atcs=((1, 12),))
    assert place.swap_group([step]) == [Fate.LOST]
    assert place.swap_group([replace(step, answers=MARK)]) == [Fate.LOST]
    place.write(mark_as_backup)  # there is nothing to be marked
    assert begin(place).generation > 1
    assert place.swap_group([step]) == [Fate.LOST]


def test_a_backup_is_of_the_next_generation_and_without_a_mark(place: Place) -> None:
    """So that its cards are unsure before any server has looked."""
    enrol(place)
    before = place.write(read_incarnation)
    assert before is not None
    place.write(mark_as_backup)
    assert place.write(read_incarnation) == replace(
        before, generation=before.generation + 1, mark=b""
    )


def test_who_is_enrolled_later_is_sure(place: Place) -> None:
    """A new card is of the life that is."""
    begin(place)
    enrol(place)
    assert place.swap_group([accepted()]) == [Fate.WON]


@pytest.fixture
def own(cluster: Cluster) -> Iterator[str]:
    """The name of a database of one's own, with a server's role beside its owner."""
    cluster.psql(f"CREATE ROLE {WEB_ROLE} LOGIN")
    name = cluster.new_database()
    migrate(cluster.url(name))
    yield name
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")
    cluster.psql(f"DROP ROLE {WEB_ROLE}")


_WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.mark.needs("postgresql")
async def test_a_step_that_waits_meanwhile_sees_the_life_that_has_begun(
    cluster: Cluster, own: str
) -> None:
    """A server's role begins it; the statement is prepared long since, as a server has it."""
    place = Place(cluster.url(own))
    enrol(place)
    dsn = cluster.url(own, user=WEB_ROLE).replace("+asyncpg", "")
    login, marking = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        for version in range(1, 8):  # until its plan is a generic one
            step = accepted(read_version=version, atcs=((1, 10 + version),), session=None)
            assert await postgresql_login.swap_group(login, [step]) == [Fate.WON]
        begun = marking.transaction()
        await begun.start()
        await marking.execute("LOCK TABLE access IN EXCLUSIVE MODE")
        step = accepted(read_version=8, atcs=((1, 18),), session=None)
        waiting = asyncio.create_task(postgresql_login.swap_group(login, [step]))
        while not await marking.fetchval(_WAITS):  # noqa: ASYNC110 -- of another program
            await asyncio.sleep(0.01)
        await marking.execute("UPDATE incarnation SET generation = generation + 1")
        await begun.commit()
        assert await waiting == [Fate.HELD_UP]
        assert await postgresql_login.swap_alone(login, step) is Fate.LOST
        assert place.last_atcs(USER_CODE) == [17, 10]
        # By our own function as well, with the rights that a server has: what is on its way
        # is over before.
        server = Place(cluster.url(own, user=WEB_ROLE))
        held = login.transaction()
        await held.start()
        refused = accepted(read_version=8, atcs=(), session=None)
        assert await postgresql_login.swap_group(login, [refused]) == [Fate.WON]
        begun_by_us = asyncio.create_task(asyncio.to_thread(begin, server))
        while not await marking.fetchval(_WAITS):
            assert not begun_by_us.done()
            await asyncio.sleep(0.01)
        await held.commit()
        await begun_by_us
        begin(server, b"and one more....")
        assert _beat(server, _beat(server)) == Beat(FRESH, 2)
        server.close()
    finally:
        await login.close()
        await marking.close()
        place.close()
