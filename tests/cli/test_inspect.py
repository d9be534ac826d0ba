"""`sesame card inspect`: what is printed, in both languages and as JSON, and what is not."""

import getpass
import io
import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.card.memory import Counters
from sesame.cli.cvr_words import BITS
from sesame.cli.finding_words import FINDINGS
from sesame.cli.inspect import members
from sesame.cli.main import main
from sesame.cli.report_words import lines, wrapped
from sesame.emv.apdu import Ins
from sesame.emv.cryptogram_version import IadLayout
from sesame.reader.diagnosis import diagnose
from sesame.reader.inspection import Inspection
from sesame.reader.report import Kind, Report
from tests.reader.cards import DATA, PIN, card_file
from tests.reader.inspected import (
    ANSWER,
    BITMAP,
    CAP,
    ELEMENTS,
    PPSE,
    Card,
    instead,
    look,
    transact,
)
from tests.reader.recordings import FILE, NAMES, PATH, VECTORS, vector
from tests.reader.test_inspection import LOOKS, SECRETS, TRANSACTIONS, copied, garbage

Inspect = Callable[..., tuple[int, str, str]]
LANGUAGES = pytest.mark.parametrize("language", ["fr_FR.UTF-8", "en_GB.UTF-8"])

SESAME = """\
Cette carte fait des codes.

Mise sous tension (ATR)\u00a0: convention directe, T=0, 3B6B0000, puis 11 octets
historiques, non montrés

Répertoire de la carte\u00a0:
  SESAME (A0000000038002), priorité 1

SESAME (A0000000038002)\u00a0: application de codes (DPA)
  Priorité\u00a0: 1
  Langues\u00a0: fr, en
  Essais du code secret\u00a0: 3
  Compteur (ATC)\u00a0: 0
  Dernier compteur en ligne\u00a0: 0
  Valable à partir de\u00a0: 01/2020
  Expire en\u00a0: 12/2049
  Numéro de carte\u00a0: 16 chiffres, non montrés
  Numéro de séquence (PSN)\u00a0: 00
  Enregistrements lus\u00a0: 1
  Code secret sans réseau\u00a0: un lecteur non connecté peut le faire vérifier par
      la carte
  Indicateurs (IAF)\u00a0: A0 – montant sans monnaie, sans PSN
  Bitmap (IPB)\u00a0: 80001F00000000000FFFFF (de la carte)
    1 bit constant, 5 bits du compteur, 20 bits du cryptogramme\u00a0: toujours 8
        chiffres, sans zéro devant
    le nombre affiché est la somme de\u00a0:
    – sorte du cryptogramme (CID), octet 1, bit 8 × 33554432
    – compteur (ATC), 5 bits à partir de l’octet 2, bit 5 × 1048576
    – cryptogramme (AC), 20 bits à partir de l’octet 6, bit 4 × 1
  «\u00a0Code\u00a0»\u00a0: oui (mode 2)
  «\u00a0Répondre\u00a0»\u00a0: oui (mode 3)
  «\u00a0Signer\u00a0»\u00a0: oui, la puce prend un montant (mode 1)
  Demandé pour le code (CDOL1)\u00a0: 29 octets – les huit éléments habituels
  Demandé pour finir (CDOL2)\u00a0: 31 octets – les huit éléments habituels et code
      de réponse (8A)
  Règle CVM 1\u00a0: code secret en clair, vérifié par la carte, toujours, sinon
      échec
  Données que le lecteur envoie\u00a0: colonne DPA – TVR 8000000000, date 010101,
      type de terminal 34, CVM 010002, ARC Z3
  Profil\u00a0: comme sesame-card-2

Ce rapport peut être montré à tous\u00a0: ni numéro de carte, ni nom, ni code.
"""
CRYPTOGRAM = """\
  Réponse de la carte\u00a0: ARQC, elle accepte et demande à la banque
  Clé de la banque (DKI)\u00a0: 01
  Recette (CVN)\u00a0: 12 – visa-18
  Ce que la carte a vu (CVR)\u00a0: A48000 (disposition Visa)
    – code secret vérifié et juste
    – premier cryptogramme ARQC, second pas encore demandé
    – octet 2, bit 3 – code secret vérifié par la carte
    – octet 3, bit 8 – dernière transaction en ligne non terminée
"""


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests, and no terminal."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


@pytest.fixture
def inspect(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inspect:
    """The exit status of `sesame card inspect`, what it prints, and what it says on standard error.

    *typed* is its standard input.
    """

    def run(*words: object, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        status = main(["card", "inspect", *map(str, words)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


class Terminal(io.StringIO):
    """Somebody types."""

    def isatty(self) -> bool:
        """At a terminal."""
        return True


# ── A card ───────────────────────────────────────────────────────────────────────────────────────


def test_a_card(inspect: Inspect, tmp_path: Path) -> None:
    """In French, whole."""
    assert inspect(card_file(tmp_path, "sesame")) == (0, SESAME, "")


def test_a_card_in_english(
    inspect: Inspect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every word of it."""
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    status, printed, error = inspect(card_file(tmp_path, "bank"))
    assert (status, error) == (0, "")
    for line in (
        "This card makes codes.",
        "  CARTE BANCAIRE (A0000000031010), priority 1",
        "SESAME (A0000000038002): application for codes (DPA)",
        "    – counter (ATC), 8 bits from byte 2, bit 8 × 131072",
        "  “Sign”: yes, the reader mixes the numbers into the cryptogram (mode 2 with",
        "      TDS)",
        "  PIN without a network: a reader without a connection can have the card check",
        "This report may be shown to anybody: no card number, no name, no code is in it.",
        "CARTE BANCAIRE (A0000000031010): payment application",
    ):
        assert line in printed.splitlines()
    assert "\u00a0" not in printed


def test_a_transaction(inspect: Inspect, tmp_path: Path) -> None:
    """Announced before it happens; the code is not shown, for it would be good."""
    path = card_file(tmp_path, "sesame")
    status, printed, told = inspect(path, "--transaction", "--pin-stdin", typed=f"{PIN.digits}\n")
    assert status == 0
    assert CRYPTOGRAM in printed
    assert told == (
        "Un code va être fait, comme dans un lecteur, et ne sera pas montré. Le compteur de la "
        "carte avance d’un numéro, même si le code secret est faux.\n"
        "Essais du code secret qui restent\u00a0: 3.\n"
        "Cet ordinateur voit passer le code secret.\n"
    )
    assert PIN.digits not in printed + told


def test_the_pin_typed_at_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not echoed; an end of input tries nothing."""
    path = card_file(tmp_path, "sesame")
    monkeypatch.setattr("sys.stdin", Terminal(""))
    monkeypatch.setattr(getpass, "getpass", lambda _: PIN.digits)
    assert main(["card", "inspect", str(path), "--transaction"]) == 0
    assert CRYPTOGRAM in capsys.readouterr().out

    def ended(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", ended)
    assert main(["card", "inspect", str(path), "--transaction"]) == 1
    assert "Rien n’a été essayé." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "options", "said"),
    [
        ("12", ("--pin-stdin",), "Le code secret d’une carte a de 4 à 12 chiffres.\n"),
        ("", (), "terminal où taper le code secret de la carte\u00a0: donnez --pin-stdin."),
    ],
)
def test_no_pin(
    inspect: Inspect, tmp_path: Path, typed: str, options: tuple[str, ...], said: str
) -> None:
    """The report comes all the same, of a card that nothing happened to."""
    path = card_file(tmp_path, "sesame")
    before = path.read_bytes()
    status, printed, error = inspect(path, "--transaction", *options, typed=typed)
    assert (status, printed) == (1, SESAME)
    assert said in error
    assert path.read_bytes() == before


def test_the_last_try(inspect: Inspect, tmp_path: Path) -> None:
    """Only with a word for it."""
    path = card_file(tmp_path, "sesame", counters=Counters(atc=0, pin_tries_left=1))
    typed = f"{PIN.digits}\n"
    status, printed, error = inspect(path, "--transaction", "--pin-stdin", typed=typed)
    assert status == 1
    assert "Pour essayer quand même, ajoutez --last-try." in error
    assert "Il reste un seul essai du code secret" in printed
    status, printed, _ = inspect(path, "--transaction", "--pin-stdin", "--last-try", typed=typed)
    assert status == 0
    assert CRYPTOGRAM in printed


@pytest.mark.parametrize(("answer", "status"), [("oui\n", 0), ("non\n", 1), ("", 1), ("Y\n", 0)])
def test_the_last_try_at_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    """It is asked."""
    path = card_file(tmp_path, "sesame", counters=Counters(atc=0, pin_tries_left=1))
    monkeypatch.setattr("sys.stdin", Terminal(""))
    typed = iter([answer, PIN.digits])
    prompts = []

    def type_next(prompt: str) -> str:
        prompts.append(prompt)
        return next(typed)

    monkeypatch.setattr(getpass, "getpass", type_next)
    assert main(["card", "inspect", str(path), "--transaction"]) == status
    assert prompts[0].endswith("Essayer (oui/non)\u202f? ")


def test_no_transaction_on_a_blocked_pin(inspect: Inspect, tmp_path: Path) -> None:
    """Nothing is asked."""
    path = card_file(tmp_path, "sesame", counters=Counters(atc=5, pin_tries_left=0))
    before = path.read_bytes()
    status, printed, error = inspect(path, "--transaction", "--pin-stdin", "--last-try", typed="1")
    assert (status, error) == (1, "Pas de transaction\u00a0: cette carte ne ferait pas de code.\n")
    assert "Ce qui empêche un code\u00a0:\n  – Le code secret est bloqué" in printed
    assert path.read_bytes() == before


def test_tries_that_the_card_does_not_say(
    inspect: Inspect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said that nobody knows, and that this may be the last one: it wants a word."""
    card = Card(tries=None)
    monkeypatch.setattr("sesame.cli.inspect.slot_of", lambda _: nullcontext(card))
    options = ("--transaction", "--pin-stdin")
    status, _, told = inspect(tmp_path, *options, typed="1234\n")
    assert status == 1
    assert "C’est peut-être le dernier essai" in told
    assert Ins.VERIFY not in {command.ins for command in card.sent}
    status, _, told = inspect(tmp_path, *options, "--last-try", typed="1234\n")
    assert status == 0
    assert "La carte ne dit pas combien d’essais du code secret il reste.\n" in told
    assert Ins.VERIFY in {command.ins for command in card.sent}


def test_a_card_that_cannot_be_used(inspect: Inspect, tmp_path: Path) -> None:
    """The error of the card's file, and no report."""
    status, printed, error = inspect(tmp_path / "nobody.card")
    assert (status, printed) == (1, "")
    assert error.endswith("cette carte n’existe pas. Vérifiez son chemin.\n")


def test_one_source() -> None:
    """A card or a recording, and one of them."""
    for words in ([], ["x.card", "--trace", "y.json"]):
        with pytest.raises(SystemExit, match="2"):
            main(["card", "inspect", *words])


# ── Recordings ───────────────────────────────────────────────────────────────────────────────────


@LANGUAGES
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_no_recording_gives_anything_private_away(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch, language: str, options: tuple[str, ...]
) -> None:
    """Neither number nor track nor cryptogram nor code, nor four digits of the number."""
    monkeypatch.setenv("LC_ALL", language)
    status, printed, error = inspect("--trace", PATH, *options)
    assert (status, error) == (0, "")
    for number in ("6703040512345678", "4533112233445566", "0405123456789", "9D12122210"):
        assert number not in printed
    for found in VECTORS:
        fields = found.get("fields") or {}
        code = str((found["expect"] or {}).get("otp_value"))
        for secret in (fields.get("ac"), fields.get("iad"), code):
            assert not secret or secret not in printed


def test_every_recording_is_named(inspect: Inspect) -> None:
    """One report each; a recorded transaction is explained without being asked for."""
    _, printed, _ = inspect("--trace", PATH)
    assert [line[1:-1] for line in printed.splitlines() if line.startswith("[")] == NAMES
    assert printed.count("Réponse de la carte\u00a0: ARQC") == 9


def test_one_recording(inspect: Inspect) -> None:
    """The French card of the leaflet's kind, with the sentence that explains its bitmap."""
    status, printed, _ = inspect("--trace", PATH, "--id", "visa_dpa_fr")
    assert status == 0
    assert printed.startswith(
        "[visa_dpa_fr]\nCette carte fait des codes.\n\n"
        "Mise sous tension (ATR)\u00a0: convention directe, T=0, 3B650000, puis 5 octets\n"
        "historiques, non montrés\n\n"
        "VISA Auth (A0000000038002)\u00a0: application de codes (DPA)\n"
    )
    assert (
        "    1 bit constant, 9 bits du compteur, 16 bits du cryptogramme\u00a0: toujours 8\n"
        "        chiffres, sans zéro devant\n"
    ) in printed
    assert (
        "  Forme des réponses\u00a0: GET PROCESSING OPTIONS compacte (80), GENERATE AC en TLV\n"
        "      (77)\n"
        "  Capacités (AIP)\u00a0: 1000\n"
        "    – octet 1, bit 5 – le porteur peut être vérifié\n"
        "  Code secret sans réseau\u00a0: un lecteur non connecté peut le faire vérifier par\n"
        "      la carte\n"
    ) in printed
    assert "  Profil\u00a0: comme dpa-fr\n" in printed
    status, _, error = inspect("--trace", PATH, "--id", "nobody")
    assert status == 1
    assert "aucune session ne s’y appelle nobody." in error


def test_recordings_that_are_none(inspect: Inspect, tmp_path: Path) -> None:
    """Each is refused alone."""
    path = tmp_path / "sessions.json"
    vectors: list[object] = [7, {"id": "x"}, vector("visa_dpa_fr")]
    path.write_text(json.dumps({**FILE, "vectors": vectors}), encoding="utf-8")
    status, printed, _ = inspect("--trace", path)
    assert status == 1
    assert printed.startswith(
        "#1 refused: vector: is no object\nx refused: il manque scheme\n[visa"
    )
    status, printed, _ = inspect("--trace", path, "--json")
    first, second, third = map(json.loads, printed.splitlines())
    assert first == {"id": "#1", "refused": "vector: is no object"}
    assert second["refused"] == "il manque scheme"
    assert third["verdict"] == "codes"


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────

MEMBERS = "schema verdict recorded atr directory contactless applications findings"
APPLICATION = (
    "aid select_sw label preferred_name role scheme belgian priority languages tries_left atc "
    "last_online_atc records closed aip aip_bits options_format issuer_country effective expiry "
    "psn pan_digits pdol cdol1 cdol2 cvm cvm_amounts offline_pin flags bitmap "
    "abilities resembles cryptogram"
)
BELOW = {
    "aip_bits": "name byte bit",
    "cdol1": "tag length",
    "cvm": "code condition otherwise_next",
    "flags": "value amount currency psn",
    "bitmap": "source value bits digits constant_bits atc_bits ac_bits iad_bits leads_with_one "
    "iad_layout iad_presumed runs",
    "abilities": "function works mode amount currency",
    "resembles": "profile differs",
    "cryptogram": "kind atc iad_bytes layout dki cvn recipes cvr cvr_bits first_ac second_ac "
    "pin pin_verified answer_format",
}


def first(value: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """The object, or the first one of a list."""
    one: dict[str, Any] = value[0] if isinstance(value, list) else value
    return one


def test_the_schema_is_what_the_page_says(inspect: Inspect) -> None:
    """Member by member, in this order: programs rely on it. The page names each."""
    _, printed, _ = inspect("--trace", PATH, "--id", "cap_fc09_uk", "--json")
    report = json.loads(printed)
    assert list(report) == ["id", *MEMBERS.split()]
    assert report["schema"] == "sesame-card-report/1"
    assert report["atr"] is None
    application = first(report["applications"])
    assert list(application) == APPLICATION.split()
    for member, names in BELOW.items():
        assert list(first(application[member])) == names.split()
    runs = first(application["bitmap"]["runs"])
    assert list(runs) == ["part", "byte", "bit", "bits", "shift", "names"]
    bits = first(application["cryptogram"]["cvr_bits"])
    assert list(bits) == ["name", "byte", "bit", "number"]
    found = report["findings"][0]
    assert list(found) == ["kind", "severity", "aid", "facts", "says"]
    page = Path("docs/reference/card-report.md").read_text(encoding="utf-8")
    atr = ["convention", "protocols", "interface", "historical_bytes"]
    named = [
        *atr,
        *MEMBERS.split(),
        *APPLICATION.split(),
        *" ".join(BELOW.values()).split(),
        *runs,
        *bits,
    ]
    for member in [*named, *found, "id", "refused"]:
        assert f"`{member}`" in page, member
    for kind in Kind:
        assert f"`{kind.value}`" in page, kind


def test_a_card_as_json(inspect: Inspect, tmp_path: Path) -> None:
    """The same without an id; what nobody knows is null."""
    _, printed, _ = inspect(card_file(tmp_path, "sesame"), "--json")
    report = json.loads(printed)
    assert list(report) == MEMBERS.split()
    assert report["directory"] == [{"aid": "A0000000038002", "label": "SESAME", "priority": 1}]
    assert report["atr"] == {
        "convention": "direct",
        "protocols": ["T=0"],
        "interface": "3B6B0000",
        "historical_bytes": 11,
    }
    assert first(report["applications"])["cryptogram"] is None
    assert report["findings"] == []


# ── Words ────────────────────────────────────────────────────────────────────────────────────────


def test_everything_has_words() -> None:
    """Every finding, every bit of every layout."""
    assert set(FINDINGS) == set(Kind)
    bits = {name for layout in IadLayout for name in layout.cvr.__members__}
    assert set(BITS) == bits | {"OTHER"}


def text(report: Report) -> str:
    """The report in words."""
    return "\n".join(lines(report))


@LANGUAGES
@pytest.mark.parametrize("name", [*LOOKS, *TRANSACTIONS])
def test_every_finding_in_words(name: str, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    """A sentence that ends, with its places filled; and nothing of the card's number."""
    monkeypatch.setenv("LC_ALL", language)
    kind, card = (LOOKS | TRANSACTIONS)[name]
    report = (look if name in LOOKS else transact)(copied(card))
    printed = text(report)
    says = [str(one["says"]) for one in members(report)["findings"]]  # type: ignore[attr-defined]
    assert all(sentence in printed for sentence in says)
    assert all(sentence[-1] in ".)" and "{" not in sentence for sentence in says)
    assert "5413330089600010" not in printed
    assert kind.value in json.dumps(members(report))


CVM = "0000138800000000 0000 0201 4203 4304 4405 0506 1E07 1F08 3009 5F7F"


@LANGUAGES
def test_rules_flags_and_lists_in_words(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    """Of a card with all that may be in them."""
    monkeypatch.setenv("LC_ALL", language)
    record = {
        "8C": f"{ELEMENTS} 9F2103",
        "8D": "8A02 9F7E01",
        "8E": CVM,
        "9F55": "C0",
        "9F56": f"03{BITMAP}" + "00" * 32 + "01",
    }
    fci = {"9F38": "9F3501", "50": "43", "9F12": "44", "87": "02"}
    printed = text(transact(Card(fci=fci, record=record, answer=ANSWER.replace("A5", "FF"))))
    expected = {
        "fr_FR.UTF-8": (
            "  Indicateurs (IAF)\u00a0: C0 – montant et monnaie, le PSN devant la réponse",
            "    – au-delà de toute réponse, octet 1, bit 1 × 1",
            "  Demandé avant (PDOL)\u00a0: type de terminal (9F35)",
            "  Demandé pour le code (CDOL1)\u00a0: 32 octets – les huit éléments habituels et 9F21",
            "  Demandé pour finir (CDOL2)\u00a0: 3 octets – code de réponse (8A), 9F7E",
            "  Règle CVM 1\u00a0: refus, toujours, sinon échec",
            "  Règle CVM 7\u00a0: signature, au-dessus du premier montant, sinon échec",
            "  Règle CVM 9\u00a0: règle 30, au-dessus du second montant, sinon échec",
            "  Règle CVM 10\u00a0: rien, condition 7F, sinon la règle suivante",
            "  Montants des règles CVM\u00a0: 5000 et 0, dans la plus petite unité",
            (
                "  Code secret sans réseau\u00a0: la carte le veut chiffré, et les lecteurs de "
                "codes l’envoient en clair"
            ),
            (
                "  «\u00a0Signer\u00a0»\u00a0: oui, la puce prend un montant et sa monnaie "
                "(mode 1), une fois levé ce qui l’empêche"
            ),
        ),
        "en_GB.UTF-8": (
            "  Flags (IAF): C0 – amount and currency, the PSN in front of the answer",
            "    – past any answer, byte 1, bit 1 × 1",
            "  Asked for to end (CDOL2): 3 bytes – response code (8A), 9F7E",
            "  CVM rule 10: nothing, condition 7F, else the next rule",
            "  Amounts of the CVM rules: 5000 and 0, in the smallest unit",
        ),
    }
    for line in expected[language]:
        assert line in printed.splitlines()


def test_a_card_that_declines_in_words() -> None:
    """What it has seen stands above what to do."""
    printed = text(transact(Card(answer="00" + ANSWER[2:].replace("A5", "80"))))
    assert "  Réponse de la carte\u00a0: AAC, elle refuse\n" in printed
    assert "    – code secret non vérifié\n" in printed
    assert "    – premier cryptogramme AAC, second pas encore demandé\n" in printed
    assert "Ce qui empêche un code\u00a0:\n  – La carte refuse (AAC)" in printed


def test_a_finding_of_one_of_several() -> None:
    """Says of which."""
    printed = text(look(Card(directory=[CAP, "A0000001118001"])))
    assert "  – A0000001118001\u00a0: L’application figure au répertoire" in printed
    assert text(look(Card(directory=[]))).count("Répertoire de la carte\u00a0: vide") == 1


def test_a_card_that_declines_though_the_pin_was_right() -> None:
    """Nobody is told that the PIN was not."""
    printed = text(transact(Card(answer="00" + ANSWER[2:].replace("A5", "85"))))
    assert "    – code secret vérifié et juste\n" in printed
    assert "    – premier cryptogramme AAC, second pas encore demandé\n" in printed


# What users of other programs met, and the way round it that ours names.
WALLS = {
    "codes are not the last entry": (
        Card(directory=[CAP, "A0000000031010"]),
        (
            "un programme qui prend la dernière (emvtool, par exemple) en ouvre une autre et "
            "échoue. Nos lecteurs essaient les noms"
        ),
    ),
    "no directory": (Card(), "un programme qui ne cherche que là n’y voit aucune application. Nos"),
    "no flags": (
        Card(record={"9F55": None}),
        "certains programmes s’arrêtent là. Nos lecteurs font comme s’ils étaient 00",
    ),
    "no bitmap": (
        Card(record={"9F56": None}),
        (
            "nos profils connus pour cette application en ont un\u00a0: cap-natwest, cap-mchip-10, "
            "cap-mchip-14, cap-dutch."
        ),
    ),
    "no CDOL1": (Card(record={"8C": None}), "La carte n’a pas de CDOL1 (8C)"),
}


@pytest.mark.parametrize("name", WALLS)
def test_walls_that_others_met(name: str) -> None:
    """Each is named, with what to do; and no number of the card is."""
    card, says = WALLS[name]
    printed = text(look(copied(card)))
    assert says in printed
    assert "5413330089600010" not in printed
    assert printed.endswith(
        "Ce rapport peut être montré à tous\u00a0: ni numéro de carte, ni nom, ni code."
    )


def test_words_of_cards_that_do_not_open() -> None:
    """Neither tries nor records are said of an application that stays shut."""
    printed = text(look(Card(directory=[CAP], instead=instead(Ins.SELECT, "6283", of=CAP))))
    assert "  Ne s’ouvre pas (SELECT)\u00a0: 6283\n" in printed
    assert "Essais du code secret" not in printed


def test_a_card_that_falls_silent() -> None:
    """It may make codes: nobody knows."""
    card = Card(instead=instead(Ins.GET_DATA, None))
    assert text(look(card)).startswith("On ne sait pas si cette carte fait des codes.\n")


def test_no_transaction_on_a_card_that_falls_silent(
    inspect: Inspect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its PIN is not asked for."""
    card = Card(instead=instead(Ins.GET_DATA, None))
    monkeypatch.setattr("sesame.cli.inspect.slot_of", lambda _: nullcontext(card))
    status, _, told = inspect(tmp_path, "--transaction", "--pin-stdin", typed="1234\n")
    assert (status, told) == (
        1,
        "Pas de transaction\u00a0: la carte n’a pas répondu jusqu’à la fin.\n",
    )


def test_a_card_on_a_contactless_reader() -> None:
    """It is said where it lies, and what to do."""
    fci = f"6F10 A50E BF0C0B 6109 4F07{CAP} 9000"
    printed = text(look(Card(atr="3F00", instead=instead(Ins.SELECT, fci, of=PPSE))))
    assert "Mise sous tension (ATR)\u00a0: convention inverse, T=0, 3F00\n" in printed
    assert f"Répertoire sans contact\u00a0:\n  {CAP}\n" in printed
    assert "Insérez-la dans un lecteur à contacts." in printed


def test_a_date_in_a_sentence() -> None:
    """As the rest of the report writes it."""
    assert "La carte a expiré (11/2026)." in text(look(Card(record={"5F24": "261122"})))


@LANGUAGES
@pytest.mark.parametrize("options", [(), ("--id", "visa_cleo_fr")])
def test_no_line_runs_too_long(
    inspect: Inspect, monkeypatch: pytest.MonkeyPatch, language: str, options: tuple[str, ...]
) -> None:
    """Eighty columns; nothing is lost where a line is turned over."""
    monkeypatch.setenv("LC_ALL", language)
    _, printed, _ = inspect("--trace", PATH, *options)
    assert max(map(len, printed.splitlines())) <= 80
    for line in lines(look(Card(record={"9F56": None}))):
        assert wrapped(line).split() == line.split()


@pytest.mark.parametrize(
    ("atr", "expected"), [("3B00", "3B00"), ("zz", None), (7, None), (None, None), ("", None)]
)
def test_the_atr_of_a_recording(
    inspect: Inspect, tmp_path: Path, atr: object, expected: str | None
) -> None:
    """Where it is hexadecimal."""
    path = tmp_path / "sessions.json"
    vectors = [vector("visa_dpa_fr") | {"atr": atr}]
    path.write_text(json.dumps({**FILE, "vectors": vectors}), encoding="utf-8")
    status, printed, _ = inspect("--trace", path, "--json")
    assert status == 0
    said = json.loads(printed)["atr"]
    assert (said and said["interface"]) == expected


@given(st.data(), st.sampled_from(["fr_FR.UTF-8", "en_GB.UTF-8"]))
def test_nothing_private_is_said_of_any_card(data: st.DataObject, language: str) -> None:
    """Whatever it answers, in words and as JSON."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LC_ALL", language)
        inspection = Inspection(garbage(data))
        inspection.look()
        inspection.make_code(PIN, tries_agreed=inspection.tries_left)
        report = diagnose(inspection.seen, 20261123)
        printed = (text(report) + json.dumps(members(report), ensure_ascii=False)).upper()
    for secret in SECRETS:
        assert secret not in printed


def test_our_own_cards_keep_their_holder_to_themselves(inspect: Inspect, tmp_path: Path) -> None:
    """Name and number, and the last four of it."""
    for kind in ("sesame", "bank", "payment"):
        path = card_file(tmp_path, kind)
        for options in ((), ("--json",), ("--transaction", "--pin-stdin")):
            _, printed, error = inspect(path, *options, typed=f"{PIN.digits}\n")
            for secret in (*DATA.name.split(), DATA.pan.digits, DATA.pan.last4):
                assert secret not in printed + error
