"""`sesame trace`: recorded sessions, played against our reader.

One line a vector. Its keywords are for programs and the same in every language; what follows
`refused:` is for people.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES, sentence
from sesame.errors import Worded
from sesame.reader.errors import (
    CardBlocked,
    CardDeclines,
    CommandDiffers,
    ModeUnknown,
    ModeWithoutCode,
    NotRecordings,
    PartMissing,
    SchemeUnknown,
)
from sesame.reader.recording import Played, Result, name_of, play, read


class NothingToPlay(Worded):
    """The file holds no such vector. The message is for people, in their language."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `trace` to the tree of commands."""
    parser = commands.add_parser(
        "trace", help=say("Rejouer des sessions de cartes enregistrées avec notre lecteur")
    )
    parser.add_argument("file", type=Path, metavar="FILE", help=say("les sessions (JSON)"))
    parser.add_argument("--id", metavar="ID", help=say("ne rejouer que cette session"))
    parser.add_argument("--json", action="store_true", help=say("écrire un objet JSON par session"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print one line a vector; 1 where one of them is otherwise than it says itself.

    Raises:
        NothingToPlay: the file cannot be read, is no recordings, or lacks the vector wanted.
    """
    write = _as_json if arguments.json else _as_text
    failed = False
    for name, vector in vectors(arguments.file, arguments.id):
        played = play(vector)
        failed = failed or played.failed
        print(write(name, played))
    return 1 if failed else 0


def vectors(path: Path, wanted: str | None) -> Iterator[tuple[str, object]]:
    """The vectors of the file *path* with their names; only the one called *wanted*, if any.

    Raises:
        NothingToPlay: the file cannot be read, is no recordings, or lacks the vector wanted.
    """
    try:
        all_of_them = read(path.read_bytes())
    except OSError as error:
        raise NothingToPlay(
            say("{path}\u00a0: le système refuse ({reason}). Vérifiez le chemin.").format(
                path=path, reason=error.strerror or error
            )
        ) from None
    except NotRecordings as error:
        raise NothingToPlay(
            say(
                "{path}\u00a0: ce fichier n’est pas un recueil de sessions. Il y faut\u00a0: "
                "{needed}."
            ).format(path=path, needed=error.needed)
        ) from None
    named = [(name_of(vector, position), vector) for position, vector in enumerate(all_of_them, 1)]
    found = [pair for pair in named if wanted in (None, pair[0])]
    if wanted is not None and not found:
        raise NothingToPlay(
            say("{path}\u00a0: aucune session ne s’y appelle {id}.").format(path=path, id=wanted)
        )
    return iter(found)


def _as_text(name: str, played: Played) -> str:
    if played.refusal is not None:
        return f"{name} refused: {sentence(played.refusal)}"
    expected = "" if played.expected is None else f" expected={played.expected}"
    verdict = Result.DIFFERS if played.result is Result.DIFFERS else Result.OK
    return f"{name} shown={played.shown}{expected} {verdict}"


def _as_json(name: str, played: Played) -> str:
    members = {"id": name, "result": played.result}
    numbers = {"shown": played.shown, "expected": played.expected}
    refusal: dict[str, str] = {}
    if played.refusal is not None:
        refusal["reason"] = sentence(played.refusal)
    if isinstance(played.refusal, CommandDiffers):
        refusal |= {"sent": played.refusal.sent, "recorded": played.refusal.recorded}
    known = {member: number for member, number in numbers.items() if number is not None}
    return json.dumps({**members, **known, **refusal}, ensure_ascii=True)


SENTENCES |= {
    CardBlocked: N_("la carte est bloquée"),
    CardDeclines: N_("la carte décline\u00a0: elle répond {answer} à GENERATE AC"),
    CommandDiffers: N_(
        "{name} n’est pas comme enregistré\u00a0: à partir de l’octet {at}, {ours} au lieu de "
        "{theirs}"
    ),
    ModeUnknown: N_("mode inconnu\u00a0: {mode}"),
    ModeWithoutCode: N_(
        "le mode DOL ne fait pas de code\u00a0: seules ses commandes sont comparées"
    ),
    PartMissing: N_("il manque {part}"),
    SchemeUnknown: N_("réseau inconnu\u00a0: {scheme}"),
}
