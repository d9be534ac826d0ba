"""The whole line: chip, reader, till, custody and bank, on what hypothesis makes of a life."""

import asyncio
import shutil
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from sesame.bank.bank import Bank
from sesame.bank.origin import Door, Origin
from sesame.bank.verification import (
    ATTEMPT_ID_LENGTH,
    Accepted,
    Attempt,
    Refused,
    verify_login,
)
from sesame.cap.profiles import SESAME_CARD
from sesame.cap.token import Code
from sesame.card.card_file import create, open_card
from sesame.card.memory import CardData
from sesame.card.personalisation import bank_card, sesame_card
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.emv.apdu import AcType, generate_ac, get_processing_options, select, verify
from sesame.emv.keys import DesKey
from sesame.emv.pin import Pin, pin_block
from sesame.reader.code import WrongPin, make_code
from sesame.reader.slot import Clock
from sesame.reader.virtual_slot import VirtualSlot
from sesame.simulator.till import Counted, Paid, Purchase, pay
from tests.bank.branch import OMAR, VERA, Person, custody_keys, open_bank

_PIN = Pin("4711")
_CLOCK = Clock(seconds=lambda: 0.0, today=lambda: 20261123)


@dataclass
class Life:
    """A card in somebody's hands, and the codes that it made and nobody used."""

    bank: Bank
    path: Path
    person: Person = VERA
    unused: list[Code] = field(default_factory=list)  # older than the last accepted: overtaken

    def code(self, pin: Pin = _PIN) -> Code | None:
        """Make a code as a holder does; a wrong PIN is followed by the right one later."""
        made = make_code(VirtualSlot(self.path), pin, _CLOCK)
        assert isinstance(made, Code | WrongPin)
        return made if isinstance(made, Code) else None

    async def offer(self, code: Code) -> bool:
        """Try to sign in with *code*."""
        outcome = await verify_login(
            self.bank,
            Attempt(
                id=self.bank.random_bytes(ATTEMPT_ID_LENGTH),
                user_code=self.person.user_code,
                code=code,
                origin=Origin(Door.PORTAL, "192.0.2.7"),
            ),
        )
        assert isinstance(outcome, Accepted | Refused)
        return isinstance(outcome, Accepted)


_acts = st.lists(
    st.one_of(
        st.tuples(st.just("throw away"), st.integers(1, 6)),
        st.tuples(st.just("wrong pin"), st.just(1)),
        st.tuples(st.just("sign in"), st.just(1)),
        st.tuples(st.just("without pin"), st.just(1)),
    ),
    max_size=5,
)


@settings(max_examples=25)
@given(acts=_acts)
def test_what_chip_and_reader_make_signs_in_once_and_nothing_else_does(
    enrolled: Path, acts: list[tuple[str, int]]
) -> None:
    """Fresh codes are accepted, used and overtaken ones refused, whatever came between."""
    with TemporaryDirectory() as folder:
        asyncio.run(_live(enrolled, Path(folder), acts))


async def test_payments_do_not_stop_the_codes(enrolled: Path, tmp_path: Path) -> None:
    """A bank card pays three times, and its next code signs in; so does one after 254 more.

    One after 255 asks too much of a single code: its ATC is beyond the window.
    """
    record = OMAR.card.record
    custodian = KeystoreIssuingCustodian(custody_keys())
    data = CardData(
        name="OMAR BELKACEM",
        pan=record.pan,
        psn=record.psn,
        pin=_PIN,
        effective=date(2025, 1, 1),
        expiry=date(2030, 1, 1),
    )
    path = tmp_path / "card"
    payment_key = DesKey(bytes.fromhex("FEDCBA9876543210 89ABCDEF01234567"))
    dpa_key = await custodian.card_key(record)
    create(path, *bank_card(data, dki=record.dki, dpa_key=dpa_key, payment_key=payment_key))
    bank = open_bank(Path(shutil.copy(enrolled, tmp_path / "bank.db")))
    life = Life(bank, path, OMAR)
    assert _pay(path, 3) == Paid(Counted(record.pan.last4, 2, 3))
    for payments, accepted in [(0, True), (254, True), (255, False)]:
        _pay(path, payments)
        code = life.code()
        assert code is not None
        assert await life.offer(code) == accepted
    await bank.store.close()


def _pay(path: Path, times: int) -> object:
    """What the till says of the last of so many payments."""
    said: object = None
    for _ in range(times):
        purchase = Purchase(amount=12_50, today=_CLOCK.today(), un=bytes(4))
        said = pay(VirtualSlot(path), _PIN, purchase)
    return said


async def _live(enrolled: Path, folder: Path, acts: list[tuple[str, int]]) -> None:
    record = VERA.card.record
    key = await KeystoreIssuingCustodian(custody_keys()).card_key(record)
    data = CardData(
        name="VERA TISSOT",
        pan=record.pan,
        psn=record.psn,
        pin=_PIN,
        effective=date(2025, 1, 1),
        expiry=date(2030, 1, 1),
    )
    create(folder / "card", *sesame_card(data, dki=record.dki, dpa_key=key))
    bank = open_bank(Path(shutil.copy(enrolled, folder / "bank.db")))
    life = Life(bank, folder / "card")
    for act, times in acts:
        match act:
            case "throw away":
                thrown = [life.code() for _ in range(times)]
                life.unused += [code for code in thrown if code is not None]
            case "wrong pin":
                assert life.code(Pin("0000")) is None
                assert life.code() is not None  # the right one gives the try back
            case "without pin":
                _decline(life.path)
            case _:
                await _sign_in(life)
    await bank.store.close()


async def _sign_in(life: Life) -> None:
    code = life.code()
    assert code is not None
    assert await life.offer(code)
    for stale in (code, *life.unused[-1:]):
        assert not await life.offer(stale)
    life.unused.clear()


def _decline(path: Path) -> None:
    """Ask the chip for a cryptogram without the PIN: it declines, and the ATC has moved."""
    with open_card(path) as chip:
        chip.reset()
        for command in (select(SESAME_CARD.aid), get_processing_options()):
            assert chip.respond(command.encode())[-2:] == b"\x90\x00"
        answer = chip.respond(generate_ac(AcType.ARQC, bytes(29)).encode())
        assert answer[2:6] == bytes.fromhex("9F270100")  # an AAC
        assert chip.respond(verify(pin_block(_PIN)).encode())[-2:] != b"\x90\x00"
