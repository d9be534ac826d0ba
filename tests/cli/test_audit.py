"""`sesame audit`: what an operator and an auditor type, and what they are told."""

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sesame.bank.sealing import FolderShipping, Sealer
from sesame.bank.stream import read_sealed
from sesame.cli.main import main
from sesame.custody.passphrase import Passphrase
from sesame.custody.seal_key import open_seal_key, read_public
from sesame.store.engine import open_store
from sesame.store.ledger import Ledger
from sesame.store.schema import migrate
from sesame.store.segments import segment_name
from tests.bank.branch import OMAR, VERA, Branch, custody_keys, enrol_everybody, open_bank
from tests.bank.chains import live
from tests.custody.keystores import PASSPHRASE, chance, quick_keystore
from tests.places import url_of

_PASSPHRASE = "cheval agrafe réséda pile"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an English machine."""
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with key and passphrase: to make a key takes a while."""
    folder = tmp_path_factory.mktemp("audit")
    passphrase = folder / "passphrase"
    passphrase.write_text(_PASSPHRASE, encoding="utf-8")
    passphrase.chmod(0o600)
    create = [
        "audit",
        "create-key",
        f"{folder / 'seal.key'}",
        "--public",
        f"{folder / 'public.pem'}",
    ]
    assert main([*create, "--passphrase-file", str(passphrase)]) == 0
    return folder


class Desk:
    """A bank's database and the commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "sesame.db"
        self.url = url_of(self.path)
        self.stream = folder / "stream"
        self.stream.mkdir()
        self.seals = ["--stream", str(self.stream), "--public-key", str(folder / "public.pem")]
        self.seal = ["audit", "seal", self.url, "--key", str(folder / "seal.key"),
                     "--ledger", str(folder / "ledger"), "--to", str(self.stream),
                     "--passphrase-file", str(folder / "passphrase")]  # fmt: skip

    def verify(self, *more: str) -> int:
        """The exit status of `verify` on the database."""
        return main(["audit", "verify", self.url, *self.seals, *more])

    def seal_at(self, moment: datetime) -> None:
        """Seal what is new, as the command would have at that moment."""
        passphrase = Passphrase(_PASSPHRASE)
        key = open_seal_key(self.folder / "seal.key", passphrase)

        async def seal() -> None:
            store = open_store(self.url)
            with Ledger.open(self.folder / "ledger") as ledger:
                shipping = FolderShipping(self.stream)
                sealer = Sealer(
                    store=store, ledger=ledger, key=key, shipping=shipping, now=lambda: moment
                )
                await sealer.seal()
            await store.close()

        # In a thread of its own: some tests are in a loop.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, seal()).result()

    def change(self, *statements: str) -> None:
        """Change the database from outside."""
        connection = sqlite3.connect(self.path)
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()


@pytest.fixture
async def desk(made: Path, tmp_path: Path) -> Desk:
    """A bank with seven lines."""
    for name in ("seal.key", "public.pem", "passphrase"):
        shutil.copy(made / name, tmp_path / name)
    desk = Desk(tmp_path)
    migrate(desk.url)
    branch = Branch(desk.path, open_bank(desk.path))
    await enrol_everybody(branch.bank)
    await live(branch)
    await branch.close()
    return desk


def _restore(desk: Desk) -> None:
    """Put the backup back as the manual says: nothing of the database is left beside it."""
    for path in desk.folder.glob("sesame.db*"):
        path.unlink()
    shutil.copy(desk.folder / "backup.db", desk.path)


def _cut_tail_with_its_head(desk: Desk) -> None:
    desk.change(
        "DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version > 5",
        "UPDATE access SET version = 5, head = (SELECT head FROM audit_lines AS lines WHERE "
        "lines.user_code = access.user_code AND lines.version = 5) WHERE user_code = 'VERA2345'",
    )


_ALONE = "From one chain alone"  # what cannot be told
_DONE: dict[str, tuple[Callable[[Desk], None], int, str]] = {
    "one flipped byte": (
        lambda desk: desk.change(
            "UPDATE audit_lines SET line = replace(line, 'wrong', 'wrony') "
            "WHERE user_code = 'VERA2345'"
        ),
        10,
        "VERA2345, line 2: it is not as it was written.",
    ),
    "a deleted line": (
        lambda desk: desk.change(
            "DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version = 2"
        ),
        11,
        "VERA2345, line 2: it was deleted.",
    ),
    "a swapped order": (
        lambda desk: desk.change(
            "UPDATE audit_lines SET version = 105 - version "
            "WHERE user_code = 'VERA2345' AND version IN (2, 3, 4)",
            "UPDATE audit_lines SET version = version - 99 WHERE version > 99",
        ),
        12,
        "VERA2345, line 2: another one stands in its place.",
    ),
    "a truncated tail": (
        lambda desk: desk.change(
            "DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version > 3"
        ),
        13,
        "VERA2345: the end is cut off, from line 4 on.",
    ),
    "a truncated tail whose head was set back": (
        _cut_tail_with_its_head,
        13,
        "VERA2345: the end is cut off, from line 6 on.",
    ),
    "a restored backup": (
        _restore,
        14,
        "VERA2345: all ends at line 4, but a seal knows later ones.",
    ),
}


async def _live_on(desk: Desk) -> None:
    """Half an hour after the backup Vera and Omar sign in; in another half Omar does again."""
    branch = Branch(desk.path, open_bank(desk.path, name="later"))
    branch.clock.forward(minutes=31)
    await live(branch, first_atc=5)
    desk.seal_at(branch.clock())
    branch.clock.forward(minutes=31)
    await branch.login(OMAR, OMAR.card.code(7))
    desk.seal_at(branch.clock())
    await branch.close()


@pytest.mark.parametrize("what", _DONE)
def test_each_manipulation_is_told_apart(
    desk: Desk, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    """In words and by the exit status; on the database and on an export of it."""
    assert main(["database", "backup", desk.url, str(desk.folder / "backup.db")]) == 0
    asyncio.run(_live_on(desk))
    capsys.readouterr()
    assert desk.verify() == 0
    assert "All is whole." in capsys.readouterr().out
    do, status, words = _DONE[what]
    do(desk)
    assert desk.verify() == status
    said = capsys.readouterr().out
    assert words in said
    assert ("that is what an old backup leaves" in said) is (status == 14)
    assert _ALONE not in said
    # Of her chain alone a head that was set back looks like a backup; and it says that.
    alone = 14 if do is _cut_tail_with_its_head else status
    assert desk.verify("--user-code", "vera 2345") == alone
    assert (_ALONE in capsys.readouterr().out) is (alone == 14)
    export = str(desk.folder / "export.tar")
    assert main(["audit", "export", desk.url, export, *desk.seals]) == 0
    assert main(["audit", "verify", export, *desk.seals[2:]]) == status
    assert words in capsys.readouterr().out
    one = str(desk.folder / "one")
    vera = ["--user-code", "vera 2345"]
    assert main(["audit", "export", desk.url, one, *desk.seals, *vera]) == 0
    assert main(["audit", "verify", one, *desk.seals[2:]]) == alone
    assert (_ALONE in capsys.readouterr().out) is (alone == 14)


@pytest.fixture
def custody(desk: Desk) -> list[str]:
    """The settings of a server that has the keys of that bank."""
    keystore = replace(custody_keys(), path=desk.folder / "keys.json")
    keystore.write_new(PASSPHRASE, random=chance("file"))
    (desk.folder / "server.toml").write_text(
        f'database = "{desk.url}"\nkeystore = "keys.json"\n'
        'keystore_passphrase_file = "passphrase"\n'
        'public_url = "http://localhost:8000"\ndemonstration = true\n'
    )
    return ["--settings", str(desk.folder / "server.toml")]


def test_what_stands_beside_the_chains(
    desk: Desk, custody: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Last ATCs are looked at in any case, MACs where custody is; of an export MACs alone."""
    export = str(desk.folder / "export.tar")
    assert main(["audit", "export", desk.url, export]) == 0
    assert main(["audit", "verify", desk.url, *custody]) == 0
    assert main(["audit", "verify", export, *custody]) == 0
    said = capsys.readouterr().out
    assert said.count("Acceptances that custody vouches for: 3.") == 2
    desk.change("UPDATE cards SET last_atc = 1 WHERE user_code = 'VERA2345'")
    assert main(["audit", "verify", desk.url]) == 21
    assert "VERA2345, line 4: it took an ATC of a card" in capsys.readouterr().out
    other = quick_keystore(desk.folder / "other.json")
    other.path.replace(desk.folder / "keys.json")
    assert main(["audit", "verify", desk.url, *custody, "--user-code", "vera 2345"]) == 20
    assert main(["audit", "verify", export, *custody]) == 20
    said = capsys.readouterr().out
    assert said.count("VERA2345, line 3: it says that a code was accepted") == 2
    assert "that custody vouches for: 0." in said


def test_custody_that_is_not_there(
    desk: Desk, custody: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said, and nothing passes for whole."""
    (desk.folder / "keys.json").unlink()
    assert main(["audit", "verify", desk.url, *custody]) == 1
    assert "keys.json" in capsys.readouterr().err


def test_a_damaged_row_of_an_export(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Is told by file and row."""
    export = desk.folder / "export"
    assert main(["audit", "export", desk.url, str(export)]) == 0
    lines = export / "lines.jsonl"
    lines.write_bytes(lines.read_bytes().replace(b'"version"', b'"Version"', 1))
    assert main(["audit", "verify", str(export)]) == 10
    assert "lines.jsonl, row 1: it is not as it was written." in capsys.readouterr().out
    assert stat.S_IMODE(export.stat().st_mode) == 0o700
    with pytest.raises(SystemExit):
        main([*desk.seal, "--every", "0"])


def test_without_seals_it_says_what_is_not_seen(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """An old backup, for one."""
    assert main(["database", "backup", desk.url, str(desk.folder / "backup.db")]) == 0
    asyncio.run(_live_on(desk))
    _restore(desk)
    assert main(["audit", "verify", desk.url]) == 0
    assert "an old backup are not seen: give --stream" in capsys.readouterr().out


def test_seals_that_are_wrong(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is not there, one that is false."""
    for _ in range(3):
        assert main(desk.seal) == 0
    kept = str(desk.folder / "kept")
    assert desk.verify("--ledger", kept) == 0
    assert "Latest seal: number 3, of 20" in capsys.readouterr().out
    third = (desk.stream / segment_name(3)).rename(desk.folder / "third")
    assert desk.verify("--ledger", kept) == 17  # it knows that there was one
    assert "seal number 3 is not there" in capsys.readouterr().err
    assert desk.verify() == 0
    assert "Latest seal: number 2" in capsys.readouterr().out
    third.rename(desk.stream / segment_name(3))
    second = desk.stream / segment_name(2)
    content = second.read_bytes()
    second.unlink()
    assert desk.verify() == 17
    assert "seal number 2 is not there" in capsys.readouterr().err
    second.write_bytes(content.replace(b'"signature":"', b'"signature":"0', 1))
    assert desk.verify() == 18
    assert "False seal" in capsys.readouterr().err


def test_evidence_of_a_login(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """By version or by attempt; once there is a seal; no file is written over."""
    ask = ["audit", "evidence", desk.url, str(desk.folder / "evidence.json"), *desk.seals,
           "--user-code", VERA.user_code]  # fmt: skip
    assert main([*ask, "--version", "3"]) == 1
    assert "No seal covers this login yet." in capsys.readouterr().err
    assert main(desk.seal) == 0
    assert main([*ask, "--version", "3"]) == 0
    said = capsys.readouterr().out
    assert "the evidence is written" in said
    assert stat.S_IMODE(Path(ask[3]).stat().st_mode) == 0o600
    fingerprint = said.split()[-1]
    checked = subprocess.run(
        [sys.executable, "docs/how-to/check_evidence.py", ask[3], fingerprint],
        cwd=Path(__file__).parents[2], check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert checked.stdout.startswith("RIGHT: VERA2345")
    assert main([*ask, "--version", "3"]) == 1
    assert "File exists" in capsys.readouterr().err
    assert main([*ask, "--attempt", "ff" * 16]) == 1
    assert "No evidence" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*ask, "--attempt", "ff"])
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main([*ask, "--version", f"{2**63}"])
    wanted = f"argument --version: a whole number is expected, from 1 to {2**63 - 1}"
    assert wanted in capsys.readouterr().err
    assert main([*ask[:3], f"{ask[3]}-last", *ask[4:], "--version", f"{2**63 - 1}"]) == 1


def test_what_does_not_go_on_from_the_seals(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Is told by the sealer itself."""
    assert main(desk.seal) == 0
    desk.change("UPDATE access SET version = 2 WHERE user_code = 'VERA2345'")
    (desk.folder / "ledger").unlink()  # made anew, it looks at everybody
    assert main(desk.seal) == 14
    assert "Not sealed, for it contradicts what was: 1." in capsys.readouterr().err


def test_a_pipe(desk: Desk, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The segments, and nothing else, on standard output."""
    assert main([*desk.seal[:-4], "--to", "-", *desk.seal[-2:]]) == 0
    rows = capfdbinary.readouterr().out.splitlines()
    assert len(rows) == 9
    assert rows[0] == b'{"format":"sesame-audit-stream","number":1,"v":1}'


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["verify", "{url}", "--stream", "{stream}"], "give --public-key"),
        (["verify", "{url}", "--public-key", "{key}"], "give --stream"),
        (["verify", "{url}", "--seal-within", "5"], "give --public-key"),
        (["export", "{url}", "{folder}/x", "--stream", "{stream}"], "together"),
        (["verify", "{folder}/nothing"], "nothing: no folder and no tar file"),
        (["verify", "sqlite:///{folder}/none.db"], "there is no such database"),
        (["verify", "postgresql+asyncpg://me:secret@host/x"], "a password does not belong"),
        (["verify", "{url}", "--user-code", "short"], "eight characters"),
        (["create-key", "{folder}/seal.key", "--public", "{folder}/new.pem"], "exists already"),
        (["create-key", "{folder}/new", "--public", "{folder}/public.pem"], "exists already"),
        (["export", "{url}", "{folder}/x", "--user-code", "NEMO3333"], "Nobody has"),
        (["verify", "{url}", "--user-code", "NEMO3333"], "Nobody has"),
        (["verify", "{folder}/x", "--user-code", "NEMO3333"], "only with a database"),
    ],
)
def test_what_cannot_be_done_is_said(
    desk: Desk, capsys: pytest.CaptureFixture[str], more: list[str], why: str
) -> None:
    """What, where, and what to do."""
    places = {
        "url": desk.url,
        "stream": desk.stream,
        "key": desk.folder / "public.pem",
        "folder": desk.folder,
    }
    assert main(["audit", *(word.format(**places) for word in more)]) == 1
    assert why.lower() in capsys.readouterr().err.lower()
    assert not (desk.folder / "none.db").exists()


def test_a_key_that_could_not_be_published_is_none(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody could verify its seals, and nothing would stand in the way of another try."""
    create = ["audit", "create-key", str(desk.folder / "new"), *desk.seal[-2:], "--public"]
    assert main([*create, str(desk.folder / "no" / "new.pem")]) == 1
    assert "No such file" in capsys.readouterr().err
    assert main([*create, str(desk.folder / "new.pem")]) == 0


def test_no_seals_at_all(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody took all of them away: nothing is whole that was to be compared with them."""
    export = str(desk.folder / "export")
    assert main(["audit", "export", desk.url, export, *desk.seals]) == 0
    capsys.readouterr()
    for what in (
        [desk.url, *desk.seals],
        [desk.url, *desk.seals, "--user-code", VERA.user_code],
        [export, *desk.seals[2:]],
    ):
        assert main(["audit", "verify", *what]) == 17
        assert "There is no seal" in capsys.readouterr().out


def test_who_is_under_no_seal(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """For the file that knew of them was taken away: that it was no rule's doing is told."""
    for _ in range(2):
        assert main(desk.seal) == 0
    assert desk.verify() == 0
    assert "under no seal" not in capsys.readouterr().out
    (desk.stream / segment_name(1)).unlink()
    assert desk.verify() == 17
    said = capsys.readouterr().out
    assert "The first seal that is there is number 2, and it is less than 397 days old" in said
    assert "Customers under no seal: 3." in said
    assert "What is there is whole." in said
    assert desk.verify("--user-code", VERA.user_code) == 17
    desk.change("DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version = 2")
    assert desk.verify() == 11  # the lowest number


def test_first_files_that_the_rule_took_away(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are older than it: nothing is missing."""
    now = datetime.now(UTC)
    for days in (401, 400, 0):
        desk.seal_at(now - timedelta(days=days))
    (desk.stream / segment_name(1)).unlink()
    assert desk.verify() == 0
    assert "All is whole." in capsys.readouterr().out


def test_the_last_files_were_taken_away(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a ledger only the age of the latest one that is left can tell."""
    now = datetime.now(UTC)
    desk.seal_at(now - timedelta(minutes=40))
    desk.seal_at(now)
    within = ["--seal-within", "30"]
    assert desk.verify(*within) == 0
    capsys.readouterr()
    export = str(desk.folder / "export")
    (desk.stream / segment_name(2)).unlink()
    assert main(["audit", "export", desk.url, export, *desk.seals]) == 0
    assert desk.verify() == 0
    assert desk.verify("--seal-within", "120") == 0
    capsys.readouterr()
    assert desk.verify(*within) == 17
    said = capsys.readouterr().out
    assert "The latest seal is more than 30 minutes old" in said
    assert "All is whole." not in said
    assert main(["audit", "verify", export, *desk.seals[2:], *within]) == 17
    for wrong in ("0", "99999999999999999999"):
        with pytest.raises(SystemExit):
            desk.verify("--seal-within", wrong)
    assert desk.verify("--seal-within", f"{366 * 24 * 60}") == 0


def test_it_seals_until_it_is_told_to_end(desk: Desk) -> None:
    """A seal a second; what may pass it tells, and goes on; a signal ends it."""
    environment = {**os.environ, "LC_ALL": "en_GB.UTF-8"}
    command = [sys.executable, "-m", "sesame", *desk.seal, "--every", "1"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait_for(desk.stream / segment_name(1))
            away = desk.stream.rename(desk.folder / "away")
            assert process.stderr is not None
            assert "the system refuses" in process.stderr.readline()
            away.rename(desk.stream)
            _wait_for(desk.stream / segment_name(2))
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    key = read_public(desk.folder / "public.pem")
    segments = list(read_sealed(desk.stream, key))
    assert [one.number for one in segments] == list(range(1, len(segments) + 1))
    assert sum(len(one.lines) for one in segments) == 7


def _told_seal(file: Path) -> float:
    (family,) = text_string_to_metric_families(file.read_text(encoding="utf-8"))
    (sample,) = family.samples
    assert sample.name == "sesame_audit_last_seal_timestamp_seconds"
    return sample.value


def test_when_the_last_seal_was_made_is_told(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """To whoever may read the file; where nothing is sealed, it stays as it was."""
    file = desk.folder / "seal.prom"
    seal = [*desk.seal, "--metrics", str(file)]
    assert main(seal) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    (segment,) = read_sealed(desk.stream, read_public(desk.folder / "public.pem"))
    told = _told_seal(file)
    assert told == datetime.fromisoformat(segment.seal.seal.at).timestamp()
    away = desk.stream.rename(desk.folder / "away")
    assert main(seal) == 1
    assert _told_seal(file) == told
    away.rename(desk.stream)
    assert main(seal) == 0
    assert _told_seal(file) > told
    capsys.readouterr()
    assert main([*desk.seal, "--metrics", str(desk.folder / "no" / "seal.prom")]) == 1
    assert "the file of the metrics cannot be written" in capsys.readouterr().err


def test_a_sealer_without_room_for_its_metrics_seals_on(desk: Desk) -> None:
    """It says so each round, and what it sealed has arrived."""
    environment = {**os.environ, "LC_ALL": "en_GB.UTF-8"}
    metrics = desk.folder / "told" / "seal.prom"
    command = [sys.executable, "-m", "sesame", *desk.seal, "--every", "1"]
    command += ["--metrics", str(metrics)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "the file of the metrics cannot be written" in process.stderr.readline()
            metrics.parent.mkdir()
            _wait_for(metrics)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    key = read_public(desk.folder / "public.pem")
    assert len(list(read_sealed(desk.stream, key))) >= 2


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.02)
