"""`sesame.bank.customers`: enrolment."""

from dataclasses import replace

import pytest

from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.errors import CardTaken, TooManyCards, UnsuitableOldCode, UserCodeTaken
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Suspended, verify_login
from sesame.cap.profiles import BANK_CARD
from tests.bank.branch import (
    DORA,
    NOBODY,
    OLD_CODE,
    VERA,
    Branch,
    Card,
    Person,
    attempt,
    new_customer,
)

_NEW = Card(CardKind.BANK, BANK_CARD, "497010555555555")
NEMO = Person(NOBODY, "Nemo", (_NEW,))


def _everything(branch: Branch) -> list[list[tuple[object, ...]]]:
    tables = ("customers", "access", "cards", "pan_index", "audit_lines", "audit_personal")
    return [branch.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]  # noqa: S608 -- ours


async def test_a_new_customer_can_sign_in(branch: Branch) -> None:
    """From the ATC on that the card stands at; not with codes from before."""
    newcomer = new_customer(NEMO)
    cards = [NewCard(kind=_NEW.kind, record=_NEW.record, last_atc=300)]
    await enrol(branch.bank, replace(newcomer, cards=cards))
    assert isinstance(await branch.login(NEMO, _NEW.code(301)), Accepted)
    assert branch.rows(
        "SELECT name, language, kind, last4 FROM customers JOIN cards USING (bucket, user_code) "
        "WHERE user_code = ?",
        NOBODY,
    ) == [("Nemo", "fr", "bank", _NEW.record.pan.last4)]


async def test_what_strangers_did_before_is_forgotten(branch: Branch) -> None:
    """A user code that was suspended while nobody had it begins clean."""
    await branch.fail(NOBODY, 3)
    assert isinstance(await verify_login(branch.bank, attempt(NOBODY, _NEW.code(1))), Suspended)
    await enrol(branch.bank, new_customer(NEMO))
    assert isinstance(await branch.login(NEMO, _NEW.code(1)), Accepted)
    assert branch.row(NOBODY)["version"] == 3 + 2
    lines = branch.rows("SELECT version FROM audit_lines WHERE user_code = ?", NOBODY)
    assert lines == [(4,), (5,)]


async def test_a_customer_without_cards(branch: Branch) -> None:
    """The old code still serves; every code Sésame is refused."""
    await enrol(branch.bank, replace(new_customer(NEMO), cards=()))
    assert isinstance(await branch.login(NEMO, OLD_CODE), Accepted)
    assert await branch.fail(NOBODY, 1)
    assert branch.row(NOBODY)["open_failures"] == 1


async def test_a_user_code_is_given_once(branch: Branch) -> None:
    """The second customer is not written, and the first one's chain does not move."""
    before = _everything(branch)
    with pytest.raises(UserCodeTaken, match="generate another"):
        await enrol(branch.bank, replace(new_customer(NEMO), user_code=VERA.user_code))
    assert _everything(branch) == before


async def test_a_card_belongs_to_one_customer(branch: Branch) -> None:
    """The same PAN and PSN are refused for another, and nothing of them is written."""
    before = _everything(branch)
    thief = Person(UserCode("NEMO4444"), "Nemo", (_NEW, VERA.card))
    with pytest.raises(CardTaken) as refused:
        await enrol(branch.bank, new_customer(thief))
    assert VERA.card.record.pan.digits not in str(refused.value)
    assert _everything(branch) == before


async def test_the_same_card_twice_for_one_customer(branch: Branch) -> None:
    """Is the same card."""
    with pytest.raises(CardTaken):
        await enrol(branch.bank, new_customer(Person(NOBODY, "Nemo", (_NEW, _NEW))))


async def test_more_cards_than_an_attempt_looks_at(branch: Branch) -> None:
    """The third would be enrolled and never sign in."""
    cards = (*DORA.cards, _NEW)
    before = _everything(branch)
    with pytest.raises(TooManyCards, match="3 cards for one customer: an attempt looks at 2"):
        await enrol(branch.bank, new_customer(Person(NOBODY, "Nemo", cards)))
    assert _everything(branch) == before


def test_a_new_customer_does_not_print_the_card() -> None:
    """The number stays out of every repr."""
    newcomer: NewCustomer = new_customer(VERA)
    assert VERA.card.record.pan.digits not in repr(newcomer)


@pytest.mark.parametrize(
    "hashed",
    [
        "tilleul-1971",
        "$argon2i$v=19$m=8,t=1,p=1$c29tZXNhbHQ$RZJqS8nB0mM",
        "$argon2id$v=19$m=8,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RZJqS8nB0mMRZJqS8nB0mMRZJqS8nB0mMRZJqS8nB0m",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$!!!!S8nB0mMRZJqS8nB0mMRZJqS8nB0mMRZJqS8nB0m",
    ],
    ids=["no hash", "another algorithm", "other costs", "a digest that is none"],
)
async def test_an_old_code_of_another_cost_is_refused(branch: Branch, hashed: str) -> None:
    """Its time would tell who has one; the message does not repeat it."""
    before = _everything(branch)
    with pytest.raises(UnsuitableOldCode, match=r"OldCodes\.hash") as refused:
        await enrol(branch.bank, replace(new_customer(NEMO), old_code=hashed))
    assert hashed not in str(refused.value)
    assert _everything(branch) == before
