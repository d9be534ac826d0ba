"""Other people's programs and our plugged card, through a real PC/SC service."""

import re
import signal
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from sesame.bank.origin import Door, Origin
from sesame.bank.verification import ATTEMPT_ID_LENGTH, Accepted, Attempt, Refused, verify_login
from sesame.cap.mode import Inputs, Mode
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.cap.token import Code
from sesame.cap.verification import KeyedCard, match
from sesame.card.card_file import create, open_card, read_summary
from sesame.card.memory import CardData, CardImage, CardKind, Counters
from sesame.card.personalisation import atr, bank_card, sesame_card
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.emv.atr import Protocol
from sesame.emv.keys import DesKey
from sesame.emv.pin import Pin
from sesame.store.schema import migrate
from tests.bank.branch import OMAR, VERA, Person, custody_keys, enrol_everybody, open_bank
from tests.card.cards import CDOL1_DATA, CDOL2_DATA, DKI, DPA_KEY, NEW, bank_image, sesame_image
from tests.interop.service import ROOT, Client, Service, running

pytestmark = [
    pytest.mark.needs("pcscd", "vsmartcard-vpcd", "opensc", "pcsc-tools", "python3-pyscard"),
    pytest.mark.timeout(600),
]

EMVTOOL = ROOT / ".cache" / "interop" / "bin" / "emvtool"
IMAGES = {CardKind.SESAME: sesame_image(), CardKind.BANK: bank_image()}
BOTH_KINDS = pytest.mark.parametrize("kind", [CardKind.SESAME, CardKind.BANK])
BOTH_PROTOCOLS = pytest.mark.parametrize("protocol", [Protocol.T0, Protocol.T1])

SELECT_DPA = "00A4040007A0000000038002"
GPO = "80A80000028300"
RECORD = "00B2010C00"
RIGHT, WRONG = "0020008008241234FFFFFFFFFF", "0020008008244321FFFFFFFFFF"
ARQC, AAC = f"80AE80001D{CDOL1_DATA.hex()}", f"80AE00001F{CDOL2_DATA.hex()}"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service for these tests, with nothing in its slots."""
    with running() as started:
        yield started


@pytest.fixture
def cards(tmp_path: Path) -> dict[CardKind, Path]:
    """A card file of each kind."""
    files = {kind: tmp_path / f"{kind}.card" for kind in IMAGES}
    for kind, path in files.items():
        create(path, IMAGES[kind], NEW)
    return files


@pytest.fixture
def emvtool() -> str:
    """The program; in an environment of its own."""
    if not EMVTOOL.exists():
        pytest.skip("emvtool is missing: run  make interop-environment")
    return str(EMVTOOL)


def spaced(raw: bytes, separator: str) -> str:
    """As programs print an ATR."""
    return raw.hex(separator)


# ── Seen by others ───────────────────────────────────────────────────────────────────────────────


@BOTH_PROTOCOLS
def test_opensc_sees_the_cards_and_their_atrs(
    service: Service, cards: dict[CardKind, Path], protocol: Protocol
) -> None:
    """Present in their slots, each with the ATR of its kind and protocol."""
    slots = [CardKind.SESAME, CardKind.BANK]
    option = ["--protocol", f"t{protocol}"]
    with (
        service.plugged(cards[slots[0]], *option),
        service.plugged(cards[slots[1]], *option, slot=1),
    ):
        listed = service.run("opensc-tool", "--list-readers").stdout
        for slot, kind in enumerate(slots):
            assert re.search(rf"^{slot} +Yes .*Virtual PCD 00 0{slot}$", listed, re.MULTILINE)
            reader = ["-c", "default", "-r", str(slot)]
            told = service.run("opensc-tool", *reader, "--atr").stdout
            assert told.strip() == spaced(atr(kind, protocol), ":")


def test_two_cards_are_in_two_slots_at_once(service: Service, cards: dict[CardKind, Path]) -> None:
    """pcsc_scan shows both, and each answers for itself."""
    with (
        service.plugged(cards[CardKind.SESAME]),
        service.plugged(cards[CardKind.BANK], "--protocol", "t1", slot=1),
    ):
        scanned = service.run("pcsc_scan", "-c", "-n").stdout
        first, second = scanned.split("Reader 1:")
        assert spaced(atr(CardKind.SESAME, Protocol.T0), " ").upper() in first
        assert spaced(atr(CardKind.BANK, Protocol.T1), " ").upper() in second
        with Client(service) as one, Client(service, slot=1) as other:
            assert (one.protocol, other.protocol) == ("T=0", "T=1")
            for client, payments in ((one, "6a82"), (other, "9000")):
                assert client.ask("00A4040007A0000000031010").endswith(payments)
                assert client.ask(SELECT_DPA).endswith("9000")


def test_a_program_that_guesses_leaves_the_card_whole(
    service: Service, cards: dict[CardKind, Path]
) -> None:
    """opensc-tool tries every kind of card that it knows; then ours answers as before."""
    with service.plugged(cards[CardKind.SESAME]) as plug:
        guessed = service.run("opensc-tool", "-r", "0", "--name", check=False)
        assert "Unsupported card" in guessed.stdout + guessed.stderr
        assert len(plug.told) > 50
        sent = ["-s", SELECT_DPA + "00", "-s", GPO + "00", "-s", RECORD]
        told = service.run("opensc-tool", "-c", "default", "-r", "0", *sent).stdout
        assert told.count("Received (SW1=0x90, SW2=0x00)") == 3
    assert read_summary(cards[CardKind.SESAME]).counters == Counters(atc=1, pin_tries_left=3)


# ── Raw commands ─────────────────────────────────────────────────────────────────────────────────


def script(service: Service, protocol: str, *commands: str) -> list[str]:
    """The status words that scriptor gets."""
    lines = "".join(f"{command}\n" for command in commands)
    told = service.run("scriptor", "-r", "Virtual PCD 00 00", "-p", protocol, typed=lines).stdout
    answers = re.findall(r"^< ([0-9A-F\s]+?) : ", told, re.MULTILINE)
    return ["".join(answer.split())[-4:] for answer in answers]


# docs/reference/emv-cap.md, section 15, in one conversation with a bank card.
CONVERSATION = [
    (RECORD, "6985"),
    ("80CA9F1700", "6985"),
    ("00A4040007A0000000048002", "6A82"),
    ("00A404000E315041592E5359532E4444463031", "9000"),
    ("00B2010C00", "9000"),
    ("00B2020C00", "9000"),
    ("00B2030C00", "6A83"),
    ("00A404000E325041592E5359532E4444463031", "6A82"),
    ("00A4040005A000000003", "9000"),
    ("00A4040205A000000003", "9000"),
    ("00A4040205A000000003", "6A82"),
    ("00A40000023F00", "6A86"),
    (SELECT_DPA, "9000"),
    (RIGHT, "6985"),
    (ARQC, "6985"),
    ("80CA9F1700", "9000"),
    ("80CA9F3600", "9000"),
    ("80CA9F1300", "9000"),
    ("80CA9F4F00", "6A88"),
    ("80A8000003830134", "6700"),
    (GPO, "9000"),
    (GPO, "6985"),
    (RECORD, "9000"),
    ("00B2020C00", "6A83"),
    ("00B2011400", "6A82"),
    (WRONG, "63C2"),
    (RIGHT, "9000"),
    ("0020008007241234FFFFFFFF", "6700"),
    ("0020008808241234FFFFFFFFFF", "6A86"),
    (f"80AE90001D{CDOL1_DATA.hex()}", "6A86"),
    (f"80AE40001D{CDOL1_DATA.hex()}", "9000"),
    (f"80AE40001F{CDOL2_DATA.hex()}", "9000"),
    (AAC, "6985"),
    ("00A4", "6700"),
    ("00A404", "6700"),
    ("0088000000", "6D00"),
    ("FFCA000000", "6E00"),
]


def test_raw_commands_get_the_status_words_of_the_reference(
    service: Service, cards: dict[CardKind, Path]
) -> None:
    """Under T=1, each as it is."""
    with service.plugged(cards[CardKind.BANK], "--protocol", "t1"):
        told = script(service, "T=1", *[command for command, _ in CONVERSATION])
    assert told == [sw for _, sw in CONVERSATION]


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_a_terminal_that_follows_gets_them_under_either_protocol(
    service: Service, cards: dict[CardKind, Path], protocol: str
) -> None:
    """`61xx` and `6Cxx` followed, it comes to the same."""
    option = protocol.replace("=", "").lower()
    with (
        service.plugged(cards[CardKind.BANK], "--protocol", option),
        Client(service, protocol=option.upper()) as client,
    ):
        assert client.protocol == protocol
        told = [client.ask(command)[-4:].upper() for command, _ in CONVERSATION]
    assert told == [sw for _, sw in CONVERSATION]


def test_lengths_are_handled_as_t0_has_it(service: Service, cards: dict[CardKind, Path]) -> None:
    """61xx and GET RESPONSE, 6Cxx, four bytes; with --whole nothing of it."""
    said = [SELECT_DPA, "00C000001F", "00C000001F", GPO, "00C0000008", RECORD, "00B2010C6F"]
    said += ["80CA9F17", "80CA9F1704", WRONG + "00", ARQC]
    with service.plugged(cards[CardKind.SESAME]):
        assert script(service, "T=0", *said) == (
            ["611F", "9000", "6985", "6108", "9000", "6C6F", "9000", "6C04", "9000", "63C2", "6120"]
        )
    with service.plugged(cards[CardKind.SESAME], "--whole"):
        whole = [SELECT_DPA, GPO, RECORD, "80CA9F17", RIGHT + "00", ARQC]
        assert script(service, "T=0", *whole) == ["9000"] * 6


def test_a_program_that_wants_the_other_protocol_is_refused(
    service: Service, cards: dict[CardKind, Path]
) -> None:
    """By the service: an ATR names one protocol."""
    with service.plugged(cards[CardKind.SESAME]), Client(service, protocol="T1") as client:
        assert "mismatch" in client.protocol


# ── emvtool ──────────────────────────────────────────────────────────────────────────────────────


@BOTH_KINDS
@pytest.mark.parametrize("options", [[], ["--whole"]], ids=["as T=0", "whole"])
def test_emvtool_reads_the_card(
    service: Service,
    emvtool: str,
    cards: dict[CardKind, Path],
    kind: CardKind,
    options: list[str],
) -> None:
    """Its applications, every record that can be read, and the counters."""
    with service.plugged(cards[kind], *options):
        listed = service.run(emvtool, "listapps").stdout
        labels = re.findall(r'"([^"]+)"', listed)
        assert labels == [application.label for application in IMAGES[kind].applications]
        told = service.run(emvtool, "info").stdout
        assert "pin_retries" in told
        assert told.count("Application Expiration Date") == len(labels)
        for at in range(len(labels)):
            assert "Processing Options" in service.run(emvtool, "appdata", str(at)).stdout


@BOTH_KINDS
def test_emvtool_counts_the_tries(
    service: Service, emvtool: str, cards: dict[CardKind, Path], kind: CardKind
) -> None:
    """A wrong PIN is one try, the right one gives them back; blocked, there is no code."""
    profile = {CardKind.SESAME: SESAME_CARD, CardKind.BANK: BANK_CARD}[kind]
    with service.plugged(cards[kind]):
        wrong = service.run(emvtool, "-p", "4321", "cap", check=False)
        assert (wrong.returncode, wrong.stdout) == (1, "Invalid PIN\n")
        assert read_summary(cards[kind]).counters == Counters(atc=1, pin_tries_left=2)
        code = Code(f"{int(service.run(emvtool, '-p', '1234', 'cap').stdout):08d}")
        assert match(KeyedCard(profile, DKI, "00", DPA_KEY), [2], code) == [True]
        for _ in range(3):
            service.run(emvtool, "-p", "4321", "cap", check=False)
        assert service.run(emvtool, "-p", "1234", "cap", check=False).returncode != 0
    assert read_summary(cards[kind]).counters == Counters(atc=6, pin_tries_left=0)


@pytest.mark.parametrize(
    ("typed", "inputs"),
    [
        (["--challenge", "12345678"], Inputs(mode=Mode.M3, challenge="12345678")),
        (
            ["--challenge", "12345678", "--amount", "12.34"],
            Inputs(mode=Mode.M1, challenge="12345678", amount=1234),
        ),
    ],
)
def test_emvtool_answers_a_challenge_and_signs(
    service: Service,
    emvtool: str,
    cards: dict[CardKind, Path],
    typed: list[str],
    inputs: Inputs,
) -> None:
    """The code fits what was typed and nothing else."""
    with service.plugged(cards[CardKind.SESAME]):
        told = service.run(emvtool, "-p", "1234", "cap", *typed).stdout
    code = Code(f"{int(told):08d}")
    keyed = KeyedCard(SESAME_CARD, DKI, "00", DPA_KEY)
    assert match(keyed, [1], code, inputs) == [True]
    assert match(keyed, [1], code) == [False]


@pytest.mark.parametrize("person", [VERA, OMAR], ids=["sesame", "bank"])
async def test_a_code_of_emvtool_signs_in_once(
    service: Service, emvtool: str, tmp_path: Path, person: Person
) -> None:
    """At the bank that issued the card: accepted, and refused when it comes again."""
    path = tmp_path / "customer.card"
    create(path, *await issued(person))
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    migrate(url)
    bank = open_bank(tmp_path / "bank.db")
    await enrol_everybody(bank)
    with service.plugged(path):
        code = Code(f"{int(service.run(emvtool, '-p', '4711', 'cap').stdout):08d}")
    outcomes = [
        await verify_login(
            bank,
            Attempt(
                id=bank.random_bytes(ATTEMPT_ID_LENGTH),
                user_code=person.user_code,
                code=code,
                origin=Origin(Door.PORTAL, "192.0.2.7"),
            ),
        )
        for _ in range(2)
    ]
    await bank.store.close()
    assert [type(outcome) for outcome in outcomes] == [Accepted, Refused]


async def issued(person: Person) -> tuple[CardImage, Counters]:
    """The card that the bank sent them."""
    record = person.card.record
    data = CardData(
        name="VERA TISSOT",
        pan=record.pan,
        psn=record.psn,
        pin=Pin("4711"),
        effective=date(2025, 1, 1),
        expiry=date(2030, 1, 1),
    )
    dpa_key = await KeystoreIssuingCustodian(custody_keys()).card_key(record)
    if person.card.kind.value == "sesame":
        return sesame_card(data, dki=record.dki, dpa_key=dpa_key)
    payment_key = DesKey(bytes.fromhex("FEDCBA9876543210 89ABCDEF01234567"))
    return bank_card(data, dki=record.dki, dpa_key=dpa_key, payment_key=payment_key)


# ── Pulled, and left alone ───────────────────────────────────────────────────────────────────────

# A dialogue, and what the card's file must hold when its command has been answered.
DIALOGUE = [
    (SELECT_DPA, Counters(0, 3)),
    (GPO, Counters(1, 3)),
    (RECORD, Counters(1, 3)),
    (WRONG, Counters(1, 2)),
    (RIGHT, Counters(1, 3)),
    (ARQC, Counters(1, 3)),
    (AAC, Counters(1, 3)),
]


def test_a_card_pulled_at_any_step_is_whole(service: Service, tmp_path: Path) -> None:
    """The program is told at its next command, at once; the file has all that was answered."""
    for step, (_, counters) in enumerate(DIALOGUE):
        path = tmp_path / f"step-{step}.card"
        create(path, sesame_image(), NEW)
        with (
            service.plugged(path, "--protocol", f"t{step % 2}") as plug,
            Client(service) as client,
        ):
            assert all(not client.ask(said).startswith("!") for said, _ in DIALOGUE[: step + 1])
            plug.kill()
            assert client.ask(SELECT_DPA).startswith("!")
        assert read_summary(path).counters == counters


def test_a_card_pulled_while_it_checks_the_pin_has_an_honest_counter(
    service: Service, tmp_path: Path
) -> None:
    """Before, within or behind the check: the try is there, or spent, never won."""
    for at in range(3):
        path = tmp_path / f"{at}.card"
        create(path, sesame_image(), Counters(atc=0, pin_tries_left=2))
        with service.plugged(path) as plug, Client(service) as client:
            client.ask(SELECT_DPA)
            client.ask(GPO)
            client.begin(WRONG)
            plug.kill()
            answer = client.end()
        assert answer == "63c1" or answer.startswith("!")
        assert read_summary(path).counters in {Counters(1, 2), Counters(1, 1)}
        with open_card(path):
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_that_restarts_finds_the_card(
    service: Service, cards: dict[CardKind, Path], number: int
) -> None:
    """The card dials again by itself, and goes on where its file is."""
    with service.plugged(cards[CardKind.SESAME]) as plug:
        with Client(service) as client:
            for said in (SELECT_DPA, GPO, WRONG):
                client.ask(said)
            service.stop(number)
        plug.wait_for("gone")
        service.start()
        plug.wait_for("connected", times=2)
        service.wait_for_card(0, present=True)
        with Client(service) as client:
            assert client.ask(RECORD) == "6985"
            assert client.ask(SELECT_DPA).endswith("9000")
            assert client.ask("80CA9F1700") == "9f1701029000"
            assert client.ask("80CA9F3600") == "9f360200019000"
