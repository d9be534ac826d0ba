"""A login with the keys in an HSM: all of `test_verification.py` on SoftHSM2, and its outages.

The token holds the keys that sealed everybody's cards, so the database is the same: SQLite, for
what PostgreSQL does with a step is no matter of where the keys are. What stays out:

- what is judged by a double of custody: the token would not be asked;
- what counts cryptograms where this process computes them: `custody/test_hsm.py` counts calls of
  the token.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from sesame.bank.errors import TooBusy
from sesame.bank.heartbeat import Heartbeat
from sesame.bank.matching import TwoCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.verification import Accepted, Refused
from sesame.custody import hsm_sessions
from sesame.custody.cryptoki import Module, Rv
from sesame.custody.custodian import Fit, Inquiry, PairFit, PairInquiry
from sesame.custody.errors import CustodyBusy, CustodyUnavailable, HsmRefused
from sesame.custody.hsm import HsmCustodian, open_hsm
from sesame.custody.keystore_custodian import KeystoreCustodian
from tests.bank import test_verification as alike
from tests.bank.branch import ADDRESS, OMAR, VERA, Branch, custody_keys, open_bank
from tests.bank.test_restored import both_sides, opened
from tests.bank.vaults import FileVault
from tests.custody.keystores import chance
from tests.custody.tokens import MODULE, PIN, carry_in, empty_token
from tests.places import Where

pytestmark = pytest.mark.needs("softhsm2")

_BY_A_DOUBLE = {
    "test_a_code_of_two_cards_advances_both",
    "test_a_device_that_was_forgotten_meanwhile_is_a_stranger",
    "test_a_double_click_on_two_processes",
    "test_after_eight_lost_swaps_nothing_was_counted",
    "test_after_lost_swaps_the_code_is_judged_on_what_the_winner_left",
    "test_an_accepted_id_in_a_race_opens_nothing_to_another_code",
    "test_six_at_once_on_one_user_code_and_the_seventh_is_sent_away",
    "test_while_suspended_the_read_alone_answers",
}
_COUNTED_IN_THIS_PROCESS = {
    "test_every_attempt_costs_four_cryptograms",
    "test_every_pair_costs_the_same",
}
_ALL = {name: test for name, test in vars(alike).items() if name.startswith("test_")}
_OUT = _BY_A_DOUBLE | _COUNTED_IN_THIS_PROCESS
globals().update({name: test for name, test in _ALL.items() if name not in _OUT})


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
def where(file: Path) -> Where:
    """Its database, and that of whoever comes beside it."""
    return file


@pytest.fixture
async def branch(where: Where, hsm: HsmCustodian) -> AsyncIterator[Branch]:
    """A bank on SQLite whose keys are in the token."""
    branch = Branch(where, replace(open_bank(where), custodian=hsm))
    yield branch
    await branch.close()


@pytest.fixture
def branch_on_file(branch: Branch) -> Branch:
    """The same one."""
    return branch


def test_what_stays_out_is_named_for_what_it_does() -> None:
    """Each by a test that there is, and that does bring a double or count."""
    for names, by in (
        (_BY_A_DOUBLE, {"Interrupted", "Says", "Silent"}),
        (_COUNTED_IN_THIS_PROCESS, {"counted_cryptograms"}),
    ):
        assert {name for name, test in _ALL.items() if by & set(test.__code__.co_names)} == names


async def test_after_a_restore_a_card_answers_a_challenge(
    enrolled: Path, hsm: HsmCustodian, tmp_path: Path
) -> None:
    """Its answer and the login after it are judged in the token; no code of before passes."""
    vault = FileVault(Path(shutil.copy(enrolled, tmp_path / "a.db")))
    heartbeat = Heartbeat(tmp_path / "beat")
    async with opened(vault, heartbeat, custodian=hsm) as branch:
        assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)
        await asyncio.to_thread(vault.back_up, tmp_path / "backup")
        assert isinstance(await branch.login(VERA, VERA.card.code(2)), Accepted)
    await asyncio.to_thread(vault.restore, tmp_path / "backup")
    async with opened(vault, heartbeat, "restored", custodian=hsm) as branch:
        assert branch.last_atcs(VERA) == [1]
        await both_sides(branch, 2)


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
