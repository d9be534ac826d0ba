"""`sesame simulate`: a bank with its customers lives for a year, in minutes.

It opens nothing and changes nothing: people, cards, keys and database are made from a seed and
are gone afterwards.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from sesame.bank.moments import from_row
from sesame.catalogue import N_, Language
from sesame.cli.drawing import check_writable, write_drawing
from sesame.cli.inputs import Unusable
from sesame.cli.language import language_of, say
from sesame.cli.sentences import SENTENCES
from sesame.cli.simulate_plot import Panel, Series, draw
from sesame.simulation.book import UNIT, WEEK, Book, Count
from sesame.simulation.errors import ServerGone
from sesame.simulation.lives import user_code_of
from sesame.simulation.model import Rule
from sesame.simulation.plan import START, Plan
from sesame.simulation.run import simulate
from sesame.simulation.server import Sentence
from sesame.simulation.shrinking import shortest_story
from sesame.simulation.world import Violation

_BROKEN = 3
_MOST_CUSTOMERS = 1_000_000
_MOST_DAYS = 8 * 365  # cards last until then
_MOST_PROCESSES = 64


SENTENCES[ServerGone] = N_(
    "Un processus de la simulation s’est arrêté avant l’heure. Manque-t-il de la mémoire\u202f? "
    "Essayez --processes 1\u00a0: la même graine recommence la même année."
)


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `simulate` to the tree of commands."""
    parser = commands.add_parser(
        "simulate", help=say("Vivre une année de la banque en quelques minutes")
    )
    add_plan(parser, customers=1_000, days=90)
    parser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help=say("1\u00a0: tout dans un seul processus (sinon, selon la machine)"),
    )
    add_results(parser)
    parser.set_defaults(run=run)


def add_plan(parser: argparse.ArgumentParser, *, customers: int, days: int) -> None:
    """Let *parser* take what is to be lived: so many customers and days, and a seed."""
    for name, default, text in (
        ("--customers", customers, N_("clients de la banque ({default})")),
        ("--days", days, N_("jours vécus ({default})")),
        ("--seed", 1, N_("la graine du hasard ({default})")),
    ):
        parser.add_argument(
            name, type=int, default=default, metavar="N", help=say(text).format(default=default)
        )


def add_results(parser: argparse.ArgumentParser) -> None:
    """Let *parser* take how the result is told: for a program, and drawn."""
    parser.add_argument(
        "--json", action="store_true", help=say("écrire le résultat en JSON (pour un programme)")
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.svg", help=say("dessiner les semaines dans ce fichier")
    )


def run(arguments: argparse.Namespace) -> int:
    """Live it, and print what was counted; or the shortest story of what must not be.

    Raises:
        Unusable: what was given makes no bank, or the drawing cannot be written.
    """
    _check(arguments)
    if arguments.plot is not None:
        check_writable(arguments.plot)
    plan = Plan.of(arguments.customers, arguments.days, arguments.seed)
    began = time.monotonic()
    try:
        book = simulate(plan, processes=_processes(arguments), progress=_progress)
    except Violation as violation:
        _clear_progress()
        print(*_broken(plan, violation), sep="\n")
        return _BROKEN
    _clear_progress()
    if arguments.json:
        print(json.dumps(_members(plan, book), indent=2))
    else:
        print(*_lines(plan, book), sep="\n")
    # Apart from the result, which is the same each time.
    rate = book.total[Count.LOGINS] / (time.monotonic() - began)
    said = say("{rate} connexions simulées par seconde").format(rate=grouped(rate))
    print(said, file=sys.stderr)
    if arguments.plot is not None:
        write_drawing(arguments.plot, _drawn(plan, book))
    return 0


def _check(arguments: argparse.Namespace) -> None:
    for name, value, most in (
        ("--customers", arguments.customers, _MOST_CUSTOMERS),
        ("--days", arguments.days, _MOST_DAYS),
        ("--processes", _processes(arguments), _MOST_PROCESSES),
    ):
        if not 1 <= value <= most:
            raise Unusable(say("{name}\u00a0: de 1 à {most}.").format(name=name, most=most))


def _processes(arguments: argparse.Namespace) -> int:
    given: int | None = arguments.processes
    return min(os.cpu_count() or 1, _MOST_PROCESSES) if given is None else given


def _progress(share: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{share:4.0%}", end="", file=sys.stderr, flush=True)


def _clear_progress() -> None:
    if sys.stderr.isatty():
        print("\r    \r", end="", file=sys.stderr, flush=True)


# ── What must not be ─────────────────────────────────────────────────────────────────────────────

_RULES = {
    Rule.ATC_AGAIN: N_("un compteur a été accepté deux fois, ou après un plus grand (invariant 1)"),
    Rule.UNSURE: N_(
        "après une restauration, une carte a été acceptée sans réponse à un nouveau nombre "
        "(invariant 1)"
    ),
    Rule.SIX_IN_A_ROW: N_("plus de cinq échecs de suite sans suspension (invariant 2)"),
    Rule.UNCOUNTED: N_("un échec n’est pas compté comme il doit l’être (invariant 2)"),
    Rule.WITHOUT_PIN: N_("un code fait sans le bon code secret a été accepté (invariant 3)"),
    Rule.NO_LOGIN_CODE: N_("un code d’une autre touche a servi à se connecter (invariant 4)"),
    Rule.NOT_ALIKE: N_("un code utilisateur de personne se reconnaît à la réponse (invariant 5)"),
    Rule.COST: N_("un bon code, dans sa fenêtre, a été refusé (invariant 10)"),
    Rule.TOO_FAR: N_("un seul code a été accepté d’au-delà de sa fenêtre (invariant 10)"),
    Rule.TURNED_AWAY: N_(
        "un bon code n’a pas été jugé, ou deux ont été demandés, sans que les règles le disent "
        "(invariant 10)"
    ),
    Rule.NOT_ENDED: N_("ce qui était terminé ou en opposition sert encore (invariant 11)"),
    Rule.NOBODYS_CODE: N_("un code qu’aucune carte ne fait a été accepté"),
    Rule.LINE: N_("la ligne du journal ne dit pas ce qui a été jugé"),
    Rule.OTHERWISE: N_("la réponse n’est pas celle que donnent les règles"),
}


def _broken(plan: Plan, violation: Violation) -> Iterator[str]:
    yield say("La banque a fait ce qu’elle ne doit pas\u00a0: {rule}.").format(
        rule=say(_RULES[violation.rule])
    )
    yield say("Graine {seed}, {customers} clients, {days} jours\u202f; {who}, le {moment}.").format(
        seed=plan.seed,
        customers=plan.customers,
        days=plan.days,
        who=user_code_of(plan, violation.who),
        moment=_moment(violation.at),
    )
    story = shortest_story(plan, violation)
    if story is None:
        yield say(
            "Cela n’arrive pas à ce code utilisateur seul\u00a0: relancez avec la même graine pour "
            "le revoir."
        )
        return
    yield say("L’histoire la plus courte qui le montre\u00a0:")
    for sentence in story.sentences:
        yield _told(sentence)
    if story.violation.detail:
        yield say("  Attendu / obtenu\u00a0: {detail}").format(detail=story.violation.detail)


def _told(sentence: Sentence) -> str:
    values = {
        name: say(value) if isinstance(value, str) else value
        for name, value in sentence.values.items()
    }
    return f"  {_moment(sentence.at)}  {say(sentence.text).format(**values)}"


def _moment(at: int) -> str:
    moment = from_row(at)
    day = (moment - from_row(START)).days + 1
    return say("jour {day}, {hour}").format(day=day, hour=f"{moment:%H:%M:%S}")


# ── What was counted ─────────────────────────────────────────────────────────────────────────────

_TABLE = (
    (
        N_("Codes des clients"),
        (
            (Count.IN_WINDOW, N_("bons codes, dans la fenêtre")),
            (Count.TYPED_LATE, N_("  tapés tard")),
            (Count.WRONGLY_REFUSED, N_("  refusés")),
            (Count.OUT_OF_STEP, N_("bons codes refusés, carte en avance")),
            (Count.HEALED, N_("remis au pas par deux codes")),
            (Count.NOT_HEALED, N_("trop loin même pour deux codes")),
            (Count.TWO_CARDS, N_("allant par hasard aux deux cartes")),
            (Count.OVERTAKEN, N_("bons codes refusés, carte déjà plus loin")),
            (Count.UNSURE, N_("bons codes refusés, après une restauration")),
            (Count.MISTYPED, N_("codes mal tapés, refusés")),
        ),
    ),
    (
        N_("Ce qui arrête quelqu’un"),
        (
            (Count.SUSPENDED_BY_OWNER, N_("suspensions par les erreurs du client")),
            (Count.SUSPENDED_BY_STRANGER, N_("suspensions par des inconnus")),
            (Count.OWNER_TURNED_AWAY, N_("clients trouvant leur accès suspendu")),
            (Count.TWO_CODES_ASKED, N_("clients à qui deux codes sont demandés")),
            (Count.TWO_CODES_FOR_OTHERS, N_("  à cause de leur adresse")),
            (Count.OWNER_ADDRESS_CLOSED, N_("clients trouvant leur adresse fermée")),
        ),
    ),
    (
        N_("Appels au guichet"),
        (
            (Count.DESK_LOST, N_("carte perdue")),
            (Count.DESK_BLOCKED, N_("code secret bloqué")),
            (Count.DESK_STUCK, N_("ne parvient pas à se connecter")),
        ),
    ),
    (
        N_("Inconnus"),
        (
            (Count.GUESSES, N_("codes devinés et jugés")),
            (Count.GUESSES_TURNED_AWAY, N_("codes devinés, non jugés")),
            (Count.USED_AGAIN, N_("codes déjà servis ou dépassés, refusés")),
            (Count.KEPT, N_("codes gardés d’avant une restauration, refusés")),
            (Count.WITHOUT_PIN, N_("codes d’une carte volée sans code secret, refusés")),
            (
                Count.WRONG_MODE,
                N_("codes de «\u00a0Signer\u00a0» ou «\u00a0Répondre\u00a0», refusés"),
            ),
            (Count.PHISHED, N_("codes frais donnés à un faux site, acceptés")),
        ),
    ),
    (
        N_("La banque"),
        (
            (Count.REQUESTS, N_("demandes")),
            (Count.JUDGED, N_("  jugées")),
            (Count.CODES, N_("codes faits par les cartes")),
            (Count.THROWN_AWAY, N_("  jetés")),
            (Count.PAYMENTS, N_("paiements")),
            (Count.CRASHES, N_("pannes au milieu d’une écriture")),
            (Count.CLICKED_TWICE, N_("doubles clics")),
            (Count.SESSIONS_ENDED, N_("sessions terminées, et vérifiées")),
            (Count.RESTORES, N_("sauvegardes remises en place")),
            (Count.REPLAYED, N_("  lignes du flux rejouées")),
            (Count.CHALLENGES, N_("  nombres donnés à recopier aux clients")),
            (Count.RESPONDED, N_("  réponses acceptées")),
            (Count.CHALLENGE_OVER, N_("  réponses venues trop tard")),
            (Count.PRESSED_ALL, N_("deux codes demandés à tous les ordinateurs inconnus")),
            (Count.PRESSED_ADDRESS, N_("deux codes demandés, à cause d’une adresse")),
            (Count.ADDRESS_CLOSED, N_("demandes non jugées, adresse fermée")),
        ),
    ),
)


def _lines(plan: Plan, book: Book) -> Iterator[str]:
    yield say(
        "{customers} clients, {days} jours, graine {seed}\u00a0: {logins} connexions."
    ).format(
        customers=grouped(plan.customers),
        days=plan.days,
        seed=plan.seed,
        logins=grouped(book.total[Count.LOGINS]),
    )
    for title, rows in _TABLE:
        yield ""
        yield say(title)
        for what, name in rows:
            yield f"  {say(name):<56} {grouped(book.total[what]):>12}"
    yield ""
    yield say(
        "Codes devinés ou mal tapés qui étaient justes\u00a0: {lucky}, pour {expected} attendus."
    ).format(lucky=book.total[Count.LUCKY], expected=f"{book.expected / UNIT:.4f}")


def _members(plan: Plan, book: Book) -> dict[str, object]:
    """The same for a program, and week by week."""
    return {
        "customers": plan.customers,
        "days": plan.days,
        "seed": plan.seed,
        "total": {what.value: book.total[what] for what in Count},
        "lucky_expected": book.expected / UNIT,
        "weeks": [
            {
                **{what.value: times for what in Count if (times := _week(book, week, what))},
                "lucky_expected": book.expected_by_week[week] / UNIT,
            }
            for week in range(_weeks(plan))
        ],
    }


def _weeks(plan: Plan) -> int:
    return -(-(plan.ends - START) // WEEK)


def _week(book: Book, week: int, what: Count) -> int:
    return book.weeks[week][what] if week in book.weeks else 0


def grouped(number: float) -> str:
    """*number* without decimals, its thousands apart as the language has them."""
    plain = f"{number:,.0f}"
    return plain if language_of(os.environ) is Language.ENGLISH else plain.replace(",", "\u202f")


def _drawn(plan: Plan, book: Book) -> str:
    weeks = range(_weeks(plan))

    def counted(*names: tuple[Count, str]) -> Sequence[Series]:
        return [
            Series(say(name), [_week(book, week, what) for week in weeks]) for what, name in names
        ]

    lucky = list(accumulate(_week(book, week, Count.LUCKY) for week in weeks))
    expected = list(accumulate(book.expected_by_week[week] / UNIT for week in weeks))
    return draw(
        title=say("{customers} clients, semaine par semaine (graine {seed})").format(
            customers=grouped(plan.customers), seed=plan.seed
        ),
        across=say("semaine"),
        panels=(
            Panel(
                say("Bons codes refusés à leur client"),
                counted(
                    (Count.WRONGLY_REFUSED, N_("dans la fenêtre")),
                    (Count.OUT_OF_STEP, N_("carte en avance")),
                    (Count.HEALED, N_("remis au pas par deux codes")),
                ),
            ),
            Panel(
                say("Suspensions"),
                counted(
                    (Count.SUSPENDED_BY_OWNER, N_("par les erreurs du client")),
                    (Count.SUSPENDED_BY_STRANGER, N_("par des inconnus")),
                ),
            ),
            Panel(
                say("Appels au guichet"),
                counted(
                    (Count.DESK_LOST, N_("carte perdue")),
                    (Count.DESK_BLOCKED, N_("code secret bloqué")),
                    (Count.DESK_STUCK, N_("ne parvient pas à se connecter")),
                ),
            ),
            Panel(
                say("Codes devinés justes, depuis le début"),
                [
                    Series(say("trouvés"), lucky),
                    Series(say("attendus par le calcul"), expected),
                ],
            ),
        ),
    )
