"""`sesame.bank.customers`: enrolment."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol, enrol_all
from sesame.bank.errors import (
    CardTaken,
    NotEnrolled,
    TooBusy,
    TooManyCards,
    UnsuitableOldCode,
    UserCodeTaken,
)
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Suspended, verify_login
from sesame.cap.profiles import BANK_CARD
from sesame.store import customers
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
_CODES = (UserCode("ANNA5555"), UserCode("BELA6666"), UserCode("CARL7777"))
_CARDS = tuple(Card(CardKind.BANK, BANK_CARD, f"49701055555{n:04d}") for n in (1, 2, 3))
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


async def test_many_at_once_can_sign_in(branch: Branch) -> None:
    """With a chain each; what strangers did to one of them is forgotten."""
    others = [
        Person(UserCode(code), code, (card,)) for code, card in zip(_CODES, _CARDS, strict=True)
    ]
    await branch.fail(others[1].user_code, 3)
    await enrol_all(branch.bank, [new_customer(person) for person in others])
    for person, card in zip(others, _CARDS, strict=True):
        assert isinstance(await branch.login(person, card.code(1)), Accepted)
        (first, *_), _ = await branch.chain(person)
        assert json.loads(first[1])["event"] == "enrolment"
    versions = [branch.row(person.user_code)["version"] for person in others]
    assert versions == [1 + 1, 3 + 2, 1 + 1]


async def test_nobody_is_enrolled_beside_one_who_cannot_be(branch: Branch) -> None:
    """The error has all of them by place, and its text names them without a card's number."""
    before = _everything(branch)
    batch = [
        new_customer(NEMO),
        replace(new_customer(NEMO), user_code=VERA.user_code, cards=()),
        new_customer(Person(_CODES[0], "Nemo", (_CARDS[0],))),
        new_customer(Person(_CODES[1], "Nemo", (VERA.card,))),
    ]
    with pytest.raises(
        NotEnrolled, match=r"number 2: the user code .*; number 4: one of"
    ) as nobody:
        await enrol_all(branch.bank, batch)
    assert {place: type(why) for place, why in nobody.value.refused.items()} == {
        1: UserCodeTaken,
        3: CardTaken,
    }
    assert VERA.card.record.pan.digits not in str(nobody.value)
    assert _everything(branch) == before
    await enrol_all(branch.bank, [batch[0], batch[2]])


async def test_what_is_wrong_by_itself_is_told_first(branch: Branch) -> None:
    """Without a look at the database; of many the text names ten."""
    wrong = replace(new_customer(NEMO), old_code="tilleul-1971")
    with pytest.raises(NotEnrolled, match=r"number 10: .*OldCodes\.hash; and 2 more$") as nobody:
        await enrol_all(branch.bank, [*[wrong] * 12, new_customer(VERA)])
    assert set(nobody.value.refused) == set(range(12))


async def test_a_stranger_tries_the_user_code_meanwhile(branch: Branch) -> None:
    """The enrolment is planned anew behind each step, and gives up in the end."""
    await branch.fail(NOBODY, 1)
    steps = branch.bank.limits.lost_swaps

    async def write(change: Callable[[Connection], Any]) -> Any:  # noqa: ANN401 -- handed on
        nonlocal steps
        if steps:
            steps -= 1
            branch.change("UPDATE access SET version = version + 1 WHERE user_code = ?", NOBODY)
        return await real(change)

    real = branch.bank.store.write
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(branch.bank.store, "write", write)
        with pytest.raises(TooBusy):
            await enrol(branch.bank, new_customer(NEMO))
        steps = 1
        await enrol(branch.bank, new_customer(NEMO))
    assert isinstance(await branch.login(NEMO, _NEW.code(1)), Accepted)


async def test_somebody_enrols_the_same_meanwhile(branch: Branch) -> None:
    """Seen at the writing, it is looked for and told as it is."""
    with pytest.MonkeyPatch.context() as patched:

        def nothing(*_: object) -> dict[int, customers.Refusal]:
            patched.undo()
            return {}

        patched.setattr(customers, "_refused", nothing)
        with pytest.raises(CardTaken):
            await enrol(branch.bank, new_customer(Person(NOBODY, "Nemo", (VERA.card,))))


def test_a_new_customer_does_not_print_the_card() -> None:
    """The number stays out of every repr, and so does the old code's hash."""
    newcomer: NewCustomer = new_customer(VERA)
    assert VERA.card.record.pan.digits not in repr(newcomer)
    assert newcomer.old_code is not None
    assert "argon2" not in repr(newcomer)


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
