"""The demonstration's accounts are fictional, and the same at every visit."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sesame.catalogue import Language, translator
from sesame.portal.accounts import demonstration_accounts

_TODAY = date(2026, 3, 2)
_USER_CODES = st.text(alphabet="ABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=8, max_size=8)


@given(_USER_CODES)
def test_every_customer_has_two_accounts(user_code: str) -> None:
    """With plausible movements, the newest first, none in the future."""
    accounts = demonstration_accounts(user_code, _TODAY)
    assert accounts == demonstration_accounts(user_code, _TODAY)
    current, savings = accounts
    assert len(current.movements) == 4
    days = [movement.day for movement in current.movements]
    assert days == sorted(days, reverse=True)
    assert _TODAY - timedelta(days=14) < days[-1] <= days[0] < _TODAY
    assert all(movement.cents for movement in current.movements)
    assert current.cents > 0
    assert savings.cents >= 0
    assert all(len(account.ending) == 4 for account in accounts)


def test_customers_differ() -> None:
    """There are people and associations among them, in both languages."""
    names = set()
    say = translator(Language.ENGLISH)
    for number in range(64):
        current, savings = demonstration_accounts(f"CODE{number:04d}", _TODAY)
        names.add(current.name)
        for text in (current.name, savings.name, *(line.label for line in current.movements)):
            assert say(text) != text
    assert names == {"Compte courant", "Compte de l’association"}
