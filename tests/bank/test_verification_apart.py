"""Logins with the keys in a process of their own: the same tests, and what only then can happen."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sesame.bank.matching import TwoCodes
from sesame.bank.staff import generate_staff_code
from sesame.bank.verification import Accepted, Refused
from sesame.cap.token import Code
from sesame.custody.custodian import Fit, Inquiry, KeyUsage, Question
from sesame.custody.errors import CustodyUnavailable, WrongUsage
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.custody.service_custodian import ServiceCustodian
from sesame.store.cards import seal_context
from tests.bank import test_importing
from tests.bank import test_verification as alike
from tests.bank.branch import OLD_CODE, OMAR, VERA, Branch, custody_keys, open_bank
from tests.custody.apart import ME, Apart, custody_process, custody_settings
from tests.custody.keystores import chance, quick_keystore

test_a_fresh_code_signs_in_once = alike.test_a_fresh_code_signs_in_once
test_codes_in_their_order_all_sign_in = alike.test_codes_in_their_order_all_sign_in
test_an_older_code_after_a_newer_one = alike.test_an_older_code_after_a_newer_one_is_refused
test_skipped_codes_within_the_window = alike.test_skipped_codes_cost_nothing_within_the_window
test_a_wrong_code_is_refused_and_counted = alike.test_a_wrong_code_is_refused_and_counted
test_somebody_elses_code_is_refused = alike.test_somebody_elses_code_is_refused
test_either_of_two_cards_signs_in = alike.test_either_of_two_cards_signs_in
test_a_held_card_does_not_sign_in = alike.test_a_held_card_does_not_sign_in
test_the_last_atc_of_a_card_is_its_last = alike.test_the_last_atc_of_a_card_is_its_last
test_the_first_code_erases_the_old_one = alike.test_the_first_accepted_code_erases_the_old_one
test_a_sealed_card_of_another_row = alike.test_a_sealed_card_of_another_row_is_not_opened
test_every_kind_of_refusal_counts = alike.test_every_kind_of_refusal_counts
test_a_double_click_opens_one_session = alike.test_a_double_click_opens_one_session
test_two_codes_under_pressure = alike.test_the_owner_gets_in_with_two_codes_under_pressure
test_a_card_far_ahead_is_found = alike.test_a_card_far_ahead_is_found_by_two_codes
test_two_codes_of_two_cards_are_no_pair = alike.test_two_codes_of_two_cards_are_no_pair
test_a_device_is_known_to_one_customer = alike.test_a_device_is_known_to_one_customer
test_whoever_knows_the_form = alike.test_whoever_knows_the_form_does_not_know_the_device


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a custody process with the keys of all tests of the bank."""
    folder = tmp_path_factory.mktemp("custody")
    quick_keystore(folder / "keys", "keys")
    return custody_settings(folder, folder / "keys")


@pytest.fixture(scope="module")
def apart(settings: Path) -> Iterator[Apart]:
    """That process."""
    with custody_process(settings) as apart:
        yield apart


@pytest.fixture
async def branch(file: Path, apart: Apart) -> AsyncIterator[Branch]:
    """A bank whose keys are there."""
    custodian = ServiceCustodian(apart.socket, demonstration=True, patience=30)
    branch = Branch(file, replace(open_bank(file), custodian=custodian))
    yield branch
    await custodian.close()
    await branch.close()


async def test_who_may_import(branch: Branch, tmp_path: Path) -> None:
    """A user who stands among the registrars; a portal's does not, and nobody goes in."""
    before = branch.place.everything()
    with pytest.raises(WrongUsage, match="registrars"):
        await test_importing.test_a_customer_is_imported_whole(branch)
    assert branch.place.everything() == before
    quick_keystore(tmp_path / "keys", "keys")
    settings = custody_settings(tmp_path, tmp_path / "keys", registrars=[str(ME)])
    with custody_process(settings) as other:
        custodian = ServiceCustodian(other.socket, demonstration=True, patience=30)
        branch.bank = replace(branch.bank, custodian=custodian)
        await test_importing.test_a_customer_is_imported_whole(branch)
        await custodian.close()


async def test_whose_cards_are_compared(branch: Branch, tmp_path: Path) -> None:
    """A member of staff's for who stands among the registrars, and never for a portal."""
    code, context = VERA.card.code(1), seal_context(generate_staff_code(bytes), 1)
    sealed = await KeystoreCustodian(custody_keys()).register(VERA.card.record, context)
    inquiry = Inquiry(code, (Question(sealed, context, (1,)),))
    with pytest.raises(WrongUsage, match="for the desk alone"):
        await branch.bank.custodian.match([inquiry])
    assert isinstance(await branch.login(VERA, code), Accepted)
    quick_keystore(tmp_path / "keys", "keys")
    settings = custody_settings(tmp_path, tmp_path / "keys", registrars=[str(ME)])
    with custody_process(settings) as other:
        custodian = ServiceCustodian(other.socket, demonstration=True, patience=30)
        assert await custodian.match([inquiry]) == [(Fit(0, 1),)]
        await custodian.close()


async def test_while_custody_is_gone_nothing_counts(file: Path, tmp_path: Path) -> None:
    """One code or two, right or wrong; with its return the same codes sign in."""
    quick_keystore(tmp_path / "keys", "keys")
    settings = custody_settings(tmp_path, tmp_path / "keys")
    custodian = ServiceCustodian(tmp_path / "custody.sock", demonstration=True, patience=30)
    branch = Branch(file, replace(open_bank(file), custodian=custodian))
    codes: list[Code | TwoCodes] = [
        VERA.card.code(1),
        VERA.card.wrong_code(1),
        TwoCodes(*map(VERA.card.code, (1, 2))),
    ]
    before = branch.place.everything()

    async def nobody_signs_in() -> None:
        for code in codes:
            with pytest.raises(CustodyUnavailable):
                await branch.login(VERA, code)
        with pytest.raises(CustodyUnavailable):
            await branch.login(VERA, OLD_CODE)  # no key judges it, but its session wants one
        assert branch.place.everything() == before

    await nobody_signs_in()
    with custody_process(settings) as first:
        assert isinstance(await branch.login(OMAR, OMAR.card.code(1)), Accepted)
        first.process.kill()
        first.process.wait()
    before = branch.place.everything()
    await nobody_signs_in()
    with custody_process(settings):
        assert isinstance(await branch.login(VERA, codes[0]), Accepted)
        assert await branch.login(VERA, codes[0]) == Refused()
    await custodian.close()
    await branch.close()


class BeforeTheStep(KeystoreCustodian):
    """Custody that is asked before the step is taken, and then no more."""

    def __init__(self, branch: Branch) -> None:
        super().__init__(custody_keys(), random=chance("before"))
        self._branch = branch
        self.asked = 0

    def _look(self) -> None:
        self.asked += 1
        assert self._branch.row(VERA.user_code)["version"] == 1

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """After a look."""
        self._look()
        return await super().match(inquiries)

    async def mac(self, usage: KeyUsage, data: bytes) -> bytes:
        """After a look."""
        self._look()
        return await super().mac(usage, data)


async def test_a_code_that_is_used_up_has_an_answer(branch_on_file: Branch) -> None:
    """Custody that goes away after the step is not missed: session and device are made."""
    custody = BeforeTheStep(branch_on_file)
    branch_on_file.bank = replace(branch_on_file.bank, custodian=custody)
    answer = await branch_on_file.login(VERA, VERA.card.code(1), device_seed=bytes(32))
    assert isinstance(answer, Accepted)
    assert answer.session_token
    assert answer.device
    assert custody.asked == 4  # the code; session, device and audit line
