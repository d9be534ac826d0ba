"""What a reason may say, and to whom."""

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
    with pytest.raises(UnsuitableReason):
        check_told_reason("oui")
