"""`sesame.bank.housekeeping`."""

from dataclasses import replace

from sesame.bank.housekeeping import tidy
from sesame.bank.limits import Limits
from sesame.bank.sessions import read_session
from sesame.bank.verification import Accepted, Refused
from tests.bank.branch import NOBODY, OMAR, VERA, Branch


async def test_dead_sessions_are_forgotten(branch: Branch) -> None:
    """Idle ones and old ones; whoever is active stays signed in."""
    idle = await branch.login(VERA, VERA.card.code(1))
    branch.clock.forward(minutes=3)
    active = await branch.login(OMAR, OMAR.card.code(1))
    branch.clock.forward(minutes=3)
    await tidy(branch.bank)
    assert isinstance(idle, Accepted)
    assert isinstance(active, Accepted)
    assert len(branch.rows("SELECT * FROM sessions")) == 1
    assert await read_session(branch.bank, active.session_token or "")


async def test_strangers_are_forgotten_by_age(branch: Branch) -> None:
    """And begin anew like a user code that nobody ever typed: the same answer, no trace."""
    await branch.fail(NOBODY, 3)
    branch.clock.forward(days=29)
    await tidy(branch.bank)
    assert len(branch.rows("SELECT * FROM stranger_lines")) == 3
    branch.clock.forward(days=2)
    await tidy(branch.bank)
    for table in ("stranger_lines", "stranger_personal"):
        assert branch.rows(f"SELECT * FROM {table}") == []  # noqa: S608 -- two names
    assert branch.rows("SELECT * FROM access WHERE enrolled_at IS NULL") == []
    assert await branch.fail(NOBODY, 2) == [Refused()] * 2
    assert branch.row(NOBODY)["open_failures"] == 2


async def test_strangers_lines_are_forgotten_by_number(branch: Branch) -> None:
    """The newest stay; where an address came from goes with the line."""
    branch.bank = replace(branch.bank, limits=Limits(stranger_lines=3))
    for _ in range(4):
        branch.clock.forward(minutes=16)
        await branch.fail(NOBODY, 1)
    await tidy(branch.bank)
    for table in ("stranger_lines", "stranger_personal"):
        assert branch.rows(f"SELECT version FROM {table}") == [(2,), (3,), (4,)]  # noqa: S608 -- two names
    assert branch.row(NOBODY)["version"] == 4


async def test_what_was_turned_away_is_written_down(branch: Branch) -> None:
    """The rest of a flood that is over, in one line; then there is nothing more to write."""
    await branch.fail(VERA.user_code, 3 + 7)
    before = branch.row(VERA.user_code)["version"]
    for _ in range(2):
        await tidy(branch.bank)
    assert branch.row(VERA.user_code)["version"] == int(str(before)) + 1
    ((line,),) = branch.rows(
        "SELECT line FROM audit_lines WHERE user_code = ? ORDER BY version DESC LIMIT 1",
        VERA.user_code,
    )
    assert b'"causes":[["suspended",7]]' in (line if isinstance(line, bytes) else b"")


async def test_devices_and_counts_are_forgotten_by_age(branch: Branch) -> None:
    """Thirteen months, and as long as the usual number of failures is learned from."""
    await branch.login(VERA, VERA.card.code(1), device_seed=b"D" * 32)
    await branch.fail(NOBODY, 1)
    for days, devices, hours in ((28, 1, 1), (1, 1, 0), (396, 0, 0)):
        branch.clock.forward(days=days)
        await tidy(branch.bank)
        assert len(branch.rows("SELECT * FROM devices")) == devices
        assert len(branch.rows("SELECT * FROM stranger_failures")) == hours


async def test_customers_are_not_forgotten(branch: Branch) -> None:
    """Neither they nor their lines, however long ago."""
    await branch.login(VERA, VERA.card.code(1))
    chains = branch.rows("SELECT * FROM audit_lines"), branch.rows("SELECT * FROM audit_personal")
    row = branch.row(VERA.user_code)
    branch.clock.forward(days=4000)
    await tidy(branch.bank)
    assert branch.row(VERA.user_code) == row
    assert chains == (
        branch.rows("SELECT * FROM audit_lines"),
        branch.rows("SELECT * FROM audit_personal"),
    )
