"""The desk on PostgreSQL, under a role of its own: all that it does, and nothing besides."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from sesame.bank.addresses import change, find_standing
from sesame.bank.approvals import Asked, Kind, Wish
from sesame.bank.approving import ask
from sesame.bank.auditing import audit
from sesame.bank.bank import Bank
from sesame.bank.customers import NewCard, NewCustomer, enrol
from sesame.bank.desk_limits import ask_for_limit, desk_limits
from sesame.bank.details import PostalAddress
from sesame.bank.dossier import read_dossier, read_timeline
from sesame.bank.errors import AskedAlready, NothingToRelease, NotShown
from sesame.bank.help_line import hand_over, lift_suspension, oppose, order_for_counter
from sesame.bank.helping import LiftReason, Loss, Question
from sesame.bank.limits import Changeable
from sesame.bank.looking import note_look
from sesame.bank.matching import TwoCodes
from sesame.bank.moments import to_row
from sesame.bank.notices import Outbox
from sesame.bank.read_out import Weighed, bring_into_step, explain_code, rehearse_together
from sesame.bank.revealing import reveal_number
from sesame.bank.staffing import close_member, enrol_officer, read_staff_session
from sesame.bank.verification import Accepted, verify_login
from sesame.cap.token import Code
from sesame.catalogue import Language
from sesame.custody.keystore_custodian import (
    KeystoreIssuingCustodian,
    KeystoreRevealingCustodian,
)
from sesame.store.buckets import bucket_of
from sesame.store.dispatches import DispatchRow, insert_dispatch, list_dispatches
from sesame.store.engine import open_store
from sesame.store.errors import StoreUnavailable
from sesame.store.notices import insert_notice
from sesame.store.roles import DESK_ROLE
from sesame.store.schema import migrate
from tests.bank.branch import attempt
from tests.bank.test_lowering import STATED, ask_for, import_nora, last_atc
from tests.bank.test_notices import Carrier
from tests.bank.test_staffing import token_of
from tests.custody.keystores import chance, quick_keystore
from tests.desk.caller import call, suspend
from tests.desk.office import ADDRESS, SOMEWHERE, Office
from tests.portal.town import Clock, Town
from tests.postgresql import Cluster

pytestmark = pytest.mark.needs("postgresql")

_OWNER = "desk_owner"


@pytest.fixture
def owned(cluster: Cluster) -> Iterator[str]:
    """The name of a database whose tables belong to a role of their own."""
    for role in (_OWNER, DESK_ROLE):
        cluster.psql(f"CREATE ROLE {role} LOGIN")
    name = cluster.new_database()
    cluster.psql(f"ALTER DATABASE {name} OWNER TO {_OWNER}")
    cluster.psql(f"GRANT CREATE ON SCHEMA public TO {_OWNER}", database=name)
    migrate(cluster.url(name, user=_OWNER))
    yield name
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")
    for role in (_OWNER, DESK_ROLE):
        cluster.psql(f"DROP ROLE {role}")


@pytest.fixture
async def office(cluster: Cluster, owned: str, tmp_path: Path) -> AsyncIterator[Office]:
    """The desk's own view of it: the owner enrols a customer and prints the secrets."""
    clock = Clock()
    custodian = KeystoreIssuingCustodian(quick_keystore(tmp_path / "keys"), random=chance("keys"))
    owner = Bank(
        store=open_store(cluster.url(owned, user=_OWNER)),
        custodian=custodian,
        now=clock,
        random_bytes=chance("bank"),
    )
    desk = replace(owner, store=open_store(cluster.url(owned, user=DESK_ROLE)))
    town = Town(owner, custodian, clock)
    vera = NewCustomer(
        user_code=town.vera.user_code,
        name=town.vera.name,
        language=Language.FRENCH,
        old_code=None,
        cards=[NewCard(kind=town.vera.kind, record=town.vera.record)],
        details=SOMEWHERE,
    )
    await enrol(owner, vera)
    revealing = KeystoreRevealingCustodian(quick_keystore(tmp_path / "again"))
    office = Office(town, revealing)
    for officer in (office.odile, office.paul):
        town.bank = owner
        secret = await office.secret()
        town.bank = desk
        officer.user_code = await enrol_officer(desk, secret, officer.new, ADDRESS)
    yield office
    town.bank = desk
    for bank in (owner, desk):
        await bank.store.close()


async def test_what_the_desk_does(office: Office) -> None:
    """Staff sign in, are hired and closed; a hold is lifted by two; every chain is whole."""
    bank, odile = office.bank, office.staff(office.odile)
    assert await read_staff_session(bank, await token_of(office, office.odile)) is not None
    await office.agree(office.paul, await office.hire(office.ada))
    assert await read_staff_session(bank, await token_of(office, office.ada)) is not None
    vera, ada = office.town.vera.user_code, office.staff(office.ada)
    await note_look(bank, ada, vera, ADDRESS)
    dossier = await read_dossier(bank, vera)
    assert dossier is not None
    assert dossier.cards[0].last4 == office.town.vera.record.pan.last4
    assert [one.clauses[0].name for one in (await read_timeline(bank, vera)).entries] == [
        "enrolment"
    ]
    wish = await office.hold(office.town.vera.user_code)
    await office.agree(
        office.paul, await ask(bank, office.staff(office.ada), wish, address=ADDRESS)
    )
    assert (await bank.store.read_access(wish.subject)).cards[0].state == "active"
    await _change_an_address(office)
    await _see_a_number(office)
    await _change_a_limit(office)
    await close_member(bank, odile, office.ada.user_code, address=ADDRESS, reason="Départ")


async def _see_a_number(office: Office) -> None:
    """Once."""
    vera, ada, bank = office.town.vera, office.staff(office.ada), office.bank
    wish = Wish(Kind.SHOW_NUMBER, vera.user_code, {"card": 1}, "Litige du 2 mars")
    asked = await office.agree(office.paul, await ask(bank, ada, wish, address=ADDRESS))
    see = partial(reveal_number, bank, office.revealing, ada, asked.id, address=ADDRESS)
    assert await see() == vera.record.pan
    with pytest.raises(NotShown):
        await see()


async def _change_a_limit(office: Office) -> None:
    """And it holds, also where two officers ask for one at once."""
    ask_at_once = [
        ask_for_limit(
            office.bank,
            office.staff(by),
            Changeable.LIFTS_OF_CUSTOMER,
            4,
            reason="Appels",
            address=ADDRESS,
        )
        for by in (office.odile, office.paul)
    ]
    done = await asyncio.gather(*ask_at_once, return_exceptions=True)
    (asked,) = (one for one in done if isinstance(one, Asked))
    (late,) = (one for one in done if not isinstance(one, Asked))
    assert isinstance(late, AskedAlready)
    other = office.paul if asked.requested_by == office.odile.user_code else office.odile
    await office.agree(other, asked)
    assert (await desk_limits(office.bank)).lifts_of_customer == 4


async def test_a_yes_and_a_code_at_once(cluster: Cluster, owned: str, office: Office) -> None:
    """Of two processes, whichever comes first wins whole: the counter falls, or the code counts."""
    desk, town = office.bank, office.town
    portal = replace(desk, store=open_store(cluster.url(owned, user=_OWNER)))
    await office.agree(office.paul, await office.hire(office.ada))
    for turn in range(8):
        town.bank = portal  # whose role enrols
        nora = await import_nora(office, turn)
        town.bank = desk
        asked = await ask_for(office, nora)
        nora.atc = STATED
        code = attempt(nora.user_code, Code(await town.code_of(nora)))
        both = [office.agree(office.paul, asked), verify_login(portal, code)]
        done = await asyncio.gather(*both[:: 1 - 2 * (turn % 2)], return_exceptions=True)
        accepted = any(isinstance(one, Accepted) for one in done)
        assert accepted == any(isinstance(one, NothingToRelease) for one in done), done
        assert await last_atc(office, nora) == (STATED + 1 if accepted else 812)
    assert (await audit(portal.store, None)).findings == []
    await portal.store.close()


async def test_the_desk_tells_customers(cluster: Cluster, owned: str, office: Office) -> None:
    """It sorts a notice, sends the e-mail and has a letter printed, by the rights that it has."""
    bank, town = office.bank, office.town
    key = (bucket_of(town.vera.user_code), town.vera.user_code)
    owner = await asyncpg.connect(cluster.url(owned, user=_OWNER).replace("+asyncpg", ""))
    await owner.execute("UPDATE customer_details SET email = 'vera@example.org'")
    await owner.close()
    for number, event in enumerate(("hold", "address-changed")):
        notice, at = bytes([number]) * 16, to_row(town.clock())
        await bank.store.write(
            partial(insert_notice, key=key, notice=notice, event=event, facts=b"{}", at=at)
        )
    carrier = Carrier()
    await Outbox(carrier).tell(bank)
    assert [told.to for told in carrier.taken] == ["vera@example.org"] * 2
    letters = await bank.store.read(lambda c: list_dispatches(c, key))
    assert [letter.kind for letter in letters] == ["notice"]


async def _change_an_address(office: Office) -> None:
    """With a request, which is agreed to."""
    vera, ada, desk = office.town.vera.user_code, office.staff(office.ada), office.bank
    await office.order(vera)
    new = PostalAddress(line_4="3 quai Rambaud", postcode="69002", city="Lyon")
    asked = await change(desk, ada, vera, new, reason="Déménagement", address=ADDRESS)
    assert asked is not None
    await office.agree(office.paul, asked)
    assert (await find_standing(desk, vera)).pin_may_go


async def test_what_the_help_line_does(cluster: Cluster, owned: str, office: Office) -> None:
    """Every act of an adviser, under the desk's role; and every chain is whole."""
    bank, vera = office.bank, office.town.vera
    await office.agree(office.paul, await office.hire(office.ada))
    await suspend(office, vera)
    two = (Question.LETTER, Question.CARD)
    await lift_suspension(bank, call(office, vera), LiftReason.MISTYPED, two)
    codes = [Code(await office.town.code_of(vera)) for _ in range(4)]
    for answer in (
        await explain_code(bank, call(office, vera), codes[0]),
        await bring_into_step(bank, call(office, vera), TwoCodes(codes[1], codes[2])),
        await rehearse_together(bank, call(office, vera), codes[3]),
    ):
        assert isinstance(answer, Weighed)
        assert answer.cause is None
    again = await explain_code(bank, call(office, vera), codes[0])
    assert isinstance(again, Weighed)
    assert again.taken is not None
    assert again.taken.event == "code-explained"
    await oppose(bank, call(office, vera), Loss.STOLEN, [1])
    await order_for_counter(bank, call(office, vera))
    key = (bucket_of(vera.user_code), vera.user_code)
    letter = DispatchRow("7QK4-XM2P", *key, "card", 2, 1, printed_at=2)
    await bank.store.write(lambda connection: insert_dispatch(connection, letter))
    await hand_over(bank, call(office, vera))
    access = await bank.store.read_access(vera.user_code)
    assert access.cards[0].state == "held"
    at_once = [lift_suspension(bank, call(office, vera), LiftReason.READER, two) for _ in range(4)]
    await suspend(office, vera)
    done = await asyncio.gather(*at_once, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["NoneType", *["NothingToLift"] * 3]
    owner = open_store(cluster.url(owned, user=_OWNER))
    assert (await audit(owner, None)).findings == []
    await owner.close()


async def test_closed_while_its_owner_signs_in(
    cluster: Cluster, owned: str, office: Office
) -> None:
    """Access first, then cards, as a login locks them; and a circle that is left is tried again."""
    bank, paul = office.bank, office.paul.user_code
    login = await asyncpg.connect(cluster.url(owned).replace("+asyncpg", ""))
    await login.execute("SET deadlock_timeout = '1min'; SET lock_timeout = '5s'; BEGIN")
    await login.execute("UPDATE access SET head = head WHERE user_code = $1", paul)
    closing = asyncio.create_task(
        close_member(bank, office.staff(office.odile), paul, ADDRESS, reason="Départ")
    )
    # Soon: whoever waits looks for a circle once, after deadlock_timeout.
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    while not await login.fetchval(waits):  # noqa: ASYNC110 -- another program waits
        await asyncio.sleep(0.01)
    await login.execute("UPDATE cards SET state = state WHERE user_code = $1", paul)
    await login.execute("UPDATE staff SET name = name WHERE user_code = $1", paul)
    await login.execute("COMMIT")
    await login.close()
    await closing
    assert (await bank.store.read_access(paul)).cards[0].state == "held"


async def test_what_it_does_not(cluster: Cluster, owned: str, office: Office) -> None:
    """No secret, no customer, no request rewritten or gone; and nobody agrees with themselves."""
    asked = await office.hire(office.ada)
    with pytest.raises(StoreUnavailable, match="permission denied"):
        await office.secret()
    connection = await asyncpg.connect(cluster.url(owned, user=DESK_ROLE).replace("+asyncpg", ""))
    for statement in (
        "INSERT INTO customers SELECT * FROM customers",
        "UPDATE approvals SET requested_by = ''",
        "UPDATE approvals SET reason = ''",
        "DELETE FROM approvals",
        "UPDATE limit_changes SET value = 9",
        "DELETE FROM limit_changes",
        "INSERT INTO begun_counters VALUES (1, 'VERA2345', 1, 9)",
        "DELETE FROM begun_counters",
        "DELETE FROM staff",
        "UPDATE staff SET roles = 'auditor officer'",
        "UPDATE audit_lines SET at = 0",
        "UPDATE notices SET event = 'order'",
        "UPDATE notices SET user_code = ''",
        "DELETE FROM notices",
        "UPDATE customer_details SET email = NULL",
        "DELETE FROM cards",
        "SELECT sealed_pin FROM card_orders",
        "DELETE FROM audit_lines",
        "UPDATE customer_details SET email = ''",
        "DELETE FROM former_addresses",
        "DELETE FROM cards",
        "SELECT sealed_pin FROM card_orders",
        "DELETE FROM audit_lines",
        "SELECT sealed_pin FROM card_orders",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    own = "UPDATE approvals SET verdict = 'approved', decided_by = requested_by, decided_at = 1"
    with pytest.raises(asyncpg.CheckViolationError):
        await connection.execute(own)
    await connection.close()
    office.town.bank = replace(office.bank, store=open_store(cluster.url(owned, user=_OWNER)))
    report = await audit(office.bank.store, None)
    assert report.findings == []
    assert report.customers == 1 + 3 + 1
    assert asked.verdict is None
    await office.bank.store.close()
