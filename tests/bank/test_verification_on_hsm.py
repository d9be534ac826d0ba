"""A login with the keys in an HSM: tests of `test_verification.py` on SoftHSM2, and its outages.

The token holds the keys that sealed everybody's cards, so the database is the same.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from sesame.bank.errors import TooBusy
from sesame.bank.matching import TwoCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.verification import Accepted, Refused
from sesame.custody import hsm_sessions
from sesame.custody.cryptoki import Module, Rv
from sesame.custody.custodian import Fit, Inquiry, PairFit, PairInquiry
from sesame.custody.errors import CustodyBusy, CustodyUnavailable, HsmRefused
from sesame.custody.hsm import HsmCustodian, open_hsm
from sesame.custody.keystore_custodian import KeystoreCustodian
from tests.bank.branch import ADDRESS, OMAR, VERA, Branch, custody_keys, open_bank
from tests.bank.test_verification import (  # noqa: F401 -- they run here, on this file's branch
    test_a_card_far_ahead_is_found_by_two_codes,
    test_a_code_of_two_cards_advances_both,
    test_a_double_click_opens_one_session,
    test_a_fresh_code_signs_in_once,
    test_a_held_card_does_not_sign_in,
    test_a_right_code_is_not_judged_while_suspended,
    test_a_sealed_card_of_another_row_is_not_opened,
    test_a_stranger_cannot_shut_the_owner_out,
    test_a_wrong_code_is_refused_and_counted,
    test_an_older_code_after_a_newer_one_is_refused,
    test_codes_in_their_order_all_sign_in,
    test_either_of_two_cards_signs_in,
    test_every_kind_of_refusal_counts,
    test_six_at_once_on_one_user_code_and_the_seventh_is_sent_away,
    test_skipped_codes_cost_nothing_within_the_window,
    test_somebody_elses_code_is_refused,
    test_the_first_accepted_code_erases_the_old_one,
    test_the_last_atc_of_a_card_is_its_last,
    test_the_owner_gets_in_with_two_codes_under_pressure,
    test_two_codes_in_the_wrong_order_are_refused,
    test_two_codes_of_two_cards_are_no_pair,
)
from tests.custody.keystores import chance
from tests.custody.tokens import MODULE, PIN, carry_in, empty_token

pytestmark = pytest.mark.needs("softhsm2")


@cache
def _token() -> str:
    label = "the bank"
    session = empty_token(label).open(writes=True)
    carry_in(session, custody_keys().keys)
    session.close()
    return label


@pytest.fixture(scope="module")
def hsm() -> Iterator[HsmCustodian]:
    """The custodian, with two sessions."""
    with open_hsm(MODULE, _token(), PIN, sessions=2) as custodian:
        yield custodian


@pytest.fixture
async def branch(file: Path, hsm: HsmCustodian) -> AsyncIterator[Branch]:
    """A bank on SQLite whose keys are in the token."""
    branch = Branch(file, replace(open_bank(file), custodian=hsm))
    yield branch
    await branch.close()


async def test_an_outage_counts_nothing_and_ends_by_itself(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said as such, whatever was typed; then the same code signs in, without a restart."""
    monkeypatch.setattr(hsm_sessions, "_PAUSE", 0)
    before = branch.row(VERA.user_code)

    def away(_: Module, name: str, *__: object) -> None:
        raise HsmRefused(name, "CKR_DEVICE_REMOVED", Rv.DEVICE_REMOVED)

    with monkeypatch.context() as outage:
        outage.setattr(Module, "call", away)
        pair = TwoCodes(VERA.card.code(5), VERA.card.code(6))
        for code in (VERA.card.code(5), VERA.card.wrong_code(5), pair):
            with pytest.raises(CustodyUnavailable, match="CKR_DEVICE_REMOVED"):
                await branch.login(VERA, code)
    assert branch.row(VERA.user_code) == before
    assert isinstance(await branch.login(VERA, VERA.card.code(5)), Accepted)


class Watched(KeystoreCustodian):
    """Custody that notes of whom it is asked, and can be full of strangers."""

    def __init__(self) -> None:
        super().__init__(custody_keys(), random=chance("watched"))
        self.known: list[bool] = []
        self.full = False

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """As ever, but for strangers where it is full."""
        self._note(inquiries[0])
        return await super().match(inquiries)

    async def match_pairs(self, inquiries: Sequence[PairInquiry]) -> list[tuple[PairFit, ...]]:
        """The same for two codes."""
        self._note(inquiries[0])
        return await super().match_pairs(inquiries)

    def _note(self, inquiry: Inquiry | PairInquiry) -> None:
        self.known.append(inquiry.known)
        if self.full and not inquiry.known:
            raise CustodyBusy


async def test_custody_hears_who_is_known(branch_on_file: Branch) -> None:
    """A browser that the customer has signed in with, by one code or two; and nobody else."""
    watched = Watched()
    branch = Branch(branch_on_file.where, replace(branch_on_file.bank, custodian=watched))
    seed = bytes(32)
    accepted = await branch.login(OMAR, OMAR.card.code(1), device_seed=seed)
    assert isinstance(accepted, Accepted)
    assert accepted.device is not None
    own = Origin(Door.PORTAL, ADDRESS, (accepted.device,))
    await branch.login(OMAR, OMAR.card.code(2), origin=own)
    await branch.login(VERA, VERA.card.code(2), origin=own)
    await branch.login(OMAR, TwoCodes(OMAR.card.code(3), OMAR.card.code(4)), origin=own)
    await branch.login(OMAR, TwoCodes(OMAR.card.code(5), OMAR.card.code(6)))
    assert watched.known == [False, True, False, True, False]


async def test_a_full_custody_sends_strangers_away_and_counts_nothing(
    branch_on_file: Branch,
) -> None:
    """Too busy, as the bank says it; the owner's own browser gets in all the while."""
    watched = Watched()
    branch = Branch(branch_on_file.where, replace(branch_on_file.bank, custodian=watched))
    accepted = await branch.login(OMAR, OMAR.card.code(1), device_seed=bytes(32))
    assert isinstance(accepted, Accepted)
    assert accepted.device is not None
    watched.full = True
    before = branch.row(OMAR.user_code)
    for code in (OMAR.card.wrong_code(2), TwoCodes(OMAR.card.code(2), OMAR.card.code(3))):
        with pytest.raises(TooBusy):
            await branch.login(OMAR, code)
    assert branch.row(OMAR.user_code) == before
    own = Origin(Door.PORTAL, ADDRESS, (accepted.device,))
    assert isinstance(await branch.login(OMAR, OMAR.card.code(2), origin=own), Accepted)
    watched.full = False
    assert isinstance(await branch.login(OMAR, OMAR.card.wrong_code(3)), Refused)
