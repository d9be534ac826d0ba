"""`sesame switch-over`: a bank leaves the old code behind, in a minute.

It opens nothing and changes nothing: people, cards, keys and database are made from a seed and
are gone afterwards.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence

from sesame.bank.switching import Board, Reason, Way
from sesame.catalogue import N_
from sesame.cli.drawing import check_writable, write_drawing
from sesame.cli.inputs import Unusable
from sesame.cli.language import say
from sesame.cli.simulate import add_plan, add_results, grouped
from sesame.cli.simulate_plot import Panel, Series, draw
from sesame.simulation.run import crashes_expected
from sesame.simulation.switching import Campaign, Course, Stranded, live

_BROKEN = 3
_MOST_CUSTOMERS = 100_000
_MOST_DAYS = 3 * 365
_WEEK = 7

_WAYS = {
    Way.OLD_ONLY: N_("ancien code seulement"),
    Way.BOTH: N_("les deux codes"),
    Way.SESAME_ONLY: N_("code Sésame seulement"),
    Way.NONE: N_("aucun accès"),
}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `switch-over` to the tree of commands."""
    parser = commands.add_parser(
        "switch-over", help=say("Vivre le passage d’une banque au code Sésame")
    )
    add_plan(parser, customers=300, days=180)
    add_results(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Live it, and print how many had which code; or what must not be.

    Raises:
        Unusable: what was given makes no bank, or the drawing cannot be written.
    """
    for name, value, most in (
        ("--customers", arguments.customers, _MOST_CUSTOMERS),
        ("--days", arguments.days, _MOST_DAYS),
    ):
        if not 1 <= value <= most:
            raise Unusable(say("{name}\u00a0: de 1 à {most}.").format(name=name, most=most))
    if arguments.plot is not None:
        check_writable(arguments.plot)
    campaign = Campaign(customers=arguments.customers, days=arguments.days, seed=arguments.seed)
    try:
        with crashes_expected():
            course = asyncio.run(live(campaign))
    except Stranded as stranded:
        print(
            say("La banque a fait ce qu’elle ne doit pas\u00a0: {what}.").format(what=stranded),
            say("Graine {seed}, {customers} clients.").format(
                seed=campaign.seed, customers=campaign.customers
            ),
            sep="\n",
        )
        return _BROKEN
    if arguments.json:
        print(json.dumps(_members(campaign, course), indent=2))
    else:
        print(*_lines(campaign, course), sep="\n")
    if arguments.plot is not None:
        write_drawing(arguments.plot, _drawn(campaign, course))
    return 0


def _lines(campaign: Campaign, course: Course) -> Iterator[str]:
    yield say("{customers} clients, {days} jours, graine {seed}.").format(
        customers=grouped(campaign.customers), days=campaign.days, seed=campaign.seed
    )
    yield ""
    names = [say(name) for name in _WAYS.values()]
    day_title = say("jour")
    yield "  ".join([f"{day_title:>5}", *(f"{name:>21}" for name in names)])
    for day in _told(campaign):
        board = course.days[day]
        counts = [f"{grouped(board.of_way(way)):>21}" for way in _WAYS]
        yield "  ".join([f"{day + 1:>5}", *counts])
    yield ""
    for name, many in (
        (N_("connexions par l’ancien code"), course.by_old_code),
        (N_("connexions par un code Sésame"), course.by_code),
        (N_("  codes mal tapés, refusés"), course.failed),
        (N_("anciens codes refusés après le passage"), course.old_code_refused),
        (N_("cartes revenues, et renvoyées"), course.returned),
        (N_("lettres de rappel"), course.reminded),
        (N_("clients sans accès, un soir ou l’autre"), sum(course.of_way(Way.NONE))),
    ):
        yield f"  {say(name):<44} {grouped(many):>10}"


def _told(campaign: Campaign) -> Sequence[int]:
    """The days of the table: about a dozen, the last among them."""
    step = max(1, campaign.days // 12)
    return sorted({*range(0, campaign.days, step), campaign.days - 1})


def _members(campaign: Campaign, course: Course) -> dict[str, object]:
    return {
        "customers": campaign.customers,
        "days": campaign.days,
        "seed": campaign.seed,
        "by_old_code": course.by_old_code,
        "by_code": course.by_code,
        "failed": course.failed,
        "old_code_refused": course.old_code_refused,
        "returned": course.returned,
        "reminded": course.reminded,
        "ways": {way.value: course.of_way(way) for way in Way},
        "not_ready": {
            reason.value: [_because(board, reason) for board in course.days] for reason in Reason
        },
    }


def _because(board: Board, reason: Reason) -> int:
    return sum(many for standing, many in board.counts.items() if standing.reason is reason)


def _drawn(campaign: Campaign, course: Course) -> str:
    boards = course.days[_WEEK - 1 :: _WEEK] or course.days[-1:]

    def because(*reasons: tuple[Reason, str]) -> list[Series]:
        return [
            Series(say(name), [_because(board, reason) for board in boards])
            for reason, name in reasons
        ]

    return draw(
        title=say("{customers} clients passent au code Sésame (graine {seed})").format(
            customers=grouped(campaign.customers), seed=campaign.seed
        ),
        across=say("semaine"),
        panels=(
            Panel(
                say("Ce qui ouvre le compte"),
                [
                    Series(say(_WAYS[way]), [board.of_way(way) for board in boards])
                    for way in (Way.OLD_ONLY, Way.BOTH, Way.SESAME_ONLY)
                ],
            ),
            Panel(
                say("Aucun accès"),
                [Series(say(_WAYS[Way.NONE]), [board.of_way(Way.NONE) for board in boards])],
            ),
            Panel(
                say("Pas prêts\u00a0: ce que la banque doit faire"),
                because(
                    (Reason.NOT_ORDERED, N_("carte pas commandée")),
                    (Reason.NOT_POSTED, N_("carte pas postée")),
                    (Reason.RETURNED, N_("courrier revenu")),
                ),
            ),
            Panel(
                say("Pas prêts\u00a0: ce que le client doit faire"),
                because(
                    (Reason.NOT_ACTIVATED, N_("carte pas activée")),
                    (Reason.NEVER_TRIED, N_("jamais essayé")),
                    (Reason.TRIED_AND_FAILED, N_("essayé sans succès")),
                ),
            ),
        ),
    )
