"""What is done after an older backup was put back, before the first customer is let in.

The stream that left for another host, where there is one, is replayed as `sesame database
replay` does. Then another life of the database begins, and every card is unsure. What the desk
has to do again is `sesame.simulation.world`'s.
"""

from collections.abc import Iterable, Sequence

from sesame.bank.bank import Bank
from sesame.bank.replay import Replayed, replay
from sesame.bank.stream import StreamedLine
from sesame.store.audit import read_lines
from sesame.store.buckets import bucket_of


async def ship(bank: Bank, user_codes: Iterable[str]) -> Sequence[StreamedLine]:
    """The lines of *user_codes* that there are, as another host has them."""
    shipped = []
    for user_code in user_codes:
        key = (bucket_of(user_code), user_code)
        lines = await bank.store.read(lambda connection, key=key: read_lines(connection, *key))  # type: ignore[misc]  # of this turn
        shipped += [StreamedLine(user_code, version, line) for version, line, _ in lines]
    return shipped


async def work_off(bank: Bank, stream: Sequence[StreamedLine] | None) -> Replayed:
    """Take the bank to what the *stream* tells of; without one, nowhere.

    No card is sure once another life has begun, which is for the caller: see `restored.beat`.
    """
    return Replayed() if stream is None else await replay(bank, stream)
