"""`sesame.store.failures`: what several servers counted is one count."""

from sesame.store.failures import add_failures, read_failures
from tests.places import Place
from tests.store.databases import enrol, step


def test_failures_that_others_counted_are_added(place: Place) -> None:
    """To those of this server, hour by hour."""
    enrol(place)
    place.swap_group([step(failed_hour=7)])
    for hour, times in ((7, 3), (7, 4), (8, 1)):
        place.write(
            lambda connection, hour=hour, times=times: add_failures(  # type: ignore[misc]  # of this turn
                connection, hour=hour, writer=1, failures=times
            )
        )
    assert place.write(lambda connection: read_failures(connection, since=0)) == {7: 8, 8: 1}
