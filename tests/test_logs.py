"""`sesame.logs`: a line an event, out of a fixed list, and never the value that an error holds."""

import asyncio
import gc
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_type_hints

import pytest

from sesame import logs
from sesame.store.errors import StoreUnavailable
from tests.logged import restored_logs

_SECRET = "12345678"  # stands for a code, a PAN, a key


class Written:
    """What was written, line by line."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """As it stands there."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Each a JSON object."""
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Give the tests' own logging back."""
    with restored_logs():
        yield


@pytest.fixture
def written() -> Written:
    """JSON, from the least to the worst."""
    written = Written()
    logs.set_up(logs.Style.JSON, stream=written.stream)
    return written


@pytest.fixture
def said() -> Written:
    """The same as text."""
    said = Written()
    logs.set_up(logs.Style.TEXT, stream=said.stream)
    return said


_VALUES: dict[object, object] = {
    str: "word\nof a second line",
    int: 3,
    Exception: KeyError(_SECRET),
    BaseException: KeyError(_SECRET),
}


@pytest.mark.parametrize("event", logs.EVENTS, ids=lambda event: event.__name__)
def test_every_event_is_one_line(written: Written, event: Any) -> None:  # noqa: ANN401 -- each has its own arguments
    """Named as its function is; time, level and process beside it."""
    hints = {name: hint for name, hint in get_type_hints(event).items() if name != "return"}
    values = {
        name: _VALUES.get(hint, StoreUnavailable("the database bank.db did not answer"))
        for name, hint in hints.items()
    }
    event(**values)
    (line,) = written.lines
    assert line["event"] == event.__name__.replace("_", "-")
    assert datetime.fromisoformat(line["at"]).tzinfo is not None
    assert line["level"] in {"info", "warning", "error"}
    assert line["process"] > 0
    assert _SECRET not in written.text


def test_every_function_that_writes_is_in_the_list() -> None:
    """The list is what the reference page is made of."""
    writing = [
        function
        for function in vars(logs).values()
        if callable(function) and "_write" in getattr(function, "__code__", _NO_CODE).co_names
    ]
    assert set(writing) == set(logs.EVENTS)


_NO_CODE = (lambda: None).__code__


def test_an_error_shows_its_type_and_its_places(written: Written) -> None:
    """And what it came from; no message, no argument, no local of any of them."""

    def deep(code: str) -> None:
        raise KeyError(code)

    try:
        try:
            deep(_SECRET)
        except KeyError as error:
            raise ValueError(f"not {_SECRET}") from error
    except ValueError as error:
        logs.crashed(error)
    (line,) = written.lines
    outer, inner = line["error"]
    assert (outer["type"], inner["type"]) == ("builtins.ValueError", "builtins.KeyError")
    assert [place.rpartition(" ")[2] for place in inner["places"]][-1] == "deep"
    assert "test_logs.py:" in inner["places"][-1]
    assert _SECRET not in written.text


def test_a_sentence_of_ours_without_an_event(written: Written) -> None:
    """Whole, under one name for all; of an error with it the type and the place."""
    logging.getLogger("sesame.part").warning("so many: %s", 3, exc_info=ValueError(_SECRET))
    (line,) = written.lines
    assert (line["event"], line["fields"]) == ("said", {"said": "so many: 3"})
    assert line["error"] == [{"type": "builtins.ValueError", "places": []}]
    assert "logger" not in line
    assert _SECRET not in written.text


@pytest.mark.parametrize("style", logs.Style)
def test_what_libraries_say_is_not_repeated(
    style: logs.Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was said is; their text may be put together with a value, so none is shown."""
    for name in ("uvicorn", "uvicorn.error"):  # a server of another test may have set them up
        held = logging.getLogger(name)
        monkeypatch.setattr(held, "propagate", True)
        monkeypatch.setattr(held, "handlers", [])
        monkeypatch.setattr(held, "level", logging.NOTSET)
        held.manager._clear_cache()  # type: ignore[attr-defined]  # noqa: SLF001 -- of levels
    written = Written()
    logs.set_up(style, stream=written.stream)
    logger = logging.getLogger("uvicorn.error")
    logger.error(f"of {_SECRET}")  # noqa: G004 -- what a library may do
    logger.error("of %s", _SECRET)
    logger.error("of %s %s", _SECRET)  # noqa: PLE1206 -- a mistake of theirs
    logger.error("of %s", _SECRET, exc_info=ValueError(_SECRET))
    logger.warning("Invalid HTTP request received.")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(_SECRET, ResourceWarning, stacklevel=1)
    assert _SECRET not in written.text
    assert written.text.count("uvicorn.error") == 5
    assert written.text.count("test_logs.py") >= 5
    assert "http-malformed" in written.text
    assert "py.warnings" in written.text


def test_whatever_ends_a_thread_or_the_process_goes_the_same_way(
    written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python itself would write the message."""

    class Stubborn:
        def __del__(self) -> None:
            raise ValueError(_SECRET)

    def fail() -> None:
        raise ValueError(_SECRET)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    stubborn = Stubborn()
    del stubborn
    gc.collect()
    sys.excepthook(ValueError, ValueError(_SECRET), None)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)  # no fault
    assert [line["event"] for line in written.lines] == ["crashed"] * 3
    assert _SECRET not in written.text + "".join(capsys.readouterr())


async def test_a_task_that_nobody_waits_for(written: Written) -> None:
    """The library puts its message together with the error's."""

    async def fail() -> None:
        raise ValueError(_SECRET)

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    del task
    gc.collect()
    (line,) = written.lines
    assert (line["logger"], line["error"][0]["type"]) == ("asyncio", "builtins.ValueError")
    assert _SECRET not in written.text


async def test_lines_of_a_request_share_its_name(written: Written) -> None:
    """Two requests have two; outside of any there is none."""

    async def handle() -> None:
        logs.begin_request()
        logs.pressure_off()
        await asyncio.sleep(0)
        logs.pressure_off()

    await asyncio.gather(asyncio.create_task(handle()), asyncio.create_task(handle()))
    logs.pressure_off()
    *within, outside = [line.get("request") for line in written.lines]
    assert outside is None
    assert len(set(within)) == 2
    assert sorted(within.count(name) for name in set(within)) == [2, 2]


def test_text_is_one_line_too(said: Written) -> None:
    """Whatever a database says in it."""
    logs.database_warned("a warning\nof two lines")
    assert said.text.count("\n") == 1
    assert "warning database-warned: PostgreSQL: a warning of two lines" in said.text


def test_text_has_the_places_of_an_error_below(said: Written) -> None:
    """And not its message."""
    try:
        int(_SECRET + "x")
    except ValueError as error:
        logs.crashed(error)
    first, kind, place = said.text.splitlines()
    assert first.endswith("error crashed: a fault of the program")
    assert kind == "  builtins.ValueError"
    assert "test_logs.py" in place
    assert _SECRET not in said.text


def test_a_demonstration_says_only_what_is_wrong(written: Written) -> None:
    """Its terminal is for people."""
    logs.set_up(logs.Style.JSON, level=logging.WARNING, stream=written.stream)
    logs.serving()
    logs.pressure_on(failures_this_hour=201, failures_this_day=201)
    (line,) = written.lines
    assert line["fields"] == {"failures_this_hour": 201, "failures_this_day": 201}
