"""What a reason may say, and to whom."""

from collections.abc import Callable

import pytest

from sesame.bank.errors import MisleadingReason, UnsuitableReason
from sesame.bank.reasons import check_reason, check_told_reason


@pytest.mark.parametrize(
    "reason",
    [
        "Appelez le 3639",
        "Appelez le 06 12 34 56 78",
        "Appelez le 06.12-34.56/78",
        "Appelez le (+33) 6 12 34",
        "Appelez le ٣٦٣٩",
        "Écrivez à aide@tilleul.example",
        "Écrivez à aide\uff20tilleul",
        "Voyez https://tilleul",
        "Voyez WWW.tilleul",
        "Voyez tilleul-secours.fr",
    ],
)
def test_what_customers_read_leads_nowhere(reason: str) -> None:
    """A number or an address there would be taken for the bank's; who decides may read it."""
    with pytest.raises(MisleadingReason):
        check_told_reason(reason)
    assert check_reason(reason) == reason


@pytest.mark.parametrize(
    "reason",
    [
        "Travaux dans nos bureaux.",
        "Du 24 au 26 décembre, de 9 h 30 à 12 h 30.",
        "Pont du 24/12. Merci.",
        "Réunion de tous nos conseillers M. et Mme.",
    ],
)
def test_what_customers_may_read(reason: str) -> None:
    """Days and hours are no number to call."""
    assert check_told_reason(f"  {reason} ") == reason


def test_as_any_reason() -> None:
    """It says something, in a line."""
    with pytest.raises(UnsuitableReason, match="5 to 200 characters"):
        check_told_reason("oui")


@pytest.mark.parametrize("check", [check_reason, check_told_reason])
@pytest.mark.parametrize(
    "number", ["4970101234567893", "4970 1012 3456 7893", "4970.1012.3456.7893"]
)
def test_no_reason_holds_a_card_number(check: Callable[[str], str], number: str) -> None:
    """It is told by itself, and not repeated; last digits, years and times are left."""
    with pytest.raises(UnsuitableReason, match="without the card's number") as refused:
        check(f"PAN {number} PIN 4711")
    assert refused.value.card_number
    assert number[-4:] not in str(refused.value)
    kept = "Carte qui finit par 7893, perdue en 2024, retrouvée le 02/03/2026 à 14 h 30"
    assert check_reason(kept) == kept
