"""`sesame hsm`: one command writes at a time, of all that this machine runs; on SoftHSM2."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from sesame.cli import hsm_token
from sesame.cli.main import main
from sesame.custody.hsm_keys import find_keys
from sesame.custody.hsm_life import inventory_of, make_standard
from sesame.custody.hsm_lock import only_writer
from sesame.custody.hsm_records import read_records
from tests.cli.test_key_life import BY, DEED
from tests.cli.test_key_wrapping import secret
from tests.custody.tokens import MODULE, OFFICER_PIN, PIN, empty_token, softhsm

pytestmark = pytest.mark.needs("softhsm2")

_ROUNDS = range(2, 22)  # by their DKIs
_WRITING = [
    ("init", "--officer-pin-file", "PIN"),
    ("generate", "--key", "dpa-02", "--usage", "issuer-ac", "--dki", "02", *BY),
    ("wrapping-key",),
    ("unwrap", "FILE", "--key", "audit-01", "--usage", "audit", "--check-value", "08D7B4", *BY),
    ("use", "dpa-01", *BY),
    ("retire", "dpa-01", *BY),
    ("destroy", "dpa-01", "--no-bank", *BY),
    ("adopt", "dpa-01", "--dki", "01", *BY),
]


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests; and the module is set up for them."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    softhsm()


def test_two_who_make_one_key_at_once(tmp_path: Path) -> None:
    """Two processes are told so in the same instant, many times: each time one makes it."""
    login = empty_token("a race")
    with login.module.calling():
        session = login.open(writes=True)
        make_standard(session, DEED, demo=False)
        session.close()
    pin = secret(tmp_path / "pin", PIN.text)
    command = [sys.executable, "-m", "tests.cli.hsm_rush", login.label, str(pin)]
    met = 0
    with ExitStack() as stack:
        makers = [stack.enter_context(_told_by_lines(command)) for _ in range(2)]
        assert [_word(maker) for maker in makers] == ["ready", "ready"]
        for dki in _ROUNDS:
            for maker in makers:
                assert maker.stdin is not None
                maker.stdin.write(f"dpa-{dki:02x} {dki:02X}\n")
                maker.stdin.flush()
            became = sorted(_word(maker) for maker in makers)
            assert became[0].startswith("0 ")
            assert became[1].startswith("1 ")
            assert f"La clé dpa-{dki:02x} ne peut s’ajouter" in became[1]
            met += "Une autre commande écrit" in became[1]
    assert met  # who came second mostly had to wait, and said so
    session = login.open()
    keys = find_keys(session)
    issuers = [key.label for key in keys if key.label.startswith("dpa-")]
    assert issuers == ["dpa-01", *(f"dpa-{dki:02x}" for dki in _ROUNDS)]
    inventory = inventory_of(session, keys)
    inventory.check_whole()
    assert inventory.unrecorded == ()
    assert len(read_records(session)) == 6 + len(_ROUNDS)
    session.close()


@contextmanager
def _told_by_lines(command: list[str]) -> "Iterator[subprocess.Popen[str]]":
    """A process that ends when nobody tells it more."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def _word(maker: "subprocess.Popen[str]") -> str:
    assert maker.stdout is not None
    return maker.stdout.readline().strip()


@pytest.mark.parametrize("words", _WRITING, ids=lambda words: words[0])
def test_who_waits_in_vain_is_told_why(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each command that writes; nothing was done, and nothing of the token was looked at."""
    monkeypatch.setattr(hsm_token, "only_writer", partial(only_writer, patience=0.06))
    pin = secret(tmp_path / "pin", PIN.text)
    officer = secret(tmp_path / "officer pin", OFFICER_PIN.text)
    (tmp_path / "file").touch()
    places = {"PIN": str(officer), "FILE": str(tmp_path / "file")}
    action, *more = (places.get(word, word) for word in words)
    where = ("--module", str(MODULE), "--label", "nowhere", "--pin-file", str(pin))
    with _held(MODULE):
        assert main(["hsm", action, *where, *more]) == 1
    printed = capsys.readouterr()
    assert not printed.out
    waits, refused = printed.err.splitlines()
    assert "Une autre commande écrit dans un jeton de ce module" in waits
    assert "rien n’a été fait. Laissez-la finir" in refused


@pytest.mark.parametrize("action", ["list", "check", "records"])
def test_who_only_looks_waits_for_nobody(
    action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does custody, which opens the token as `check` does."""
    login = empty_token(f"looked at by {action}")
    with login.module.calling():
        session = login.open(writes=True)
        make_standard(session, DEED, demo=False)
        session.close()
    pin = secret(tmp_path / "pin", PIN.text)
    where = ("--module", str(MODULE), "--label", login.label, "--pin-file", str(pin))
    with _held(MODULE):
        assert main(["hsm", action, *where]) == 0
    printed = capsys.readouterr()
    assert printed.out
    assert not printed.err


@contextmanager
def _held(module: Path) -> Iterator[None]:
    """As by another command."""
    file = os.open(module, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
