"""A bank with customers for a measurement, and the codes that their cards would make."""

import asyncio
import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol_all
from sesame.bank.user_code import ALPHABET, UserCode, check_character
from sesame.cap.profiles import BANK_CARD
from sesame.cap.token import Code
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, Custodian, KeyRef
from sesame.custody.keystore import Cost, Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.custody.passphrase import Passphrase
from sesame.custody.service_custodian import ServiceCustodian
from sesame.emv.cryptogram import Padding, application_cryptogram
from sesame.emv.keys import DesKey, common_session_key
from sesame.emv.pan import Pan, luhn_digit
from sesame.store.engine import open_store
from sesame.store.options import StoreOptions
from sesame.store.schema import migrate

API_KEY = secrets.token_urlsafe(32)
_DKI = 1
_BATCH = 500  # customers of one commit
_CLERKS = 2
# Odd, so that no two numbers become one; the golden part of 2³⁵, so that they spread evenly.
STRIDE, USER_CODES = 21_235_486_155, 2**35
_KEYSTORE, _SECRET = "keystore.json", "passphrase"
_CHEAP = Cost(time=1, memory_kib=64, lanes=1)  # opening the keystore is not what we measure


@dataclass(frozen=True, slots=True)
class Holder:
    """A customer of the measurement and the key in their card."""

    user_code: UserCode
    card_key: DesKey

    def code(self, atc: int) -> Code:
        """The code that the card makes at *atc*."""
        sk = common_session_key(self.card_key, atc)
        ac = application_cryptogram(sk, BANK_CARD.message(_DKI, atc), Padding.METHOD_2)
        return Code(f"{BANK_CARD.token(_DKI, atc, ac):08d}")


@dataclass(frozen=True, slots=True)
class Premises:
    """Where a measured bank keeps its things: its keys in `folder`, its rows in `database`.

    With `custody`, the socket of a process that has the keys, it asks that one.
    """

    folder: Path
    database: str  # a URL
    custody: Path | None = None

    @classmethod
    def on_sqlite(cls, folder: Path) -> Self:
        """In one file beside the keys."""
        return cls(folder, f"sqlite:///{folder}/bank.db")


def settings_file(premises: Premises, *, port: int, largest_group: int) -> Path:
    """Settings for `sesame serve` on the bank of *premises*."""
    path = premises.folder / f"settings-{port}.toml"
    keys = f'keystore = "{_KEYSTORE}"\nkeystore_passphrase_file = "{_SECRET}"\n'
    if premises.custody is not None:
        keys = f"custody = {json.dumps(str(premises.custody))}\n"
    path.write_text(
        f"database = {json.dumps(premises.database)}\n"
        f"{keys}"
        f'public_url = "http://127.0.0.1:{port}"\n'
        f"port = {port}\n"
        f"largest_group = {largest_group}\n"
        "demonstration = true\n"
        "source_limits = false\n"
        f'api_keys = {{ bench = "{hashlib.sha256(API_KEY.encode()).hexdigest()}" }}\n'
    )
    return path


def custody_settings_file(premises: Premises) -> Path:
    """Settings for `sesame custody serve` with the keys of *premises*, for this user."""
    path = premises.folder / "custody.toml"
    path.write_text(
        f"socket = {json.dumps(str(premises.custody))}\n"
        f'users = ["{os.getuid()}"]\n'
        f'keystore = "{_KEYSTORE}"\n'
        f'keystore_passphrase_file = "{_SECRET}"\n'
        "demonstration = true\n"
    )
    return path


def open_population_bank(premises: Premises, *, largest_group: int = 64) -> Bank:
    """A bank in this process on *premises*."""
    return Bank(
        store=open_store(premises.database, StoreOptions(largest_group=largest_group)),
        custodian=_custodian(premises),
        now=_now,
        random_bytes=secrets.token_bytes,
    )


def _custodian(premises: Premises) -> Custodian:
    if premises.custody is not None:
        return ServiceCustodian(premises.custody, demonstration=True)
    folder = premises.folder
    return KeystoreIssuingCustodian(Keystore.open(folder / _KEYSTORE, _passphrase(folder)))


async def populate(premises: Premises, customers: int) -> list[Holder]:
    """Make keys and tables on *premises*, and enrol *customers*, each with a bank card."""
    await found(premises)
    return await enrol_holders(premises, range(customers))


async def found(premises: Premises) -> None:
    """Make keys and tables on *premises*."""
    folder = premises.folder
    secret = folder / _SECRET
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(32))
    Keystore.create(
        folder / _KEYSTORE,
        _passphrase(folder),
        demo=True,
        now=_now(),
        random=secrets.token_bytes,
        cost=_CHEAP,
    )
    # In a thread of its own: it may run an event loop.
    await asyncio.to_thread(migrate, premises.database)


async def enrol_holders(premises: Premises, numbers: range) -> list[Holder]:
    """Enrol a customer with a bank card for each of *numbers*, which make user codes and PANs."""
    bank = open_population_bank(premises)
    custodian = bank.custodian
    if not isinstance(custodian, KeystoreIssuingCustodian):
        raise TypeError("a measurement personalises its own cards")
    customers = [new_customer(number) for number in numbers]
    await enrol_in_batches(bank, customers)
    await bank.store.close()
    return [
        Holder(customer.user_code, await custodian.card_key(customer.cards[0].record))
        for customer in customers
    ]


async def enrol_in_batches(bank: Bank, customers: Sequence[NewCustomer]) -> None:
    """Enrol all *customers*, a batch a commit; the next is prepared while one is written."""
    batches = iter([customers[at : at + _BATCH] for at in range(0, len(customers), _BATCH)])

    async def clerk() -> None:
        for batch in batches:
            await enrol_all(bank, batch)

    await asyncio.gather(*(clerk() for _ in range(_CLERKS)))


def new_customer(number: int) -> NewCustomer:
    """A customer with a bank card, to be enrolled; *number* makes user code and PAN."""
    record = CardRecord(
        pan=_pan(number), psn="00", profile=BANK_CARD.name, key=KeyRef("dpa-01"), dki=_DKI
    )
    return NewCustomer(
        user_code=user_code(number),
        name="Mesure",
        language=Language.FRENCH,
        old_code=None,
        cards=[NewCard(kind=CardKind.BANK, record=record)],
    )


def user_code(number: int) -> UserCode:
    """The user code of *number*: no other's below `USER_CODES`, and far from its neighbours'."""
    place = number * STRIDE % USER_CODES
    digits = "".join(ALPHABET[place >> shift & 31] for shift in range(30, -1, -5))
    return UserCode(digits + check_character(digits))


def _pan(number: int) -> Pan:
    payload = f"400000{number:09d}"
    return Pan(payload + luhn_digit(payload))


def _passphrase(folder: Path) -> Passphrase:
    return Passphrase((folder / _SECRET).read_text())


def _now() -> datetime:
    return datetime.now(UTC)
