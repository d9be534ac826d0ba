"""A customer on the telephone, and the adviser who helps them."""

from itertools import count

from sesame.bank.calls import Call
from sesame.bank.origin import Door, Origin
from sesame.bank.sessions import Session, read_session
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted, Attempt, Outcome, verify_login
from sesame.cap.token import Code
from tests.desk.office import ADDRESS, Office, Person
from tests.portal.town import Customer, wrong_code

_forms = count(1)


def call(office: Office, who: Customer, by: Person | None = None) -> Call:
    """A new form that Ada, or *by*, has open for *who*."""
    return call_of(office, who.user_code, by)


def call_of(office: Office, user_code: UserCode, by: Person | None = None) -> Call:
    """A new form that Ada, or *by*, has open for the customer with that user code."""
    return Call(
        by=office.staff(by or office.ada),
        user_code=user_code,
        form=b"form" + next(_forms).to_bytes(12),
        address=ADDRESS,
    )


async def sign_in(office: Office, user_code: UserCode, code: str) -> Outcome:
    """What becomes of *code* at Coop@net."""
    attempt = Attempt(
        id=b"seen" + next(_forms).to_bytes(12),
        user_code=user_code,
        code=Code(code),
        origin=Origin(Door.PORTAL, "198.51.100.4"),
        session_seed=bytes(32),
        device_seed=bytes(32),
    )
    return await verify_login(office.bank, attempt)


async def session_of(office: Office, who: Customer) -> str:
    """The token of a session of *who*, by a fresh code."""
    outcome = await sign_in(office, who.user_code, await office.town.code_of(who))
    assert isinstance(outcome, Accepted)
    assert outcome.session_token is not None
    return outcome.session_token


async def is_open(office: Office, token: str) -> bool:
    """Whether a session is."""
    found: Session | None = await read_session(office.bank, token)
    return found is not None


async def suspend(office: Office, who: Customer) -> None:
    """Three wrong codes."""
    for _ in range(3):
        await sign_in(office, who.user_code, wrong_code(await office.town.code_of(who)))


async def last_atc(office: Office, who: Customer) -> int:
    """Of their first card."""
    return (await office.bank.store.read_access(who.user_code)).cards[0].last_atc
