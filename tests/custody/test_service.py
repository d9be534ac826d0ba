"""What comes over the socket is answered, or ends its connection; who may not ask is not heard."""

import asyncio
import fcntl
import logging
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesame.cap.profiles import PROFILES
from sesame.custody.custodian import (
    CardRecord,
    Fit,
    Inquiry,
    KeyRef,
    KeyUsage,
    PairInquiry,
    PairQuestion,
    Question,
    Reach,
)
from sesame.custody.errors import SocketFolderExposed, SocketRefused, SocketTaken
from sesame.custody.keystore_custodian import (
    KeystoreCustodian,
    KeystoreIssuingCustodian,
    KeystoreRevealingCustodian,
)
from sesame.custody.service import MOST_CONNECTIONS, MOST_FRAMES, Service, listen, serve
from sesame.custody.wire import (
    LARGEST_FRAME,
    Call,
    Mac,
    Match,
    MatchPairs,
    PanIndex,
    Register,
    RegisterAll,
    Reveal,
    encode,
    encode_call,
    framed,
    question,
)
from sesame.emv.pan import Pan
from sesame.store.staff_mark import is_staff_context
from tests.custody import rush
from tests.custody.apart import ME, behind_a_socket
from tests.custody.codes import make_code
from tests.custody.keystores import quick_keystore

CARD = CardRecord(
    pan=Pan("4761730000000011"), psn="01", profile="bank-card-1", key=KeyRef("dpa-01"), dki=1
)
MAC = encode_call(Mac(KeyUsage.AUDIT, b"line"))
GREETING = framed(encode((1, True)))


class Wire:
    """A client of few words: what it sends are bytes."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(str(path))

    def send(self, sent: bytes) -> None:
        """Send, also to who has hung up."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(sent)

    def read(self) -> bytes:
        """The next message; empty where the other end has hung up."""
        try:
            head = self._exactly(4)
            return self._exactly(int.from_bytes(head)) if head else b""
        except ConnectionResetError:
            return b""

    def ask(self, number: int = 1) -> list[Any]:
        """The answer to a call that has one: its number and results."""
        self.send(question(number, [MAC]))
        return msgspec.msgpack.decode(self.read(), type=list)

    def _exactly(self, length: int) -> bytes:
        read = b""
        while len(read) < length:
            some = self.socket.recv(length - len(read))
            if not some:
                return b""
            read += some
        return read

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The socket of a service that runs."""
    folder = tmp_path_factory.mktemp("service")
    keys = KeystoreIssuingCustodian(quick_keystore(folder / "keys"))
    with behind_a_socket(folder / "custody.sock", keys):
        yield folder / "custody.sock"


@pytest.fixture
def wire(path: Path) -> Iterator[Wire]:
    """A connection that was greeted."""
    with closing(Wire(path)) as wire:
        assert framed(wire.read()) == GREETING
        yield wire


class Held(KeystoreCustodian):
    """Custody that answers when it is let."""

    let: asyncio.Event
    asked = 0

    async def mac(self, usage: KeyUsage, data: bytes) -> bytes:
        """Then."""
        self.asked += 1
        await self.let.wait()
        return await super().mac(usage, data)


@asynccontextmanager
async def held_service(folder: Path) -> AsyncIterator[tuple[Held, Path, Callable[[], None]]]:
    """Such a service in this loop, its socket, and what ends it."""
    custodian = Held(quick_keystore(folder / "keys"))
    custodian.let = asyncio.Event()
    path, stopped = folder / "custody.sock", asyncio.Event()
    service = Service(custodian, allowed=[ME], demonstration=True)
    serving = asyncio.ensure_future(serve(service, listen(path), stopped))
    try:
        yield custodian, path, stopped.set
    finally:
        custodian.let.set()
        stopped.set()
        await serving


# ── What may be asked ────────────────────────────────────────────────────────────────────────────


def test_a_call_is_answered(wire: Wire) -> None:
    """The number of the question, then for each call that it has no error, and a value."""
    number, results = wire.ask(7)
    assert number == 7
    ((error, mac),) = results
    assert error is None
    assert len(mac) == 32


_NO_CALLS = {
    "card_key, which the custodian behind this socket has": ["card_key", CARD],
    "another of its methods": ["_issuer_key", "dpa-01"],
    "keys": ["keys"],
    "close": ["close"],
    "a name alone": "mac",
    "no name": [],
    "one value too many": ["mac", "audit", b"", b""],
    "one too few": ["mac", "audit"],
    "a number for bytes": ["mac", "audit", 7],
    "text for bytes": ["mac", "audit", "line"],
    "a usage that is none": ["mac", "everything", b""],
    "no code": ["match", [{"code": {"digits": "12"}, "questions": []}]],
    "an ATC that is none": [
        "match",
        [
            {
                "code": {"digits": "34334243"},
                "questions": [{"sealed": b"", "context": b"", "atcs": [65536.5]}],
            }
        ],
    ],
    "no card number": ["index", {"digits": "4761730000000012"}],
    "a table": {"mac": b""},
    "nothing": None,
}


@pytest.mark.parametrize("call", _NO_CALLS.values(), ids=_NO_CALLS)
def test_what_is_no_call_ends_its_connection(
    path: Path, wire: Wire, call: object, caplog: pytest.LogCaptureFixture
) -> None:
    """With one line and nothing of what came; another connection goes on."""
    with closing(Wire(path)) as other:
        other.read()
        caplog.set_level(logging.INFO, "sesame.custody")
        wire.send(framed(encode((1, [call]))))
        assert wire.read() == b""
        (line,) = caplog.messages
        assert line.startswith("a connection was closed: ")
        assert not any(word in line for word in ("4761", "34334243", "audit"))
        assert other.ask()


@pytest.mark.parametrize(
    "sent",
    [
        framed(b"GET / HTTP/1.1\r\n\r\n"),
        b"GET / HTTP/1.1\r\n\r\n",
        (LARGEST_FRAME + 1).to_bytes(4),
        b"\xff" * 4,
        framed(b""),
        framed(encode((1, [], 3))),
        framed(encode((-(2**63), [[]]))),
        framed(encode(("1", []))),
        framed(b"\x92\x01" + b"\x91" * 100_000),
        framed(b"\x92\x01\x91" + b"\x91" * 100_000 + b"\x01"),
        framed(b"\x92\x01\x91\x93\xa3mac\xa5\xff\xff\xff\xff\xff\xc4\x00"),
    ],
    ids=range(11),
)
def test_garbage_ends_its_connection(path: Path, wire: Wire, sent: bytes) -> None:
    """Whatever it is; the service goes on."""
    wire.send(sent)
    assert wire.read() == b""
    with closing(Wire(path)) as other:
        other.read()
        assert other.ask()


@settings(max_examples=60)
@given(sent=st.binary(max_size=200))
def test_any_bytes(path: Path, sent: bytes) -> None:
    """Framed or not: an answer, or the end of that connection; others are answered after it."""
    for message in (sent, framed(sent)):
        with closing(Wire(path)) as wire:
            wire.read()
            wire.send(message)
            wire.socket.shutdown(socket.SHUT_WR)
            wire.read()
    with closing(Wire(path)) as other:
        other.read()
        assert other.ask()


def test_a_question_may_come_in_pieces(wire: Wire) -> None:
    """And several at once; each is answered."""
    for byte in question(1, [MAC]):
        wire.send(bytes([byte]))
    assert wire.read()
    wire.send(question(2, [MAC, MAC]) + question(3, [MAC]))
    answers = [msgspec.msgpack.decode(wire.read()) for _ in range(2)]
    assert sorted((number, len(results)) for number, results in answers) == [(2, 2), (3, 1)]


def test_an_error_of_one_call_leaves_the_others(wire: Wire) -> None:
    """In one frame: a missing key, a profile of a later version, a usage that makes no MAC."""
    record = msgspec.to_builtins(CARD)
    missing = encode(["register", record | {"key": {"label": "dpa-99"}}, b"row"])
    later = encode(["register", record | {"profile": "card-of-2031"}, b"row"])
    other_usage = encode_call(Mac(KeyUsage.SEAL, b""))
    wire.send(question(1, [missing, later, MAC, other_usage]))
    _, results = msgspec.msgpack.decode(wire.read())
    names = [error and error[0] for error, _ in results]
    assert names == ["KeyMissing", "ProfileUnknown", None, "WrongUsage"]
    assert results[0][0][1] == ["dpa-99"]


async def test_an_unforeseen_error_is_said_by_its_type(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the asker nor the log reads what it holds."""

    class Broken(KeystoreCustodian):
        async def mac(self, usage: KeyUsage, data: bytes) -> bytes:
            raise RuntimeError(f"{usage} of card 4761730000000011: {data!r}")

    service = Service(Broken(quick_keystore(tmp_path / "k")), allowed=[], demonstration=True)
    failure, _ = await service.answer(Mac(KeyUsage.AUDIT, b"line"), ME)
    assert failure is not None
    assert failure.name == "CustodyUnavailable"
    assert caplog.messages == ["a call could not be answered: RuntimeError"]
    assert "4761" not in str(failure)


# ── Who may ask ──────────────────────────────────────────────────────────────────────────────────


async def test_another_user_is_turned_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the uid that the kernel tells, greeted with nothing; root is no exception."""
    keys = KeystoreCustodian(quick_keystore(tmp_path / "keys"))
    stopped = asyncio.Event()
    service = Service(keys, allowed=[ME + 1, 65533], demonstration=True)
    serving = asyncio.ensure_future(serve(service, listen(tmp_path / "s"), stopped))
    wire = await asyncio.to_thread(Wire, tmp_path / "s")
    assert await asyncio.to_thread(wire.read) == b""
    wire.close()
    assert caplog.messages == [f"user {ME} is not one of those who may ask: turned away"]
    stopped.set()
    await serving


async def test_a_portal_registers_no_cards(tmp_path: Path) -> None:
    """Nor does it find one by its number; comparing and signing is for all who may ask."""
    keys = KeystoreCustodian(quick_keystore(tmp_path / "keys"))
    service = Service(keys, allowed=[1], registrars=[2], demonstration=True)
    calls: list[Call] = [Register(CARD, b"row"), RegisterAll(((CARD, b"row"),)), PanIndex(CARD.pan)]
    for call in calls:
        failure, value = await service.answer(call, 1)
        assert failure is not None
        assert (failure.name, value) == ("WrongUsage", None)
        failure, value = await service.answer(call, 2)
        assert failure is None
        assert value
    others: list[Call] = [Match(()), MatchPairs(()), Mac(KeyUsage.AUDIT, b"")]
    for call in others:
        assert (await service.answer(call, 1))[0] is None
        assert (await service.answer(call, 2))[0] is None


async def test_a_staff_card_is_compared_for_the_desk_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not for a portal: not one code, not two, with no candidate, nor among cards of customers."""
    keys = KeystoreIssuingCustodian(quick_keystore(tmp_path / "keys"))
    service = Service(
        keys,
        allowed=[1],
        registrars=[2],
        revealers=[3],
        is_desks=is_staff_context,
        demonstration=True,
    )
    ours, theirs = b"7|_K7P2M4X|1", b"7|VERA2222|1"
    officers, customers = [await keys.register(CARD, context) for context in (ours, theirs)]
    key = await keys.card_key(CARD)
    first, second = [
        make_code(key, PROFILES[CARD.profile], atc=atc, psn=CARD.psn) for atc in (1, 2)
    ]
    of_customer = Inquiry(first, (Question(customers, theirs, (1,)),))
    of_both = (of_customer, Inquiry(first, (Question(officers, ours, (1,)),)))
    pair = PairQuestion(officers, ours, ((1, 2),))
    calls: list[Call] = [
        Match(of_both),
        Match((Inquiry(first, (Question(officers, ours, ()),)),)),
        Match((Inquiry(first, (of_customer.questions[0], Question(officers, ours, (9,)))),)),
        MatchPairs((PairInquiry(first, second, Reach.NEAR, (pair,)),)),
    ]
    for call in calls:
        failure, value = await service.answer(call, 1)
        assert failure is not None
        assert (failure.name, value) == ("WrongUsage", None)
        for user in (2, 3):
            assert (await service.answer(call, user))[0] is None
    assert await service.answer(Match(of_both), 2) == (None, [(Fit(0, 1),), (Fit(0, 1),)])
    assert await service.answer(Match((of_customer,)), 1) == (None, [(Fit(0, 1),)])
    assert caplog.messages == [
        "user 1 asked about a card of staff: refused, it is none of registrars"
    ]


async def test_a_number_is_said_to_the_desk_alone(tmp_path: Path) -> None:
    """Not to a portal, nor to who registers cards; and by no custody that was not opened for it."""
    keystore = quick_keystore(tmp_path / "keys")
    revealing, plain = KeystoreRevealingCustodian(keystore), KeystoreCustodian(keystore)
    call = Reveal(await plain.register(CARD, b"row"), b"row")
    service, other = [
        Service(keys, allowed=[1], registrars=[2], revealers=[3], demonstration=True)
        for keys in (revealing, plain)
    ]
    assert await service.answer(call, 3) == (None, CARD.pan)
    others = [(service, 1), (service, 2), (other, 3)]
    for one, user in others:
        failure, value = await one.answer(call, user)
        assert failure is not None
        assert (failure.name, value) == ("WrongUsage", None)
    failure, _ = await service.answer(Reveal(call.sealed, b"another row"), 3)
    assert failure is not None
    assert failure.name == "SealBroken"
    assert (await service.answer(Mac(KeyUsage.AUDIT, b""), 3))[0] is None
    assert (await service.answer(PanIndex(CARD.pan), 3))[0] is not None


async def test_connections_are_bounded(tmp_path: Path) -> None:
    """One more is turned away, until one goes."""
    async with held_service(tmp_path) as (_, path, _):

        def connect() -> None:
            many = [Wire(path) for _ in range(MOST_CONNECTIONS)]
            assert all(wire.read() for wire in many)
            with closing(Wire(path)) as more:
                assert more.read() == b""
            many.pop().close()
            while True:
                with closing(Wire(path)) as later:
                    if later.read():
                        break
            for wire in many:
                wire.close()

        await asyncio.to_thread(connect)


async def test_questions_of_one_connection_are_bounded(tmp_path: Path) -> None:
    """What is beyond waits unread; in the end each is answered."""
    async with held_service(tmp_path) as (custodian, path, _):
        wire = await asyncio.to_thread(Wire, path)
        asked = MOST_FRAMES + 5
        wire.send(b"".join(question(number, [MAC]) for number in range(asked)))
        await asyncio.to_thread(wire.read)
        while custodian.asked < MOST_FRAMES:  # noqa: ASYNC110 -- nobody else tells us
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert custodian.asked == MOST_FRAMES
        custodian.let.set()
        answers = [msgspec.msgpack.decode(await asyncio.to_thread(wire.read)) for _ in range(asked)]
        assert sorted(number for number, _ in answers) == list(range(asked))
        wire.close()


async def test_bytes_of_one_connection_are_bounded(tmp_path: Path) -> None:
    """Few questions may be large ones."""
    async with held_service(tmp_path) as (custodian, path, _):
        wire = await asyncio.to_thread(Wire, path)
        large = question(1, [encode_call(Mac(KeyUsage.AUDIT, bytes(LARGEST_FRAME - 100)))])
        sending = asyncio.ensure_future(asyncio.to_thread(wire.send, large * 12))
        await asyncio.to_thread(wire.read)
        while custodian.asked < 9:  # noqa: ASYNC110 -- nobody else tells us
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert custodian.asked == 9  # as many as it takes to be beyond
        assert not sending.done()
        custodian.let.set()
        for _ in range(12):
            assert await asyncio.to_thread(wire.read)
        await sending
        wire.close()


async def test_who_does_not_read_answers_is_not_answered_for_ever(tmp_path: Path) -> None:
    """Answers that nobody fetches fill one buffer and no more: then nothing more is worked out."""
    async with held_service(tmp_path) as (custodian, path, _):
        custodian.let.set()
        wire = await asyncio.to_thread(Wire, path)
        wire.socket.settimeout(0.3)
        frame = question(1, [MAC] * 2000)

        def flood() -> None:
            for _ in range(100):
                wire.socket.sendall(frame)

        with pytest.raises(TimeoutError):
            await asyncio.to_thread(flood)
        assert custodian.asked < 100 * 2000
        wire.close()


async def test_a_stop_answers_what_is_in_flight(tmp_path: Path) -> None:
    """Then it hangs up, and the socket is gone."""
    async with held_service(tmp_path) as (custodian, path, stop):
        wire = await asyncio.to_thread(Wire, path)
        many = 10_000  # more answers than the kernel's buffer takes at once
        sending = asyncio.ensure_future(asyncio.to_thread(wire.send, question(4, [MAC] * many)))
        while custodian.asked < many:  # noqa: ASYNC110 -- nobody else tells us
            await asyncio.sleep(0.01)
        await sending
        stop()
        while path.exists():  # noqa: ASYNC110 -- nobody else tells us
            await asyncio.sleep(0.01)
        custodian.let.set()
        await asyncio.sleep(0.2)  # who reads late is waited for
        await asyncio.to_thread(wire.read)
        number, results = msgspec.msgpack.decode(await asyncio.to_thread(wire.read))
        assert (number, len(results)) == (4, many)
        assert await asyncio.to_thread(wire.read) == b""
        wire.close()


# ── The socket ───────────────────────────────────────────────────────────────────────────────────


def test_the_socket_is_for_owner_and_group(tmp_path: Path) -> None:
    """0660, whatever the umask; the group that is named."""
    group = os.getgid() if ME else 65534
    before = os.umask(0)
    try:
        listen(tmp_path / "s", group).close()
    finally:
        os.umask(before)
    found = (tmp_path / "s").stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_gid == group


def test_a_socket_that_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    """Nobody answers on it any more."""
    listen(tmp_path / "s").close()
    assert (tmp_path / "s").exists()
    with closing(listen(tmp_path / "s")), closing(Wire(tmp_path / "s")):
        pass


def test_of_processes_that_start_at_once_one_answers(tmp_path: Path) -> None:
    """Whatever a killed process left; none takes away the socket of another."""
    command = [sys.executable, rush.__file__, str(tmp_path / "s"), "4"]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    assert told.stdout.split() == ["answers", "taken", "taken", "taken"]


def test_the_lock_beside_the_socket_is_its_owners(tmp_path: Path) -> None:
    """It holds for the start alone; and what cannot be opened is named."""
    lock = tmp_path / "s.lock"
    with closing(listen(tmp_path / "s")):
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600
        with lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SocketRefused, match=r"s\.lock"):
        listen(tmp_path / "s")


def test_a_socket_that_answers_is_left_alone(tmp_path: Path) -> None:
    """Two custody processes on one path would each have half of the askers."""
    with closing(listen(tmp_path / "s")):
        with pytest.raises(SocketTaken, match="another process answers there"):
            listen(tmp_path / "s")
        with closing(Wire(tmp_path / "s")):
            pass


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_that_others_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    """Somebody could answer in our stead."""
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(SocketFolderExposed, match=f"mode {mode:04o}"):
        listen(folder / "s")
    assert not (folder / "s").exists()


def test_what_the_system_refuses_is_said(tmp_path: Path) -> None:
    """No such folder, a path that is too long, a file that is no socket and stays."""
    (tmp_path / "file").write_text("kept")
    for path, said in (
        (tmp_path / "nowhere" / "s", "No such file"),
        (tmp_path / ("s" * 120), "too long"),
        (tmp_path / "file", "something else"),
    ):
        with pytest.raises(SocketRefused, match=said):
            listen(path)
    assert (tmp_path / "file").read_text() == "kept"
