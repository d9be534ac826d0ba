"""`sesame keys ceremony`: what each officer sees, what stays, and how it ends half-way."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sesame.cli.main import main
from sesame.custody.ceremony import Component, combine, material_of, parse_component
from sesame.custody.custodian import KeyUsage
from sesame.custody.key import KeyState
from sesame.custody.keystore import Keystore
from sesame.custody.records import Act
from sesame.emv.keys import odd_parity
from tests.cli.at_terminal import Answer, on_a_terminal
from tests.custody.keystores import IMK, PASSPHRASE, quick_keystore
from tests.custody.test_ceremony import ONE, OTHER

ISSUER = material_of(KeyUsage.ISSUER_AC)
FIRST, SECOND = Component(ISSUER, ONE), Component(ISSUER, OTHER)
ADA, BRICE, CLEO = "Ada Brun, sécurité", "Brice Noé, émission", "Cléo Roy, audit"
ENTER = b"\n"
_IN, _OUT = "\x1b[?1049h\x1b[2J\x1b[H", "\x1b[2J\x1b[3J\x1b[H\x1b[?1049l"


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")


@pytest.fixture
def trousseau(tmp_path: Path) -> Path:
    """A keystore of a demonstration, at a cost of tests."""
    return quick_keystore(tmp_path / "trousseau").path


def ceremony(trousseau: Path, secret: Path, *more: str, officers: int = 2) -> list[str]:
    """The command that makes dpa-02."""
    people = [option for name in (ADA, BRICE, CLEO)[:officers] for option in ("--officer", name)]
    return [
        *("keys", "ceremony", str(trousseau), "--passphrase-file", str(secret)),
        *("--label", "dpa-02", "--dki", "02", "--reason", "rotation", *people, *more),
    ]


def line(text: str) -> bytes:
    """*text* as somebody types it."""
    return f"{text}\n".encode()


def check(component: Component) -> bytes:
    """Its check value as somebody types it."""
    return line(component.check_value.hex())


def shown_check(component: Component) -> str:
    """The same as it is shown."""
    return component.check_value.hex().upper()


TURNS = [
    *(check(FIRST), line(FIRST.written), ENTER),
    *(check(SECOND), line(SECOND.written.lower()), ENTER),
]


def shown_component(shown: str) -> str:
    """The component that was shown last."""
    found: list[str] = re.findall(r"Votre composant\u00a0: +([0-9A-F ]+)\r", shown)
    return found[-1]


def retype(shown: str) -> bytes:
    """What was shown last, as its officer noted it."""
    return line(shown_component(shown))


def test_components_that_are_brought(trousseau: Path, secret: Path) -> None:
    """Unseen and compared; the key is there, new; the record names all and shows no key."""
    before = trousseau.read_bytes()
    status, printed, shown = on_a_terminal(
        *ceremony(trousseau, secret, "--exportable"), typed=[*TURNS, line("08d7b4")]
    )
    assert status == 0
    keystore = Keystore.open(trousseau, PASSPHRASE)
    key = keystore.key("dpa-02")
    assert key.value == odd_parity(IMK)
    assert (key.dki, key.state, key.exportable) == (2, KeyState.NEW, True)
    (record,) = keystore.records
    assert (record.act, record.label, record.check_value) == (
        *(Act.CEREMONY, "dpa-02", bytes.fromhex("08D7B4")),
    )
    assert [officer.name for officer in record.deed.officers] == ["Ada Brun", "Brice Noé"]
    for fact in (
        *("PROCÈS-VERBAL", "Cérémonie de clé", "dpa-02", "issuer-ac", "08D7B4", "rotation"),
        *(
            "Ada Brun, sécurité",
            "Brice Noé, émission",
            str(trousseau),
            record.deed.at.isoformat()[:19],
        ),
        *(f"valeur de contrôle {one.check_value.hex().upper()}" for one in (FIRST, SECOND)),
    ):
        assert fact in printed
    assert printed.count("Signature\u00a0: ____") == 2
    everything = (printed + shown).replace(" ", "").lower()
    for hidden in (ONE.hex(), OTHER.hex(), IMK.hex(), odd_parity(IMK).hex(), PASSPHRASE.text):
        assert hidden not in everything
    assert trousseau.read_bytes() != before


def test_drawn_components_are_shown_to_one_person_each(trousseau: Path, secret: Path) -> None:
    """On a screen of its own, cleared before the next one comes; typed again to be sure."""
    wrong = line(FIRST.written)
    status, printed, shown = on_a_terminal(
        *ceremony(trousseau, secret, "--draw", officers=3),
        typed=[ENTER, retype, ENTER, wrong, ENTER, retype, ENTER, retype, line("oui")],
    )
    assert status == 0
    turns = re.findall(re.escape(_IN) + "(.*?)" + re.escape(_OUT), shown, re.DOTALL)
    assert len(turns) == 3
    components = [parse_component(ISSUER, shown_component(turn)) for turn in turns]
    assert len(set(components)) == 3
    key = Keystore.open(trousseau, PASSPHRASE).key("dpa-02")
    assert key.value == combine(components)
    assert f"La clé a la valeur de contrôle {key.check_value.hex().upper()}." in shown
    assert "Ce n’est pas ce composant" in turns[1]
    outside = re.sub(re.escape(_IN) + ".*?" + re.escape(_OUT), "", shown, flags=re.DOTALL)
    for number, (turn, one) in enumerate(zip(turns, components, strict=True), 1):
        assert turn.startswith(f"Composant {number} sur 3\u00a0: ")
        assert one.written not in outside + printed + "".join(t for t in turns if t is not turn)
        # After it was noted, the screen is emptied before anything is typed again.
        assert turn.rindex(one.written) < turn.rindex(_IN) < turn.rindex("Composant (32")
        assert f"valeur de contrôle {one.check_value.hex().upper()}" in printed


def test_slips_are_asked_again(trousseau: Path, secret: Path) -> None:
    """A component that does not fit its check value, or is none; and then it goes on."""
    slips = [
        *(line("08d7"), check(FIRST), line("00" * 16), line("xyz"), line(ONE.hex()[:-1])),
        line(SECOND.written),  # one that is right, but not this officer's
    ]
    status, _, shown = on_a_terminal(
        *ceremony(trousseau, secret), typed=[*slips, *TURNS, line("08d7b4")]
    )
    assert status == 0
    for said in (
        *("Une valeur de contrôle a six chiffres", "Un composant nul ne cache rien"),
        "Un composant s’écrit en chiffres hexadécimaux",
        f"a la valeur de contrôle {shown_check(SECOND)}, pas {shown_check(FIRST)}",
    ):
        assert said in shown


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        ([*TURNS, line("123456")], 1, "font une clé de valeur de contrôle 08D7B4, pas 123456"),
        ([*TURNS[:3], *TURNS[:3]], 1, "Deux composants sont les mêmes"),
        ([check(FIRST), b"\x04"], 1, "La cérémonie s’est arrêtée. Rien n’a été écrit."),
        ([*TURNS[:3], b"\x04"], 1, "La cérémonie s’est arrêtée. Rien n’a été écrit."),
    ],
    ids=["another key", "twins", "no component", "no second officer"],
)
def test_nothing_is_made_by_halves(
    trousseau: Path, secret: Path, typed: list[bytes], status: int, says: str
) -> None:
    """However it ends before the end, the keystore is as it was, and no screen stays."""
    before = trousseau.read_bytes()
    ended, printed, shown = on_a_terminal(*ceremony(trousseau, secret), typed=typed)
    assert ended == status
    assert says in shown
    assert not printed
    assert shown.count(_IN) == shown.count(_OUT) > 0
    assert shown.rindex(_OUT) < shown.index(says)
    assert trousseau.read_bytes() == before
    assert {path.name for path in trousseau.parent.iterdir()} == {"trousseau", "phrase"}


def test_whoever_does_not_agree(trousseau: Path, secret: Path) -> None:
    """A no at the end is a no."""
    before = trousseau.read_bytes()
    typed: list[Answer] = [ENTER, retype, ENTER, retype, line("non")]
    status, _, shown = on_a_terminal(*ceremony(trousseau, secret, "--draw"), typed=typed)
    assert status == 1
    assert "Rien n’a été écrit." in shown
    assert trousseau.read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_component_is_shown(
    trousseau: Path, secret: Path, number: signal.Signals
) -> None:
    """The screen is cleared before the program ends."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "sesame", *ceremony(trousseau, secret, "--draw")],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        given_up = threading.Timer(120, process.kill)
        given_up.start()
        shown = b""
        while "noté\u00a0: ".encode() not in shown:
            shown += os.read(ours, 1000)
        process.send_signal(number)
        status = process.wait()
        given_up.cancel()
        while True:
            try:
                shown += os.read(ours, 1000)
            except OSError:
                break
        os.close(ours)
    assert status == 128 + number
    assert shown.endswith(_OUT.encode())
    assert not Keystore.open(trousseau, PASSPHRASE).records


def refusal(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one sentence of an exit with status 1."""
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert not printed.out
    return printed.err


def test_refusals_before_anybody_types(
    trousseau: Path,
    secret: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No terminal, one person, one person twice."""
    monkeypatch.setattr("sys.stdin", io.StringIO(ONE.hex()))
    assert "à un terminal, et il n’y en a pas" in refusal(capsys, ceremony(trousseau, secret))
    for people in (("Ada Brun, a",), ("Ada, a", "ada , b"), ("Ada", "Brice")):
        command = ceremony(trousseau, secret, officers=0)
        command += [option for name in people for option in ("--officer", name)]
        assert "au moins deux personnes différentes" in refusal(capsys, command)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--label", "dpa-01"], "La clé dpa-01 ne peut s’ajouter"),
        (["--dki", "01"], "La clé dpa-02 ne peut s’ajouter"),
        (["--dki", "2"], "Un DKI est un octet en hexadécimal"),
        (["--label", "Dpa 2"], "Cette clé ne convient pas"),
        (["--officer", CLEO, "--officer", "Dan Ux, audit"], "deux ou trois composants"),
    ],
)
def test_what_cannot_be_made_is_said_first(
    trousseau: Path, secret: Path, more: list[str], says: str
) -> None:
    """Before an officer has typed a secret for nothing."""
    status, _, shown = on_a_terminal(*ceremony(trousseau, secret, *more), typed=[])
    assert status == 1
    assert says in shown
    assert _IN not in shown
