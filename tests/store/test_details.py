"""`sesame.store.details`: the details of customers, and whom a database has of them."""

from dataclasses import replace

import pytest

from sesame.store.buckets import bucket_of
from sesame.store.customers import Refusal, insert_customers
from sesame.store.details import (
    DetailsRow,
    Found,
    Imported,
    find_enrolled,
    insert_details,
    read_details,
)
from sesame.store.errors import EnrolledMeanwhile
from tests.places import Place
from tests.store.databases import USER_CODE, card, customer, enrol

_KEY = (bucket_of(USER_CODE), USER_CODE)
_DIGEST = b"digest of a row." * 2
_DETAILS = DetailsRow(
    "Appartement 4",
    "",
    "12 rue des Tilleuls",
    "",
    "75011",
    "PARIS",
    "FR",
    "normal",
    None,
    "bank",
    True,  # noqa: FBT003 -- a column
    "R-1",
)


def test_details_come_back(place: Place) -> None:
    """As they were written; of somebody who has none there are none."""
    row = replace(customer(), details=_DETAILS, import_digest=_DIGEST)
    assert place.write(lambda c: insert_customers(c, [row])) == {}
    assert place.write(lambda c: read_details(c, _KEY)) == _DETAILS
    assert place.write(lambda c: read_details(c, (0, "NEMO3333"))) is None
    assert "PARIS" not in repr(row)


def test_a_reference_is_given_once(place: Place) -> None:
    """In one batch, in two, and where it came in between; many may have none."""
    one = replace(customer("VERA2222"), cards=[], details=_DETAILS)
    two = replace(customer("OMAR2222"), cards=[], details=_DETAILS)
    none = [
        replace(customer(f"NONE222{n}"), cards=[], details=_DETAILS._replace(reference=None))
        for n in range(2)
    ]
    assert place.write(lambda c: insert_customers(c, [one, two])) == {1: Refusal.REFERENCE_TAKEN}
    assert place.write(lambda c: insert_customers(c, [one, *none])) == {}
    assert place.write(lambda c: insert_customers(c, [two])) == {0: Refusal.REFERENCE_TAKEN}
    before = place.everything()
    with pytest.raises(EnrolledMeanwhile):
        place.write(lambda c: insert_details(c, [(two.key, _DETAILS, None)]))
    assert place.everything() == before


def test_whom_a_database_has(place: Place) -> None:
    """By user code, reference and card; with the digest where there was an import."""
    row = replace(customer(), details=_DETAILS, import_digest=_DIGEST)
    place.write(lambda c: insert_customers(c, [row]))
    enrol(place, "OMAR2222")
    omar, nemo = (bucket_of("OMAR2222"), "OMAR2222"), (bucket_of("NEMO3333"), "NEMO3333")
    ours, others = card(1), card(1, "NEMO3333")
    asked = [(ours.pan_hash, ours.psn), (others.pan_hash, others.psn)]
    found = place.write(
        lambda c: find_enrolled(c, keys=[_KEY, omar, nemo], references=["R-1", "R-2"], cards=asked)
    )
    imported = Imported(_KEY, _DIGEST)
    assert found == Found(
        enrolled=frozenset({_KEY, omar}),
        by_key={_KEY: imported},
        by_reference={"R-1": imported},
        cards=frozenset(asked[:1]),
    )
