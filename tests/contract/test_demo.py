"""`sesame demo` and `sesame code`, as scripts use them."""

import json
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

from sesame.simulator.drawer import FILE_NAME, load
from tests.contract.running import (
    PATIENCE,
    TLS,
    Browser,
    Demonstration,
    demonstration,
    free_port,
    fresh_code,
    make_code,
    sesame,
)


def test_list_names_every_customer_with_all_that_a_script_needs(demo: Demonstration) -> None:
    """Strings but for `ready`; two of each kind can sign in, and stand first."""
    listed = json.loads(demo.run("demo", "--list").stdout)
    for one in listed:
        assert list(one) == ["user_code", "kind", "card", "pin", "old_code", "ready"]
        assert all(isinstance(value, str) for name, value in one.items() if name != "ready")
        assert isinstance(one["ready"], bool)
        assert re.fullmatch("[A-Z0-9]{8}", one["user_code"])
        assert re.fullmatch("[0-9]{4}", one["pin"])
        assert one["old_code"]
        assert Path(one["card"]).is_absolute()
        assert Path(one["card"]).is_file()
    ready = [one["kind"] for one in listed if one["ready"]]
    assert ready.count("bank") >= 2
    assert ready.count("sesame") >= 2
    assert [one["ready"] for one in listed] == sorted(
        (one["ready"] for one in listed), reverse=True
    )


def test_staff_sign_in_at_the_desk(demo: Demonstration) -> None:
    """With the cards of the drawer and no other address; every role is there, and enough of it."""
    staff = load(demo.folder / FILE_NAME).staff
    assert Counter(member.role for member in staff) == {
        "Responsable de la sécurité": 2,  # one asks, one agrees
        "Conseiller": 1,
        "Émission des cartes": 3,  # a card's letter, its PIN, its activation number
        "Auditeur": 1,
    }
    for member in staff:
        with Browser(demo.desk) as browser:
            way = "/guichet/connexion"
            typed = {"staff_code": member.staff_code, "code": fresh_code(member)}
            response = browser.client.post(way, data=browser.form(way) | typed)
            assert response.headers["location"] == "/guichet"
            page = browser.client.get("/guichet").text
            assert f"{member.name}</strong>, {member.role}" in page
        with Browser(demo.portal) as browser:
            refused = browser.submit(member.staff_code, fresh_code(member))
            assert "Aucun essai n’a été compté" in refused.text


@pytest.mark.parametrize("kind", ["bank", "sesame"])
def test_a_code_alone_on_standard_output(demo: Demonstration, kind: str) -> None:
    """`1234 5678`, a line end, nothing else; exit 0."""
    customer = demo.customers(kind)[0]
    made = make_code(customer.card, customer.pin)
    assert re.fullmatch(r"[0-9]{4} [0-9]{4}\n", made.stdout)
    assert (made.returncode, made.stderr) == (0, "")


def test_wrong_pin_tells_the_tries_left_on_standard_error(own_demo: Demonstration) -> None:
    """Exit 1, nothing on standard output; the card counts, and blocks at the third."""
    customer = own_demo.customers("bank")[0]
    for left in ("2", "1", "0", "0"):
        refused = make_code(customer.card, "0000")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert re.findall("[0-9]+", refused.stderr) == [left]
    assert customer.user_code not in {one.user_code for one in own_demo.customers()}


def test_the_right_pin_gives_the_tries_back(own_demo: Demonstration) -> None:
    """Two wrong ones, a right one, and three tries are there again."""
    customer = own_demo.customers("sesame")[0]
    make_code(customer.card, "0000")
    make_code(customer.card, "0000")
    assert make_code(customer.card, customer.pin).returncode == 0
    assert "2" in make_code(customer.card, "0000").stderr


@pytest.mark.parametrize(
    "typed", ["", "12\n", "abcd\n", "1234567890123\n", "\N{EMOJI MODIFIER FITZPATRICK TYPE-6}\n"]
)
def test_what_is_no_pin_costs_no_try(own_demo: Demonstration, typed: str) -> None:
    """It never reaches the card."""
    customer = own_demo.customers("bank")[0]
    refused = sesame("code", str(customer.card), "--pin-stdin", typed=typed)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "2" in make_code(customer.card, "0000").stderr  # the first that counts


def test_the_pin_is_no_argument(demo: Demonstration) -> None:
    """Everybody on the machine can read arguments."""
    customer = demo.customers()[0]
    assert sesame("code", str(customer.card), customer.pin).returncode == 2
    assert sesame("code", str(customer.card)).returncode == 2


@pytest.mark.parametrize("harm", ["missing", "damaged", "newer", "exposed"])
def test_a_card_file_that_cannot_be_used_is_left_alone(
    demo: Demonstration, tmp_path: Path, harm: str
) -> None:
    """One sentence that names the file, and not a byte of it changed."""
    customer = demo.customers()[0]
    card = tmp_path / "my card"
    if harm != "missing":
        shutil.copy(customer.card, card)
        shutil.copy(customer.card.parent / "card.key", tmp_path / "card.key")
    if harm == "damaged":
        card.write_bytes(card.read_bytes().replace(b'"atc": ', b'"atc": 1', 1))
    if harm == "newer":
        card.write_bytes(card.read_bytes().replace(b'"version": 1', b'"version": 2', 1))
    if harm == "exposed":
        card.chmod(0o644)
    before = card.read_bytes() if card.exists() else None
    refused = make_code(card, customer.pin)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "my card" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert (card.read_bytes() if card.exists() else None) == before


def test_a_busy_port_is_said_and_the_next_free_one_taken(tmp_path: Path) -> None:
    """Portal and simulator move together past the port that is another program's."""
    port = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with demonstration(tmp_path / "data", port=port) as running:
            assert str(port) in running.output
            assert f":{port}" not in running.portal + running.simulator
            assert httpx.get(running.portal, verify=TLS).status_code == 200
            assert httpx.get(running.simulator, verify=TLS).status_code == 200


def test_the_simulator_takes_the_next_port(own_demo: Demonstration) -> None:
    """`make demo PORT=8123` puts it on 8124."""
    portal, simulator = (int(a.rsplit(":", 1)[1]) for a in (own_demo.portal, own_demo.simulator))
    assert simulator == portal + 1


def test_data_stays_and_reset_makes_it_new(tmp_path: Path) -> None:
    """A used code stays used over a restart; --reset makes other keys and cards."""
    folder = tmp_path / "data"
    with demonstration(folder) as running:
        customer = running.customers("sesame")[0]
        code = fresh_code(customer)
        with Browser(running.portal) as browser:
            assert browser.submit(customer.user_code, code).status_code == 303
    with demonstration(folder) as running, Browser(running.portal) as browser:
        assert browser.submit(customer.user_code, code).status_code == 422
        unused = fresh_code(customer)
    with demonstration(folder, "--reset") as running, Browser(running.portal) as browser:
        assert browser.submit(customer.user_code, unused).status_code == 422
        anew = next(c for c in running.customers() if c.user_code == customer.user_code)
        assert browser.submit(anew.user_code, fresh_code(anew)).status_code == 303


def test_everything_in_the_folder_is_its_owners_alone(demo: Demonstration) -> None:
    """Keys, cards, PINs and the bank: no group, no others."""
    for path in [demo.folder, *demo.folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    """Also with --reset: nobody's photographs are a demonstration."""
    (tmp_path / "holiday.jpg").write_bytes(b"sea")
    for options in ((), ("--reset",)):
        refused = sesame("demo", "--data", str(tmp_path), "--port", str(free_port()), *options)
        assert refused.returncode == 1
        assert str(tmp_path) in refused.stderr
    assert (tmp_path / "holiday.jpg").read_bytes() == b"sea"


def test_a_folder_of_somebody_elses_settings_is_left_alone(tmp_path: Path) -> None:
    """Files of the same names are no mark of ours: a bank may keep its own so."""
    theirs = ("settings.toml", "api.key", "keystore.json", "bank.db")
    for name in theirs:
        (tmp_path / name).write_text("theirs")
    for options in ((), ("--reset",)):
        refused = sesame("demo", "--data", str(tmp_path), "--port", str(free_port()), *options)
        assert refused.returncode == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(theirs)
    assert all((tmp_path / name).read_text() == "theirs" for name in theirs)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A sentence, not a trace."""
    (tmp_path / "data").write_text("text")
    refused = sesame("demo", "--data", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


def test_reset_takes_away_what_is_ours_and_nothing_else(tmp_path: Path) -> None:
    """A note that somebody put beside the demonstration stays."""
    folder = tmp_path / "data"
    with demonstration(folder):
        (folder / "note.txt").write_text("mine")
    with demonstration(folder, "--reset") as running:
        assert len(running.customers()) >= 4
    assert (folder / "note.txt").read_text() == "mine"


def test_one_folder_is_one_running_demonstration(own_demo: Demonstration) -> None:
    """A second start on it is refused, --reset or not, and the first goes on."""
    for options in ((), ("--reset",)):
        refused = own_demo.run("demo", "--port", str(free_port()), *options)
        assert refused.returncode == 1
        assert str(own_demo.folder) in refused.stderr
    assert len(own_demo.customers()) >= 4


def test_a_damaged_card_is_listed_and_not_ready(tmp_path: Path) -> None:
    """The others are still there to be used."""
    folder = tmp_path / "data"
    with demonstration(folder) as running:
        spoilt = running.customers()[0]
        spoilt.card.write_bytes(b"")
        listed = json.loads(running.run("demo", "--list").stdout)
        assert [one["ready"] for one in listed if one["user_code"] == spoilt.user_code] == [False]
        assert sum(one["ready"] for one in listed) >= 3


def test_the_portal_s_process_knows_no_card_and_no_pin() -> None:
    """What it starts with imports neither the chip nor the demonstration's people."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys, sesame.__main__, sesame.cli.serve, sesame.app;"
                "print([name for name in sys.modules if name.startswith(('sesame.card.chip',"
                "'sesame.card.card_file', 'sesame.reader', 'sesame.simulator',"
                "'sesame.demonstration', 'sesame.cli.demo'))])"
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("question", ["--list", "--api-key"])
def test_questions_about_no_demonstration_say_what_to_do(tmp_path: Path, question: str) -> None:
    """Exit 1 and a sentence, not a trace."""
    refused = sesame("demo", question, "--data", str(tmp_path / "nothing"))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "sesame demo" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_cleanly_and_leaves_no_process(tmp_path: Path, ending: signal.Signals) -> None:
    """Exit 0, both ports free again, no trace on the terminal."""
    with demonstration(tmp_path / "data") as running:
        running.process.send_signal(ending)
        rest, _ = running.process.communicate(timeout=PATIENCE)
        assert running.process.returncode == 0
        assert "Traceback" not in rest
        for address in (running.portal, running.simulator):
            socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))).close()


def test_a_start_that_was_killed_half_way_is_begun_again(tmp_path: Path) -> None:
    """Killed before everything stood there: the next start makes a whole demonstration."""
    folder = tmp_path / "data"
    with demonstration(folder):
        pass
    (folder / "simulator.json").unlink()  # the last thing that a start writes
    with demonstration(folder) as running:
        assert len(running.customers()) >= 4


def test_the_program_says_its_version() -> None:
    """And its help names the commands."""
    assert re.fullmatch(r"sesame \d+\.\d+\.\d+\n", sesame("--version").stdout)
    helped = sesame("--help").stdout
    for command in ("demo", "code", "serve", "keys"):
        assert command in helped
