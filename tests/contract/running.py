"""A demonstration or a server as a process of its own, and what a script does with it."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from sesame.cap.token import Code, show
from sesame.emv.pin import Pin
from sesame.reader.code import make_code as reader_code
from sesame.reader.virtual_slot import VirtualSlot
from sesame.simulator.drawer import DemoCustomer, DemoStaff

SESAME = [sys.executable, "-m", "sesame"]
LOGIN = "/acces/sesame"
TWO_CODES = "/acces/deux-codes"
OLD_CODE = "/acces/ancien-code"
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
PATIENCE = 180  # seconds for a process to come up or go down
# Never used, but httpx would load all certificates anew for each client.
TLS = ssl.create_default_context()


@dataclass(frozen=True, slots=True)
class Customer:
    """One object of `sesame demo --list`."""

    user_code: str
    kind: str
    card: Path
    pin: str
    old_code: str
    ready: bool


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A running `sesame demo`."""

    folder: Path
    portal: str
    simulator: str
    desk: str
    output: str  # what it printed at start
    process: "subprocess.Popen[str]"

    def customers(self, kind: str | None = None) -> list[Customer]:
        """Those who can sign in now, of *kind* if given."""
        listed = [
            Customer(**{**one, "card": Path(one["card"])})
            for one in json.loads(self.run("demo", "--list").stdout)
        ]
        return [one for one in listed if one.ready and kind in {None, one.kind}]

    def api_key(self) -> str:
        """The bearer key of the JSON door, by `--api-key`."""
        return self.run("demo", "--api-key").stdout.strip()

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the program on this demonstration's folder."""
        return sesame(*arguments, "--data", str(self.folder))


@contextmanager
def demonstration(folder: Path, *options: str, port: int | None = None) -> Iterator[Demonstration]:
    """Run `sesame demo` on *folder* and wait until all three applications answer."""
    wanted = free_port() if port is None else port
    command = [*SESAME, "demo", "--port", str(wanted), "--data", str(folder), *options]
    with _running(command) as process:
        if process.stdout is None:
            raise RuntimeError("no output to read")
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        output = "".join(lines)
        addresses = re.findall(r"http://127\.0\.0\.1:\d+", output)
        if len(addresses) != 3:
            raise RuntimeError(f"the demonstration did not start: {output}")
        for address in addresses:
            wait_for(address)
        portal, simulator, desk = addresses
        yield Demonstration(folder, portal, simulator, desk, output, process)


@contextmanager
def server(
    settings: Path, port: int, *, workers: int = 1, under: Sequence[str] = ()
) -> Iterator["subprocess.Popen[str]"]:
    """Run `sesame serve`, by the command *under* if any, and wait until it answers."""
    serve = [*SESAME, "serve", "--settings", str(settings), "--workers", str(workers)]
    command = [*under, *serve]
    with _running(command) as process:
        wait_for(f"http://127.0.0.1:{port}")
        yield process


def sesame(*arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the program to its end, *typed* on its standard input."""
    return subprocess.run(
        [*SESAME, *arguments],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def make_code(card: Path, pin: str) -> "subprocess.CompletedProcess[str]":
    """Run `sesame code`, the PIN on its standard input."""
    return sesame("code", str(card), "--pin-stdin", typed=f"{pin}\n")


def fresh_code(customer: Customer | DemoCustomer | DemoStaff) -> str:
    """A code as the reader shows it, made by the same machine in this process."""
    made = reader_code(VirtualSlot(customer.card, wait=PATIENCE), Pin(customer.pin))
    if not isinstance(made, Code):
        raise TypeError(f"no code: {made}")
    return show(made.token)


class Browser:
    """A script with cookies, as the contract allows one: no script, no Origin header."""

    def __init__(self, address: str, by: httpx.BaseTransport | None = None) -> None:
        self.client = httpx.Client(base_url=address, timeout=PATIENCE, verify=TLS, transport=by)

    def form(self, way: str = LOGIN) -> dict[str, str]:
        """The hidden fields of a login form."""
        return dict(_HIDDEN.findall(self.client.get(way).text))

    def submit(
        self,
        user_code: str,
        code: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Fill the form in and send it; follows nothing."""
        fields = {**(self.form() if form is None else form), "user_code": user_code, "code": code}
        return self.client.post(LOGIN, data=fields, headers=headers)

    def submit_two(self, user_code: str, code: str, next_code: str) -> httpx.Response:
        """The form for two codes in a row."""
        fields = {"user_code": user_code, "code": code, "next_code": next_code}
        return self.client.post(TWO_CODES, data=self.form(TWO_CODES) | fields)

    def submit_old(self, user_code: str, old_code: str) -> httpx.Response:
        """The form for the old code."""
        fields = {"user_code": user_code, "old_code": old_code}
        return self.client.post(OLD_CODE, data=self.form(OLD_CODE) | fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()


def free_port() -> int:
    """A port whose neighbour is free too, as far as one can know."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def wait_for(address: str) -> None:
    """Wait until a server answers at *address*."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(address, verify=TLS)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


@contextmanager
def _running(command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
