"""Who may ask for what, and who may decide: pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sesame.bank.approvals import (
    RULES,
    Asked,
    Barred,
    Kind,
    Release,
    Unseen,
    Verdict,
    barred,
    content_hash,
    file_of,
    may_ask,
    unseen,
    write_payload,
)
from sesame.bank.errors import NothingToRelease
from sesame.bank.limits import Changeable
from sesame.bank.staff import Role
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.store.access import Access
from sesame.store.cards import CardRow, CardState, Lowering

_NOW = datetime(2026, 3, 2, 13, 0, tzinfo=UTC)
_OFFICER = frozenset({Role.OFFICER})
_ASKED = Asked(
    id=bytes(16),
    kind=Kind.LIFT_HOLD,
    subject="VERA2345",
    payload={"card": 1, "name": "Véra Martin"},
    reason="Carte retrouvée",
    requested_by="_ADVISER",
    requested_at=_NOW,
    expires_at=_NOW + timedelta(days=4),
)


def _access(*states: CardState) -> Access:
    cards = tuple(
        CardRow(at, state, SESAME_CARD.name, b"", 7) for at, state in enumerate(states, 1)
    )
    return Access("VERA2345", version=3, enrolled=True, cards=cards)


def test_every_kind_has_a_rule() -> None:
    """And none is decided by everybody who may ask, unless they are officers."""
    assert set(RULES) == set(Kind)
    for rule in RULES.values():
        assert rule.asked_by
        assert rule.decided_by == _OFFICER


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("role", Role)
def test_who_may_ask(kind: Kind, role: Role) -> None:
    """Auditors for nothing; officers for no address, for they would decide on it too."""
    wanted = {
        Kind.LIFT_HOLD: {Role.ADVISER, Role.OFFICER},
        Kind.NEW_STAFF: {Role.OFFICER},
        Kind.ADDRESS: {Role.ADVISER, Role.ISSUER},
        Kind.ISSUE: {Role.ISSUER},
        Kind.REPRINT_PIN: {Role.ADVISER, Role.ISSUER},
        Kind.SHOW_NUMBER: {Role.ADVISER, Role.ISSUER},
        Kind.LIMITS: {Role.OFFICER},
        Kind.COUNTER: {Role.ADVISER, Role.OFFICER},
        Kind.BANK_CARDS: {Role.ISSUER},
    }
    assert may_ask(kind, frozenset({role})) == (role in wanted[kind])


def test_another_officer_decides() -> None:
    """And nobody else, nor twice, nor late."""
    assert barred(_ASKED, "_PAUL", _OFFICER, _NOW) is None
    assert barred(_ASKED, "_ADVISER", _OFFICER, _NOW) is Barred.SAME_PERSON
    for role in set(Role) - {Role.OFFICER}:
        assert barred(_ASKED, "_PAUL", frozenset({role}), _NOW) is Barred.NO_RIGHT
    late = _ASKED.expires_at
    assert barred(_ASKED, "_PAUL", _OFFICER, late) is Barred.EXPIRED
    assert barred(_ASKED, "_PAUL", _OFFICER, late - timedelta(microseconds=1)) is None
    decided = replace(_ASKED, verdict=Verdict.REFUSED)
    assert barred(decided, "_PAUL", _OFFICER, _NOW) is Barred.DECIDED


def test_what_a_yes_releases() -> None:
    """The card that was named, and a member of staff where it is one."""
    held = _access(CardState.ACTIVE, CardState.HELD)
    freed = ((2, CardState.ACTIVE),)
    lifted = RULES[Kind.LIFT_HOLD].release({"card": 2, "hold": 7}, held)
    assert lifted == Release(cards=freed, lifts=((2, 7),), tells="release")
    begun = RULES[Kind.NEW_STAFF].release({"card": 2, "roles": "issuer"}, held)
    assert begun == Release(cards=freed, begins_with="issuer")
    assert RULES[Kind.SHOW_NUMBER].release({"card": 1}, held) == Release()
    confirmed = RULES[Kind.ADDRESS].release({"changed": 7}, held)
    assert confirmed == Release(confirms_address=7)
    assert RULES[Kind.ISSUE].release({"cards": "VERA2345", "readers": ""}, held) == Release()
    limit: dict[str, str | int] = {"limit": "lifts_of_customer", "value": 3}
    assert RULES[Kind.LIMITS].release(limit, held) == Release(
        sets=(Changeable.LIFTS_OF_CUSTOMER, 3)
    )
    another = RULES[Kind.REPRINT_PIN].release({"card": 2}, held)
    assert another == Release(cards=((2, CardState.RETIRED),), replaces=2, tells="reprint")


def test_a_counter_that_falls() -> None:
    """From where the card stands, to below it, while the card is sure and not retired."""
    fall: dict[str, str | int] = {"card": 2, "from": 7, "to": 0}
    access, release = _access(CardState.RETIRED, CardState.HELD), RULES[Kind.COUNTER].release
    assert release(fall, access) == Release(lowers=Lowering(2, 7, 0), tells="counter-lowered")
    for change in (
        {"card": 1},
        {"card": 3},
        {"from": 8},
        {"to": 7},
        {"to": 8},
        {"to": -1},
        {"to": "0"},
        {"from": "7"},
        {"card": "2"},
    ):
        with pytest.raises(NothingToRelease):
            release(fall | change, access)
    unsure = CardRow(2, CardState.ACTIVE, SESAME_CARD.name, b"", 7, sure=False)
    with pytest.raises(NothingToRelease):
        release(fall, Access("VERA2345", version=3, enrolled=True, cards=(unsure,)))


def test_a_file_of_bank_cards() -> None:
    """A yes does nothing by itself; only a whole SHA-256 and a number of rows name a file."""
    digest = "0123456789abcdef" * 4
    named: dict[str, str | int] = {"sha256": digest, "count": 1_200}
    assert file_of(named) == (digest, 1_200)
    assert RULES[Kind.BANK_CARDS].release(named, _access()) == Release()
    for change in (
        {"sha256": digest[1:]},
        {"sha256": digest + "0"},
        {"sha256": digest.upper()},
        {"sha256": digest[1:] + "\n"},
        {"sha256": 7},
        {"count": 0},
        {"count": "1200"},
    ):
        assert file_of(named | change) is None
        with pytest.raises(NothingToRelease):
            RULES[Kind.BANK_CARDS].release(named | change, _access())


def test_no_other_pin_for_a_bank_card_or_a_retired_one() -> None:
    """Its PIN is from elsewhere; and a card is replaced once."""
    for state, profile in ((CardState.ACTIVE, BANK_CARD), (CardState.RETIRED, SESAME_CARD)):
        card = CardRow(1, state, profile.name, b"", 7)
        access = Access("VERA2345", version=3, enrolled=True, cards=(card,))
        with pytest.raises(NothingToRelease):
            RULES[Kind.REPRINT_PIN].release({"card": 1}, access)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("payload", [{}, {"card": 3}])
def test_nothing_to_release(kind: Kind, payload: dict[str, str | int]) -> None:
    """No such card, or it is not held."""
    retired = kind is Kind.REPRINT_PIN  # which takes an active one too
    first = CardState.RETIRED if retired else CardState.ACTIVE
    with pytest.raises(NothingToRelease):
        RULES[kind].release(payload, _access(first, CardState.HELD))


def test_who_sees_a_number() -> None:
    """Who asked for it, within a quarter of an hour of a yes, once."""
    within, adviser = timedelta(minutes=15), frozenset({Role.ADVISER})
    granted = replace(
        _ASKED, kind=Kind.SHOW_NUMBER, verdict=Verdict.APPROVED, decided_at=_NOW, decided_by="_PAUL"
    )
    last = _NOW + within - timedelta(microseconds=1)
    assert unseen(granted, "_ADVISER", adviser, last, within=within) is None
    for asked, by, roles, at, why in (
        (granted, "_ADVISER", adviser, _NOW + within, Unseen.LATE),
        (replace(granted, used_at=_NOW), "_ADVISER", adviser, _NOW, Unseen.SEEN),
        (granted, "_PAUL", adviser, _NOW, Unseen.NOT_YOURS),
        (granted, "_ADVISER", frozenset({Role.AUDITOR}), _NOW, Unseen.NOT_YOURS),
        (replace(granted, verdict=Verdict.REFUSED), "_ADVISER", adviser, _NOW, Unseen.NOT_GRANTED),
        (replace(granted, kind=Kind.LIFT_HOLD), "_ADVISER", adviser, _NOW, Unseen.NOBODY),
    ):
        assert unseen(asked, by, roles, at, within=within) is why


@pytest.mark.parametrize("kind", [Kind.LIFT_HOLD, Kind.NEW_STAFF])
@pytest.mark.parametrize("payload", [{"card": 1}, {"card": "2"}])
def test_no_card_that_is_held(kind: Kind, payload: dict[str, str | int]) -> None:
    """It is free already, or the request was not made by us."""
    with pytest.raises(NothingToRelease):
        RULES[kind].release(payload, _access(CardState.ACTIVE, CardState.HELD))


def test_the_hash_covers_all_that_was_asked() -> None:
    """And not what became of it: a line of the request and one of the verdict say the same."""
    changed = [
        replace(_ASKED, id=bytes(15) + b"\x01"),
        replace(_ASKED, kind=Kind.NEW_STAFF),
        replace(_ASKED, subject="OMAR6789"),
        replace(_ASKED, payload={"card": 2}),
        replace(_ASKED, reason="Carte perdue"),
        replace(_ASKED, requested_by="_PAUL"),
    ]
    assert len({content_hash(one) for one in [_ASKED, *changed]}) == len(changed) + 1
    assert content_hash(replace(_ASKED, verdict=Verdict.APPROVED)) == content_hash(_ASKED)


def test_a_request_hides_its_reason() -> None:
    """It may name people; and a payload has one spelling."""
    assert "retrouvée" not in repr(_ASKED)
    assert "Véra" not in repr(_ASKED)
    assert write_payload({"roles": "adviser", "card": 1}) == b'{"card":1,"roles":"adviser"}'
