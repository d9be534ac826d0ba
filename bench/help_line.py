"""The help line's looking, measured: who is likely calling, searches, a customer's page.

    python -m bench.help_line                                 both, with 200,000 customers
    python -m bench.help_line --customers 20000 --store sqlite

Names are of a few hundred first names and some thousand surnames, as unevenly spread as people's,
so that the commonest have thousands of bearers. A million lines, those of a busy hour, the last
one, among them: 10,000, an eighth of them refusals. The least of fifteen times, in milliseconds,
for much else may go on beside, and without the web around it; it ends with one line of JSON.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from bench.places import STORES, premises_on
from bench.population import Premises, found, open_population_bank
from sesame.bank.bank import Bank
from sesame.bank.callers import MOST_PAGES, likely_callers
from sesame.bank.dossier import read_dossier, read_timeline
from sesame.bank.moments import to_row
from sesame.bank.search import read_query, search
from sesame.bank.user_code import ALPHABET, UserCode
from sesame.store.access import ACCESS, NO_HEAD, State, state_columns
from sesame.store.audit import AUDIT_LINES
from sesame.store.buckets import bucket_of
from sesame.store.bulk import insert_rows
from sesame.store.cards import CARDS, Key
from sesame.store.customers import CUSTOMERS
from sesame.store.names import insert_words

_CUSTOMERS = 200_000
_LINES = 5  # of each customer
_OF_THE_HOUR = 20  # one customer of so many has one in the last hour
_REFUSED = 8  # one of so many of these is a refusal
_BATCH = 10_000
_TIMES = 15
_SYLLABLES = ("ma", "ri", "lo", "du", "ber", "gue", "tan", "val", "mo", "che", "sa", "net")


def main() -> None:
    """Measure, and print a line a figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.help_line")
    parser.add_argument("--customers", type=int, default=_CUSTOMERS)
    parser.add_argument("--store", choices=STORES, action="append")
    asked = parser.parse_args()
    figures: dict[str, float] = {}
    for store in asked.store or STORES:
        for name, value in measure(store, asked.customers).items():
            figures[f"{store}_{name}"] = value
            print(f"{store} {name:32} {value:10.2f}", flush=True)
    print(json.dumps({"customers": asked.customers, "figures": figures}))


def measure(store: str, customers: int) -> dict[str, float]:
    """The least milliseconds of each question."""
    with premises_on(store) as premises:
        return asyncio.run(_measure(premises, customers))


async def _measure(premises: Premises, customers: int) -> dict[str, float]:
    await found(premises)
    bank = open_population_bank(premises)
    try:
        names = await _fill(bank, customers)
        return await _ask(bank, names)
    finally:
        await bank.store.close()


async def _fill(bank: Bank, customers: int) -> list[tuple[Key, str]]:
    chance = random.Random(7)
    codes = (_code(number * (32**8 // customers)) for number in range(customers))
    keys = [(bucket_of(code), code) for code in codes]
    names = [(key, _name(chance)) for key in keys]
    now = to_row(bank.now())
    for first in range(0, customers, _BATCH):
        page = names[first : first + _BATCH]
        await bank.store.write(partial(_people, names=page, now=now))
    # In the order of their moments, as they would have come.
    lines = sorted(_lines(keys, now, chance), key=_moment)
    for first in range(0, len(lines), _BATCH):
        batch = lines[first : first + _BATCH]
        await bank.store.write(partial(_write, lines=batch))
    await bank.store.write(_settle_down)
    return names


def _code(number: int) -> str:
    """The user code of a number below 32⁸."""
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(8))


def _name(chance: random.Random) -> str:
    """A first name and a surname, the earlier ones much more often."""

    def word(most: int, syllables: int) -> str:
        number = int(most ** chance.random()) - 1
        parts = []
        for _ in range(syllables):
            number, at = divmod(number, len(_SYLLABLES))
            parts.append(_SYLLABLES[at])
        return "".join(parts).capitalize()

    return f"{word(300, 3)} {word(5_000, 4)}"


def _people(connection: Connection, names: list[tuple[Key, str]], now: int) -> None:
    """Customers, each with an access row and a card."""
    insert_rows(
        connection,
        CUSTOMERS,
        ("bucket", "user_code", "name", "language", "created_at"),
        [(*key, name, "fr", now) for key, name in names],
    )
    insert_words(connection, names)
    state = state_columns(State(stepped_at=now))
    columns = ("bucket", "user_code", "version", "enrolled_at", "head", *state)
    rows = [(*key, _LINES, now, NO_HEAD, *state.values()) for key, _ in names]
    insert_rows(connection, ACCESS, columns, rows)
    card = {"card_number": 1, "kind": "bank", "state": "active", "profile": "bank-card-1"}
    card |= {"sealed": bytes(64), "last_atc": 9, "created_at": now, "generation": 0}
    insert_rows(
        connection,
        CARDS,
        ("bucket", "user_code", *card, "last4"),
        [(*key, *card.values(), f"{hash(key) % 10_000:04d}") for key, _ in names],
    )


def _lines(keys: list[Key], now: int, chance: random.Random) -> Iterator[tuple[object, ...]]:
    """Lines as long as a login's; the last of some is of the last hour, and of some a refusal."""
    hour, year = 3_600_000_000, 365 * 86_400_000_000
    for key in keys:
        for version in range(1, _LINES + 1):
            last = version == _LINES and not chance.randrange(_OF_THE_HOUR)
            ago = chance.randrange(hour) if last else hour + chance.randrange(year)
            refused = chance.randrange(_REFUSED) == 0
            line = {
                "event": "login",
                "outcome": "refused" if refused else "accepted",
                "cause": "wrong" if refused else "",
                "cards": [] if refused else [[1, "bank-card-1", 9]],
                "door": "portal",
                "means": "code",
                "side": "open",
                "failures": int(refused),
                "suspended_until": "",
                "prev": "0" * 150,
            }
            yield (
                *key,
                version,
                now - ago,
                bytes(16),
                json.dumps(line, sort_keys=True, separators=(",", ":")).encode(),
                NO_HEAD,
            )


def _settle_down(connection: Connection) -> None:
    """What the database does for itself while a bank lives: statistics, and the index's ranges."""
    connection.exec_driver_sql("ANALYZE")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT brin_summarize_new_values('audit_lines_by_moment')")


def _moment(line: tuple[object, ...]) -> int:
    """When a line was written, as in its row."""
    return int(str(line[3]))


def _write(connection: Connection, lines: list[tuple[object, ...]]) -> None:
    columns = ("bucket", "user_code", "version", "at", "attempt", "line", "head")
    insert_rows(connection, AUDIT_LINES, columns, lines)


async def _ask(bank: Bank, names: list[tuple[Key, str]]) -> dict[str, float]:
    (_, user_code), name = names[len(names) // 2]
    first, last = name.split()
    common_first = _name_of(names, 0)
    common_last = _name_of(names, 1)
    last4 = f"{hash(names[len(names) // 2][0]) % 10_000:04d}"

    def find(typed: str) -> Callable[[], Awaitable[object]]:
        return lambda: search(bank, read_query(typed))

    questions: dict[str, Callable[[], Awaitable[object]]] = {
        "callers_hour": lambda: likely_callers(bank, span=timedelta(hours=1)),
        "callers_hour_last_page": lambda: likely_callers(
            bank, span=timedelta(hours=1), page=MOST_PAGES
        ),
        "callers_day": lambda: likely_callers(bank, span=timedelta(hours=24)),
        "search_name": find(f"{last} {first}"),
        "search_common_surname": find(common_last),
        "search_common_names": find(f"{common_first} {common_last}"),
        "search_two_letters": find("ma"),
        "search_two_letters_twice": find("ma lo"),
        "search_nobody": find(f"{common_first} zzzz"),
        "search_last4": find(last4),
        "search_name_and_last4": find(f"{common_first} {last4}"),
        "search_user_code": find(user_code),
        "customer": lambda: read_dossier(bank, UserCode(user_code)),
        "timeline": lambda: read_timeline(bank, UserCode(user_code)),
    }
    return {name: await _least(question) for name, question in questions.items()}


def _name_of(names: list[tuple[Key, str]], place: int) -> str:
    """The commonest first name, or surname."""
    return statistics.mode(name.split()[place] for _, name in names)


async def _least(question: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        await question()
        taken.append(1_000 * (time.perf_counter() - began))
    return min(taken)


if __name__ == "__main__":
    main()
