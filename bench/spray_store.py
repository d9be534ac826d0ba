"""A database in memory for the spray: a million customers who are made when somebody asks.

It keeps what a login reads and swaps, by the same rules as the databases that serve: compare and
swap by version, a last ATC that only rises, a failure of a stranger's counted with its step. Audit
lines are made and thrown away. What is counted for all, by hour and by source, stands in SQLite's
memory, behind the statements of `sesame.store`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, create_engine, insert
from sqlalchemy.pool import StaticPool

from bench.population import STRIDE, USER_CODES, new_customer, user_code
from sesame.bank.user_code import ALPHABET
from sesame.custody.custodian import Custodian
from sesame.store.access import NO_HEAD, Access, AccessQuestion, State
from sesame.store.cards import CardRow, CardState, seal_context
from sesame.store.failures import STRANGER_FAILURES
from sesame.store.metadata import METADATA
from sesame.store.sources import SOURCE_REFUSALS
from sesame.store.steps import Fate, Step

Answer = TypeVar("Answer")
_UNDO = pow(STRIDE, -1, USER_CODES)
_CARD = 1  # everybody has one
_ALL_BUCKETS = 0  # the counts are summed over the buckets whenever they are read


class Row(msgspec.Struct, frozen=True, array_like=True):
    """What there is of a customer besides what their number says."""

    version: int = 1
    head: bytes = NO_HEAD
    state: State = State()
    last_atc: int = 0
    devices: dict[str, int] = {}  # hex of the hash → until when it is known


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Row).decode


class Memory:
    """A `sesame.store.engine.Database` of so many *customers*."""

    at_once = 1
    at_once_alone = 1

    def __init__(self, custodian: Custodian, customers: int) -> None:
        self._custodian = custodian
        self._customers = customers
        self._rows: dict[str, bytes] = {}
        self._failed: Counter[int] = Counter()  # by hour, not yet in the table
        self._engine = create_engine("sqlite://", poolclass=StaticPool)
        METADATA.create_all(self._engine, [STRANGER_FAILURES, SOURCE_REFUSALS])

    def count_failures(self, hour: int, failures: int) -> None:
        """Count *failures* of strangers who are not simulated."""
        self._failed[hour] += failures

    async def read_group(self, asked: Sequence[AccessQuestion]) -> list[Access]:
        """Read rows; a customer's card is sealed anew each time, which says the same."""
        return [await self._read(question) for question in asked]

    async def swap_group(self, steps: Sequence[Step]) -> list[Fate]:
        """Take steps, one after the other."""
        return [self._swap(step) for step in steps]

    async def swap_alone(self, step: Step) -> Fate:
        """Take one step."""
        return self._swap(step)

    async def read(self, query: Callable[[Connection], Answer]) -> Answer:
        """Run *query* on the counts."""
        return await self.write(query)

    async def write(self, change: Callable[[Connection], Answer]) -> Answer:
        """Run *change* on the counts."""
        with self._engine.begin() as connection:
            for hour, failures in self._failed.items():
                _add(connection, hour, failures)
            self._failed.clear()
            return change(connection)

    def connections(self) -> dict[str, tuple[int, int]]:
        """None."""
        return {}

    async def close(self) -> None:
        """Forget everything."""
        self._engine.dispose()

    async def _read(self, asked: AccessQuestion) -> Access:
        number = number_of(asked.user_code)
        enrolled = number is not None and number < self._customers
        packed = self._rows.get(asked.user_code)
        if packed is None and not enrolled:
            return Access(asked.user_code)
        row = Row() if packed is None else _unpack(packed)
        untils = [row.devices.get(device.hex(), 0) for device in asked.devices]
        return Access(
            user_code=asked.user_code,
            version=row.version,
            enrolled=enrolled,
            head=row.head,
            state=row.state,
            device_until=max(untils, default=0) or None,
            cards=(await self._card(number, row.last_atc),)
            if enrolled and number is not None
            else (),
        )

    async def _card(self, number: int, last_atc: int) -> CardRow:
        customer = new_customer(number)
        record = customer.cards[0].record
        sealed = await self._custodian.register(record, seal_context(customer.user_code, _CARD))
        return CardRow(_CARD, CardState.ACTIVE, record.profile, sealed, last_atc)

    def _swap(self, step: Step) -> Fate:
        packed = self._rows.get(step.user_code)
        row = _unpack(packed) if packed else Row(version=1 if step.enrolled else 0)
        if row.version != step.read_version or any(atc <= row.last_atc for _, atc in step.atcs):
            return Fate.LOST
        devices = {} if step.forgets_devices else row.devices
        if step.device is not None:
            devices = devices | {step.device.device_hash.hex(): step.device.expires_at}
        self._rows[step.user_code] = _pack(
            Row(
                version=step.read_version + 1,
                head=step.line.head,
                state=step.state,
                last_atc=max([row.last_atc, *(atc for _, atc in step.atcs)]),
                devices=devices,
            )
        )
        if step.failed_hour is not None:
            self._failed[step.failed_hour] += 1
        return Fate.WON


def number_of(code: str) -> int | None:
    """The number that `bench.population.user_code` makes *code* of; None where it makes none."""
    place = 0
    for character in code[:-1]:
        place = place * len(ALPHABET) + ALPHABET.find(character)
    number = place * _UNDO % USER_CODES
    return number if user_code(number) == code else None


def _add(connection: Connection, hour: int, failures: int) -> None:
    table = STRANGER_FAILURES
    key = (table.c.bucket == _ALL_BUCKETS) & (table.c.hour == hour)
    more = {"failures": table.c.failures + failures}
    if not connection.execute(table.update().where(key).values(more)).rowcount:
        row = {"bucket": _ALL_BUCKETS, "hour": hour, "writer": 0, "failures": failures}
        connection.execute(insert(table).values(row))
