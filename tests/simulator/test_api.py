"""The JSON addresses, over HTTP as the page's script uses them."""

import asyncio
import json
import re
import string
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sesame.card.card_file import open_card
from sesame.reader.machine import SHOWN, Key
from sesame.simulator import readers as readers_module
from sesame.simulator.api import MOST_BYTES, Hold, Press
from sesame.simulator.routes import build
from tests.simulator.table import CAMILLE, INES, PIN, Table

JSON = {"Content-Type": "application/json"}


async def new_reader(client: httpx.AsyncClient) -> str:
    """The address of a new reader."""
    answer = await client.post("/readers", json={})
    assert answer.status_code == 201
    return f"/readers/{answer.json()['id']}"


async def happen(client: httpx.AsyncClient, reader: str, event: str, **more: str) -> httpx.Response:
    """One event."""
    return await client.post(f"{reader}/events", json={"event": event, **more})


async def make_code(client: httpx.AsyncClient, reader: str, card: str = CAMILLE) -> dict[str, Any]:
    """Card in, Code, PIN, OK: the face with the code."""
    answer = await happen(client, reader, "insert", card=card)
    for key in ["code", *PIN, "ok"]:
        answer = await happen(client, reader, "key", key=key)
    face: dict[str, Any] = answer.json()
    return face


async def test_a_dialogue(client: httpx.AsyncClient) -> None:
    """From the first look to the code, as the page lives it."""
    opened = await client.post("/readers", json={})
    assert opened.json()["face"] == {
        "state": "off",
        "lines": [],
        "code": None,
        "large": False,
        "ending": "",
        "seconds_left": None,
        "display_time": "35",
        "announce": "Le lecteur est éteint.",
        "announced": 0,
        "card": None,
        "turn": 0,
    }
    reader = f"/readers/{opened.json()['id']}"
    inserted = (await happen(client, reader, "insert", card=INES)).json()
    assert inserted["state"] == "menu"
    assert inserted["lines"][:2] == ["CHOISISSEZ", "UNE FONCTION"]
    assert inserted["card"] == {"name": INES, "wrongly": False}
    await happen(client, reader, "key", key="code")
    typed = (await happen(client, reader, "key", key="1")).json()
    assert typed["lines"][1] == "•"
    assert (await happen(client, reader, "hold", key="c")).json()["lines"][1] == ""
    for key in PIN:
        await happen(client, reader, "key", key=key)
    shown = (await happen(client, reader, "key", key="ok")).json()
    assert re.fullmatch(r"\d{4} \d{4}", shown["code"])
    assert shown["seconds_left"] == 35.0
    assert (await client.get(reader)).json() == shown
    removed = (await happen(client, reader, "remove")).json()
    assert removed["card"] is None
    assert removed["code"] == shown["code"]


async def test_a_card_put_in_wrongly(client: httpx.AsyncClient) -> None:
    """It is unreadable, and sticks out with its chip."""
    face = (await happen(client, await new_reader(client), "insert-wrongly", card=INES)).json()
    assert face["state"] == "card-mute"
    assert face["card"] == {"name": INES, "wrongly": True}


async def test_time_takes_the_code(client: httpx.AsyncClient, table: Table) -> None:
    """What was shown is gone from every answer."""
    reader = await new_reader(client)
    shown = await make_code(client, reader)
    table.pass_time(35)
    after = (await client.get(reader)).json()
    assert after["state"] == "off"
    assert after["code"] is after["seconds_left"] is None
    assert shown["code"] not in json.dumps(after)


@pytest.mark.parametrize(("time", "seconds"), [("35", 35.0), ("90", 90.0), ("until-key", None)])
async def test_a_code_s_time_is_chosen(
    client: httpx.AsyncClient, time: str, seconds: float | None
) -> None:
    """Before it is made."""
    reader = await new_reader(client)
    chosen = (await happen(client, reader, "display-time", time=time)).json()
    assert chosen["display_time"] == time
    assert (await make_code(client, reader))["seconds_left"] == seconds


async def test_a_code_is_shown_large(client: httpx.AsyncClient) -> None:
    """Key 0 says it again, however often."""
    reader = await new_reader(client)
    shown = await make_code(client, reader)
    large = (await happen(client, reader, "key", key="0")).json()
    again = (await happen(client, reader, "key", key="0")).json()
    assert not shown["large"]
    assert large["large"]
    assert [face["announced"] - shown["announced"] for face in (large, again)] == [1, 2]
    assert shown["announce"].startswith(large["announce"])


async def test_the_page_s_language_is_the_reader_s(client: httpx.AsyncClient) -> None:
    """And that of its problems."""
    reader = await new_reader(client)
    await happen(client, reader, "key", key="on")
    client.cookies.set("sesame_language", "en")
    assert (await client.get(reader)).json()["lines"] == ["SÉSAME READER", "INSERT YOUR CARD"]
    problem = (await happen(client, reader, "insert", card="none")).json()
    assert problem["title"] == "This card is no longer in the drawer: reload the page."


async def test_ids_are_drawn_by_chance(table: Table) -> None:
    """16 bytes of the source that the application was given."""
    drawn: list[int] = []

    def random_bytes(length: int) -> bytes:
        drawn.append(length)
        return b"\xab" * length

    app = build(table.simulator(random_bytes=random_bytes))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sim.test") as client:
        assert await new_reader(client) == "/readers/" + "ab" * 16
    assert drawn == [16]


async def test_nothing_is_kept(client: httpx.AsyncClient) -> None:
    """Neither answers nor problems stay in a cache."""
    reader = await new_reader(client)
    answers = [
        await client.get(reader),
        await happen(client, reader, "key", key="on"),
        await happen(client, reader, "key", key="x"),
    ]
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


# ── What cannot be ───────────────────────────────────────────────────────────────────────────────


def said(answer: httpx.Response) -> tuple[int, str]:
    """Status and sentence of a problem, which must look like one."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["title"]


async def test_a_card_in_another_window_s_reader(client: httpx.AsyncClient) -> None:
    """It is pulled out there, which that reader says, and works here."""
    first, second = await new_reader(client), await new_reader(client)
    await happen(client, first, "insert", card=INES)
    assert (await happen(client, second, "insert", card=INES)).json()["state"] == "menu"
    left = (await client.get(first)).json()
    assert (left["state"], left["card"]) == ("card-removed", None)


async def test_a_card_in_use_by_a_program(
    client: httpx.AsyncClient, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line has it."""
    monkeypatch.setattr(readers_module, "_CARD_WAIT", 0.0)
    path = table.drawer.card(INES)
    assert path is not None
    reader = await new_reader(client)
    with open_card(path):
        answer = await happen(client, reader, "insert", card=INES)
    assert said(answer) == (
        409,
        "Un autre programme se sert de cette carte. Réessayez dans un instant.",
    )


async def test_a_damaged_card(client: httpx.AsyncClient, table: Table) -> None:
    """The sentence names no path."""
    path = table.drawer.card(INES)
    assert path is not None
    path.write_bytes(b"")
    answer = await happen(client, await new_reader(client), "insert", card=INES)
    assert said(answer) == (409, "Cette carte est abîmée. Remettez tout à neuf pour la réparer.")


async def test_too_many_readers(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than there are."""
    monkeypatch.setattr(readers_module, "MOST", 1)
    await new_reader(client)
    assert said(await client.post("/readers", json={})) == (
        503,
        "Tous les lecteurs sont pris. Réessayez dans quelques minutes.",
    )


@pytest.mark.parametrize("reader", ["/readers/0", "/readers/" + "0" * 32, "/readers/%2e%2e%2f"])
async def test_an_unknown_reader(client: httpx.AsyncClient, reader: str) -> None:
    """Gone, so that the script takes another."""
    if "%2f" not in reader:  # which makes it another address
        assert said(await client.get(reader)) == (410, "Ce lecteur a été rangé.")
    answer = await client.post(f"{reader}/events", json={"event": "remove"})
    assert answer.status_code in {404, 410}


@pytest.mark.parametrize(
    "card", ["", "ines.card", "../ines.card", "/etc/passwd", CAMILLE.lower(), "\0", "é" * 100]
)
async def test_only_names_of_the_drawer_are_cards(client: httpx.AsyncClient, card: str) -> None:
    """No path, and no other spelling."""
    answer = await happen(client, await new_reader(client), "insert", card=card)
    assert said(answer)[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"event":"open"}',
        b'{"event":"key"}',
        b'{"event":"key","key":"7531"}',
        b'{"event":"key","key":1}',
        b'{"event":"display-time"}',
        b'{"event":"display-time","time":90}',
        b'{"event":"display-time","time":"36"}',
        b'{"event":"insert"}',
        b'{"event":"insert","card":null}',
        b'{"event":"remove","card":"x"}',
        b'{"event":"key","key":"1"',
        b'\xff{"event":"remove"}',
        b'{"event":"insert","card":"\xff"}',
        b'{"event":"insert","card":"\\ud800"}',
        b"[" * 400,
    ],
)
async def test_garbage_is_not_understood(client: httpx.AsyncClient, body: bytes) -> None:
    """Nor repeated; and the reader stays as it was."""
    reader = await new_reader(client)
    answer = await client.post(f"{reader}/events", content=body, headers=JSON)
    assert said(answer) == (400, "Le simulateur n’a pas compris cette demande.")
    assert b"7531" not in answer.content
    assert (await client.get(reader)).json()["announced"] == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({}, 415),
        ({**JSON, "Origin": "http://evil.test"}, 403),
        ({**JSON, "Origin": "null"}, 403),
        ({**JSON, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**JSON, "Sec-Fetch-Site": "same-site"}, 403),
        ({**JSON, "Origin": "http://sim.test", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Content-Type": "Application/JSON; charset=utf-8"}, 200),
    ],
)
async def test_only_our_own_page_is_heard(
    client: httpx.AsyncClient, headers: Mapping[str, str], status: int
) -> None:
    """A form of another site can send neither this type nor this origin."""
    reader = await new_reader(client)
    body = b'{"event":"key","key":"on"}'
    answer = await client.post(f"{reader}/events", content=body, headers=headers)
    assert answer.status_code == status
    state = (await client.get(reader)).json()["state"]
    assert state == ("awaiting-card" if status == 200 else "off")
    opened = await client.post("/readers", content=b"{}", headers=headers)
    assert opened.status_code == (201 if status == 200 else status)


async def test_a_public_origin_can_be_named(table: Table) -> None:
    """Behind a proxy the request's own Host is not what the browser sees."""
    app = build(table.simulator(public_origin="https://essai.test"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sim.test") as client:
        ours = {"Origin": "https://essai.test"}
        assert (await client.post("/readers", json={}, headers=ours)).status_code == 201
        inner = {"Origin": "http://sim.test"}
        assert (await client.post("/readers", json={}, headers=inner)).status_code == 403


async def test_long_bodies_are_not_read(client: httpx.AsyncClient) -> None:
    """Up to the limit they are."""
    reader = await new_reader(client)
    event = b'{"event":"key","key":"on"}'
    fits = await client.post(f"{reader}/events", content=event.ljust(MOST_BYTES), headers=JSON)
    assert fits.status_code == 200
    long = await client.post(f"{reader}/events", content=event.ljust(MOST_BYTES + 1), headers=JSON)
    assert said(long)[0] == 413


def test_keys_do_not_print_themselves() -> None:
    """They are PINs."""
    assert "DIGIT" not in repr([Press(Key.DIGIT_7), Hold(Key.DIGIT_7)])
    assert "7" not in repr([Press(Key.DIGIT_7), Hold(Key.DIGIT_7)])


# ── Anything ─────────────────────────────────────────────────────────────────────────────────────

_NAMES = st.sampled_from([CAMILLE, INES, "payment-only", "mute", "expired", "blocked", "none"])
_KEYS = st.sampled_from([*string.digits, "code", "respond", "sign", ",", "ok", "c", "on", "x", ""])
_TIMES = st.sampled_from(["35", "90", "until-key", "36", ""])
_EVENTS = st.one_of(
    st.builds(lambda card: {"event": "insert", "card": card}, _NAMES),
    st.builds(lambda card: {"event": "insert-wrongly", "card": card}, _NAMES),
    st.just({"event": "remove"}),
    st.builds(lambda time: {"event": "display-time", "time": time}, _TIMES),
    st.builds(lambda key: {"event": "key", "key": key}, _KEYS),
    st.builds(lambda key: {"event": "hold", "key": key}, _KEYS),
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["event", "card", "key", "x"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(0, 1), _EVENTS, st.floats(0, 40)), max_size=24),
    body=st.binary(max_size=64),
)
def test_whatever_comes_is_answered(
    table: Table, steps: list[tuple[int, Any, float]], body: bytes
) -> None:
    """Two windows, any events, any pauses: a face or a problem, never an error of ours.

    No face shows a code for longer than was chosen, nor a card that the other has too.
    """

    async def play() -> None:
        app = build(table.simulator())
        transport = httpx.ASGITransport(app)  # an error of ours would come out here
        async with httpx.AsyncClient(transport=transport, base_url="http://sim.test") as client:
            readers = [await new_reader(client), await new_reader(client)]
            for which, event, pause in steps:
                address = f"{readers[which]}/events"
                answer = await client.post(address, content=json.dumps(event), headers=JSON)
                assert answer.status_code in {200, 400, 404, 409}
                faces = [(await client.get(reader)).json() for reader in readers]
                for face in faces:
                    assert (face["code"] is None) == (face["state"] not in SHOWN)
                    left, time = face["seconds_left"], face["display_time"]
                    if face["code"] is None:  # or the reader goes off soon
                        assert left is None or 0 < left <= 5
                    elif time == "until-key":
                        assert left is None
                        assert face["ending"] == "C POUR EFFACER"
                    else:
                        assert 0 < left <= int(time)
                cards = [face["card"]["name"] for face in faces if face["card"]]
                assert len(set(cards)) == len(cards)
                table.pass_time(pause)
            garbage = await client.post(f"{readers[0]}/events", content=body, headers=JSON)
            assert garbage.status_code in {200, 400}
            for reader in readers:
                await happen(client, reader, "remove")

    asyncio.run(play())
