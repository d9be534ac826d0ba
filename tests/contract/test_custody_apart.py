"""`sesame serve` and `sesame custody serve`, side by side: what the web process has not got.

With a keystore, and with the keys in a token of SoftHSM2. As root each process is of a user of its
own, as docs/how-to/run-custody-apart.md has it; the memory of both is searched, and somebody else
knocks. Whoever is not root can do less, and has these tests skipped where they end.
"""

import hashlib
import json
import mmap
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from sesame.store.schema import migrate
from tests.bank.branch import (
    DORA,
    OMAR,
    VERA,
    Branch,
    Person,
    custody_keys,
    enrol_everybody,
    open_bank,
)
from tests.contract.running import PATIENCE, TLS, Browser, free_port, server, sesame
from tests.custody.apart import (
    PLAIN_USER,
    Apart,
    can_look_into,
    custody_process,
    custody_settings,
    custody_settings_on_token,
)
from tests.custody.keystores import PASSPHRASE, quick_keystore
from tests.custody.others import User, python_of_all
from tests.custody.tokens import PIN, carry_in, copy_tokens, empty_token
from tests.places import Place, url_of

_API_KEY = "the key of a program of the institution"
_NOBODY = User(65534, (65534,))
_ROOT = os.getuid() == 0
# As in the how-to: the group of the web process's user is one of custody's. Nobody has a name.
_WEB = User(64302, (64302,))
_CUSTODY = User(64301, (64301, 64302))
_THIRD = User(64303, (64303,))
_PUBLIC = "https://bank.example"


@dataclass
class Premises:
    """A bank whose keys are apart, and what runs of it."""

    port: int
    custody: Path  # the settings of its custody process
    web: Path  # those of its portal
    on_token: bool = False
    apart: Apart | None = None
    process: "subprocess.Popen[str] | None" = None

    @property
    def unlocks(self) -> list[bytes]:
        """What opens the keys, as files and as strings of Python have it."""
        text = (PIN if self.on_token else PASSPHRASE).text
        return [text.encode(), text.encode("latin-1")]

    def browser(self) -> Browser:
        """One that comes the way that customers do: in production by the proxy."""
        if self.on_token:
            return Browser(_PUBLIC, by=Proxy(self.port))
        return Browser(f"http://127.0.0.1:{self.port}")

    def verify(self, person: Person, atc: int) -> httpx.Response:
        """The JSON door on the code of *person*'s card at *atc*."""
        with self.browser() as browser:
            return browser.client.post(
                "/api/v1/verifications",
                json={"user_code": person.user_code, "code": person.card.code(atc).digits},
                headers={"Authorization": f"Bearer {_API_KEY}"},
            )

    def version(self, person: Person) -> object:
        """The version of their access row."""
        place = Place(url_of(self.web.parent / "bank.db"))
        found = place.row_of(person.user_code)["version"]
        place.close()
        return found

    def web_processes(self) -> list[int]:
        """The portal's process and its workers."""
        assert self.process is not None
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        workers = [
            int(child)
            for child in children
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        assert len(workers) == 2
        return [pid, *workers]


class Proxy(httpx.BaseTransport):
    """The proxy that the settings name: https in front of it, plain http behind."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._behind = httpx.HTTPTransport(verify=TLS)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Hand it on, and say that it came by https."""
        return self._behind.handle_request(
            httpx.Request(
                request.method,
                request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port),
                headers=[*request.headers.raw, (b"X-Forwarded-Proto", b"https")],
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    def close(self) -> None:
        """Hang up."""
        self._behind.close()


def premises(folder: Path, *, on_token: bool = False, **custody: object) -> Premises:
    """A database with customers, keys, and two settings files; nothing runs yet.

    Keys, database and socket are in a folder each. *custody* is said in its settings.
    """
    keys, web, run = (folder / name for name in ("custody", "web", "run"))
    for own in (keys, web, run):
        own.mkdir(mode=0o755)
    path = web / "bank.db"
    migrate(url_of(path))
    branch = Branch(path, open_bank(path))
    branch.place.run(enrol_everybody(branch.bank))
    branch.place.run(branch.bank.store.close())
    branch.place.close()
    said = {"socket": "../run/custody.sock", **custody}
    if on_token:
        settings = custody_settings_on_token(keys, _token(), **said)
        copy_tokens(keys)
    else:
        quick_keystore(keys / "keys", "keys")
        settings = custody_settings(keys, keys / "keys", **said)
    port = free_port()
    lines = {
        "database": "sqlite:///bank.db",
        "custody": "../run/custody.sock",
        "port": port,
        # Only a demonstration has the keys of one, and comes without https.
        **(
            {"public_url": _PUBLIC, "proxies": ["127.0.0.1"]}
            if on_token
            else {"public_url": f"http://127.0.0.1:{port}", "demonstration": True}
        ),
    }
    hashed = hashlib.sha256(_API_KEY.encode()).hexdigest()
    told = web / "web.toml"
    told.write_text(
        "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
        + f'api_keys = {{ tests = "{hashed}" }}\n'
    )
    return Premises(port, settings, told, on_token)


@cache
def _token() -> str:
    """A token with the keys that everybody's cards are sealed under."""
    session = empty_token("premises").open(writes=True)
    carry_in(session, custody_keys().keys)
    session.close()
    return "premises"


@pytest.fixture(
    scope="module",
    params=["keystore", pytest.param("softhsm2", marks=pytest.mark.needs("softhsm2"))],
)
def running(request: pytest.FixtureRequest) -> Iterator[Premises]:
    """Both processes, the portal with two workers; as root, each of its own user."""
    users = {"users": [str(_WEB.number)], "group": str(_WEB.groups[0])} if _ROOT else {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        folder.chmod(0o755)  # where others may look, unlike the tests' own
        found = premises(folder, on_token=request.param == "softhsm2", **users)
        token = ["env", f"SOFTHSM2_CONF={found.custody.parent / 'softhsm2.conf'}"]
        by, under = [*PLAIN_USER, *token], PLAIN_USER
        if _ROOT:
            for user, own in ((_CUSTODY, found.custody), (_WEB, found.web)):
                own.chmod(0o640)
                user.owns(own.parent)
            _CUSTODY.owns(folder / "run", 0o755)
            python = python_of_all(folder / "python")
            by, under = [*_CUSTODY.become, *token, *python], [*_WEB.become, *python]
        found.apart = stack.enter_context(custody_process(found.custody, by))
        found.process = stack.enter_context(server(found.web, found.port, workers=2, under=under))
        yield found


# ── It works ─────────────────────────────────────────────────────────────────────────────────────


def test_codes_sign_in(running: Premises) -> None:
    """Over JSON and by form, once each."""
    for outcome in ("accepted", "refused"):
        assert running.verify(OMAR, 1).json() == {"outcome": outcome}
    with running.browser() as browser:
        answer = browser.submit(VERA.user_code, VERA.card.code(1).digits)
        assert (answer.status_code, answer.headers["location"]) == (303, "/espace")
        assert browser.client.get("/espace").status_code == 200


# ── What the web process has not got ─────────────────────────────────────────────────────────────


def memory(pid: int) -> Iterator[bytes]:
    """All that a process may write to, a mapping at a time."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in maps.splitlines():
            start, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()  # type: ignore[union-attr]  # proc(5)
            if not rights.startswith("rw"):
                continue
            at, behind = int(start, 16), int(end, 16)
            while at < behind:
                read = b""  # where pages were given back meanwhile, or lie behind the end of a file
                with suppress(OSError):
                    read = os.pread(file.fileno(), behind - at, at)
                yield read
                at += len(read) or mmap.PAGESIZE


def found_in(pid: int, secrets: Iterable[bytes]) -> set[bytes]:
    """Which of *secrets* are in the memory of a process."""
    found: set[bytes] = set()
    wanted = set(secrets)
    for piece in memory(pid):
        found |= {secret for secret in wanted if secret in piece}
    return found


def until(holds: Callable[[], bool]) -> None:
    """Wait for what a worker does first: while it begins it knows nothing, and may be looked at."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_no_key_is_in_the_memory_of_the_web_process(running: Premises) -> None:
    """After logins, of none of its processes; the same search finds all of them in custody's.

    Where they are in a token, what it finds there is the PIN.
    """
    assert running.verify(DORA, 1).json() == {"outcome": "accepted"}
    assert running.apart is not None
    custody = running.apart.process.pid
    if not _ROOT:
        for pid in (custody, *running.web_processes()):
            until(lambda pid=pid: not can_look_into(pid))  # type: ignore[misc]  # of this turn
            with pytest.raises(PermissionError):
                Path(f"/proc/{pid}/mem").open("rb").close()
        pytest.skip("both refuse a look; only root can search their memory")
    keys = {key.value for key in custody_keys().keys}
    if running.on_token:
        assert found_in(custody, running.unlocks)
    else:
        assert found_in(custody, keys) == keys
    hexadecimal = {value.hex().encode() for value in keys}
    shouted = {text.upper() for text in hexadecimal}
    for pid in running.web_processes():
        # The search sees this process too: what it certainly knows is there.
        until(lambda pid=pid: bool(found_in(pid, [b"custody.sock"])))  # type: ignore[misc]  # of this turn
        assert not found_in(pid, keys | hexadecimal | shouted | set(running.unlocks))


def test_neither_process_shows_a_secret_or_lets_others_look(running: Premises) -> None:
    """Command line, environment; no core is dumped, and nobody of the same user looks in."""
    assert running.apart is not None
    secrets = running.unlocks
    secrets += [key.value.hex().encode() for key in custody_keys().keys]
    by, under = (_CUSTODY.become, _WEB.become) if _ROOT else (PLAIN_USER, PLAIN_USER)
    processes = [
        (running.apart.process.pid, by),
        *((pid, under) for pid in running.web_processes()),
    ]
    for pid, alike in processes:
        process = Path(f"/proc/{pid}")
        shown = process.joinpath("cmdline").read_bytes()
        if _ROOT:
            shown += process.joinpath("environ").read_bytes()
        assert not any(secret in shown.lower() for secret in secrets)
        limits = process.joinpath("limits").read_text(encoding="ascii")
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
        until(lambda pid=pid, alike=alike: not can_look_into(pid, alike))  # type: ignore[misc]  # of this turn


_OPENS = """
for path in sys.argv[1:]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()
        print("opened")
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(not _ROOT, reason="only root can try it as another user of the machine")
def test_the_web_processs_user_reaches_nothing_of_custodys(running: Premises) -> None:
    """No keystore or token, no passphrase or PIN, nothing of its process: by folder and by file.

    Custody's own user reads every file, and the web's reads what is its own.
    """
    assert running.apart is not None
    keys = running.custody.parent
    kept = [path for path in sorted(keys.rglob("*")) if path.name != "softhsm2.conf"]
    names = {path.name for path in kept}
    assert names >= ({"pin", "tokens"} if running.on_token else {"keys", "custody-passphrase"})
    process = [f"/proc/{running.apart.process.pid}/{name}" for name in ("mem", "environ", "fd")]
    assert _CUSTODY.told(_OPENS, *kept) == ["opened"] * len(kept)
    assert _WEB.told(_OPENS, running.web, running.web.parent / "bank.db") == ["opened"] * 2
    shut = ["PermissionError"]
    assert _WEB.told(_OPENS, keys, *kept, *process) == shut * (1 + len(kept) + len(process))
    keys.chmod(0o755)
    try:
        private = [path for path in kept if path.name != "tokens"]
        assert _WEB.told(_OPENS, *private) == shut * len(private)
    finally:
        keys.chmod(0o700)


# ── Who is not heard ─────────────────────────────────────────────────────────────────────────────

_KNOCKS = """
with socket.socket(socket.AF_UNIX) as wire:
    try:
        wire.connect(sys.argv[1])
        print(len(wire.recv(100)))
    except (PermissionError, ConnectionResetError) as error:
        print(type(error).__name__)
"""
_TURNED_AWAY = {"0", "ConnectionResetError"}  # by their user id; by the mode: PermissionError


@pytest.mark.skipif(not _ROOT, reason="only root can try it as another user of the machine")
def test_who_is_heard(running: Premises) -> None:
    """The web process's user, by the group; a third one neither without that group nor with it."""
    assert running.apart is not None
    path = running.apart.socket
    (greeting,) = _WEB.told(_KNOCKS, path)
    assert int(greeting) > 0
    assert _THIRD.told(_KNOCKS, path) == ["PermissionError"]
    in_the_group = replace(_THIRD, groups=(*_THIRD.groups, *_WEB.groups))
    assert set(in_the_group.told(_KNOCKS, path)) <= _TURNED_AWAY
    assert set(_CUSTODY.told(_KNOCKS, path)) <= _TURNED_AWAY  # who runs it is not in `users`


def test_another_user_of_the_machine_is_not_heard(tmp_path: Path) -> None:
    """By the mode of the socket; and where somebody has opened that, by their user id."""
    if not _ROOT:  # nobody else to be: this very user is then the one who may not
        quick_keystore(tmp_path / "keys")
        with custody_process(custody_settings(tmp_path, tmp_path / "keys", users=["0"])) as apart:
            assert _knock(apart.socket) in _TURNED_AWAY
        pytest.skip("it is not heard; only root can try it as another user of the machine")
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # where others may look, unlike the tests' own
        quick_keystore(folder / "keys")
        with custody_process(custody_settings(folder, folder / "keys")) as apart:
            assert _NOBODY.told(_KNOCKS, apart.socket) == ["PermissionError"]
            apart.socket.chmod(0o666)
            assert set(_NOBODY.told(_KNOCKS, apart.socket)) <= _TURNED_AWAY
            assert int(_knock(apart.socket)) > 0


def _knock(path: Path) -> str:
    """What this user is told at the socket: how many bytes, or which error."""
    with socket.socket(socket.AF_UNIX) as wire:
        try:
            wire.connect(str(path))
            return str(len(wire.recv(100)))
        except (PermissionError, ConnectionResetError) as error:
            return type(error).__name__


# ── Trouble ──────────────────────────────────────────────────────────────────────────────────────


def test_without_custody_nothing_is_counted_and_its_return_is_enough(tmp_path: Path) -> None:
    """503 at both doors; then the code that was typed in vain signs in. The portal ran on."""
    with ExitStack() as stack:
        bank = premises(tmp_path)
        first = stack.enter_context(custody_process(bank.custody))
        stack.enter_context(server(bank.web, bank.port))
        assert bank.verify(OMAR, 1).json() == {"outcome": "accepted"}
        before = bank.version(OMAR), bank.version(VERA)
        first.process.kill()
        first.process.wait()
        for _ in range(4):
            answer = bank.verify(OMAR, 2)
            assert (answer.status_code, answer.json()["title"]) == (503, "Unavailable")
            with bank.browser() as browser:
                page = browser.submit(VERA.user_code, VERA.card.code(1).digits)
            assert page.status_code == 503
            assert "momentanément indisponible" in page.text
        assert (bank.version(OMAR), bank.version(VERA)) == before
        stack.enter_context(custody_process(bank.custody))
        assert bank.verify(OMAR, 2).json() == {"outcome": "accepted"}
        assert bank.verify(VERA, 1).json() == {"outcome": "accepted"}


def test_a_portal_without_its_keys_does_not_start(tmp_path: Path) -> None:
    """Exit 1 and one sentence that names the socket, before anything listens."""
    refused = sesame("serve", "--settings", str(premises(tmp_path).web))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "custody.sock\u00a0: le processus qui garde les clés ne répond pas" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"keystore_passphrase_file": "nowhere"}, "la phrase de passe ne peut y être lue"),
        ({"demonstration": False}, "celles d’une démonstration"),
        ({"users": ["no-such-user"]}, "no-such-user"),
        ({"socket": "nowhere/custody.sock"}, "nowhere/custody.sock\u00a0: le système refuse"),
    ],
)
def test_what_custody_refuses_to_start_with(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    """Exit 1 and one sentence; no passphrase in it."""
    quick_keystore(tmp_path / "keys")
    settings = custody_settings(tmp_path, tmp_path / "keys", **changed)
    refused = sesame("custody", "serve", "--settings", str(settings))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert PASSPHRASE.text not in refused.stderr


def test_a_second_custody_process_is_refused(running: Premises) -> None:
    """The first goes on."""
    refused = sesame("custody", "serve", "--settings", str(running.custody))
    assert refused.returncode == 1
    assert "un autre programme y répond déjà" in refused.stderr
    assert running.verify(OMAR, 3).json() == {"outcome": "accepted"}
