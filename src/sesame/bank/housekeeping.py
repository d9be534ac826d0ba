"""What a running server does now and then: forget what has no use any more."""

from sesame.bank.bank import Bank
from sesame.bank.limits import SourceLimits
from sesame.bank.moments import to_row
from sesame.bank.pressure import hour_of
from sesame.bank.turned_away import write_all_turned_away
from sesame.store.access import delete_stranger_rows
from sesame.store.audit import cap_stranger_lines
from sesame.store.devices import delete_expired_devices
from sesame.store.failures import delete_old_failures
from sesame.store.sessions import delete_dead_sessions
from sesame.store.sources import cap_refusals, delete_old_refusals


async def tidy(bank: Bank) -> None:
    """Write down what was turned away; forget what ended by time, and what strangers did."""
    await write_all_turned_away(bank)
    now, limits = bank.now(), bank.limits
    at, unseen_since = to_row(now), to_row(now - limits.session_idle)
    untouched_since = to_row(now - limits.forgotten_after)
    unusual_before = hour_of(now - limits.usual_over)
    of_sources = limits.source or SourceLimits()  # what was counted before they were switched off
    counted_since = hour_of(now) - of_sources.hours_kept
    for forget_some in (
        lambda connection: delete_dead_sessions(connection, unseen_since=unseen_since, now=at),
        lambda connection: delete_stranger_rows(connection, untouched_since=untouched_since),
        lambda connection: cap_stranger_lines(connection, most=limits.stranger_lines),
        lambda connection: delete_expired_devices(connection, now=at),
        lambda connection: delete_old_failures(connection, before=unusual_before),
        lambda connection: delete_old_refusals(connection, before=counted_since),
        lambda connection: cap_refusals(connection, most=of_sources.rows),
    ):
        while await bank.store.write(forget_some):  # a part at a time
            pass


async def share_sources(bank: Bank) -> None:
    """Tell other servers what was refused to which address, and learn what they refused."""
    await bank.sources.share(bank.store, bank.custodian, bank.limits.source, bank.now())


async def look_at_closures(bank: Bank) -> None:
    """See on which days the help line has other hours."""
    await bank.closures.look(bank.store, bank.now())
