"""A bank with customers for a measurement, and the codes that their cards would make."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.user_code import UserCode, generate_user_code
from sesame.cap.profiles import BANK_CARD
from sesame.cap.token import Code
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, KeyRef
from sesame.custody.keystore import Cost, Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.custody.passphrase import Passphrase
from sesame.emv.cryptogram import Padding, application_cryptogram
from sesame.emv.keys import DesKey, common_session_key
from sesame.emv.pan import Pan, luhn_digit
from sesame.store.engine import open_store
from sesame.store.options import StoreOptions
from sesame.store.schema import migrate

API_KEY = secrets.token_urlsafe(32)
_DKI = 1
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


def settings_file(folder: Path, *, port: int, largest_group: int) -> Path:
    """Settings for `sesame serve` on the bank in *folder*."""
    path = folder / f"settings-{port}.toml"
    path.write_text(
        'database = "sqlite:///bank.db"\n'
        'keystore = "keystore.json"\n'
        'keystore_passphrase_file = "passphrase"\n'
        f'public_url = "http://127.0.0.1:{port}"\n'
        f"port = {port}\n"
        f"largest_group = {largest_group}\n"
        "demonstration = true\n"
        f'api_keys = {{ bench = "{hashlib.sha256(API_KEY.encode()).hexdigest()}" }}\n'
    )
    return path


def open_population_bank(folder: Path, *, largest_group: int = 64) -> Bank:
    """A bank in this process on the files in *folder*."""
    keystore = Keystore.open(folder / "keystore.json", _passphrase(folder))
    return Bank(
        store=open_store(f"sqlite:///{folder}/bank.db", StoreOptions(largest_group=largest_group)),
        custodian=KeystoreIssuingCustodian(keystore),
        now=_now,
        random_bytes=secrets.token_bytes,
    )


async def populate(folder: Path, customers: int) -> list[Holder]:
    """Make keys and a database in *folder*, and enrol *customers*, each with a bank card."""
    secret = folder / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(32))
    Keystore.create(
        folder / "keystore.json",
        _passphrase(folder),
        demo=True,
        now=_now(),
        random=secrets.token_bytes,
        cost=_CHEAP,
    )
    migrate(f"sqlite:///{folder}/bank.db")
    bank = open_population_bank(folder)
    custodian = bank.custodian
    if not isinstance(custodian, KeystoreIssuingCustodian):
        raise TypeError("a measurement personalises its own cards")
    holders = []
    for pan in _pans(customers):
        record = CardRecord(
            pan=pan, psn="00", profile=BANK_CARD.name, key=KeyRef("dpa-01"), dki=_DKI
        )
        user_code = generate_user_code(secrets.token_bytes)
        customer = NewCustomer(
            user_code=user_code,
            name="Mesure",
            language=Language.FRENCH,
            old_code=None,
            cards=[NewCard(kind=CardKind.BANK, record=record)],
        )
        await enrol(bank, customer)
        holders.append(Holder(user_code, await custodian.card_key(record)))
    await bank.store.close()
    return holders


def _pans(count: int) -> Iterator[Pan]:
    for number in range(count):
        payload = f"400000{number:09d}"
        yield Pan(payload + luhn_digit(payload))


def _passphrase(folder: Path) -> Passphrase:
    return Passphrase((folder / "passphrase").read_text())


def _now() -> datetime:
    return datetime.now(UTC)
