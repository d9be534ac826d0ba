"""The web process's side of the socket: what it asks together, and what it makes of trouble."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import msgspec
import pytest

from sesame.cap.token import Code
from sesame.custody.custodian import (
    CardRecord,
    Inquiry,
    KeyRef,
    KeyUsage,
    PairInquiry,
    PairQuestion,
    Question,
    Reach,
)
from sesame.custody.errors import (
    CustodyBusy,
    CustodyError,
    CustodyUnavailable,
    MalformedFrame,
    MalformedInquiry,
    SealBroken,
    SocketUnreachable,
)
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.custody.service import Service, listen, serve
from sesame.custody.service_custodian import ServiceCustodian
from sesame.custody.wire import LARGEST_FRAME, MOST_ITEMS, encode, framed
from sesame.emv.pan import Pan
from tests.custody.apart import ME
from tests.custody.keystores import quick_keystore

CARD = CardRecord(
    pan=Pan("4761730000000011"), psn="01", profile="bank-card-1", key=KeyRef("dpa-01"), dki=1
)
GREETING = framed(encode((1, True)))
MAC = encode((None, bytes(32)))

Ask = Callable[[], Awaitable[bytes]]
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def asking(path: Path, patience: float = 5.0) -> AsyncIterator[ServiceCustodian]:
    """A client, closed at the end."""
    client = ServiceCustodian(path, demonstration=True, patience=patience)
    yield client
    await client.close()


@asynccontextmanager
async def serving(path: Path) -> AsyncIterator[None]:
    """The real service on real keys."""
    custodian = KeystoreCustodian(quick_keystore(path.with_name("keys"), "service"))
    stopped = asyncio.Event()
    service = Service(custodian, allowed=[], registrars=[ME], demonstration=True)
    task = asyncio.ensure_future(serve(service, listen(path), stopped))
    try:
        yield
    finally:
        stopped.set()
        await task
        path.with_name("keys").unlink()


@asynccontextmanager
async def playing(
    path: Path, play: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[None]:
    """Something else that listens there: *play* has each connection."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await play(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(one, path)
    try:
        yield
    finally:
        server.close()
        await asyncio.to_thread(path.unlink)


async def read_question(reader: asyncio.StreamReader) -> tuple[int, list[object]]:
    """Number and calls of the next frame."""
    length = int.from_bytes(await reader.readexactly(4))
    number, calls = msgspec.msgpack.decode(await reader.readexactly(length))
    return number, calls


async def mac(client: ServiceCustodian) -> bytes:
    """A call like another."""
    return await client.mac(KeyUsage.AUDIT, b"line")


# ── Together ─────────────────────────────────────────────────────────────────────────────────────


async def test_calls_of_one_turn_share_a_frame(tmp_path: Path) -> None:
    """Fifty callers at once are one frame, each with their own answer; the next does not wait."""
    sizes = []

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        while True:
            number, calls = await read_question(reader)
            sizes.append(len(calls))
            macs = [(None, bytes(call[2]) * 4) for call in calls]  # type: ignore[index]  # a list
            writer.write(framed(encode((number, macs))))

    async with playing(tmp_path / "s", play), asking(tmp_path / "s") as client:
        asked = [n.to_bytes(8) for n in range(50)]
        macs = await asyncio.gather(*(client.mac(KeyUsage.AUDIT, data) for data in asked))
        assert macs == [data * 4 for data in asked]
        await client.mac(KeyUsage.AUDIT, bytes(8))
        both = asyncio.gather(*(client.mac(KeyUsage.AUDIT, bytes(8)) for _ in range(2)))
        await both
        assert sizes == [50, 1, 2]


async def test_nobody_shares_a_frame_with_whom_they_must_not_wait_for(tmp_path: Path) -> None:
    """Known devices and MACs in one; strangers in another; two codes in a row each by themselves.

    A frame is answered as a whole, so its slowest call is the pace of all in it.
    """
    frames = []

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        while True:
            number, calls = await read_question(reader)
            frames.append([str(cast("list[object]", call)[0]) for call in calls])
            answers = {"mac": bytes(32), "match": [[]], "pairs": [[]]}
            writer.write(framed(encode((number, [(None, answers[kind]) for kind in frames[-1]]))))

    code = Code("33554432")
    async with playing(tmp_path / "s", play), asking(tmp_path / "s") as client:
        await asyncio.gather(
            client.match([Inquiry(code)]),
            client.match_pairs([PairInquiry(code, code, Reach.FAR)]),
            client.match([Inquiry(code, known=True)]),
            client.match([Inquiry(code)]),
            client.match_pairs([PairInquiry(code, code, Reach.FAR, known=True)]),
            mac(client),
        )
    assert frames == [["match", "mac"], ["match", "match"], ["pairs"], ["pairs"]]


async def test_long_lists_are_asked_in_parts(tmp_path: Path) -> None:
    """The answers in order; a broken seal is counted from the first inquiry of all."""
    async with serving(tmp_path / "s"), asking(tmp_path / "s") as client:
        contexts = [b"row %d" % n for n in range(2 * MOST_ITEMS + 3)]
        registered = await client.register_all([(CARD, context) for context in contexts])
        cards = [(one.sealed, context) for one, context in zip(registered, contexts, strict=True)]
        inquiries = [
            Inquiry(Code("34334243"), (Question(sealed, context, (1, 2)),))
            for sealed, context in cards
        ]
        assert await client.match(inquiries) == [()] * len(contexts)
        assert await client.match([]) == []
        at = MOST_ITEMS + 5
        broken = Question(cards[at][0], b"elsewhere", (1,))
        inquiries[at] = Inquiry(Code("34334243"), (inquiries[at].questions[0], broken))
        with pytest.raises(SealBroken, match="altered, or moved") as refused:
            await client.match(inquiries)
        assert (refused.value.inquiry, refused.value.question) == (at, 1)
        moved = PairQuestion(cards[at][0], b"elsewhere", ((1, 2),))
        pair = PairInquiry(Code("34334243"), Code("34334244"), Reach.NEAR, (moved,))
        nobody = PairInquiry(Code("34334243"), Code("34334244"), Reach.NEAR)
        with pytest.raises(SealBroken) as refused:
            await client.match_pairs([nobody] * at + [pair])
        assert (refused.value.inquiry, refused.value.question) == (at, 0)


async def test_many_large_calls_take_several_frames(tmp_path: Path) -> None:
    """A frame has its limit; all are answered."""
    async with serving(tmp_path / "s"), asking(tmp_path / "s") as client:
        large = bytes(LARGEST_FRAME // 3)
        macs = await asyncio.gather(*(client.mac(KeyUsage.AUDIT, large) for _ in range(7)))
        assert len(set(macs)) == 1


async def test_a_call_that_is_too_long_is_its_own_trouble(tmp_path: Path) -> None:
    """A row that somebody filled with megabytes keeps nobody else from an answer."""
    async with serving(tmp_path / "s"), asking(tmp_path / "s") as client:
        sealed = bytes(LARGEST_FRAME)
        inquiry = Inquiry(Code("34334243"), (Question(sealed, b"row", (1,)),))
        both = await asyncio.gather(client.match([inquiry]), mac(client), return_exceptions=True)
        assert isinstance(both[0], MalformedInquiry)
        assert isinstance(both[1], bytes)


async def test_a_caller_who_goes_away_is_not_missed(tmp_path: Path) -> None:
    """The others of their frame are answered."""
    async with serving(tmp_path / "s"), asking(tmp_path / "s") as client:
        gone = asyncio.ensure_future(mac(client))
        stays = asyncio.ensure_future(mac(client))
        await asyncio.sleep(0)
        gone.cancel()
        assert len(await stays) == 32


async def test_a_caller_who_goes_away_is_not_told(tmp_path: Path) -> None:
    """Where nobody listens the others are."""
    async with asking(tmp_path / "s") as client:
        gone = asyncio.ensure_future(mac(client))
        stays = asyncio.ensure_future(mac(client))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(SocketUnreachable):
            await stays


# ── Trouble ──────────────────────────────────────────────────────────────────────────────────────


async def test_nobody_listens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Custody is unavailable, and the path is named; once it is there, who asks is answered.

    The log has a line for each reason, not for each who asks.
    """
    path = tmp_path / "s"
    async with asking(path) as client:
        for _ in range(2):
            with pytest.raises(SocketUnreachable, match="No such file") as refused:
                await mac(client)
            assert refused.value.path == path
        listen(path).close()
        with pytest.raises(SocketUnreachable, match="refused"):
            await mac(client)
        async with serving(path):
            assert len(await mac(client)) == 32
        missing, refused_line = caplog.messages
        assert f"socket {path}: No such file" in missing
        assert "refused" in refused_line
        with pytest.raises(SocketUnreachable, match="No such file"):
            await mac(client)
        assert caplog.messages == [missing, refused_line, missing]


async def test_a_restart_is_not_noticed_by_who_asks_later(tmp_path: Path) -> None:
    """The same client goes on, with the same keys or others."""
    path = tmp_path / "s"
    async with asking(path) as client:
        macs = []
        for _ in range(3):
            async with serving(path):
                macs.append(await mac(client))
            with pytest.raises(CustodyUnavailable):
                await mac(client)
        assert len(set(macs)) == 1


async def test_who_waits_when_it_dies_is_told(tmp_path: Path) -> None:
    """All of them, each with an error of their own; the next is served by its successor."""
    path = tmp_path / "s"

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        await read_question(reader)

    async with asking(path) as client:
        async with playing(path, play):
            lost = await asyncio.gather(*(mac(client) for _ in range(3)), return_exceptions=True)
        assert [str(error) for error in lost] == [str(lost[0])] * 3
        assert "the connection broke" in str(lost[0])
        assert len({id(error) for error in lost}) == 3
        async with serving(path):
            assert len(await mac(client)) == 32


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        (b"", "closes the connection at once, as if this user might not ask"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "closes the connection at once"),
        (framed(b"220 mail.example"), "no custody process of ours"),
        (framed(encode((2, True))), "speaks version 2 of the protocol and we 1"),
        (framed(encode((1, False))), "production keys, which a demonstration does not touch"),
    ],
)
async def test_who_listens_there_must_be_ours(tmp_path: Path, greeting: bytes, said: str) -> None:
    """Of our version, with keys of our kind; else nothing is asked."""
    asked = asyncio.Event()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        if greeting and await reader.read(1):
            asked.set()

    async with playing(tmp_path / "s", play), asking(tmp_path / "s") as client:
        for _ in range(2):
            with pytest.raises(SocketUnreachable, match=said):
                await mac(client)
        assert not asked.is_set()


async def test_production_asks_no_demonstration_keys(tmp_path: Path) -> None:
    """Its passphrase may be anybody's."""
    async with serving(tmp_path / "s"):
        client = ServiceCustodian(tmp_path / "s", demonstration=False)
        with pytest.raises(SocketUnreachable, match="demonstration keys, and this is no"):
            await mac(client)
        await client.close()


async def test_silence_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    """Who accepts and never says a word."""

    async def play(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with playing(tmp_path / "s", play), asking(tmp_path / "s", 0.05) as client:
        with pytest.raises(SocketUnreachable, match=r"no word for 0\.05 seconds"):
            await mac(client)


async def test_a_slow_answer_keeps_nobody_else(tmp_path: Path) -> None:
    """Who waited too long is told; the answer that comes late is nobody's; others have theirs."""
    let = asyncio.Event()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        first, _ = await read_question(reader)
        second, _ = await read_question(reader)
        writer.write(framed(encode((second, [(None, b"second")]))))
        await let.wait()
        writer.write(framed(encode((first, [(None, b"first")]))))
        third, _ = await read_question(reader)
        writer.write(framed(encode((third, [(None, b"third")]))))
        await reader.read()

    async with playing(tmp_path / "s", play), asking(tmp_path / "s", 0.2) as client:
        slow = asyncio.ensure_future(mac(client))
        await asyncio.sleep(0.05)
        assert await mac(client) == b"second"
        with pytest.raises(SocketUnreachable, match=r"no answer for 0\.2 seconds"):
            await slow
        let.set()
        assert await mac(client) == b"third"


@pytest.mark.parametrize(
    ("results", "error"),
    [
        ([], SocketUnreachable),
        ([(None, bytes(32)), (None, bytes(32))], SocketUnreachable),
        ([(None, "text")], SocketUnreachable),
        ([(("Exception", ("x",)), None)], MalformedFrame),
        ([(("SealBroken", ("x",)), None)], MalformedFrame),
        ([(("KeyMissing", ("x", "y")), None)], MalformedFrame),
        ("nothing", SocketUnreachable),
    ],
)
async def test_answers_that_are_none(
    tmp_path: Path, results: object, error: type[CustodyError]
) -> None:
    """An error of custody, which the doors know, and no other exception."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        number, _ = await read_question(reader)
        writer.write(framed(encode((number, results))))
        await reader.read()

    async with playing(tmp_path / "s", play), asking(tmp_path / "s") as client:
        with pytest.raises(error):
            await mac(client)


async def test_who_does_not_read_is_not_written_to_for_ever(tmp_path: Path) -> None:
    """Then custody is busy, at once; nothing piles up."""

    async def play(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        cast("asyncio.Transport", writer.transport).pause_reading()
        await asyncio.sleep(2)

    async with playing(tmp_path / "s", play), asking(tmp_path / "s", 0.3) as client:
        large = bytes(LARGEST_FRAME // 2)
        first = [asyncio.ensure_future(client.mac(KeyUsage.AUDIT, large)) for _ in range(4)]
        await asyncio.sleep(0.05)
        with pytest.raises(CustodyBusy, match="too many wait"):
            await mac(client)
        lost = await asyncio.gather(*first, return_exceptions=True)
        assert all(isinstance(error, SocketUnreachable) for error in lost)


async def test_closed_while_it_connects(tmp_path: Path) -> None:
    """Who waits is told; nothing is left open."""

    async def play(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with playing(tmp_path / "s", play):
        client = ServiceCustodian(tmp_path / "s", demonstration=True)
        waiting = asyncio.ensure_future(mac(client))
        await asyncio.sleep(0.05)
        await client.close()
        with pytest.raises(SocketUnreachable, match="closed meanwhile"):
            await waiting
