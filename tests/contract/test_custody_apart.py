"""`sesame serve` and `sesame custody serve`, side by side: what the web process has not got.

As root the memory of both is searched, and somebody else knocks. Whoever is not root can do less,
and has these tests skipped where they end.
"""

import hashlib
import mmap
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sesame.custody.keystore import Keystore
from sesame.store.schema import migrate
from tests.bank.branch import DORA, OMAR, VERA, Branch, Person, enrol_everybody, open_bank
from tests.contract.running import TLS, Browser, free_port, server, sesame
from tests.custody.apart import (
    PLAIN_USER,
    Apart,
    can_look_into,
    custody_process,
    custody_settings,
)
from tests.custody.keystores import PASSPHRASE, quick_keystore
from tests.places import Place, url_of

_API_KEY = "the key of a program of the institution"
_NOBODY = 65534
_ROOT = os.getuid() == 0


@dataclass
class Premises:
    """A bank whose keys are apart, and what runs of it."""

    folder: Path
    keystore: Keystore
    port: int
    custody: Path  # the settings of its custody process
    web: Path  # those of its portal
    apart: Apart | None = None
    process: "subprocess.Popen[str] | None" = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def verify(self, person: Person, atc: int) -> httpx.Response:
        """The JSON door on the code of *person*'s card at *atc*."""
        return httpx.post(
            f"{self.address}/api/v1/verifications",
            json={"user_code": person.user_code, "code": person.card.code(atc).digits},
            headers={"Authorization": f"Bearer {_API_KEY}"},
            verify=TLS,
            timeout=60,
        )

    def version(self, person: Person) -> object:
        """The version of their access row."""
        place = Place(url_of(self.folder / "bank.db"))
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


@contextmanager
def premises(folder: Path) -> Iterator[Premises]:
    """A database with customers, keys, and two settings files; nothing runs yet."""
    keystore = quick_keystore(folder / "keys", "keys")
    path = folder / "bank.db"
    migrate(url_of(path))
    branch = Branch(path, open_bank(path))
    branch.place.run(enrol_everybody(branch.bank))
    branch.place.run(branch.bank.store.close())
    branch.place.close()
    port = free_port()
    web = folder / "web.toml"
    web.write_text(
        'database = "sqlite:///bank.db"\n'
        'custody = "custody.sock"\n'
        f'public_url = "http://127.0.0.1:{port}"\n'
        f"port = {port}\n"
        "demonstration = true\n"
        f'api_keys = {{ tests = "{hashlib.sha256(_API_KEY.encode()).hexdigest()}" }}\n'
    )
    yield Premises(folder, keystore, port, custody_settings(folder, folder / "keys"), web)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Premises]:
    """Both processes, the portal with two workers."""
    with (
        premises(tmp_path_factory.mktemp("a bank")) as found,
        custody_process(found.custody) as found.apart,
        server(found.web, found.port, workers=2, under=PLAIN_USER) as found.process,
    ):
        yield found


# ── It works ─────────────────────────────────────────────────────────────────────────────────────


def test_codes_sign_in(running: Premises) -> None:
    """Over JSON and by form, once each."""
    for outcome in ("accepted", "refused"):
        assert running.verify(OMAR, 1).json() == {"outcome": outcome}
    with Browser(running.address) as browser:
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


def test_no_key_is_in_the_memory_of_the_web_process(running: Premises) -> None:
    """After logins, of none of its processes; the same search finds all of them in custody's."""
    assert running.verify(DORA, 1).json() == {"outcome": "accepted"}
    assert running.apart is not None
    custody = running.apart.process.pid
    if not _ROOT:
        for pid in (custody, *running.web_processes()):
            with pytest.raises(PermissionError):
                Path(f"/proc/{pid}/mem").open("rb").close()
        pytest.skip("both refuse a look; only root can search their memory")
    keys = {key.value for key in running.keystore.keys}
    assert found_in(custody, keys) == keys
    hexadecimal = {value.hex().encode() for value in keys}
    shouted = {text.upper() for text in hexadecimal}
    for pid in running.web_processes():
        secrets = keys | hexadecimal | shouted | {PASSPHRASE.text.encode()}
        assert not found_in(pid, secrets)
        # The search sees this process too: what it certainly knows is there.
        assert found_in(pid, [b"custody.sock"])


def test_neither_process_shows_a_secret_or_lets_others_look(running: Premises) -> None:
    """Command line, environment; no core is dumped, and nobody of the same user looks in."""
    assert running.apart is not None
    secrets = [PASSPHRASE.text.encode()]
    secrets += [key.value.hex().encode() for key in running.keystore.keys]
    for pid in (running.apart.process.pid, *running.web_processes()):
        process = Path(f"/proc/{pid}")
        shown = process.joinpath("cmdline").read_bytes()
        if _ROOT:
            shown += process.joinpath("environ").read_bytes()
        assert not any(secret in shown.lower() for secret in secrets)
        limits = process.joinpath("limits").read_text(encoding="ascii")
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
        assert not can_look_into(pid)


# ── Who is not heard ─────────────────────────────────────────────────────────────────────────────

_STRANGER = f"""
import os, socket, sys
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({_NOBODY})
    os.setuid({_NOBODY})
with socket.socket(socket.AF_UNIX) as wire:
    try:
        wire.connect(sys.argv[1])
        print(len(wire.recv(100)))
    except (PermissionError, ConnectionResetError) as error:
        print(type(error).__name__)
"""


def test_another_user_of_the_machine_is_not_heard(tmp_path: Path) -> None:
    """By the mode of the socket; and where somebody has opened that, by their user id."""
    if not _ROOT:  # nobody else to be: this very user is then the one who may not
        quick_keystore(tmp_path / "keys")
        with custody_process(custody_settings(tmp_path, tmp_path / "keys", users=["0"])) as apart:
            assert as_a_stranger(apart.socket) in {"0", "ConnectionResetError"}
        pytest.skip("it is not heard; only root can try it as another user of the machine")
    folder = Path(tempfile.mkdtemp())  # where others may look, unlike the tests' own
    try:
        folder.chmod(0o755)
        quick_keystore(folder / "keys")
        with custody_process(custody_settings(folder, folder / "keys")) as apart:
            assert as_a_stranger(apart.socket) == "PermissionError"
            apart.socket.chmod(0o666)
            assert as_a_stranger(apart.socket) in {"0", "ConnectionResetError"}
            with socket.socket(socket.AF_UNIX) as wire:
                wire.connect(str(apart.socket))
                assert wire.recv(100)
    finally:
        shutil.rmtree(folder)


def as_a_stranger(path: Path) -> str:
    """What another user is told at the socket: how many bytes, or which error."""
    run = subprocess.run(
        [sys.executable, "-I", "-c", _STRANGER, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    return run.stdout.strip()


# ── Trouble ──────────────────────────────────────────────────────────────────────────────────────


def test_without_custody_nothing_is_counted_and_its_return_is_enough(tmp_path: Path) -> None:
    """503 at both doors; then the code that was typed in vain signs in. The portal ran on."""
    with ExitStack() as stack:
        bank = stack.enter_context(premises(tmp_path))
        first = stack.enter_context(custody_process(bank.custody))
        stack.enter_context(server(bank.web, bank.port))
        assert bank.verify(OMAR, 1).json() == {"outcome": "accepted"}
        before = bank.version(OMAR), bank.version(VERA)
        first.process.kill()
        first.process.wait()
        for _ in range(4):
            answer = bank.verify(OMAR, 2)
            assert (answer.status_code, answer.json()["title"]) == (503, "Unavailable")
            with Browser(bank.address) as browser:
                page = browser.submit(VERA.user_code, VERA.card.code(1).digits)
            assert page.status_code == 503
            assert "momentanément indisponible" in page.text
        assert (bank.version(OMAR), bank.version(VERA)) == before
        stack.enter_context(custody_process(bank.custody))
        assert bank.verify(OMAR, 2).json() == {"outcome": "accepted"}
        assert bank.verify(VERA, 1).json() == {"outcome": "accepted"}


def test_a_portal_without_its_keys_does_not_start(tmp_path: Path) -> None:
    """Exit 1 and one sentence that names the socket, before anything listens."""
    with premises(tmp_path) as bank:
        refused = sesame("serve", "--settings", str(bank.web))
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
