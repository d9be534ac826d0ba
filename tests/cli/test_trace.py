"""`sesame trace`: one line a vector, for people and for programs, and its exit status."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sesame.cli.main import main
from tests.reader.recordings import FILE, PATH, VECTORS, Vector, bare, made_up, step, vector

DOL_REFUSED = "le mode DOL ne fait pas de code\u00a0: seules ses commandes sont comparées"
PLAYED = """\
cap_be-m1 shown=23790240 expected=23790240 ok
cap_be-m1-1234 shown=23580039 expected=23580039 ok
cap_be-m2-1234 shown=23719593 expected=23719593 ok
visa_dpa_fr shown=34656023 expected=34656023 ok
visa_cleo_fr shown=102823328 expected=102823328 ok
cap_fc09_uk shown=4822527 expected=4822527 ok
maestro_be shown=53780079 expected=53780079 ok
barclays_rmtf1 shown=46076570 expected=46076570 ok
barclays_rmtf2 shown=36554800 expected=36554800 ok
"""
# The same without `expect` and `fields`: two vectors hold the cryptogram alone.
BARE = """\
cap_be-m1 shown=23790240 ok
cap_be-m1-1234 shown=23580039 ok
cap_be-m2-1234 shown=23719593 ok
visa_dpa_fr shown=34656023 ok
visa_cleo_fr shown=102823328 ok
cap_fc09_uk shown=4822527 ok
maestro_be shown=53780079 ok
barclays_rmtf1 refused: il manque exchanges: SELECT
barclays_rmtf2 refused: il manque exchanges: SELECT
"""

PAST_THE_DATA = (
    "the IPB selects a bit of byte 19, the card sent 18 bytes: personalise 9F56 with no bit set "
    "past CID, ATC, AC and IAD"
)

Trace = Callable[..., tuple[int, str, str]]


@pytest.fixture
def trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Trace:
    """The exit status of `sesame trace`, what it prints, and what it says on standard error.

    It plays the published file, or one of the given vectors.
    """
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")

    def run(*options: str, vectors: list[Any] | None = None) -> tuple[int, str, str]:
        path = PATH if vectors is None else tmp_path / "sessions.json"
        if vectors is not None:
            path.write_text(json.dumps({**FILE, "vectors": vectors}), encoding="utf-8")
        status = main(["trace", str(path), *options])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def differing() -> Vector:
    """A vector whose card has made another cryptogram."""
    found = vector("cap_be-m1")
    answer = step(found, "GENERATE AC 1")
    answer["response"] = answer["response"].replace("B7DB02A0", "B7DB02A1")
    return found


def test_the_published_file(trace: Trace) -> None:
    """All codes agree; the one without a code has the commands that it should."""
    assert trace() == (0, f"{PLAYED}barclays_record refused: {DOL_REFUSED}\n", "")


def test_the_same_without_what_it_expects(trace: Trace) -> None:
    """All is worked out from the exchanges; what holds too few of them is refused."""
    vectors = [bare(one) for one in VECTORS]
    printed = f"{BARE}barclays_record refused: {DOL_REFUSED}\n"
    assert trace(vectors=vectors) == (0, printed, "")


def test_in_english(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reasons; the keywords are for programs and stay."""
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    _, printed, _ = trace(vectors=[bare(one) for one in VECTORS])
    assert printed.splitlines()[0] == "cap_be-m1 shown=23790240 ok"
    assert printed.splitlines()[-2] == "barclays_rmtf2 refused: missing: exchanges: SELECT"
    status, printed, error = trace("--id", "nobody")
    assert (status, printed) == (1, "")
    assert error == f"{PATH}: no session in it is called nobody.\n"


def test_a_number_that_differs(trace: Trace) -> None:
    """Exit status 1, and the others are played all the same."""
    status, printed, _ = trace(vectors=[differing(), vector("visa_dpa_fr")])
    assert status == 1
    assert printed == (
        "cap_be-m1 shown=23790241 expected=23790240 differs\n"
        "visa_dpa_fr shown=34656023 expected=34656023 ok\n"
    )


def test_what_is_refused_where_a_code_is_expected(trace: Trace) -> None:
    """Exit status 1; without the expectation 0."""
    found = vector("cap_be-m1-1234") | {"inputs": {"challenge": "1299"}}
    reason = (
        "cap_be-m1-1234 refused: GENERATE AC n’est pas comme enregistré\u00a0: à partir de "
        "l’octet 34, 99 au lieu de 34\n"
    )
    assert trace(vectors=[found]) == (1, reason, "")
    assert trace(vectors=[bare(found)]) == (0, reason, "")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (
            made_up(answer="00 005A 513C1201B7DB02A0"),
            "la carte décline\u00a0: elle répond AAC à GENERATE AC",
        ),
        (
            made_up(record={"9F56": "00" * 11}),
            "the IPB selects nothing: personalise 9F56 with 16 to 26 bits set",
        ),
        (
            made_up(record={"9F56": "00" * 18 + "01"}),
            PAST_THE_DATA,
        ),
        (made_up(options="6985"), "la carte est bloquée"),
        (made_up() | {"mode": "M4"}, "mode inconnu\u00a0: 'M4'"),
        (made_up() | {"scheme": "AMEX"}, "réseau inconnu\u00a0: 'AMEX'"),
        (made_up() | {"mode": None}, "il manque mode"),
        (made_up() | {"inputs": 7}, "inputs: Expected `object`, got `int`"),
    ],
)
def test_each_refusal_is_of_one_vector(trace: Trace, found: Vector, reason: str) -> None:
    """The next one is played."""
    status, printed, _ = trace(vectors=[found, made_up()])
    assert status == 0
    assert printed == f"made-up refused: {reason}\nmade-up shown=23790240 ok\n"


def test_vectors_that_are_none(trace: Trace) -> None:
    """Numbered by their place, one line each."""
    status, printed, _ = trace(vectors=[7, {}, {"id": "a\nb"}, made_up()])
    assert status == 0
    assert printed.splitlines() == [
        "#1 refused: vector: is no object",
        "#2 refused: il manque id",
        "a\\nb refused: il manque scheme",
        "made-up shown=23790240 ok",
    ]


def test_no_vectors(trace: Trace) -> None:
    """Nothing to say."""
    assert trace(vectors=[]) == (0, "", "")


def test_one_of_them(trace: Trace) -> None:
    """By its name; no other is played."""
    others = [differing(), vector("visa_dpa_fr")]
    printed = "visa_dpa_fr shown=34656023 expected=34656023 ok\n"
    assert trace("--id", "visa_dpa_fr", vectors=others) == (0, printed, "")
    status, printed, error = trace("--id", "visa")
    assert (status, printed) == (1, "")
    assert error == f"{PATH}\u00a0: aucune session ne s’y appelle visa.\n"


def test_as_json(trace: Trace) -> None:
    """An object a line, with what the lines for people leave out."""
    other = vector("cap_be-m1-1234") | {"inputs": {"challenge": "1299"}}
    status, printed, _ = trace(
        "--json", vectors=[vector("cap_be-m1"), bare(vector("cap_be-m1")), differing(), other]
    )
    assert status == 1
    command = "80AE8000220000000000000000000000000000800000000000000000000000"
    assert [json.loads(line) for line in printed.splitlines()] == [
        {"id": "cap_be-m1", "result": "ok", "shown": 23790240, "expected": 23790240},
        {"id": "cap_be-m1", "result": "shown", "shown": 23790240},
        {"id": "cap_be-m1", "result": "differs", "shown": 23790241, "expected": 23790240},
        {
            "id": "cap_be-m1-1234",
            "result": "refused",
            "expected": 23580039,
            "reason": "GENERATE AC n’est pas comme enregistré\u00a0: à partir de l’octet 34, 99 au "
            "lieu de 34",
            "sent": f"{command}00129900000100 02".replace(" ", ""),
            "recorded": f"{command}00123400000100 02".replace(" ", ""),
        },
    ]


def test_no_card_number_is_printed(trace: Trace) -> None:
    """Whatever becomes of its session."""
    found = copy.deepcopy(VECTORS)
    for one in found:
        one["exchanges"] = one["exchanges"][:-2]
    for vectors in (found, VECTORS):
        _, printed, error = trace("--json", vectors=vectors)
        for number in ("6703040512345678", "4533112233445566", "0405123456789"):
            assert number not in printed + error


@pytest.mark.parametrize(
    ("content", "needed"),
    [
        ("", "JSON"),
        ("[]", '"schema": "emv-cap-vectors/1"'),
        ('{"schema": "emv-cap-vectors/1", "kind": "crypto"}', '"kind": "traces"'),
        ('{"schema": "emv-cap-vectors/1", "kind": "traces"}', '"vectors": […]'),
    ],
)
def test_a_file_of_something_else(
    tmp_path: Path,
    content: str,
    needed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sentence says what it takes."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    path = tmp_path / "f.json"
    path.write_text(content, encoding="utf-8")
    assert main(["trace", str(path)]) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err == (
        f"{path}\u00a0: ce fichier n’est pas un recueil de sessions. Il y faut\u00a0: {needed}.\n"
    )


def test_a_file_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The system's own reason."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    for path, reason in [
        (tmp_path, "Is a directory"),
        (tmp_path / "x", "No such file or directory"),
    ]:
        assert main(["trace", str(path)]) == 1
        assert capsys.readouterr().err == (
            f"{path}\u00a0: le système refuse ({reason}). Vérifiez le chemin.\n"
        )
