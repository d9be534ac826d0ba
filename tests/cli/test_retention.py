"""`sesame audit prune|prune-stream|hold|holds|lift` and `sesame person`: what is typed and told."""

import contextlib
import io
import json
import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sesame.bank.export import remove_export
from sesame.cli.main import main
from sesame.custody.passphrase import Passphrase
from sesame.custody.seal_key import create_seal_key, encode_public
from sesame.store.schema import migrate
from sesame.store.segments import segment_name
from tests.bank.branch import Branch, custody_keys, enrol_everybody, open_bank
from tests.bank.chains import live, sealing
from tests.custody.keystores import PASSPHRASE, chance
from tests.places import url_of

_PASSPHRASE = "cheval agrafe réséda pile"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an English machine."""
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")


class Desk:
    """A bank's database, of which most is older than the rule, and the commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "sesame.db"
        self.url = url_of(self.path)
        self.stream = ["--stream", str(folder / "stream")]

    def prune(self, *more: str) -> int:
        """The exit status of `prune`."""
        key = ["--key", str(self.folder / "seal.key")]
        secret = ["--passphrase-file", str(self.folder / "passphrase")]
        return main(["audit", "prune", self.url, *self.stream, *key, *secret, *more])

    def prune_stream(self, *more: str) -> int:
        """The exit status of `prune-stream`."""
        files = ["--public-key", str(self.folder / "public.pem")]
        ledger = ["--ledger", str(self.folder / "auditor")]
        return main(["audit", "prune-stream", self.url, *self.stream, *files, *ledger, *more])

    def verify(self, *more: str) -> int:
        """The exit status of `verify`."""
        key = ["--public-key", str(self.folder / "public.pem")]
        return main(["audit", "verify", self.url, *self.stream, *key, *more])

    def change(self, statement: str) -> None:
        """Change the database from outside."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement)

    def hold(self, *which: str) -> int:
        """The exit status of `hold`."""
        return main(["audit", "hold", self.url, *which, "--by", "Aubry", "--reason", "litige 7"])


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    """Seven lines of 500 days ago, under two seals, and four of now, under a third."""
    desk = Desk(tmp_path)
    secret = tmp_path / "passphrase"
    secret.write_text(_PASSPHRASE, encoding="utf-8")
    secret.chmod(0o600)
    key = create_seal_key(
        tmp_path / "seal.key", Passphrase.decode(_PASSPHRASE.encode()), random=chance("key")
    )
    (tmp_path / "public.pem").write_bytes(encode_public(key.public))
    migrate(desk.url)
    branch = Branch(desk.path, open_bank(desk.path))
    branch.clock.at = datetime.now(UTC) - timedelta(days=500)
    await enrol_everybody(branch.bank)
    sealed = sealing(branch, tmp_path)
    sealed.key = key
    with sealed.sealer() as sealer:
        await sealer.seal()
        await live(branch)
        await sealer.seal()
        branch.clock.forward(days=500)
        await live(branch, first_atc=5)
        await sealer.seal()
    await branch.close()
    return desk


def test_pruning(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Said first, then done, then nothing more to do; `verify` says the difference."""
    assert desk.prune("--dry-run") == 0
    assert "To take away: 6 lines. To erase: the addresses of 7 lines." in capsys.readouterr().out
    assert desk.verify() == 0
    assert "taken away by the rule" not in capsys.readouterr().out
    assert desk.prune() == 0
    assert "Taken away: 6 lines. Erased: the addresses of 7 lines." in capsys.readouterr().out
    assert desk.prune("--ledger", str(desk.folder / "pruner")) == 0
    assert "Taken away: 0 lines." in capsys.readouterr().out
    assert desk.verify() == 0
    said = capsys.readouterr().out
    assert "Customers whose first lines were taken away by the rule: 2." in said
    assert "All is whole." in said


def test_what_is_not_whole_is_left(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """And told, with the exit status of `verify`; so is a forged anchor."""
    desk.change("DELETE FROM audit_lines WHERE user_code = 'VERA2345' AND version = 2")
    assert desk.prune() == 11
    said = capsys.readouterr().out
    assert "Taken away: 2 lines." in said
    assert "VERA2345, line 2: it was deleted." in said
    assert "Left as they are, because their log is not whole: 1." in said
    desk.change("UPDATE audit_anchors SET version = 1 WHERE user_code = 'OMAR6789'")
    assert desk.verify() == 11
    said = capsys.readouterr().out
    assert "OMAR6789: the lines up to 1 are missing, and what says that the rule" in said
    assert "False pruning: 1" in said


def test_a_rule_of_ones_own(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """As the settings say, which keep to what the law wants."""
    settings = desk.folder / "sesame.toml"
    text = (
        f'database = "{desk.url}"\nkeystore = "k"\nkeystore_passphrase_file = "p"\n'
        'public_url = "https://bank.example"\nproxies = ["192.0.2.1"]\n[retention]\n'
    )
    settings.write_text(f"{text}lines_days = 600\npersonal_days = 396\n")
    assert desk.prune("--settings", str(settings)) == 0
    assert "Taken away: 0 lines. Erased: the addresses of 7 lines" in capsys.readouterr().out
    for wrong in ("lines_days = 395", "lines_days = 1097", "personal_days = 29"):
        settings.write_text(f"{text}{wrong}\n")
        assert desk.prune("--settings", str(settings)) == 1
        assert "retention" in capsys.readouterr().err


def test_pruning_what_no_seal_covers(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """It stays, and is counted."""
    for file in (desk.folder / "stream").iterdir():
        file.unlink()
    assert desk.prune() == 0
    assert "Customers whose old lines no known seal covers" in capsys.readouterr().out


def test_pruning_the_stream(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Said first, then done; what was sealed is remembered by the ledger."""
    assert desk.prune_stream("--dry-run") == 0
    assert "Files of the stream to take away: 1." in capsys.readouterr().out
    assert desk.hold("--user-code", "OMAR6789") == 0
    assert desk.prune_stream() == 0
    said = capsys.readouterr().out
    assert "Files of the stream taken away: 0." in said
    assert "A legal hold keeps those behind them." in said
    assert main(["audit", "lift", desk.url, "1", "--by", "Aubry", "--reason", "jugé"]) == 0
    assert desk.prune_stream() == 0
    assert "Files of the stream taken away: 1." in capsys.readouterr().out
    left = sorted(path.name for path in (desk.folder / "stream").iterdir())
    assert left == [segment_name(2), segment_name(3)]
    assert desk.verify() == 0
    assert desk.prune_stream() == 0
    assert "Files of the stream taken away: 0." in capsys.readouterr().out
    # Of Dora no seal that is left knows; the ledger that was kept does.
    assert desk.prune("--ledger", str(desk.folder / "auditor")) == 0
    assert "no known seal covers" not in capsys.readouterr().out


def test_what_the_rule_did_not_take_away(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """The first file that is left is too young for it: 17, also of an export made of the rest."""
    for number in (1, 2):
        (desk.folder / "stream" / segment_name(number)).unlink()
    assert desk.verify() == 17
    said = capsys.readouterr().out
    assert "The first seal that is there is number 3, and it is less than 397 days old" in said
    assert "All is whole." not in said
    export = str(desk.folder / "export")
    key = ["--public-key", str(desk.folder / "public.pem")]
    assert main(["audit", "export", desk.url, export, *desk.stream, *key]) == 0
    assert main(["audit", "verify", export, *key]) == 17


def test_a_longer_rule_looks_further_back(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """As the settings say: what is 500 days old was not to go yet."""
    (desk.folder / "stream" / segment_name(1)).unlink()
    assert desk.verify() == 0
    keystore = replace(custody_keys(), path=desk.folder / "keys.json")
    keystore.write_new(PASSPHRASE, random=chance("file"))
    settings = desk.folder / "sesame.toml"
    settings.write_text(
        f'database = "{desk.url}"\nkeystore = "keys.json"\n'
        'keystore_passphrase_file = "passphrase"\n'
        'public_url = "http://localhost:8000"\ndemonstration = true\n'
        "[retention]\nlines_days = 600\n"
    )
    assert desk.verify("--settings", str(settings)) == 17
    assert "number 2, and it is less than 600 days old" in capsys.readouterr().out


def test_pruning_exports(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of which every line is old, folder or tar; no others, nor what is no export."""
    folder = desk.folder / "exports"
    folder.mkdir()

    def export(name: str, *more: str) -> Path:
        assert main(["audit", "export", desk.url, str(folder / name), *more]) == 0
        return folder / name

    old = ["--user-code", "DORA4567"]
    kept = [export("young"), export("young.tar")]
    gone = [export("dora", *old), export("dora.tar", *old)]
    for name in ("notes.txt", "other.tar"):
        kept.append(folder / name)
        kept[-1].write_text("mine")
    prune = ["audit", "prune-exports", desk.url, str(folder)]
    capsys.readouterr()
    assert main([*prune, "--dry-run"]) == 0
    assert capsys.readouterr().out == "".join(f"{path}: would be removed.\n" for path in gone)
    assert desk.hold(*old) == 0
    capsys.readouterr()
    assert main(prune) == 0
    assert capsys.readouterr().out == ""
    assert main(["audit", "lift", desk.url, "1", "--by", "Aubry", "--reason", "jugé"]) == 0
    (gone[0] / "heads.jsonl").unlink()  # as after a kill
    assert main(prune) == 0
    assert f"{gone[1]}: removed." in capsys.readouterr().out
    assert sorted(folder.iterdir()) == sorted(kept)
    for damage, said in (("{}", "lines.jsonl is damaged"), (None, "line 1 of")):
        broken = export("broken", *old) / "lines.jsonl"
        text = broken.read_text(encoding="utf-8")
        broken.write_text(damage or text.replace("prev", "prv"), encoding="utf-8")
        assert main(prune) == 1
        assert said in capsys.readouterr().err
        remove_export(broken.parent)
    assert main([*prune[:-1], str(folder / "none")]) == 1
    assert "none" in capsys.readouterr().err


def test_legal_holds(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Set, listed and lifted, with who and why; they hold."""
    day = f"{datetime.now(UTC) - timedelta(days=500):%Y-%m-%d}"
    assert desk.hold("--user-code", "vera 2345") == 0
    assert "Legal hold 1: nothing that it covers" in capsys.readouterr().out
    assert desk.hold("--everybody", "--from", day, "--until", day) == 0
    assert desk.hold("--everybody", "--until", "2001-01-01") == 0
    assert desk.prune() == 0
    assert "Legal hold 3" in (said := capsys.readouterr().out)
    assert "Taken away: 0 lines. Erased: the addresses of 0 lines." in said
    lift = ["audit", "lift", desk.url, "2", "--by", "Aubry", "--reason", "jugé"]
    assert main(lift) == 0
    assert main(lift) == 1
    assert "There is no legal hold 2 to lift." in capsys.readouterr().err
    assert main([*lift[:3], f"{2**31 - 1}", *lift[4:]]) == 1
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main([*lift[:3], "99999999999999999999", *lift[4:]])
    assert "a whole number is expected, from 1 to 2147483647" in capsys.readouterr().err
    assert main(["audit", "holds", desk.url]) == 0
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert capsys.readouterr().out.splitlines() == [
        f"1, VERA2345, since {today}, by Aubry: litige 7",
        (
            f"2, everybody, from {day} to {day}, since {today}, by Aubry: litige 7"
            f" — lifted on {today}, by Aubry: jugé"
        ),
        f"3, everybody, from … to 2001-01-01, since {today}, by Aubry: litige 7",
    ]
    assert desk.prune() == 0
    assert "Taken away: 2 lines. Erased: the addresses of 3 lines." in capsys.readouterr().out


def test_holds_that_are_none(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A period of one customer, one that ends before it begins, nobody who decides."""
    assert desk.hold("--user-code", "VERA2345", "--from", "2026-01-01") == 1
    assert "A period is everybody’s" in capsys.readouterr().err
    assert desk.hold("--everybody", "--from", "2026-01-02", "--until", "2026-01-01") == 1
    assert "ends before it begins" in capsys.readouterr().err
    for wrong in (["--by", " "], ["--reason", "x" * 201], ["--by", "a\nb"], ["--from", "soon"]):
        with pytest.raises(SystemExit):
            desk.hold("--everybody", *wrong, "--by", "x" * 81)
    assert main(["audit", "holds", desk.url]) == 0
    assert capsys.readouterr().out == ""


def test_exporting_a_person(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """To a new file that is the owner's alone, or to standard output."""
    target = desk.folder / "vera.json"
    assert main(["person", "export", desk.url, "vera 2345", str(target)]) == 0
    assert "vera.json: all of it is there." in capsys.readouterr().out
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert main(["person", "export", desk.url, "VERA2345", str(target)]) == 1
    assert "vera.json" in capsys.readouterr().err
    assert main(["person", "export", desk.url, "VERA2345"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.keys() == json.loads(target.read_text(encoding="utf-8")).keys()
    assert said["name"] == "Véra Tissot"
    assert main(["person", "export", desk.url, "NEMO3333"]) == 1
    assert "Nobody has this user code" in capsys.readouterr().err


def test_erasing_a_person(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once their user code was typed again; and not twice, nor under legal hold."""

    def erase(user_code: str, typed: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
        return main(["person", "erase", desk.url, user_code, "--by", "Aubry"])

    assert erase("VERA2345", "OMAR6789") == 1
    assert "It is not the same user code: nothing is erased." in capsys.readouterr().err
    assert erase("VERA2345", "vera2345") == 0
    said = capsys.readouterr()
    assert "This cannot be undone." in said.err
    assert "VERA2345: erased." in said.out
    assert erase("VERA2345", "VERA2345") == 1
    assert "erased already" in capsys.readouterr().err
    assert desk.hold("--everybody") == 0
    assert erase("OMAR6789", "OMAR6789") == 1
    assert "there is a legal hold" in capsys.readouterr().err
    assert erase("NEMO3333", "NEMO3333") == 1
    assert desk.verify() == 0
