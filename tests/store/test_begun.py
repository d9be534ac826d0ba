"""`sesame.store.begun`: what a card began with, and that it falls from there and nowhere else."""

import asyncio
from contextlib import suppress
from functools import partial

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sesame.store.begun import forget_begun
from sesame.store.buckets import bucket_of
from sesame.store.cards import (
    CardState,
    Lowering,
    Standing,
    find_standing,
    insert_cards,
    lower_atc,
    may_fall,
    raise_atc,
    set_card_state,
)
from sesame.store.errors import StatementFailed
from sesame.store.schema import erase
from tests.places import Place
from tests.store.databases import USER_CODE, card, enrol

_KEY = (bucket_of(USER_CODE), USER_CODE)


def _begun(place: Place) -> list[tuple[int, int]]:
    return [(number, atc) for *_, number, atc in place.everything()["begun_counters"]]


def _lower(place: Place, begun: int, to: int, *, unsure: bool = False) -> bool:
    fall = Lowering(1, begun, to)
    return place.write(lambda c: lower_atc(c, _KEY, fall, unsure=unsure))


def test_what_an_enrolment_states(place: Place) -> None:
    """Is kept where it is above 0, of each card by itself."""
    cards = [(_KEY, card(1, last_atc=9812)), (_KEY, card(2, last_atc=0))]
    place.write(lambda c: insert_cards(c, cards, 99))
    assert place.everything()["begun_counters"] == [(*_KEY, 1, 9812)]
    found = [place.write(lambda c: find_standing(c, _KEY, "4417"))]
    place.write(lambda c: set_card_state(c, _KEY, 2, CardState.RETIRED))
    found += [
        place.write(partial(find_standing, key=_KEY, last4=last4)) for last4 in ("4417", "0000")
    ]
    assert found == [Standing(2, 0, None), Standing(1, 9812, 9812), None]


def test_a_card_of_an_earlier_life_began_with_nothing_known(place: Place) -> None:
    """It may have signed in before: a code of it was perhaps accepted below."""
    place.execute("UPDATE incarnation SET restored_at = 90")
    place.write(lambda c: insert_cards(c, [(_KEY, card(1, last_atc=9812))], 99, unsure_for=10))
    assert _begun(place) == []
    assert not _lower(place, 9812, 812, unsure=True)


def test_both_fall_or_none(place: Place) -> None:
    """By what both say, to below it, again and again; no other card with it."""
    enrol(place)
    for begun, to, falls in (
        (9, 3, False),
        (10, 10, False),
        (10, 11, False),
        (10, 4, True),
        (10, 4, False),
        (4, 0, True),
        (0, 0, False),
    ):
        fall = Lowering(1, begun, to)
        assert place.write(partial(may_fall, key=_KEY, fall=fall)) is falls
        assert _lower(place, begun, to) is falls, fall
    assert place.last_atcs(USER_CODE) == [0, 10]
    assert _begun(place) == [(1, 0), (2, 10)]


def test_an_accepted_code_ends_it(place: Place) -> None:
    """It stands above from then on; so it does where the beginning was forgotten."""
    enrol(place)
    assert place.write(lambda c: raise_atc(c, _KEY, 1, 11))
    for begun in (10, 11):
        assert not _lower(place, begun, 4)
    fall = Lowering(2, 10, 4)
    for atc, falls in ((11, True), (10, False)):
        place.write(partial(forget_begun, key=_KEY, card_number=2, at_or_above=atc))
        assert place.write(partial(may_fall, key=_KEY, fall=fall)) is falls
    assert place.last_atcs(USER_CODE) == [11, 10]


def test_an_unsure_card_stays(place: Place) -> None:
    """A backup does not know what was accepted after it; a replay asks for it all the same."""
    enrol(place)
    place.execute("UPDATE incarnation SET generation = generation + 1")
    assert not _lower(place, 10, 4)
    assert _lower(place, 10, 4, unsure=True)
    assert place.last_atcs(USER_CODE) == [4, 10]


_ATCS = st.integers(0, 30)
_ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("lower"), st.sampled_from((0, 0, 1)), _ATCS),
        st.tuples(st.just("accept"), _ATCS, st.just(0)),
        st.tuples(st.just("UPDATE cards SET last_atc = ?"), _ATCS, st.just(0)),
        st.tuples(st.just("UPDATE begun_counters SET last_atc = ?"), _ATCS, st.just(0)),
        st.tuples(
            st.just(f"INSERT INTO begun_counters VALUES ({_KEY[0]}, '{_KEY[1]}', 1, ?)"),  # noqa: S608 -- of the tests
            _ATCS,
            st.just(0),
        ),
    ),
    max_size=25,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(begins=st.integers(0, 20), acts=_ACTS)
def test_never_below_an_accepted_one(
    place: Place, begins: int, acts: list[tuple[str, int, int]]
) -> None:
    """In whatever order a card is lowered and used; on PostgreSQL whatever its owner writes."""
    place.write(erase)
    place.write(lambda c: insert_cards(c, [(_KEY, card(1, last_atc=begins))], 99))
    accepted, last = -1, begins
    for act, first, second in acts:
        if act == "lower":
            _lower(place, last + first, second)  # from where it stands, mostly
        elif act == "accept":
            taken = place.write(partial(raise_atc, key=_KEY, card_number=1, atc=first))
            assert taken <= (first > accepted)
            accepted = first if taken else accepted
        elif place.kind == "postgresql":
            with suppress(StatementFailed):
                place.execute(act, first)
        (last,) = place.last_atcs(USER_CODE)
        assert last >= accepted


@pytest.mark.needs("postgresql")
def test_a_fall_and_a_code_at_once(server: Place) -> None:
    """Two connections: whichever comes second waits, looks again, and finds it gone."""

    async def race(first: str, second: str) -> tuple[str, str]:
        dsn = server.url.replace("+asyncpg", "")
        one, other = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
        transaction = one.transaction()
        await transaction.start()
        done = await one.execute(first)
        waiting = asyncio.create_task(other.execute(second))
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await one.fetchval(waits):  # noqa: ASYNC110 -- another program waits
            await asyncio.sleep(0.01)
        await transaction.commit()
        after = await waiting
        await one.close()
        await other.close()
        return done, after

    where = f"user_code = '{USER_CODE}' AND card_number = 1"
    fall = f"UPDATE cards SET last_atc = 4 WHERE {where} AND last_atc = 10"  # noqa: S608 -- of the tests
    code = f"UPDATE cards SET last_atc = 11 WHERE {where} AND last_atc = 10"  # noqa: S608 -- likewise
    for first, second, last in ((fall, code, 4), (code, fall, 11)):
        server.write(erase)
        enrol(server)
        assert asyncio.run(race(first, second)) == ("UPDATE 1", "UPDATE 0")
        assert server.last_atcs(USER_CODE) == [last, 10]
