"""The data objects and their formats."""

import pytest

from sesame.emv.tags import Format, Tag, format_of
from sesame.emv.tlv import is_constructed


def test_templates_are_what_their_bytes_say() -> None:
    """b6 of the first byte and the format agree for every tag."""
    for tag in Tag:
        assert (tag.format is Format.TEMPLATE) is is_constructed(tag), tag.name


@pytest.mark.parametrize(
    ("number", "form"),
    [
        (Tag.AMOUNT_AUTHORISED, Format.N),
        (Tag.PAN, Format.CN),
        (Tag.ARC, Format.ANS),
        (Tag.ATC, Format.B),
        (0x9F7E, Format.B),
    ],
)
def test_what_we_do_not_know_is_binary(number: int, form: Format) -> None:
    """A plain number will do for a tag."""
    assert format_of(number) is form


def test_numbers_and_texts_are_named_one_by_one() -> None:
    """EMV 4.4 Book 3, Annex A: how these are padded and cut when a card asks for them."""
    by_format = {form: {tag for tag in Tag if tag.format is form} for form in Format}
    assert by_format[Format.CN] == {Tag.PAN, Tag.TRACK_2_DISCRETIONARY}
    assert by_format[Format.N] == {
        Tag.TRANSACTION_DATE,
        Tag.TRANSACTION_TYPE,
        Tag.EXPIRY_DATE,
        Tag.EFFECTIVE_DATE,
        Tag.ISSUER_COUNTRY,
        Tag.TRANSACTION_CURRENCY,
        Tag.CARDHOLDER_NATIONALITY,
        Tag.PSN,
        Tag.AMOUNT_AUTHORISED,
        Tag.AMOUNT_OTHER,
        Tag.MERCHANT_CATEGORY,
        Tag.TERMINAL_COUNTRY,
        Tag.TERMINAL_TYPE,
    }
    assert by_format[Format.ANS] == {
        Tag.APPLICATION_LABEL,
        Tag.ARC,
        Tag.LANGUAGE_PREFERENCE,
        Tag.CARDHOLDER_NAME,
        Tag.EXTENDED_NAME,
        Tag.PREFERRED_NAME,
        Tag.TRACK_1_DATA,
        Tag.TRACK_1_DISCRETIONARY,
        Tag.BELGIAN_ISSUER,
    }
