"""The bank that the checker watches: people, short suspensions, and what is left of it all.

`Limits` are no settings, so that nobody can run a bank with suspensions of a second. Here the
parts of `sesame.app` are put together with other ones.
"""

import asyncio
import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

from sesame.app import utc_now
from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, enrol
from sesame.bank.limits import Limits, SideLimits
from sesame.bank.user_code import UserCode
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.cap.token import Code
from sesame.custody.custodian import KeyUsage
from sesame.custody.keystore import Keystore
from sesame.emv.keys import DesKey, card_key_b
from sesame.store.engine import open_store
from sesame.store.schema import migrate
from tests.bank.branch import (
    NINE,
    OLD_CODE,
    Card,
    Person,
    custodian,
    custody_keys,
    new_customer,
    quick_old_codes,
)
from tests.bank.stranger import Lines, chain_is_whole
from tests.custody.codes import make_code
from tests.custody.keystores import PASSPHRASE, QUICK, chance
from tests.history.checker import History, Left, Line
from tests.history.model import NOBODY, OPEN, RESERVED, Customer, Rules
from tests.history.records import Request, read_logs

FILE = "bank.db"  # in the folder of a run: the bank's database, or a copy of all its rows
SKEW = timedelta(milliseconds=250)  # that a server's clock is wrong at most, where clocks are set

_HUNDRED_MS = 100_000  # µs


def _sesame(number: str) -> Card:
    return Card(CardKind.SESAME, SESAME_CARD, f"925000{number}")


def _bank(number: str) -> Card:
    return Card(CardKind.BANK, BANK_CARD, f"497010{number}")


ADA = Person(UserCode("ADAADA22"), "Ada", (_sesame("000000001"),))
BOB = Person(UserCode("BBBBBB33"), "Bob", (_sesame("000000002"),))
CLO = Person(UserCode("CLCLCL44"), "Clo", (_sesame("000000003"),))
DAN = Person(UserCode("DNDNDN55"), "Dan", (_sesame("000000004"), _bank("000000004")))
EVE = Person(UserCode("EVEVEV66"), "Eve", (_sesame("000000005"),))
FRED = Person(UserCode("FRDFRD77"), "Fred", (_bank("000000006"),))
_NAMED = (ADA, BOB, CLO, DAN, EVE, FRED)
STRANGERS = (UserCode("NEMO3333"), UserCode("NULL8888"))


def of_era(person: Person, era: int) -> Person:
    """Who comes in that person's place in another era: as new as they were in the first."""
    if era == 0:
        return person
    return Person(
        UserCode(person.user_code[:-2] + f"{era:02d}"),
        f"{person.name} {era}",
        tuple(
            replace(card, number=f"{card.number[:-4]}{era:02d}{card.number[-2:]}")
            for card in person.cards
        ),
    )


def people(eras: int = 1) -> Sequence[Person]:
    """Everybody with a card."""
    return [of_era(person, era) for era in range(eras) for person in _NAMED]


# The rules in two tellings: the bank's, and the model's.
SHORT = Limits(
    open_side=SideLimits(
        tries=3, suspensions=tuple(timedelta(milliseconds=ms) for ms in (200, 400, 600))
    ),
    reserved_side=SideLimits(tries=2, suspensions=(timedelta(milliseconds=300),)),
    pressed_after=9,
    pressed_for=timedelta(seconds=3),
    pressed_suspension=timedelta(milliseconds=100),
    pressed_old_code=timedelta(milliseconds=200),
    repeated=timedelta(milliseconds=700),
    hour_floor=1000,
    day_floor=2000,
    source=None,  # all come from one address
    summed=timedelta(milliseconds=400),
    session_idle=timedelta(hours=8),
)
SHORT_RULES = Rules(
    tries={OPEN: 3, RESERVED: 2},
    suspensions={
        OPEN: (2 * _HUNDRED_MS, 4 * _HUNDRED_MS, 6 * _HUNDRED_MS),
        RESERVED: (3 * _HUNDRED_MS,),
    },
    pressed_after=9,
    pressed_for=30 * _HUNDRED_MS,
    pressed_suspension=_HUNDRED_MS,
    pressed_old_code=2 * _HUNDRED_MS,
    repeated=7 * _HUNDRED_MS,
    hour_floor=1000,
    day_floor=2000,
    looked=50 * _HUNDRED_MS,
)


def open_bank(url: str) -> Bank:
    """A bank on the database of *url*, as every server opens it."""
    return Bank(
        store=open_store(url),
        custodian=custodian(),
        now=utc_now,
        random_bytes=secrets.token_bytes,
        limits=SHORT,
        old_codes=quick_old_codes(),
    )


def settings(folder: Path, port: int, url: str = f"sqlite:///{FILE}") -> Path:
    """A file that tells `sesame serve` of the bank in *folder*, on the database of *url*."""
    path = folder / f"settings-{port}.toml"
    path.write_text(
        f'database = "{url}"\n'
        'keystore = "keystore.json"\n'
        'keystore_passphrase_file = "passphrase"\n'
        f'public_url = "http://127.0.0.1:{port}"\n'
        f"port = {port}\n"
        "demonstration = true\n"
        "source_limits = false\n",
        encoding="utf-8",
    )
    return path


async def populate(folder: Path, url: str, *, eras: int = 1) -> None:
    """A new bank: the tests' keys in *folder*, and everybody enrolled in the database of *url*."""
    passphrase = folder / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text(PASSPHRASE.text, encoding="utf-8")
    # Of the same chance come the same keys, so that every code can be made without them.
    Keystore.create(
        folder / "keystore.json", PASSPHRASE, demo=True, now=NINE, random=chance("keys"), cost=QUICK
    )
    await asyncio.to_thread(migrate, url)
    bank = open_bank(url)
    for person in people(eras):
        await enrol(bank, new_customer(person))
    await bank.store.close()


@cache
def code_of(card: Card, atc: int) -> Code:
    """The code that *card* makes at *atc*."""
    return make_code(_card_key(card), card.profile, atc=atc)


@cache
def _card_key(card: Card) -> DesKey:
    issuer_key = DesKey(custody_keys().only(KeyUsage.ISSUER_AC).value)
    return card_key_b(issuer_key, card.record.pan.digits, card.record.psn)


# ── What is left ─────────────────────────────────────────────────────────────────────────────────


def read_history(folder: Path, *, rules: Rules) -> History:
    """The logs and the rows in *folder*, after all servers are gone."""
    logs = read_logs(folder / "logs")
    requests = logs.requests
    with closing(sqlite3.connect(folder / FILE)) as database:
        (enrolled,) = database.execute("SELECT count(*) FROM customers").fetchone()
        everybody = people(enrolled // len(_NAMED))
        damage = database.execute("PRAGMA integrity_check").fetchall()
        if damage != [("ok",)]:
            raise RuntimeError(f"the database is damaged: {damage}")
        left: dict[str, Left] = {
            user_code: _left(database, user_code)
            for user_code in (*(person.user_code for person in everybody), *STRANGERS)
        }
        (strangers,) = database.execute("SELECT total(failures) FROM stranger_failures").fetchone()
    return History(
        rules=rules,
        customers={
            **dict.fromkeys(STRANGERS, NOBODY),
            **{person.user_code: _customer(person) for person in everybody},
        },
        requests=requests,
        kills=logs.kills,
        befell=logs.befell,
        pages=logs.pages,
        skew=logs.skew,
        left=left,
        fits={
            person.user_code: _fits(person, left[person.user_code], requests)
            for person in everybody
        },
        old_code=OLD_CODE.typed,
        strangers_failures=int(strangers),
    )


def _customer(person: Person) -> Customer:
    return Customer(windows={n: card.profile.window for n, card in enumerate(person.cards, 1)})


def _left(database: sqlite3.Connection, user_code: str) -> Left:
    table = "stranger_lines" if user_code in STRANGERS else "audit_lines"
    query = f"SELECT version, at, line, head FROM {table} WHERE user_code = ? ORDER BY version"  # noqa: S608 -- two names
    found = database.execute(query, (user_code,)).fetchall()
    chain = [(version, line, head) for version, _, line, head in found]
    row = database.execute(
        "SELECT version, head, old_code IS NOT NULL FROM access WHERE user_code = ?", (user_code,)
    ).fetchone()
    version, head, old_code = row or (0, bytes(32), 0)
    sessions = database.execute(
        "SELECT token_hash, means, opened_at FROM sessions WHERE user_code = ?", (user_code,)
    ).fetchall()
    last_atcs = database.execute(
        "SELECT card_number, last_atc FROM cards WHERE user_code = ?", (user_code,)
    ).fetchall()
    (devices,) = database.execute(
        "SELECT count(*) FROM devices WHERE user_code = ?", (user_code,)
    ).fetchone()
    return Left(
        lines=[Line(version, at, json.loads(line)) for version, at, line, _ in found],
        broken_at=_broken_at(chain, head),
        version=version,
        last_atcs=dict(last_atcs),
        has_old_code=bool(old_code),
        devices=devices,
        sessions=sessions,
    )


def _broken_at(chain: Lines, head: bytes) -> int | None:
    """Where a stranger finds the chain broken."""
    if chain_is_whole(chain, head):
        return None
    for length, (version, _, written_head) in enumerate(chain, 1):
        if not chain_is_whole(chain[:length], written_head):
            return version
    return chain[-1][0] if chain else 0


def _fits(
    person: Person, left: Left, requests: Sequence[Request]
) -> Mapping[str, frozenset[tuple[int, int]]]:
    """Every code that the person's cards make, as far as anybody went."""
    fits: dict[str, set[tuple[int, int]]] = {}
    for number, card in enumerate(person.cards, 1):
        made = [
            atc
            for request in requests
            if request.user_code == person.user_code
            for made_by, atc in request.made
            if made_by == number
        ]
        highest = max([left.last_atcs[number], *made]) + card.profile.window + 1
        for atc in range(1, highest + 1):
            fits.setdefault(code_of(card, atc).digits, set()).add((number, atc))
    return {code: frozenset(found) for code, found in fits.items()}
