"""`sesame.bank.dossier.standing`: how an access stands, as staff read it."""

from datetime import timedelta

from sesame.bank.dossier import Standing, standing
from sesame.bank.limits import Limits
from sesame.bank.moments import to_row
from sesame.store.access import State, Tries
from tests.bank.branch import NINE

LIMITS = Limits()


def of(state: State) -> Standing:
    """The standing of *state* at nine o'clock."""
    return standing(state, LIMITS, NINE)


def row(**before: float) -> int:
    """A moment before nine o'clock, as in rows."""
    return to_row(NINE - timedelta(**before))


def test_fresh() -> None:
    """Three tries and two for known browsers."""
    assert of(State()) == Standing(
        tries=3,
        suspended_until=None,
        known_tries=2,
        known_suspended_until=None,
        two_codes=False,
        rehearsals_over=False,
    )


def test_failures_count_until_they_are_forgotten() -> None:
    """Thirty days after the last; as an attempt would count them."""
    recent = Tries(failures=2, failed_at=(row(days=1), row(days=2)))
    assert of(State(open=recent)).tries == 1
    old = Tries(failures=2, failed_at=(row(days=30), row(days=31)))
    assert of(State(open=old, reserved=old)) == of(State())


def test_suspended() -> None:
    """No try is left until it ends; the other side has its own."""
    until = NINE + timedelta(minutes=15)
    suspended = Tries(suspended_until=to_row(until), suspensions=1, failed_at=(row(minutes=1),))
    found = of(State(open=suspended))
    assert (found.tries, found.suspended_until, found.known_tries) == (0, until, 2)
    found = of(State(reserved=suspended))
    assert (found.tries, found.known_tries, found.known_suspended_until) == (3, 0, until)
    over = Tries(suspended_until=to_row(NINE), suspensions=1, failed_at=(row(minutes=15),))
    assert of(State(open=over)) == of(State())


def test_pressed_and_rehearsed() -> None:
    """Two codes are asked for; « premier essai » is over for today."""
    often = Tries(failed_at=(row(days=1),) * LIMITS.pressed_after)
    assert of(State(open=often)).two_codes
    assert of(State(rehearsal_failures=5, rehearsal_failed_at=row(hours=1))).rehearsals_over
