"""Rows with little to say, for the tests of the store."""

import hashlib

from msgspec.structs import replace

from sesame.store.access import State, Tries
from sesame.store.audit import AuditRow
from sesame.store.buckets import bucket_of
from sesame.store.cards import NewCardRow
from sesame.store.customers import NewCustomerRow, insert_customers
from sesame.store.devices import DeviceRow
from sesame.store.sessions import SessionRow
from sesame.store.steps import Step
from tests.places import Place

USER_CODE = "VERA2222"
STRANGER = "NEMO3333"
ENROLLED_AT = 1_000


def line(version: int, at: int = ENROLLED_AT) -> AuditRow:
    """A line that differs from those of other versions and says nothing."""
    return AuditRow(
        version=version,
        attempt=bytes([version % 256]) * 16,
        at=at,
        line=f'{{"version":{version}}}'.encode(),
        head=bytes([version % 256, 0xAD]) * 16,
        salt=bytes([version % 256, 0x5A]) * 8,
        address="192.0.2.1",
    )


def card(number: int, owner: str = USER_CODE, *, last_atc: int = 10) -> NewCardRow:
    """A card whose seal nobody opens."""
    return NewCardRow(
        card_number=number,
        kind="sesame",
        profile="sesame-card-1",
        sealed=b"sealed",
        last4="4417",
        pan_hash=hashlib.sha256(f"{owner} {number}".encode()).digest(),
        psn="00",
        last_atc=last_atc,
    )


def customer(user_code: str = USER_CODE, *, version: int = 1) -> NewCustomerRow:
    """A customer with two cards and an old code."""
    return NewCustomerRow(
        bucket=bucket_of(user_code),
        user_code=user_code,
        name="Véra Dupont",
        language="fr",
        old_code="$argon2id$...",
        cards=[card(1, user_code), card(2, user_code)],
        line=line(version),
    )


def enrol(place: Place, user_code: str = USER_CODE) -> None:
    """Write a customer into the database at *place*."""
    row = customer(user_code)
    assert not place.write(lambda connection: insert_customers(connection, [row]))


def step(
    user_code: str = USER_CODE, read_version: int = 1, *, at: int = 2_000, **changes: object
) -> Step:
    """A refused attempt on *user_code*, unless *changes* say otherwise."""
    written = line(read_version + 1, at)
    plain = Step(
        bucket=bucket_of(user_code),
        user_code=user_code,
        read_version=read_version,
        enrolled=user_code != STRANGER,
        state=State(
            open=Tries(failures=1, failed_at=(at,), refused=written.attempt), stepped_at=at
        ),
        line=written,
    )
    return replace(plain, **changes)


def accepted(user_code: str = USER_CODE, read_version: int = 1, **changes: object) -> Step:
    """An accepted step with all it can carry: both cards go to 11, a session, a device."""
    at = 2_000
    written = line(read_version + 1, at)
    session = SessionRow(
        token_hash=bytes([read_version]) * 32,
        session_epoch=0,
        means="code",
        erased_old_code=True,
        opened_at=at,
        ends_at=9_000,
        previous_login_at=None,
    )
    whole: dict[str, object] = {
        "state": State(
            stepped_at=at,
            accepted=written.attempt,
            accepted_version=read_version + 1,
            signed_in_at=at,
        ),
        "atcs": ((1, 11), (2, 11)),
        "session": session,
        "device": DeviceRow(device_hash=bytes(32), known_since=at, expires_at=99_000),
    }
    return step(user_code, read_version, **(whole | changes))  # type: ignore[arg-type]  # by name
