"""Issuing on PostgreSQL under roles of its own: what it needs, and nothing besides."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import update

from sesame.bank.dispatching import record_posted
from sesame.bank.issuing import CardRules, make_cards
from sesame.bank.moments import to_row
from sesame.bank.notices import Outbox
from sesame.bank.returned_mail import record_returned, reprint_welcome, send_again
from sesame.bank.stock import Correction, correct, take_in
from sesame.store.buckets import bucket_of
from sesame.store.cards import CARDS
from sesame.store.dispatches import CARD, PIN, READER, WELCOME
from sesame.store.engine import open_store
from sesame.store.notices import insert_notice
from sesame.store.roles import DESK_ROLE, ISSUING_ROLE
from sesame.store.schema import migrate
from tests.bureaux import Works, open_works, sealed_pins
from tests.desk.office import ADDRESS
from tests.postgresql import Cluster
from tests.test_posting import destroy_one, make, print_kind

pytestmark = pytest.mark.needs("postgresql")

_OWNER = "issuing_owner"


@pytest.fixture
def owned(cluster: Cluster) -> Iterator[str]:
    """The name of a database whose tables belong to a role of their own."""
    roles = (_OWNER, DESK_ROLE, ISSUING_ROLE)
    for role in roles:
        cluster.psql(f"CREATE ROLE {role} LOGIN")
    name = cluster.new_database()
    cluster.psql(f"ALTER DATABASE {name} OWNER TO {_OWNER}")
    cluster.psql(f"GRANT CREATE ON SCHEMA public TO {_OWNER}", database=name)
    migrate(cluster.url(name, user=_OWNER))
    yield name
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")
    for role in roles:
        cluster.psql(f"DROP ROLE {role}")


@pytest.fixture
async def works(cluster: Cluster, owned: str, tmp_path: Path) -> AsyncIterator[Works]:
    """A bank that issues cards, as its owner sees it."""
    works = await open_works(cluster.url(owned, user=_OWNER), tmp_path)
    yield works
    await works.bank.store.close()


async def test_what_issuing_does(
    cluster: Cluster, owned: str, works: Works, tmp_path: Path
) -> None:
    """Asked and granted at the desk; all the rest by the role that issues."""
    user_code = await works.new_customer("Nora Lebrun")
    town = works.office.town
    owner = town.bank
    desk, issuing = (
        replace(owner, store=open_store(cluster.url(owned, user=role)))
        for role in (DESK_ROLE, ISSUING_ROLE)
    )
    town.bank = desk
    await works.office.agree(works.office.paul, await works.ask())
    town.bank = issuing
    assert await works.carry_out() == 1
    assert await make(works, tmp_path / "bureau.cms") == 1
    await take_in(issuing, [("SR1-0001", "Sesame R1"), ("SR1-0002", "Sesame R1")], works.by(0))
    await correct(issuing, "SR1-0002", Correction.DISCARD, works.by(0))
    for kind in (CARD, PIN, READER, WELCOME):
        works.next_day(7)
        printed = await print_kind(works, kind, tmp_path / kind)
        assert printed.letters == 1
        await record_posted(issuing, printed.batch, works.by(0), None, works.post)
        await destroy_one(works, printed.batch, tmp_path / kind)
    assert await issuing.store.read(sealed_pins) == [None]
    town.bank = desk
    asked = await works.reprint(user_code, 1)
    await works.office.agree(works.office.paul, asked)
    town.bank = issuing
    assert await make(works, tmp_path / "second.cms") == 1
    works.next_day()
    printed = await print_kind(works, CARD, tmp_path / "second")
    (letter,) = (tmp_path / "second").glob("*.pdf")
    await record_posted(issuing, printed.batch, works.by(0), None, works.post)
    reference = letter.stem.partition("-")[2]
    for bank in (desk, issuing):
        await reprint_welcome(bank, user_code, works.by(0), address=ADDRESS)
    await record_returned(desk, reference, works.by(0), address=ADDRESS)
    await send_again(desk, reference, works.by(0), works.post, address=ADDRESS)
    assert await make(works, tmp_path / "third.cms") == 1
    key, at = (bucket_of(user_code), user_code), to_row(desk.now())
    for number, event in enumerate(("hold", "address-changed")):
        notice = bytes([number]) * 16
        await desk.store.write(
            partial(insert_notice, key=key, notice=notice, event=event, facts=b"{}", at=at)
        )
    await Outbox(None).tell(desk)
    # The second notice is of the other PIN.
    for kind, letters in (("hold", 1), ("notice", 2)):
        assert (await print_kind(works, kind, tmp_path / kind, by=0)).letters == letters
    town.bank = owner
    for bank in (desk, issuing):
        await bank.store.close()


_REFUSED = {
    DESK_ROLE: (
        "SELECT sealed_pin FROM card_orders",
        "UPDATE card_orders SET activation_hash = NULL",
        "UPDATE dispatches SET printed_at = 1",
    ),
    ISSUING_ROLE: (
        "UPDATE approvals SET verdict = 'approved'",
        "INSERT INTO approvals TABLE approvals",
        "UPDATE staff SET roles = 'officer'",
        "UPDATE cards SET last_atc = 9",
        "UPDATE customer_details SET line_4 = 'chez moi'",
        "UPDATE card_orders SET activated_at = 1",
        "SELECT * FROM sessions",
        "SELECT * FROM audit_personal",
        "DELETE FROM audit_lines",
        "DELETE FROM dispatches",
        "UPDATE notices SET facts = ''",
    ),
}


async def test_issuing_opens_no_card(cluster: Cluster, owned: str, works: Works) -> None:
    """Whoever sees PINs lets none sign in: neither what waits or is held, nor a card of its own."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    made = await make_cards(
        works.bank,
        works.maker,
        works.by(0),
        rules=CardRules(),
        post=works.post,
        write=lambda _batch, _cards: bytes(32),
    )
    assert made.cards == 1
    place = f"'{user_code}', 1, '{{by}}', '', '', 0, '\\x{'00' * 32}'"
    hold = (
        'INSERT INTO holds (bucket, user_code, card_number, "by", by_code, reason, at, '  # noqa: S608 -- of the tests
        f"release_hash) VALUES ({bucket_of(user_code)}, {place})"
    )
    own = "INSERT INTO card_orders SELECT bucket, user_code, 2, kind, reason, replaces, "
    own += "ordered_at, ordered_by, card_number, personalised_at, expires_on, sealed_pin, "
    own += f"'\\x{'00' * 32}', 9, 1, NULL FROM card_orders"
    card = "INSERT INTO cards (bucket, user_code, card_number, kind, state, profile, sealed, "
    card += "last4, last_atc, created_at) SELECT bucket, user_code, 2, kind, 'active', profile, "
    card += "sealed, last4, 0, 0 FROM cards WHERE user_code = $1"
    connection = await asyncpg.connect(
        cluster.url(owned, user=ISSUING_ROLE).replace("+asyncpg", "")
    )

    async def is_refused(statement: str, *values: str) -> None:
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute(statement, *values)

    await connection.execute(own)
    for before in ("waiting", "held"):
        await works.bank.store.write(
            lambda c, before=before: c.execute(  # type: ignore[misc]  # of this turn
                update(CARDS).where(CARDS.c.user_code == user_code).values(state=before)
            )
        )
        await is_refused("UPDATE cards SET state = 'active' WHERE user_code = $1", user_code)
        await is_refused(hold.format(by="owner"))
    await connection.execute(hold.format(by="desk"))
    await connection.execute("DELETE FROM holds")
    await is_refused("UPDATE cards SET state = 'active' WHERE user_code = $1", user_code)
    await is_refused(card, user_code)
    await connection.execute("UPDATE cards SET state = 'retired' WHERE user_code = $1", user_code)
    await connection.close()


async def test_what_it_does_not(cluster: Cluster, owned: str) -> None:
    """No verdict, no address, no counter, no session; and the desk sees no sealed PIN."""
    for role, statements in _REFUSED.items():
        url = cluster.url(owned, user=role).replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        for statement in statements:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()
