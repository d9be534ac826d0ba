"""The generations of the keys in a token, and the records that it keeps of them; on SoftHSM2."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec
import pytest

from sesame.cap.profiles import BANK_CARD
from sesame.custody import hsm_keys, hsm_life
from sesame.custody.cryptoki import SHA_1, Attribute, Kind, Mechanism, Rv, Session, Template, User
from sesame.custody.custodian import (
    NO_ATC,
    CardRecord,
    Fit,
    Inquiry,
    KeyRef,
    KeyUsage,
    Question,
)
from sesame.custody.errors import (
    HsmKeysIncomplete,
    HsmKeyUnsuitable,
    HsmRecordsBusy,
    HsmRecordsUnsuitable,
    HsmRefused,
    HsmSingleKeyAway,
    KeyDestroyed,
    KeyHasCards,
    KeyLast,
    KeyMissing,
    KeyRetired,
    KeyTaken,
    NoCurrentKey,
    UnsuitableKey,
    UnsuitableOfficers,
)
from sesame.custody.hsm import HsmCustodian, HsmIssuingCustodian, check_token, token_seal
from sesame.custody.hsm_inventory import Inventory
from sesame.custody.hsm_keys import find_keys, generate, generate_standard, wrapping_key
from sesame.custody.hsm_life import (
    adopt,
    bring_key,
    destroy,
    inventory_of,
    make_key,
    make_standard,
    retire,
    use,
)
from sesame.custody.hsm_records import append, read_records
from sesame.custody.hsm_sessions import Login
from sesame.custody.key import KeyState
from sesame.custody.keystore import Generation
from sesame.custody.records import Act, Deed, Officer, Record, stored
from sesame.emv.pan import Pan
from tests.custody.codes import make_code
from tests.custody.keystores import NOW, issuer_key
from tests.custody.test_key_life import BRICE, DEED
from tests.custody.tokens import PIN, carry_in, empty_token, wrapped_for

pytestmark = pytest.mark.needs("softhsm2")

AC = KeyUsage.ISSUER_AC
OLD = CardRecord(
    pan=Pan("4761730000000011"), psn="00", profile=BANK_CARD.name, key=KeyRef("dpa-01"), dki=1
)
NEW = replace(OLD, pan=Pan("4761730000000029"), key=KeyRef("dpa-02"), dki=2)
_LABELS = iter(f"lives {number}" for number in range(100))


@pytest.fixture
def login() -> Login:
    """A token of one's own, in which nothing is."""
    return empty_token(next(_LABELS))


@pytest.fixture
def session(login: Login) -> Iterator[Session]:
    """A session with it."""
    session = login.open(writes=True)
    yield session
    session.close()


def stock(session: Session) -> Inventory:
    """What is in the token, by its keys and its records."""
    return inventory_of(session, find_keys(session))


def acts(session: Session) -> list[tuple[str | None, str]]:
    """What was done to which key, in order."""
    return [(record.label, record.act.value) for record in read_records(session)]


def states(session: Session) -> dict[str, tuple[int | None, str]]:
    """DKI and state of each issuer key."""
    return {key.label: (key.dki, key.state.value) for key in stock(session).keys if key.usage is AC}


def test_a_key_lives_and_dies(session: Session) -> None:
    """Made, put to use, overtaken, destroyed: the token says so, and keeps a record of each."""
    made = make_standard(session, DEED, demo=False)
    assert states(session) == {"dpa-01": (1, "current")}
    assert acts(session) == [
        *((label, "generate") for label in ("dpa-01", "seal-01", "pan-index-01")),
        *((label, "generate") for label in ("audit-01", "session-01")),
        ("dpa-01", "current"),
    ]
    assert made == read_records(session)
    make_key(session, "dpa-02", AC, DEED, dki=2)
    assert states(session) == {"dpa-01": (1, "current"), "dpa-02": (2, "new")}
    old = stock(session).key("dpa-01")
    assert [record.act for record in use(session, "dpa-02", DEED)] == [Act.RETIRE, Act.CURRENT]
    assert states(session) == {"dpa-01": (1, "verify-only"), "dpa-02": (2, "current")}
    with pytest.raises(KeyHasCards, match="has 3 cards"):
        destroy(session, "dpa-01", DEED, cards={"dpa-01": 3}, given_up=0)
    assert "dpa-01" in states(session)
    (record,) = destroy(session, "dpa-01", DEED, cards={"dpa-02": 7}, given_up=0)
    assert states(session) == {"dpa-02": (2, "current")}
    assert record == Record(
        act=Act.DESTROY,
        deed=DEED,
        label="dpa-01",
        usage=AC,
        dki=1,
        check_value=old.check_value,
    )
    assert read_records(session)[-1] == record
    assert not session.find({Attribute.CLASS: Kind.SECRET_KEY, Attribute.LABEL: b"dpa-01"})
    for label, dki in (("dpa-01", 3), ("dpa-03", 1)):
        with pytest.raises(KeyTaken):
            make_key(session, label, AC, DEED, dki=dki)
    retire(session, "dpa-02", DEED)
    with pytest.raises(KeyLast):
        destroy(session, "dpa-02", DEED, cards={}, given_up=0)
    assert states(session) == {"dpa-02": (2, "verify-only")}


async def test_cards_of_both_generations(login: Login, session: Session) -> None:
    """Both sign in; new ones are made under the new key; one that is destroyed has no codes."""
    make_standard(session, DEED, demo=False)
    with HsmIssuingCustodian(login, sessions=1, waiting=1) as before:
        assert await before.current(AC) == Generation(KeyRef("dpa-01"), 1)
        old_key = await before.card_key(OLD)
    make_key(session, "dpa-02", AC, DEED, dki=2)
    use(session, "dpa-02", DEED)
    with HsmIssuingCustodian(login, sessions=1, waiting=1) as issuing:
        assert await issuing.current(AC) == Generation(KeyRef("dpa-02"), 2)
        with pytest.raises(NoCurrentKey):
            await issuing.current(KeyUsage.ISSUER_PAYMENT)
        new_key = await issuing.card_key(NEW)
        with pytest.raises(KeyRetired, match="'dpa-01' only verifies"):
            await issuing.card_key(OLD)
        codes = [
            make_code(old_key, BANK_CARD, atc=5, dki=1),
            make_code(new_key, BANK_CARD, atc=5, dki=2),
        ]
        rows = [await issuing.register(card, b"row") for card in (OLD, NEW)]  # both may be enrolled
        questions = tuple(Question(sealed, b"row", (5,)) for sealed in rows)
        fits = await issuing.match([Inquiry(code, questions) for code in codes])
        assert fits == [(Fit(0, 5),), (Fit(1, 5),)]
    destroy(session, "dpa-01", DEED, cards={}, given_up=0)
    with HsmCustodian(login, sessions=1, waiting=1) as after:
        fits = await after.match([Inquiry(code, questions) for code in codes])
        assert fits == [(Fit(0, NO_ATC),), (Fit(0, NO_ATC), Fit(1, 5))]
        with pytest.raises(KeyDestroyed, match="destroyed on 2025-03-14"):
            await after.register(OLD, b"row")
    seal = token_seal(session)
    assert [seal.open(sealed, b"row").key for sealed in rows] == ["dpa-01", "dpa-02"]


def test_a_destruction_that_was_interrupted(
    login: Login, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On record first; custody has no such key any more; and the second call ends it."""
    make_standard(session, DEED, demo=False)
    make_key(session, "dpa-02", AC, DEED, dki=2)
    with monkeypatch.context() as pulled:
        pulled.setattr(hsm_life, "_take_out", lambda *_: refuse("C_DestroyObject"))
        with pytest.raises(HsmRefused):
            destroy(session, "dpa-02", DEED, cards={}, given_up=0)
    assert stock(session).lingering == ("dpa-02",)
    with HsmCustodian(login, sessions=1, waiting=1) as custodian, pytest.raises(KeyDestroyed):
        asyncio.run(custodian.register(NEW, b"row"))
    written = read_records(session)
    assert destroy(session, "dpa-02", DEED, cards={}, given_up=0) == written[-1:]
    assert read_records(session) == written
    assert [key.label for key in find_keys(session) if key.usage is AC] == ["dpa-01"]


def refuse(function: str) -> None:
    """The HSM is pulled out."""
    raise HsmRefused(function, "CKR_DEVICE_REMOVED", Rv.DEVICE_REMOVED)


def test_a_key_that_got_no_record_is_taken_out(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key is there of which nothing is said."""
    with monkeypatch.context() as full:
        full.setattr(Session, "create", lambda *_: refuse("C_CreateObject"))
        with pytest.raises(HsmRefused, match="C_CreateObject"):
            make_standard(session, DEED, demo=True)
        with pytest.raises(HsmRefused, match="C_CreateObject"):
            make_key(session, "dpa-02", AC, DEED, dki=2)
    assert not find_keys(session)
    assert not read_records(session)


def test_records_that_only_some_keys_got(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have one stay, and the others do not: each has its record, or is not there."""
    right = Session.create
    written: list[Template] = []

    def create(self: Session, template: Template) -> int:
        if len(written) == 2:
            refuse("C_CreateObject")
        written.append(template)
        return right(self, template)

    with monkeypatch.context() as small:
        small.setattr(Session, "create", create)
        with pytest.raises(HsmRefused):
            make_standard(session, DEED, demo=False)
    assert [key.label for key in find_keys(session)] == ["dpa-01", "seal-01"]
    assert acts(session) == [("dpa-01", "generate"), ("seal-01", "generate")]
    stock(session).check_whole()


def test_two_who_write_at_once(login: Login, session: Session) -> None:
    """The second takes back what it wrote; the first one's records stay as they were."""
    make_standard(session, DEED, demo=False)
    before = read_records(session)
    other = login.open(writes=True)
    retire(other, "dpa-01", DEED)
    with pytest.raises(HsmRecordsBusy, match="somebody else"):
        append(session, len(before), before[:1])
    other.close()
    assert acts(session) == [*acts(session)[: len(before)], ("dpa-01", "retire")]


@pytest.mark.parametrize("label", ["audit-01", "audit-02"])
def test_a_second_key_of_another_process(
    session: Session, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    """Made behind our back where there may be one: ours goes again, and theirs stays."""
    right = generate
    theirs: list[int] = []

    def generate_too(session: Session, ours: str, usage: KeyUsage) -> int:
        theirs.append(right(session, label, usage))
        return hsm_keys._generate(session, ours, usage)  # noqa: SLF001 -- as if it came later

    monkeypatch.setattr(hsm_life, "generate", generate_too)
    with pytest.raises(KeyTaken):
        make_key(session, "audit-01", KeyUsage.AUDIT, DEED, dki=None)
    assert [(key.label, key.handle) for key in find_keys(session)] == [(label, *theirs)]
    assert not read_records(session)
    assert stock(session).unrecorded == (label,)


class _Stopped(KeyboardInterrupt):
    """Somebody typed Ctrl-C."""


def _stop(*_: object) -> None:
    raise _Stopped


@pytest.mark.parametrize("where", ["find_keys", "check_value", "writing", "record_of"])
def test_interrupted_between_key_and_record(
    session: Session, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The key is out again, wherever it was; so are all of them, or those of no record."""
    make_standard(session, DEED, demo=False)
    before = read_records(session)
    key = issuer_key("dpa-03")
    wrapped = wrapped_for(session, key)
    right, made = getattr(hsm_life, where), list[str]()
    for name in ("generate", "unwrap"):
        monkeypatch.setattr(hsm_life, name, _then(getattr(hsm_life, name), made.append))
    monkeypatch.setattr(hsm_life, where, lambda *a, **k: _stop() if made else right(*a, **k))
    with pytest.raises(_Stopped):
        make_key(session, "dpa-02", AC, DEED, dki=2)
    made.clear()
    with pytest.raises(_Stopped):
        bring_key(
            *(session, "dpa-03", AC, wrapped, DEED),
            dki=3,
            expected=key.check_value,
            hashed=SHA_1,
        )
    monkeypatch.undo()
    assert read_records(session) == before
    assert list(states(session)) == ["dpa-01"]
    assert stock(session).unrecorded == ()


def _then(right: Callable[..., int], more: Callable[[str], object]) -> Callable[..., int]:
    def then(*arguments: object, **named: object) -> int:
        handle = right(*arguments, **named)
        more("done")
        return handle

    return then


def test_interrupted_between_two_of_the_standard_keys(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None stays."""
    right, made = Session.generate, list[int]()

    def generate(self: Session, mechanism: Mechanism, template: Template) -> int:
        if len(made) == 3:
            raise _Stopped
        made.append(right(self, mechanism, template))
        return made[-1]

    with monkeypatch.context() as stopped:
        stopped.setattr(Session, "generate", generate)
        with pytest.raises(_Stopped):
            make_standard(session, DEED, demo=False)
    assert not find_keys(session)


def test_records_that_cannot_be_read_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has none by what is known goes all the same, and the first error is told."""
    make_standard(session, DEED, demo=False)
    reads = list[int]()

    def read_once(session: Session) -> tuple[Record, ...]:
        reads.append(1)
        if len(reads) > 1:
            refuse("C_FindObjects")
        return read_records(session)

    with monkeypatch.context() as full:
        full.setattr(Session, "create", lambda *_: refuse("C_CreateObject"))
        full.setattr(hsm_life, "read_records", read_once)
        with pytest.raises(HsmRefused, match="C_CreateObject"):
            make_key(session, "dpa-02", AC, DEED, dki=2)
    assert list(states(session)) == ["dpa-01"]


def test_a_record_that_came_though_its_call_was_interrupted(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key stays: the token says of it what is so."""
    right = Session.create

    def create(self: Session, template: Template) -> int:
        right(self, template)
        raise _Stopped

    with monkeypatch.context() as stopped:
        stopped.setattr(Session, "create", create)
        with pytest.raises(_Stopped):
            make_standard(session, DEED, demo=False)
    assert [key.label for key in find_keys(session)] == ["dpa-01"]
    assert acts(session) == [("dpa-01", "generate")]
    stock(session).check_whole()


def test_what_is_not_made(session: Session) -> None:
    """Without a DKI, with one that is taken or is not an issuer key's, under a taken label."""
    make_standard(session, DEED, demo=False)
    before = read_records(session)
    wrong: list[tuple[str, KeyUsage, int | None, str]] = [
        ("dpa-02", AC, None, "index None is no new one"),
        ("dpa-02", AC, 1, "index 1 is no new one"),
        ("dpa-01", AC, 2, "label names another key"),
        ("DPA 2", AC, 2, "label has 1 to 32"),
        ("audit-02", KeyUsage.AUDIT, 2, "only issuer keys have generations"),
        ("audit-02", KeyUsage.AUDIT, None, "has a key for audit already"),
    ]
    for label, usage, dki, says in wrong:
        with pytest.raises(UnsuitableKey, match=says):
            make_key(session, label, usage, DEED, dki=dki)
    make_key(session, "dpa-02", AC, DEED, dki=2)
    destroy(session, "dpa-02", DEED, cards={}, given_up=0)
    with pytest.raises(KeyTaken, match="names another key for ever"):
        make_key(session, "dpa-02", KeyUsage.AUDIT, DEED, dki=None)
    assert len(read_records(session)) == len(before) + 2


def test_keys_of_before_the_records(session: Session) -> None:
    """They are new and have no DKI until officers say which; then they live like others."""
    generate_standard(session, demo=False)
    assert states(session) == {"dpa-01": (None, "new")}
    with pytest.raises(UnsuitableKey, match="need its derivation key index"):
        use(session, "dpa-01", DEED)
    adopt(session, "dpa-01", 1, DEED)
    use(session, "dpa-01", DEED)
    assert states(session) == {"dpa-01": (1, "current")}
    with pytest.raises(KeyTaken, match="for ever"):
        adopt(session, "dpa-01", 2, DEED)
    assert acts(session) == [("dpa-01", "adopt"), ("dpa-01", "current")]
    generate(session, "dpa-02", AC)
    assert "dpa-02" in stock(session).unrecorded
    destroy(session, "dpa-02", DEED, cards={}, given_up=0)
    assert list(states(session)) == ["dpa-01"]
    assert acts(session)[-1] == ("dpa-02", "destroy")


def test_a_key_is_brought_in_once(session: Session) -> None:
    """With its record; the same key under another label is refused, and so it is once destroyed."""
    make_standard(session, DEED, demo=False)
    key = issuer_key("dpa-02")
    wrapped = wrapped_for(session, key)

    def bring(label: str, dki: int) -> tuple[Record, ...]:
        return bring_key(
            *(session, label, AC, wrapped, DEED),
            dki=dki,
            expected=key.check_value,
            hashed=SHA_1,
        )

    (record,) = bring("dpa-02", 2)
    assert (record.act, record.dki, record.check_value) == (Act.UNWRAP, 2, key.check_value)
    assert states(session)["dpa-02"] == (2, "new")
    with pytest.raises(KeyTaken, match="the same as key dpa-02"):
        bring("dpa-03", 3)
    destroy(session, "dpa-02", DEED, cards={}, given_up=0)
    with pytest.raises(KeyTaken, match="destroyed here as key dpa-02"):
        bring("dpa-03", 3)
    assert list(states(session)) == ["dpa-01"]


def test_another_program_takes_a_key_out(session: Session) -> None:
    """It stays on record, is not put to use, and `destroy` says that it is gone."""
    make_standard(session, DEED, demo=False)
    make_key(session, "dpa-02", AC, DEED, dki=2)
    (handle,) = [key.handle for key in find_keys(session) if key.label == "dpa-02"]
    session.destroy(handle)
    assert not stock(session).key("dpa-02").is_there
    for step in (use, retire):
        with pytest.raises(KeyMissing, match="dpa-02"):
            step(session, "dpa-02", DEED)
    destroy(session, "dpa-02", DEED, cards={}, given_up=0)
    stock(session).check_whole()
    assert acts(session)[-1] == ("dpa-02", "destroy")


@pytest.mark.parametrize("usage", [KeyUsage.SEAL, KeyUsage.AUDIT])
def test_another_program_takes_the_only_key_out(
    login: Login, session: Session, usage: KeyUsage
) -> None:
    """Its label is not given to another key, and custody names it: it is to be put back."""
    make_standard(session, DEED, demo=False)
    label = f"{usage}-01"
    (key,) = [key for key in find_keys(session) if key.label == label]
    session.destroy(key.handle)
    with pytest.raises(KeyTaken, match="names another key for ever"):
        make_key(session, label, usage, DEED, dki=None)
    with pytest.raises(HsmSingleKeyAway, match=f"{label}.*Put it back"):
        check_token(login)
    with pytest.raises(HsmSingleKeyAway, match=label):
        stock(session).check_whole()


def test_a_key_that_never_was(login: Login, session: Session) -> None:
    """Custody says which usage has none, and advises no key in place of one that may be away."""
    generate(session, "dpa-01", AC)
    with pytest.raises(HsmKeysIncomplete, match="has 0 seal keys") as none:
        check_token(login)
    assert "--key" not in str(none.value)
    assert "Put it back" in str(none.value)


def test_another_program_exchanges_a_key(login: Login, session: Session) -> None:
    """Under the old label stands another key: custody does not start on it."""
    make_standard(session, DEED, demo=False)
    (handle,) = [key.handle for key in find_keys(session) if key.label == "dpa-01"]
    session.destroy(handle)
    generate(session, "dpa-01", AC)
    with pytest.raises(HsmKeyUnsuitable, match="another key than its records say"):
        stock(session)
    with pytest.raises(HsmKeyUnsuitable):
        token_seal(login.open())


@pytest.mark.parametrize(
    ("otherwise", "says"),
    [
        ({Attribute.MODIFIABLE: True}, "may be changed"),
        ({Attribute.VALUE: b"{}"}, "sesame record 000001 is not as it was written"),
        ({Attribute.VALUE: b"\xff"}, "is not as it was written"),
        ({Attribute.LABEL: b"sesame record 000002"}, "number 1 is missing"),
    ],
    ids=["modifiable", "no record", "no text", "gap"],
)
def test_a_record_that_is_otherwise(session: Session, otherwise: Template, says: str) -> None:
    """Another program wrote it: the token is refused, and says why."""
    generate(session, "dpa-01", AC)
    adopt(session, "dpa-01", 1, DEED)
    (record,) = read_records(session)
    (handle,) = session.find({Attribute.CLASS: Kind.DATA})
    session.destroy(handle)
    rightly: Template = {
        Attribute.CLASS: Kind.DATA,
        Attribute.TOKEN: True,
        Attribute.PRIVATE: True,
        Attribute.MODIFIABLE: False,
        Attribute.APPLICATION: b"sesame",
        Attribute.LABEL: b"sesame record 000001",
        Attribute.VALUE: msgspec.json.encode(stored(record)),
    }
    session.destroy(session.create({**rightly, **otherwise}))
    made = session.create(rightly)
    assert read_records(session) == (record,)
    session.destroy(made)
    session.create({**rightly, **otherwise})
    with pytest.raises(HsmRecordsUnsuitable, match=says):
        read_records(session)


def test_what_is_put_there_without_the_pin(login: Login, session: Session) -> None:
    """It looks like a record or a key of ours, and stops nothing: ours are private."""
    make_standard(session, DEED, demo=False)
    before = read_records(session), stock(session), wrapping_key(session)
    session.logout()
    stranger = login.module.open_session(login.slot(), writes=True)
    public: Template = {Attribute.TOKEN: True, Attribute.PRIVATE: False}
    for number in (1, 7, 9):
        stranger.create(
            {
                **public,
                Attribute.CLASS: Kind.DATA,
                Attribute.APPLICATION: b"sesame",
                Attribute.LABEL: f"sesame record {number:06}".encode(),
                Attribute.VALUE: b"{}",
            }
        )
    for label, usage in (("dpa-01", AC), ("seal-02", KeyUsage.SEAL)):
        template = {**hsm_keys._template(label, usage), **public}  # noqa: SLF001 -- like ours
        stranger.generate(hsm_keys._SHAPES[usage][1], template)  # noqa: SLF001
    stranger.generate_pair(
        {
            **public,
            Attribute.ID: b"sesame wrapping",
            Attribute.MODULUS_BITS: 2048,
            Attribute.PUBLIC_EXPONENT: (65537).to_bytes(3),
        },
        {**public, Attribute.ID: b"sesame wrapping", Attribute.SENSITIVE: True},
    )
    stranger.login(User.USER, PIN.encode())
    after = read_records(session), stock(session), wrapping_key(session)
    assert after == before
    (record,) = make_key(session, "dpa-02", AC, DEED, dki=2)  # the seventh
    assert read_records(session)[-1] == record
    stranger.close()


def test_a_key_that_the_token_does_not_keep_private(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is out again: nobody would find it as ours."""
    right = hsm_keys._template  # noqa: SLF001 -- as if the token did not obey

    def public(label: str, usage: KeyUsage) -> Template:
        return {**right(label, usage), Attribute.PRIVATE: False}

    monkeypatch.setattr(hsm_keys, "_template", public)
    with pytest.raises(HsmKeyUnsuitable, match="not private"):
        make_key(session, "dpa-02", AC, DEED, dki=2)
    assert not session.find({Attribute.CLASS: Kind.SECRET_KEY})


def test_records_of_lone_officers_are_none(session: Session) -> None:
    """Two of one number neither."""
    generate(session, "dpa-01", AC)
    adopt(session, "dpa-01", 1, DEED)
    (record,) = read_records(session)
    alone = msgspec.structs.replace(stored(record), officers=stored(record).officers[:1])
    where: Template = {
        Attribute.CLASS: Kind.DATA,
        Attribute.TOKEN: True,
        Attribute.PRIVATE: True,
        Attribute.MODIFIABLE: False,
        Attribute.APPLICATION: b"sesame",
    }
    more: Template = {**where, Attribute.VALUE: msgspec.json.encode(alone)}
    lone = session.create({**more, Attribute.LABEL: b"sesame record 000002"})
    with pytest.raises(HsmRecordsUnsuitable, match="000002 is not as it was written"):
        read_records(session)
    session.destroy(lone)
    session.create({**more, Attribute.LABEL: b"sesame record 000001"})
    with pytest.raises(HsmRecordsUnsuitable, match="number 2 is missing, or there twice"):
        read_records(session)


def test_a_record_has_its_limit(session: Session) -> None:
    """Three officers with the longest names fit; a crowd does not, and nothing is written."""
    generate(session, "dpa-01", AC)
    crowd = tuple(Officer(f"{number:02}{'é' * 78}", "é" * 80) for number in range(8))
    with pytest.raises(UnsuitableOfficers, match="at most 2048 bytes"):
        adopt(session, "dpa-01", 1, Deed(NOW, (*crowd, BRICE), "x"))
    assert not read_records(session)
    adopt(session, "dpa-01", 1, Deed(NOW, crowd[:3], "é" * 80))
    assert len(read_records(session)) == 1
    assert stock(session).key("dpa-01").state is KeyState.NEW


def test_records_are_not_seen_without_the_pin(login: Login, session: Session) -> None:
    """They name officers; and nobody changes one, not even who has the PIN."""
    generate_standard(session, demo=False)
    carry_in(session, [issuer_key("dpa-02")])
    adopt(session, "dpa-01", 1, DEED)
    (handle,) = session.find({Attribute.CLASS: Kind.DATA})
    with pytest.raises(HsmRefused):
        session.copy(handle, {Attribute.MODIFIABLE: True, Attribute.VALUE: b"{}"})
    assert wrapping_key(session)
    session.logout()
    stranger = login.module.open_session(login.slot())
    assert not stranger.find({Attribute.CLASS: Kind.DATA})
    stranger.close()
