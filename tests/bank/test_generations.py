"""Two generations of issuer keys in one bank: both sign in, until one is destroyed."""

import asyncio
import json
from dataclasses import dataclass, replace

import pytest

from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.matching import TwoCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.rehearsal import Rehearsed, rehearse
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Refused, verify_login
from sesame.cap.profiles import SESAME_CARD
from sesame.cap.token import Code
from sesame.catalogue import Language
from sesame.custody.census import count_cards
from sesame.custody.custodian import CardRecord, IssuingCustodian, KeyUsage
from sesame.custody.errors import KeyDestroyed, SealBroken
from sesame.custody.explain import explain
from sesame.custody.hsm import HsmCustodian, HsmIssuingCustodian
from sesame.custody.hsm_life import destroy, make_key, make_standard, use
from sesame.custody.key_life import with_current, with_key, without_key
from sesame.custody.keystore import Generation, Keystore
from sesame.custody.keystore_custodian import (
    KeystoreCustodian,
    KeystoreIssuingCustodian,
    keystore_seal,
)
from sesame.custody.records import Act, Deed, Officer
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan, luhn_digit
from sesame.store.cards import SealedCardRow, seal_context, sealed_cards
from tests.bank.branch import ADDRESS, NOBODY, OMAR, VERA, Branch, attempt, custody_keys
from tests.custody.codes import make_code
from tests.custody.keystores import NOW, chance, issuer_key
from tests.custody.tokens import empty_token

_DEED = Deed(NOW, (Officer("Ada Brun", "sécurité"), Officer("Brice Noé", "émission")), "rotation")
_BOTH = UserCode("BEAT2345")  # has a card of each generation
_NEW = UserCode("NORA2345")
_LABELS = iter(f"generations {number}" for number in range(100))  # of tokens


@dataclass(frozen=True)
class Issued:
    """A card out of the real issuing way."""

    record: CardRecord
    key: DesKey

    def code(self, atc: int) -> Code:
        """Its code at *atc*, with its own DKI in the IAD."""
        return make_code(self.key, SESAME_CARD, atc=atc, dki=self.record.dki, psn=self.record.psn)


async def issue(keystore: Keystore, number: str) -> Issued:
    """A new card under the current key, as `demonstration` makes one."""
    custodian = KeystoreIssuingCustodian(keystore)
    return await issued_by(custodian, custodian.current(KeyUsage.ISSUER_AC), number)


async def issued_by(custodian: IssuingCustodian, current: Generation, number: str) -> Issued:
    """A new card of generation *current*."""
    record = CardRecord(
        pan=Pan(number + luhn_digit(number)),
        psn="01",
        profile=SESAME_CARD.name,
        key=current.ref,
        dki=current.dki,
    )
    return Issued(record, await custodian.card_key(record))


def customer(user_code: UserCode, *cards: Issued) -> NewCustomer:
    """Somebody with these cards."""
    return NewCustomer(
        user_code=user_code,
        name="Béatrice",
        language=Language.FRENCH,
        old_code=None,
        cards=[NewCard(kind=CardKind.SESAME, record=card.record) for card in cards],
    )


def served_by(branch: Branch, keystore: Keystore) -> None:
    """The bank is started again with *keystore*."""
    branch.bank = replace(
        branch.bank, custodian=KeystoreCustodian(keystore, random=chance("custodian"))
    )


def last_line(branch: Branch, user_code: UserCode) -> dict[str, object]:
    """What staff read of the last attempt."""
    (line,) = branch.rows(
        "SELECT line FROM audit_lines WHERE user_code = ? ORDER BY version DESC LIMIT 1", user_code
    )[0]
    assert isinstance(line, bytes)
    said: dict[str, object] = json.loads(line)
    return said


async def all_cards(branch: Branch, many: int) -> list[SealedCardRow]:
    """Every card of the bank, so *many* at a time."""
    found: list[SealedCardRow] = []
    while True:
        after = found[-1] if found else None
        page = await branch.bank.store.read(lambda c: sealed_cards(c, after, many))  # noqa: B023
        if not page:
            return found
        found += page


@pytest.fixture
def rotated() -> Keystore:
    """The bank's keys, with a second generation that is current."""
    second = replace(issuer_key("dpa-02"), dki=2)
    return with_current(with_key(custody_keys(), second, Act.CEREMONY, _DEED), "dpa-02", _DEED)


async def test_both_generations_sign_in_until_one_is_destroyed(
    branch: Branch, rotated: Keystore
) -> None:
    """Its cards are then refused, and counted, like a wrong code; staff read why."""
    old = await issue(custody_keys(), "925000111111111")
    new = await issue(rotated, "925000222222222")
    assert (old.record.key.label, old.record.dki) == ("dpa-01", 1)
    assert (new.record.key.label, new.record.dki) == ("dpa-02", 2)
    served_by(branch, rotated)
    await enrol(branch.bank, customer(_BOTH, old, new))

    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)
    for code in (old.code(1), new.code(1)):
        assert isinstance(await verify_login(branch.bank, attempt(_BOTH, code)), Accepted)

    found = await all_cards(branch, 2)
    assert found == await all_cards(branch, 1000)
    sealed = [(card.sealed, seal_context(card.user_code, card.card_number)) for card in found]
    assert count_cards(keystore_seal(rotated), sealed) == {"dpa-01": 5, "dpa-02": 1}
    with pytest.raises(SealBroken):
        count_cards(keystore_seal(rotated), [(sealed[0][0], sealed[1][1])])

    served_by(branch, without_key(rotated, "dpa-01", _DEED, cards={"dpa-01": 5}, given_up=5))
    outcomes = await asyncio.gather(
        branch.login(VERA, VERA.card.code(2)),
        verify_login(branch.bank, attempt(_BOTH, old.code(2))),
        verify_login(branch.bank, attempt(NOBODY, VERA.card.code(2))),
        verify_login(branch.bank, attempt(_NEW, new.code(3))),
        branch.login(OMAR, TwoCodes(OMAR.card.code(1), OMAR.card.code(2))),
    )
    assert list(outcomes) == [Refused()] * 5  # from outside all the same
    assert isinstance(await verify_login(branch.bank, attempt(_BOTH, new.code(2))), Accepted)
    assert [branch.row(person.user_code)["version"] for person in (VERA, OMAR)] == [3, 2]
    assert branch.last_atcs(VERA) == [1]
    for user_code in (VERA.user_code, OMAR.user_code):
        assert last_line(branch, user_code)["cause"] == "key-missing"
    counted = branch.bank.meters.attempts.values
    for means, times in (("code", 2), ("two-codes", 1)):  # what wakes somebody
        assert counted["portal", means, "refused", "key-missing"] == times
    checked = await rehearse(
        branch.bank, VERA.user_code, VERA.card.code(3), Origin(Door.PORTAL, ADDRESS), bytes(16)
    )
    assert checked is Rehearsed.WRONG


async def test_staff_are_told_of_the_destruction(rotated: Keystore) -> None:
    """Whoever looks into one code reads on which day its key went."""
    old = await issue(custody_keys(), "925000111111111")
    gone = without_key(rotated, "dpa-01", _DEED, cards={}, given_up=0)
    with pytest.raises(KeyDestroyed, match="destroyed on 2025-03-14: the cards made under it"):
        await explain(KeystoreCustodian(gone), old.record, 0, old.code(1))


@pytest.mark.needs("softhsm2")
async def test_both_generations_of_a_token_sign_in_until_one_is_destroyed(branch: Branch) -> None:
    """As with a keystore: refused from outside like a wrong code, and staff read why."""
    login = empty_token(next(_LABELS))
    session = login.open(writes=True)
    make_standard(session, _DEED, demo=False)
    cards = []
    for label, dki, number in (("dpa-01", 1, "925000111111111"), ("dpa-02", 2, "925000222222222")):
        if dki != 1:
            make_key(session, label, KeyUsage.ISSUER_AC, _DEED, dki=dki)
            use(session, label, _DEED)
        with HsmIssuingCustodian(login, sessions=1, waiting=1) as issuer:
            current = await issuer.current(KeyUsage.ISSUER_AC)
            cards.append(await issued_by(issuer, current, number))
    assert [(card.record.key.label, card.record.dki) for card in cards] == [
        ("dpa-01", 1),
        ("dpa-02", 2),
    ]
    old, new = cards
    with HsmCustodian(login, sessions=1, waiting=32) as custodian:
        branch.bank = replace(branch.bank, custodian=custodian)
        await enrol(branch.bank, customer(_BOTH, old, new))
        for code in (old.code(1), new.code(1)):
            assert isinstance(await verify_login(branch.bank, attempt(_BOTH, code)), Accepted)
    destroy(session, "dpa-01", _DEED, cards={"dpa-01": 1}, given_up=1)
    session.close()
    with HsmCustodian(login, sessions=1, waiting=32) as custodian:
        branch.bank = replace(branch.bank, custodian=custodian)
        assert await verify_login(branch.bank, attempt(_BOTH, old.code(2))) == Refused()
        assert last_line(branch, _BOTH)["cause"] == "key-missing"
        assert isinstance(await verify_login(branch.bank, attempt(_BOTH, new.code(2))), Accepted)
        with pytest.raises(KeyDestroyed, match="destroyed on 2025-03-14"):
            await explain(custodian, old.record, 0, old.code(1))
