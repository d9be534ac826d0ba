"""What went wrong is said in the language of whoever is at the keyboard, or it is known why not."""

import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest

import sesame
from sesame.bank.errors import (
    EndlessReader,
    MalformedReader,
    MalformedStaffCode,
    NoReaderListed,
    ReaderListedTwice,
    TooManyReaders,
)
from sesame.cap.errors import InputFault
from sesame.catalogue import Language, translator
from sesame.cli import inputs
from sesame.cli.sentences import SENTENCES, sentence
from sesame.custody.errors import CustodyUnavailable
from sesame.errors import SesameError, Worded
from sesame.letters.errors import BatchDestroyed, BatchUnreadable, NoBatch, OtherBatch, StrangeFiles
from sesame.simulator.errors import DrawerDamaged
from sesame.store.errors import (
    FileTampered,
    RowHeld,
    SchemaAhead,
    SchemaBehind,
    StandbyBehind,
    StoreUnavailable,
    UrlUnusable,
)

_CAUGHT = "whoever asks for it says it in words of their own"
_PAGE = "a page says it, or an answer over the network; no command meets it"
_INNER = "tried anew, or a mistake of ours: nothing that somebody typed"
_EMV = "what is wrong in a card, a key or a recording, for engineers, in the standard's own terms"
_SETTINGS = "names settings, whose names are English (docs/limits.md)"
_BACK = "tables do not go back to an older version so, which is for who works on this program"
_WITHOUT: Mapping[str, str] = {
    "bank.errors.AskedAlready": _PAGE,
    "bank.errors.CardTaken": _CAUGHT,
    "bank.errors.ChallengeOver": _PAGE,
    "bank.errors.EmailDeferred": _INNER,
    "bank.errors.EmailRefused": _INNER,
    "bank.errors.ImpossibleCode": _PAGE,
    "bank.errors.IncompatibleRoles": _PAGE,
    "bank.errors.LiftedEnough": _PAGE,
    "bank.errors.MailServerAway": _INNER,
    "bank.errors.MalformedNumber": _PAGE,
    "bank.errors.MalformedOldCode": _CAUGHT,
    "bank.errors.MalformedPersonnelNumber": _PAGE,
    "bank.errors.MisleadingReason": _PAGE,
    "bank.errors.NotEnrolled": _CAUGHT,
    "bank.errors.NotIdentified": _PAGE,
    "bank.errors.NotLowered": _PAGE,
    "bank.errors.NotShown": _PAGE,
    "bank.errors.NothingToHandOver": _PAGE,
    "bank.errors.NothingToHold": _PAGE,
    "bank.errors.NothingToLift": _PAGE,
    "bank.errors.NothingToRelease": _PAGE,
    "bank.errors.NothingToReplace": _PAGE,
    "bank.errors.NothingToSend": _PAGE,
    "bank.errors.PersonTaken": _PAGE,
    "bank.errors.ReferenceTaken": _CAUGHT,
    "bank.errors.SameAddress": _PAGE,
    "bank.errors.SameCodeTwice": _PAGE,
    "bank.errors.SecretRefused": _PAGE,
    "bank.errors.TooManyCards": _CAUGHT,
    "bank.errors.TooVague": _PAGE,
    "bank.errors.Undecided": _PAGE,
    "bank.errors.UnreadableCustomers": _CAUGHT,
    "bank.errors.UnsuitableGaps": _SETTINGS,
    "bank.errors.UnsuitableOldCode": _CAUGHT,
    "bank.errors.UnsuitableReason": _PAGE,
    "bank.errors.UserCodeTaken": _CAUGHT,
    "bank.errors.WholeNumber": _PAGE,
    "cap.errors.IpbEmpty": _EMV,
    "cap.errors.IpbTooLong": _EMV,
    "cap.errors.MalformedCode": _CAUGHT,
    "cap.errors.MalformedInputs": _CAUGHT,
    "cap.errors.ProfileError": _EMV,
    "card.errors.MalformedGroupings": _CAUGHT,
    "card.errors.PersonalisationError": _EMV,
    "cli.demo.RestoreFailed": _INNER,
    "custody.errors.CustodySettingsError": _SETTINGS,
    "custody.errors.MalformedFrame": _INNER,
    "custody.errors.MalformedInquiry": _INNER,
    "custody.errors.ProfileUnknown": _INNER,
    "custody.errors.ProfileUnsupported": _EMV,
    "custody.errors.SealBroken": _CAUGHT,
    "custody.errors.UnsuitableCard": _CAUGHT,
    "custody.errors.UnsuitableComponent": _CAUGHT,
    "emv.errors.CardRefused": _EMV,
    "emv.errors.MalformedApdu": _EMV,
    "emv.errors.MalformedAtr": _EMV,
    "emv.errors.MalformedDol": _EMV,
    "emv.errors.MalformedIad": _EMV,
    "emv.errors.MalformedKey": _EMV,
    "emv.errors.MalformedPan": _CAUGHT,
    "emv.errors.MalformedPin": _CAUGHT,
    "emv.errors.MalformedTlv": _EMV,
    "emv.errors.MalformedTree": _EMV,
    "emv.errors.WrongLength": _EMV,
    "letters.errors.BatchError": _INNER,
    "letters.errors.BatchExists": _CAUGHT,
    "letters.errors.MixedBatch": _INNER,
    "monitoring.readiness.WrongSchema": _PAGE,
    "reader.errors.CardUnfit": _EMV,
    "reader.errors.NotRecordings": _CAUGHT,
    "reader.errors.PartMalformed": _EMV,
    "rest.problems.Problem": _PAGE,
    "settings.SettingsError": _SETTINGS,
    "simulator.errors.CardNotInDrawer": _PAGE,
    "simulator.errors.MalformedRequest": _PAGE,
    "simulator.errors.NoReaderLeft": _PAGE,
    "simulator.errors.ReaderForgotten": _PAGE,
    "store.errors.CardMovedAside": _INNER,
    "store.errors.EnrolledMeanwhile": _INNER,
    "store.errors.LettersMoved": _CAUGHT,
    "store.errors.StepLost": _INNER,
    "store.errors.StoreError": _BACK,
    "web.errors.ForeignRequest": _PAGE,
    "web.errors.MalformedForm": _PAGE,
    "web.errors.MalformedHours": _SETTINGS,
}


_SOURCE = Path(sesame.__file__).parent


def _errors() -> Iterator[type[SesameError]]:
    """Every error of the program, but for those that are only what others are a kind of."""
    for module in pkgutil.walk_packages(sesame.__path__, "sesame."):
        if not module.name.startswith("sesame.store.migrations.") and not module.name.endswith(
            "__main__"
        ):
            import_module(module.name)
    source = "".join(path.read_text(encoding="utf-8") for path in _SOURCE.rglob("*.py"))
    raised = set(re.findall(r"\braise ([A-Z]\w+)", source))
    found: dict[type[SesameError], None] = {}
    ahead = [SesameError]
    while ahead:
        kinds = [kind for kind in ahead.pop().__subclasses__() if kind.__module__[:7] == "sesame."]
        found |= dict.fromkeys(kinds)
        ahead += kinds
    for kind in found:
        if kind.__name__ in raised or not kind.__subclasses__():
            yield kind


def _name(kind: type[SesameError]) -> str:
    return f"{kind.__module__}.{kind.__name__}".removeprefix("sesame.")


def test_each_error_has_a_sentence_or_a_reason_to_have_none() -> None:
    """A new one is either said to people in their language, or somebody wrote down why not."""
    without = {
        _name(kind) for kind in _errors() if not (kind in SENTENCES or issubclass(kind, Worded))
    }
    assert without == set(_WITHOUT)


def test_each_sentence_is_another_one_in_english() -> None:
    """Whatever the language of the console, nobody reads the other one."""
    english = translator(Language.ENGLISH)
    for french in SENTENCES.values():
        assert english(french) != french


def test_each_fault_of_what_is_typed_has_words() -> None:
    """In both languages."""
    assert set(inputs.FAULTS) == set(InputFault)
    english = translator(Language.ENGLISH)
    assert not [words for words in inputs.FAULTS.values() if english(words) == words]


@pytest.mark.parametrize(
    ("error", "french", "english"),
    [
        (MalformedStaffCode(), "Un code d’agent a sept caractères", "A staff code has seven"),
        (
            StoreUnavailable("the database bank.db did not answer (locked)", reason="locked"),
            "La base de données ne répond pas, ou refuse (locked).",
            "The database does not answer, or refuses (locked).",
        ),
        (RowHeld(), "Un autre programme tient la ligne", "Another program holds"),
        (UrlUnusable(), "L’adresse de la base a une valeur", "The address of the database has"),
        (SchemaBehind("bank"), "La base n’a pas les tables de cette version", "The database has"),
        (SchemaAhead(), "Une version plus récente de Sésame", "A later version of Sésame"),
        (CustodyUnavailable("it was closed"), "ne répond pas (it was closed)", "(it was closed)"),
        (MalformedReader(3), "Ligne 3\u00a0: écrivez", "Line 3: write"),
        (
            EndlessReader(3),
            "Ligne 3\u00a0: elle est bien trop longue",
            "Line 3: it is far too long",
        ),
        (ReaderListedTwice(3, "A-1"), "Ligne 3\u00a0: A-1 y est", "Line 3: A-1 is there"),
        (TooManyReaders(7), "plus de 7 lecteurs", "more than 7 readers"),
        (NoReaderListed(), "Il n’y a pas de numéro de série", "There is no serial number"),
        (OtherBatch(Path("a"), "7QK4"), "pas le dossier du lot 7QK4", "not the folder of batch"),
        (StrangeFiles(Path("a"), 2), "a\u00a0: 2 fichiers ne sont pas", "a: 2 files are not"),
        (NoBatch(Path("a"), "is none"), "pas le bordereau d’un lot", "no manifest of a batch"),
        (BatchUnreadable(Path("a"), "ENOENT"), "a\u00a0: le système refuse (ENOENT)", "(ENOENT)"),
        (FileTampered(), "quelqu’un a modifié ce fichier", "somebody changed this file"),
        (StandbyBehind("bank"), "La base bank n’a pas attendu", "The database bank did not wait"),
        (
            BatchDestroyed(Path("a"), datetime(2026, 3, 2, tzinfo=UTC)),
            "déjà détruit, depuis le 2026-03-02T00:00:00+00:00.",
            "destroyed already, on 2026-03-02T00:00:00+00:00.",
        ),
        (DrawerDamaged(Path("a"), "is none"), "sesame demo --reset", "sesame demo --reset"),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, SesameError) else "",
)
def test_what_a_slip_is_answered(error: SesameError, french: str, english: str) -> None:
    """With its own line, name or number in its place."""
    assert french in sentence(error, Language.FRENCH)
    assert english in sentence(error, Language.ENGLISH)


_RAISES = """
from pathlib import Path
import sys

from sesame.bank.errors import HeartbeatHeld
from sesame.cli import bureau
from sesame.cli.inputs import Unusable
from sesame.cli.main import main

def run(_):
    raise {error}

def add_parser(commands):
    commands.add_parser("bureau").set_defaults(run=run)

bureau.add_parser = add_parser
status = main(["bureau"])
print("sesame.cli.serve" in sys.modules)
sys.exit(status)
"""


@pytest.mark.parametrize(
    ("error", "said", "loaded"),
    [
        (
            'HeartbeatHeld(Path("beat"), 3)',
            "beat\u00a0: d’autres processus tiennent ce verrou",
            "True\n",
        ),
        ('Unusable("--until\u00a0: un jour.")', "--until\u00a0: un jour.", "False\n"),
    ],
)
def test_a_sentence_of_another_command(error: str, said: str, loaded: str) -> None:
    """`serve` has the first, whoever meets it; what is in words already looks for none."""
    ran = subprocess.run(
        [sys.executable, "-c", _RAISES.format(error=error)],
        env={**os.environ, "LC_ALL": "fr_FR.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, loaded)
    assert ran.stderr.startswith(said)
