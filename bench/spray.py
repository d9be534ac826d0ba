"""Spraying: one code on each of a million user codes, while their owners sign in.

    python -m bench.spray --customers 1000000        as `make spray`; minutes
    python -m bench.spray --customers 20000 --seed 8 --addresses 50

Everything that decides is the server's own: `verify_login` of two servers, the thresholds of
`bank.limits`, custody with real cards' keys. Time is virtual and the database is in memory
(`bench.spray_store`). The sprayer knows every user code, tries each once, at an even pace, and
uses his addresses in turn. Owners make real codes and sometimes mistype one; half of them have a
known device, half have none, and some of these share an address with the sprayer. The same seed
gives the same day.
"""

import argparse
import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.population import Holder, new_customer, user_code
from bench.spray_store import Memory
from sesame.bank.bank import Bank
from sesame.bank.housekeeping import share_sources
from sesame.bank.limits import Limits
from sesame.bank.matching import TwoCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.pressure import hour_of
from sesame.bank.user_code import UserCode
from sesame.bank.verification import (
    ATTEMPT_ID_LENGTH,
    Accepted,
    Attempt,
    Outcome,
    Refused,
    SourceClosed,
    TwoCodesWanted,
    verify_login,
)
from sesame.cap.profiles import BANK_CARD
from sesame.cap.token import Code
from sesame.custody.key import standard_keys
from sesame.custody.keystore import Cost, Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.store.engine import Store

_BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
_SERVERS = 2
_HONEST = 0.003  # of the customers fail on an unknown browser in a day (docs/decisions/0015)
_MISTYPED = 0.03  # of the owners' logins begin with a wrong code
_SHARING = 0.1  # of the owners without a known device share an address with the sprayer
_FREE_BITS = BANK_CARD.bits - 1  # of a code; the first is constant
_NO_COST = Cost(time=1, memory_kib=64, lanes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is tried, and beside whom."""

    customers: int
    guesses: int
    hours: float = 24
    addresses: int = 1000
    owners: int = 1000
    logins: int = 2  # of each owner, beside the one that makes a device known
    unknown_bits: int = _FREE_BITS  # of each code, as far as the sprayer goes: 17 is one card's AC
    seed: int = 7

    @property
    def chance(self) -> float:
        """That one guess is right: the AC's bits, and an ATC that is above the last one."""
        ac = BANK_CARD.bits - 9
        beyond = self.unknown_bits - ac
        return 2.0**-self.unknown_bits if beyond <= 0 else (1 - 2.0**-beyond) * 2.0**-ac


@dataclass(slots=True)
class Told:
    """How a campaign went: of the guesses, and of the owners' logins."""

    guesses: Counter[str] = field(default_factory=Counter)
    owners: Counter[str] = field(default_factory=Counter)
    judged_before_the_switch: int = 0

    @property
    def judged(self) -> int:
        """Guesses that cost the sprayer a try and could have been right."""
        return self.guesses["refused"] + self.guesses["lucky"]


class Clock:
    """The servers' clock."""

    def __init__(self) -> None:
        self.at = _BEGIN

    def __call__(self) -> datetime:
        """The time."""
        return self.at


@dataclass(slots=True)
class Owner:
    """A customer who signs in, with the ATC of their card."""

    holder: Holder
    address: str
    known: bool  # they use a browser that is known
    devices: tuple[bytes, ...] = ()
    atc: int = 1  # one code was thrown away

    def code(self) -> Code:
        """A fresh code."""
        self.atc += 1
        return self.holder.code(self.atc)


class Day:
    """One campaign against one bank."""

    def __init__(self, campaign: Campaign, limits: Limits) -> None:
        self.campaign = campaign
        self.told = Told()
        self._chance = random.Random(campaign.seed)
        self._clock = Clock()
        bytes_ = random.Random(campaign.seed + 1).randbytes
        keys = standard_keys(demo=True, now=_BEGIN, random=bytes_)
        keystore = Keystore(path=Path("keys"), demo=True, cost=_NO_COST, keys=keys)
        self._custodian = KeystoreIssuingCustodian(keystore, random=bytes_)
        self._memory = Memory(self._custodian, campaign.customers)
        self._banks = [
            Bank(
                store=Store(self._memory),
                custodian=self._custodian,
                now=self._clock,
                random_bytes=bytes_,
                limits=limits,
            )
            for _ in range(_SERVERS)
        ]

    async def live(self) -> Told:
        """Live it, second by second."""
        campaign, seconds = self.campaign, round(self.campaign.hours * 3600)
        usual = round(_HONEST * campaign.customers / 24)
        begin = hour_of(_BEGIN)
        for hour in range(begin - 28 * 24, begin):
            self._memory.count_failures(hour, usual)
        owners = [await self._owner(number) for number in range(campaign.owners)]
        visits = self._visits(owners, seconds)
        targets = self._targets()
        sent = 0
        for second in range(seconds):
            self._clock.at = _BEGIN + timedelta(seconds=second)
            if second % 3600 == 0:
                self._memory.count_failures(begin + second // 3600, usual)
            due = campaign.guesses * (second + 1) // seconds
            doing: list[Awaitable[None]] = [
                self._guess(next(targets), number) for number in range(sent, due)
            ]
            sent = due
            doing += [self._visit(owner) for owner in visits.get(second, ())]
            await asyncio.gather(*doing)
            for bank in self._banks:
                await share_sources(bank)
        for bank in self._banks:
            await bank.store.close()
        return self.told

    async def _owner(self, number: int) -> Owner:
        """An owner, who has made a device known before the day, or has none."""
        holder = await self._holder(number)
        shares = number % 2 == 1 and self._chance.random() < _SHARING
        address = self._address(self._chance.randrange(self.campaign.addresses))
        owner = Owner(
            holder, address if shares else f"10.{number >> 8}.{number & 255}.1", number % 2 == 0
        )
        if owner.known:
            outcome = await self._log_in(owner, owner.code(), to_be_known=True)
            if isinstance(outcome, Accepted) and outcome.device is not None:
                owner.devices = (outcome.device,)
        return owner

    async def _holder(self, number: int) -> Holder:
        customer = new_customer(number)
        key = await self._custodian.card_key(customer.cards[0].record)
        return Holder(customer.user_code, key)

    def _visits(self, owners: Sequence[Owner], seconds: int) -> dict[int, list[Owner]]:
        visits: dict[int, list[Owner]] = {}
        for owner in owners:
            for second in self._chance.sample(range(seconds), self.campaign.logins):
                visits.setdefault(second, []).append(owner)
        return visits

    def _targets(self) -> Iterator[int]:
        """Customers by number, each once before one comes again."""
        while True:
            yield from self._chance.sample(range(self.campaign.customers), self.campaign.customers)

    def _address(self, number: int) -> str:
        """One of the sprayer's."""
        return f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64"

    async def _guess(self, target: int, number: int) -> None:
        campaign = self.campaign
        hidden, known = campaign.unknown_bits, BANK_CARD.constant
        if hidden < _FREE_BITS:
            known = int((await self._holder(target)).code(1).digits) >> hidden << hidden
        code = Code(f"{known | self._chance.getrandbits(hidden):08d}")
        origin = Origin(Door.PORTAL, self._address(number % campaign.addresses))
        bank = self._banks[number // campaign.addresses % _SERVERS]
        outcome = await verify_login(bank, self._attempt(user_code(target), code, origin))
        self.told.guesses[_word(outcome)] += 1
        if not self.told.guesses["two codes wanted"]:
            self.told.judged_before_the_switch = self.told.judged

    async def _visit(self, owner: Owner) -> None:
        """Sign in: at times mistyped first; with two codes where they are asked for."""
        told = self.told.owners
        if self._chance.random() < _MISTYPED:
            mistyped = Code(f"{int(owner.code().digits) ^ 1 << self._chance.randrange(17):08d}")
            told[f"mistyped: {_word(await self._log_in(owner, mistyped))}"] += 1
        code = owner.code()
        outcome = await self._log_in(owner, code)
        if isinstance(outcome, Accepted):
            told["in with one code"] += 1
            return
        if isinstance(outcome, TwoCodesWanted):
            outcome = await self._log_in(owner, TwoCodes(code, owner.code()))
        kind = "known device" if owner.known else "unknown device"
        shared = ", at the sprayer's address" if owner.address.startswith("2001:db8:") else ""
        words = (
            "in with two codes" if isinstance(outcome, Accepted) else f"not in: {_word(outcome)}"
        )
        told[f"{words}, {kind}{shared}"] += 1

    async def _log_in(
        self, owner: Owner, code: Code | TwoCodes, *, to_be_known: bool = False
    ) -> Outcome:
        origin = Origin(Door.PORTAL, owner.address, owner.devices)
        seed = self._chance.randbytes(32) if to_be_known else None
        bank = self._chance.choice(self._banks)
        return await verify_login(bank, self._attempt(owner.holder.user_code, code, origin, seed))

    def _attempt(
        self,
        user_code: UserCode,
        code: Code | TwoCodes,
        origin: Origin,
        device_seed: bytes | None = None,
    ) -> Attempt:
        return Attempt(
            id=self._chance.randbytes(ATTEMPT_ID_LENGTH),
            user_code=user_code,
            code=code,
            origin=origin,
            session_seed=self._chance.randbytes(32),
            device_seed=device_seed,
        )


def _word(outcome: Outcome) -> str:
    match outcome:
        case Accepted():
            return "lucky"
        case Refused():
            return "refused"
        case TwoCodesWanted():
            return "two codes wanted"
        case SourceClosed():
            return "address closed"
        case _:
            return "suspended"


def live(campaign: Campaign, limits: Limits) -> Told:
    """What becomes of *campaign* at a bank with *limits*."""
    return asyncio.run(Day(campaign, limits).live())


def without_limits() -> Limits:
    """A bank that looks at each user code alone."""
    return Limits(hour_floor=10**12, day_floor=10**12, source=None)


def report(campaign: Campaign, told: Told) -> str:
    """*told* in lines, beside what was to be expected."""
    expected = told.judged * campaign.chance
    lines = [
        f"guesses judged           {told.judged:>10,}",
        f"  of them lucky          {told.guesses['lucky']:>10,}   expected {expected:.4f}",
        f"  before two codes were asked for {told.judged_before_the_switch:,}",
        f"asked for two codes      {told.guesses['two codes wanted']:>10,}",
        f"address closed           {told.guesses['address closed']:>10,}",
        f"user code suspended      {told.guesses['suspended']:>10,}",
        "owners:",
        *(f"  {words:<56} {count:>8,}" for words, count in sorted(told.owners.items())),
    ]
    return "\n".join(lines)


def main() -> None:
    """Live the same day at a bank without limits over user codes, and at ours."""
    parser = argparse.ArgumentParser(prog="python -m bench.spray")
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--guesses", type=int, help="as many as customers, unless said")
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--addresses", type=int, default=1000)
    parser.add_argument("--owners", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--ours-only", action="store_true", help="leave the other bank out")
    asked = parser.parse_args()
    campaign = Campaign(
        customers=asked.customers,
        guesses=asked.guesses or asked.customers,
        hours=asked.hours,
        addresses=asked.addresses,
        owners=asked.owners,
        seed=asked.seed,
    )
    logging.getLogger("sesame.bank").setLevel(logging.ERROR)  # it warns, as it should
    print(campaign)
    banks = (
        {"ours": Limits()}
        if asked.ours_only
        else {
            "looks at each user code alone": without_limits(),
            "ours": Limits(),
        }
    )
    for name, limits in banks.items():
        print(f"\n{name}\n{report(campaign, live(campaign, limits))}", flush=True)


if __name__ == "__main__":
    main()
