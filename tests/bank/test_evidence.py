"""`sesame.bank.evidence`: judged by a script that knows nothing of ours; every change refused."""

import contextlib
import hashlib
import io
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sesame.bank.errors import FalseSeal, NoSuchLogin, NotSealed
from sesame.bank.evidence import _words, evidence_of
from sesame.bank.seal import fingerprint
from sesame.bank.stream import read_sealed
from sesame.catalogue import Language
from sesame.store.chains import ChainLine
from tests.bank.branch import ADDRESS, DORA, VERA, Branch, attempt
from tests.bank.chains import KEY, OTHER_KEY, Sealing, live, sealing

_SCRIPT = Path(__file__).parents[2] / "docs" / "how-to" / "check_evidence.py"
_FINGERPRINT = fingerprint(KEY.public).hex()


def _judge(file: Path, key: str = _FINGERPRINT) -> str | None:
    """What the script says; None where it refuses. In this process, for there are many."""
    said, refused = io.StringIO(), io.StringIO()
    argv, hook = sys.argv, sys.excepthook
    sys.argv = [str(_SCRIPT), str(file), key]
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(refused):
            runpy.run_path(str(_SCRIPT), run_name="__main__")
    except (Exception, SystemExit):  # noqa: BLE001 -- as a process it would end with a status
        return None
    finally:
        sys.argv, sys.excepthook = argv, hook
    return said.getvalue()


@pytest.fixture
async def sealed(branch_on_file: Branch, tmp_path: Path) -> Sealing:
    """A bank on SQLite whose lines, made in two minutes, are under two seals."""
    return await _sealed(branch_on_file, tmp_path)


async def _sealed(branch: Branch, folder: Path) -> Sealing:
    sealed = sealing(branch, folder)
    with sealed.sealer() as sealer:
        await sealer.seal()
        await live(branch)
        await sealer.seal()
    return sealed


async def _evidence(sealed: Sealing, user_code: str, login: int | bytes) -> bytes:
    return await evidence_of(sealed.store, user_code, login, stream=sealed.stream, key=KEY.public)


async def _file(sealed: Sealing, version: int) -> Path:
    file = sealed.folder / f"{version}.json"
    file.write_bytes(await _evidence(sealed, VERA.user_code, version))
    return file


async def test_a_stranger_checks_each_login(sealed: Sealing) -> None:
    """Whether accepted or refused, last under its seal or not."""
    for version in (2, 3, 4):
        said = _judge(await _file(sealed, version))
        assert said is not None
        assert said.startswith(f"RIGHT: VERA2345 from {ADDRESS}, sealed 2026-03-02T09:01")
        assert f'"version":{version}}}' in said


async def test_the_script_runs_by_itself(sealed: Sealing) -> None:
    """In at most forty lines, without our package, in a process of its own."""
    source = _SCRIPT.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 40
    assert "sesame." not in source.replace("sesame-audit-1", "")
    assert "import sesame" not in source
    file = await _file(sealed, 3)
    damaged = file.with_name("damaged.json")
    damaged.write_bytes(file.read_bytes().replace(b"0", b"x", 1))
    for path, argument, status in (
        (file, _FINGERPRINT, 0),
        (file, "00" * 32, 1),
        (damaged, _FINGERPRINT, 1),
    ):
        command = [sys.executable, "-I", "-O", str(_SCRIPT), str(path), argument]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: ASYNC221
        assert (done.returncode, "REFUSED" in done.stderr) == (status, bool(status))
        assert "Traceback" not in done.stderr


@pytest.fixture
async def of_file(branch_on_file: Branch, tmp_path: Path) -> Path:
    """Evidence of a login that others follow under its seal."""
    sealed = sealing(branch_on_file, tmp_path)
    await live(branch_on_file)
    with sealed.sealer() as sealer:
        await sealer.seal()
    return await _file(sealed, 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_every_flipped_byte_is_refused(of_file: Path, data: st.DataObject) -> None:
    """Anywhere in the file, the words too."""
    content = bytearray(of_file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    flipped = of_file.with_name("flipped.json")
    flipped.write_bytes(content)
    assert _judge(flipped) is None


def _leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 -- JSON
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for name, below in pairs for leaf in _leaves(below, (*at, name))]
    return [at]


def test_every_changed_field_is_refused(of_file: Path) -> None:
    """Also by somebody who makes the checksum fit: all but the words, which prove nothing."""
    whole = json.loads(of_file.read_bytes())
    changed = of_file.with_name("changed.json")
    places = [at for at in _leaves(whole) if at[0] not in {"words", "sha256", "format", "v"}]
    assert len(places) > 8
    for at in places:
        said = json.loads(of_file.read_bytes())
        inside = said
        for name in at[:-1]:
            inside = inside[name]
        value = inside[at[-1]]
        inside[at[-1]] = _otherwise(value)
        changed.write_bytes(_with_checksum(said))
        assert _judge(changed) is None, at
    changed.write_bytes(_with_checksum(whole))
    assert _judge(changed) is not None


def _otherwise(value: str) -> str:
    if value in {"left", "right"}:
        return "right" if value == "left" else "left"
    middle = len(value) // 2
    other = "1" if value[middle] == "0" else "0"
    return value[:middle] + other + value[middle + 1 :]


def _with_checksum(said: dict[str, Any]) -> bytes:
    rest = {name: value for name, value in said.items() if name != "sha256"}
    text = json.dumps(rest, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
    rest["sha256"] = hashlib.sha256(text).hexdigest()
    return json.dumps(rest, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


async def test_by_the_attempts_id(branch: Branch, tmp_path: Path) -> None:
    """The same file, of either database; and an id of nobody's is none."""
    sealed = await _sealed(branch, tmp_path)
    form = attempt(VERA.user_code, VERA.card.code(7))
    branch.clock.forward(minutes=1)
    await branch.login(VERA, form.code, id=form.id)
    with pytest.raises(NotSealed):
        await _evidence(sealed, VERA.user_code, form.id)
    with sealed.sealer() as sealer:
        await sealer.seal()
    by_id = await _evidence(sealed, VERA.user_code, form.id)
    assert by_id == await _evidence(sealed, VERA.user_code, 5)
    with pytest.raises(NoSuchLogin, match="no such line"):
        await _evidence(sealed, VERA.user_code, bytes(15) + b"?")


async def test_the_words(sealed: Sealing) -> None:
    """In both languages: what was accepted, by which card, and what was refused."""
    accepted = json.loads(await _evidence(sealed, VERA.user_code, 4))["words"]
    refused = json.loads(await _evidence(sealed, VERA.user_code, 2))["words"]
    assert accepted.keys() == {"fr", "en"}
    assert "a accepté une connexion à l’accès VERA2345" in accepted["fr"][0]
    assert "la carte n°\u00a01 (profil sesame-card-2, compteur ATC 2) de cet" in accepted["fr"][1]
    assert "accepted a login of user code VERA2345" in accepted["en"][0]
    assert _FINGERPRINT in accepted["en"][3]
    assert "refused an attempt" in refused["en"][0]
    assert "No code of a card was accepted" in refused["en"][1]


async def test_the_words_of_a_code_that_fits_two_cards(sealed: Sealing) -> None:
    """They do not say which of them made it, for nobody knows."""
    line = json.loads(json.loads(await _evidence(sealed, VERA.user_code, 4))["login"]["line"])
    line["cards"].append([2, "sesame-card-1", 9])
    (found,) = [
        one
        for one in read_sealed(sealed.stream, KEY.public)
        if any(leaf.user_code == VERA.user_code and leaf.version > 1 for leaf in one.leaves)
    ]
    kept = ChainLine(0, VERA.user_code, 4, json.dumps(line).encode(), b"")
    said = _words(Language.ENGLISH, kept, found, KEY.public, opened=True)
    assert "ATC counter 2) or no. 2 (profile sesame-card-1, ATC counter 9)" in said[1]


@pytest.mark.parametrize("change", ["address = '203.0.113.9'", "salt = zeroblob(16)"])
async def test_values_that_were_altered(
    branch_on_file: Branch, sealed: Sealing, change: str
) -> None:
    """The file would be refused, so there is none."""
    branch_on_file.change(f"UPDATE audit_personal SET {change} WHERE version = 3")  # noqa: S608
    with pytest.raises(NoSuchLogin, match="altered"):
        await _evidence(sealed, VERA.user_code, 3)


async def test_an_attempt_that_was_put_beside_another_line(
    branch_on_file: Branch, sealed: Sealing
) -> None:
    """What the line says counts, not where it is kept."""
    branch_on_file.change(f"UPDATE audit_lines SET attempt = x'{7:032x}' WHERE version = 3")  # noqa: S608
    with pytest.raises(NoSuchLogin, match="of another one"):
        await _evidence(sealed, VERA.user_code, bytes(15) + b"\x07")


async def test_no_evidence(sealed: Sealing) -> None:
    """Of what is no login, and of a line that is not there."""
    for user_code, version, why in (
        (DORA.user_code, 1, "of the kind enrolment"),
        (VERA.user_code, 9, "no such line"),
    ):
        with pytest.raises(NoSuchLogin, match=why):
            await _evidence(sealed, user_code, version)


async def test_what_opens_its_commitments_was_erased(
    branch_on_file: Branch, sealed: Sealing
) -> None:
    """The evidence says so, and proves all but the address; none can be put in by hand."""
    branch_on_file.change("DELETE FROM audit_personal WHERE user_code = ?", VERA.user_code)
    evidence = json.loads(await _evidence(sealed, VERA.user_code, 3))
    assert set(evidence["login"]) == {"line", "user_code"}
    assert "was erased" in evidence["words"]["en"][2]
    file = sealed.folder / "evidence.json"
    file.write_bytes(_written(evidence))
    said = _judge(file)
    assert said is not None
    assert said.startswith("RIGHT: VERA2345 from None, sealed ")
    for more in ({"address": ADDRESS}, {"salt": "00"}, {"user_code": "OMAR6789"}):
        file.write_bytes(_written(evidence | {"login": evidence["login"] | more}))
        assert _judge(file) is None


def _written(evidence: dict[str, Any]) -> bytes:
    """*evidence* as a forger would write it, with a hash that fits."""

    def text(content: dict[str, Any]) -> bytes:
        return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"

    content = {name: value for name, value in evidence.items() if name != "sha256"}
    return text(content | {"sha256": hashlib.sha256(text(content)).hexdigest()})


async def test_what_would_be_refused_is_not_given(branch_on_file: Branch, sealed: Sealing) -> None:
    """A chain that is not the one that was sealed, and seals of another key."""
    with pytest.raises(FalseSeal, match="another key"):
        await evidence_of(
            sealed.store, VERA.user_code, 3, stream=sealed.stream, key=OTHER_KEY.public
        )
    branch_on_file.change(
        "UPDATE audit_lines SET head = ? WHERE user_code = ? AND version = 4",
        bytes(32),
        VERA.user_code,
    )
    with pytest.raises(FalseSeal, match="does not cover"):
        await _evidence(sealed, VERA.user_code, 3)


async def test_a_clock_that_was_ahead(branch_on_file: Branch, sealed: Sealing) -> None:
    """The seal is found where its moment does not lead."""
    branch_on_file.clock.forward(hours=5)
    await branch_on_file.login(VERA, VERA.card.code(7))
    branch_on_file.clock.forward(hours=-5)
    with sealed.sealer() as sealer:
        await sealer.seal()
    file = sealed.folder / "ahead.json"
    file.write_bytes(await _evidence(sealed, VERA.user_code, 5))
    assert _judge(file) is not None
