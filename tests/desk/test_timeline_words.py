"""`sesame.desk.timeline_words`: every event and every cause has a sentence, in both languages."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter

import pytest

from sesame.bank.approvals import Kind, Verdict
from sesame.bank.matching import Cause
from sesame.bank.orders import Reason
from sesame.bank.origin import Door
from sesame.bank.sessions import Means
from sesame.bank.timeline import UNREADABLE, Clause, Entry
from sesame.bank.tries import Side
from sesame.catalogue import Language, translator
from sesame.desk.timeline_words import DOORS, KINDS, WORDS, Speaker

_ROOT = Path(__file__).parents[2]
_SOURCES = sorted((_ROOT / "src" / "sesame" / "bank").glob("*.py"))
_NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
_UNJUDGED = {Cause.SUSPENDED, Cause.TWO_CODES_WANTED}
_BEHIND = {Cause.USED, Cause.OVERTAKEN}
# Told by more than one sentence, or by one that depends on what the line says.
_TOLD_OTHERWISE = {"login", "turned-away", "approval-decided"}


def speaker(language: Language = Language.FRENCH) -> Speaker:
    """Tells of Véra, who has a card 1; Ada is staff."""
    return Speaker(
        language=language,
        now=_NOW,
        user_code="VERA2345",
        cards={1: "1234"},
        names={"K7P2M4X": "Ada Lemoine"},
    )


def events_in(source: str) -> Iterator[str]:
    """The names of events that a module writes: as `event=`, or where a step is planned."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        texts = [keyword.value for keyword in node.keywords if keyword.arg == "event"]
        if getattr(node.func, "id", "") in {"plan_move", "plan", "_take"}:
            texts += node.args
        for text in texts:
            for part in (text.body, text.orelse) if isinstance(text, ast.IfExp) else (text,):
                if isinstance(part, ast.Constant) and part.value and isinstance(part.value, str):
                    yield part.value


def written_events() -> set[str]:
    """Those that the bank's source writes, and those that the reference lists."""
    page = (_ROOT / "docs" / "reference" / "audit.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^\| `event` \| (.*) \|$", page, re.MULTILINE)
    source = {event for path in _SOURCES for event in events_in(path.read_text(encoding="utf-8"))}
    assert {"rehearsal", "enrolment", "sessions-ended", "staff-closed", "bootstrap-used"} <= source
    return source | set(re.findall(r"`([a-z-]+)`", listed))


def _is_judged(event: str) -> bool:
    """Whether a code is judged in it: then it has a sentence for each outcome."""
    return {f"{event}-accepted", f"{event}-refused"} <= WORDS.keys()


def expected() -> set[str]:
    """The names of all clauses that there can be."""
    logins = {means for means in Means if means not in written_events()}  # else events themselves
    judged = set(Cause) - _UNJUDGED - {Cause.WRONG}
    return {
        *(event for event in written_events() - _TOLD_OTHERWISE if not _is_judged(event)),
        *(f"login-{means}" for means in logins),
        *(f"wrong-{means}" for means in logins),
        *(f"refused-{cause}" for cause in judged),
        *(f"refused-{cause}-at" for cause in _BEHIND),
        *(f"{what}-{side}" for what in ("failures", "suspended") for side in Side),
        *(f"turned-away-{cause}" for cause in _UNJUDGED),
        *(f"approval-{verdict}" for verdict in Verdict),
        *("replacement", "replacement-ordered"),  # beside an opposition, or in place of it
        "bank-card-replaced",  # beside one that was given
        UNREADABLE,
    }


def test_every_event_and_every_cause_has_a_sentence() -> None:
    """Whoever adds one to the bank adds its sentence."""
    assert expected() <= WORDS.keys()
    assert set(Kind) <= KINDS.keys()
    assert set(Door) <= DOORS.keys()


@pytest.mark.parametrize("name", WORDS)
def test_both_languages_say_the_same(name: str) -> None:
    """With the same places."""
    english = translator(Language.ENGLISH)(WORDS[name])
    assert english != WORDS[name]
    places = [
        sorted(place for _, place, _, _ in Formatter().parse(text) if place)
        for text in (WORDS[name], english)
    ]
    assert places[0] == places[1]


def test_a_used_code_and_one_that_was_overtaken() -> None:
    """As the help line reads them."""
    places = {"atc": 812, "last_atc": 815}
    assert speaker().sentence(Clause("refused-overtaken-at", places, (1,))) == (
        "Code refusé\xa0: remplacé par un plus récent (carte ••••1234, compteur 812, dernier "
        "accepté 815)."
    )
    assert speaker(Language.ENGLISH).sentence(Clause("refused-used-at", places, (7,))) == (
        "Code refused: it has been used already (card no. 7, counter 812, last accepted 815)."
    )


def test_people_moments_and_kinds() -> None:
    """Staff by name and code, the customer as such, others as they were written."""
    verdict = Clause("approval-approved", {"kind": "lift-hold", "asked_by": "K7P2M4X"})
    assert speaker().sentence(verdict) == (
        "Accordé\xa0: levée du blocage d’une carte. Demandé par Ada Lemoine (K7P2M4X)."
    )
    people = ("K7P2M4X", "VERA2345", "0000000", "Maître Aubry")
    assert [speaker().person(one) for one in people] == [
        "Ada Lemoine (K7P2M4X)",
        "l’abonné",
        "la banque elle-même",
        "Maître Aubry",
    ]
    until = (_NOW + timedelta(minutes=15)).isoformat(timespec="microseconds")
    said = speaker().sentence(Clause("suspended-open", {"until": until}))
    assert said == "Trop d’échecs\xa0: accès suspendu jusqu’à\xa010\xa0h\xa015."
    assert speaker().sentence(Clause("suspended-open", {"until": "?"})).endswith("?.")


def test_what_values_stand_for() -> None:
    """Reasons, letters and kinds in words; what has none as the line has it."""
    ordered = Clause("card-ordered", {"reason": "stolen"})
    assert speaker().sentence(ordered) == "Carte commandée (carte volée)."
    said = {
        reason: speaker().sentence(Clause("card-ordered", {"reason": reason})) for reason in Reason
    }
    assert not [reason for reason, sentence in said.items() if f"({reason})" in sentence]
    assert speaker().sentence(Clause("card-ordered", {"reason": "x"})) == "Carte commandée (x)."
    opposed = Clause("opposition", {"reason": "lost"}, (1, 2))
    assert speaker().sentence(opposed).startswith("Opposition\xa0: carte ••••1234, carte n°\xa02")
    assert "aucune carte" in speaker().sentence(Clause("opposition", {"reason": "lost"}))


def test_bank_cards() -> None:
    """Each card by its own last digits, and on whose word one ended."""
    said = speaker().sentence
    assert said(Clause("bank-card-given", {}, (1,))) == (
        "Carte bancaire ajoutée (carte ••••1234), d’après le service des cartes."
    )
    assert said(Clause("bank-card-replaced", {}, (1,))) == (
        "Carte retirée (carte ••••1234)\xa0: la carte bancaire ajoutée la remplace."
    )
    assert said(Clause("bank-card-ended", {}, (1,))) == (
        "Carte retirée (carte ••••1234), d’après le service des cartes."
    )


def test_an_event_of_a_later_version() -> None:
    """It says plainly that there are no words for it, also where only places are missing."""
    for clause in (Clause("teleported"), Clause("login-code")):
        said = speaker().sentence(clause)
        assert "version plus récente" in said
        assert clause.name in said
    entry = Entry(version=1, at=_NOW, clauses=(Clause("teleported"),), door="moon")
    assert speaker().door(entry) == "moon"
    assert speaker().when(entry) == "à\xa010\xa0h"
