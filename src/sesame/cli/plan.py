"""`sesame plan`: what a bitmap and the bank's limits come to, before any card is ordered.

It opens nothing and asks nobody: whoever chooses bits, window and limits sees what they cost.
"""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

from sesame.bank.limits import Limits
from sesame.bank.planning import (
    DAYS,
    SPEEDS,
    Campaign,
    Guessing,
    Habits,
    Layout,
    OutOfStep,
    guessing,
    lose_step,
    spray,
)
from sesame.cap.errors import ProfileError
from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, PROFILES
from sesame.catalogue import N_, Language
from sesame.cli.drawing import check_writable, write_drawing
from sesame.cli.inputs import Unusable
from sesame.cli.language import language_of, say
from sesame.cli.plan_plot import Curve, draw

_LOGINS_LIVED = 400_000  # in the simulation of what is asked for
_OTHERS_LIVED = 100_000  # in that of each other layout
_FEWEST_LIVED = 50  # customers, however often they sign in
_MOST = 100_000_000  # customers


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `plan` to the tree of commands."""
    parser = commands.add_parser(
        "plan", help=say("Dire ce que valent un bitmap et les limites de la banque")
    )
    parser.add_argument(
        "--profile",
        default=BANK_CARD.name,
        choices=sorted(PROFILES),
        metavar="PROFILE",
        help=say("le profil de la carte\u00a0: {names}").format(names=", ".join(sorted(PROFILES))),
    )
    parser.add_argument(
        "--bitmap", metavar="HEX", help=say("un autre bitmap (9F56) pour ce profil")
    )
    parser.add_argument(
        "--window",
        type=int,
        metavar="ATCS",
        help=say("la fenêtre, en compteurs (sinon, ce que permettent les bits)"),
    )
    parser.add_argument(
        "--cards", type=int, default=1, metavar="N", help=say("cartes par client (1 ou 2)")
    )
    for name, default, text in (
        ("--customers", 100_000, N_("clients de la banque ({default})")),
        ("--logins", 0.3, N_("connexions par client et par jour ({default})")),
        ("--payments", 1.5, N_("transactions de la carte hors connexion, par jour ({default})")),
        ("--unused", 0.05, N_("codes faits et jamais tapés, par jour ({default})")),
    ):
        parser.add_argument(
            name,
            type=type(default),
            default=default,
            metavar="N",
            help=say(text).format(default=default),
        )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help=say("la graine du hasard (1)")
    )
    parser.add_argument(
        "--json", action="store_true", help=say("écrire le résultat en JSON (pour un programme)")
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.svg", help=say("dessiner le choix dans ce fichier")
    )
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class Other:
    """What as many bits would come to, shared out otherwise."""

    layout: Layout
    a_try: float
    lost_a_year: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is said of one choice."""

    layout: Layout
    habits: Habits
    customers: int
    cards: int
    guessing: Guessing
    campaigns: dict[str, Campaign]  # by speed, each of a year
    out_of_step: OutOfStep
    others: Sequence[Other]


def run(arguments: argparse.Namespace) -> int:
    """Print the plan, and draw it where that is asked for.

    Raises:
        Unusable: what was given makes no plan, or the drawing cannot be written.
    """
    _check(arguments)
    if arguments.plot is not None:
        check_writable(arguments.plot)
    plan = _plan(arguments)
    if arguments.json:
        print(json.dumps(_members(plan), indent=2))
    else:
        print(*_lines(plan), sep="\n")
    if arguments.plot is not None:
        write_drawing(arguments.plot, _drawn(plan))
    return 0


def _plan(arguments: argparse.Namespace) -> Plan:
    layout = _layout(arguments)
    habits = Habits(logins=arguments.logins, payments=arguments.payments, unused=arguments.unused)
    customers, cards, limits = arguments.customers, arguments.cards, Limits()

    def live(one: Layout, logins: int) -> OutOfStep:
        lived = min(customers, max(_FEWEST_LIVED, round(logins / (habits.logins * DAYS))))
        # Each from the same seed: they differ by their bits, not by their luck.
        return lose_step(one, habits, Random(arguments.seed), customers=lived)  # noqa: S311 -- a model

    return Plan(
        layout=layout,
        habits=habits,
        customers=customers,
        cards=cards,
        guessing=guessing(layout, cards, limits),
        campaigns={name: spray(customers, speed, limits) for name, speed in SPEEDS.items()},
        out_of_step=live(layout, _LOGINS_LIVED),
        others=[
            Other(
                other, guessing(other, cards, limits).a_try, live(other, _OTHERS_LIVED).lost_a_year
            )
            for other in layout.others()
        ],
    )


def _layout(arguments: argparse.Namespace) -> Layout:
    profile = PROFILES[arguments.profile]
    if arguments.bitmap is not None:
        profile = _with_bitmap(profile, arguments.bitmap)
    layout = Layout.of(profile)
    if arguments.window is None:
        return layout
    if not 1 <= arguments.window <= _WIDEST:
        raise Unusable(say("Une fenêtre va de 1 à {most} compteurs.").format(most=_WIDEST))
    return replace(layout, window=arguments.window)


_WIDEST = 0xFFFF


def _with_bitmap(profile: Profile, text: str) -> Profile:
    try:
        return replace(profile, ipb=bytes.fromhex(text))
    except ValueError:
        raise Unusable(
            say("Un bitmap s’écrit en hexadécimal\u00a0: 8000FF000000000001FFFF.")
        ) from None
    except ProfileError as error:
        raise Unusable(
            say("Ce bitmap ne convient pas à {name}\u00a0: {reason}").format(
                name=profile.name, reason=error
            )
        ) from None


def _check(arguments: argparse.Namespace) -> None:
    if not 1 <= arguments.customers <= _MOST:
        raise Unusable(say("Une banque a de 1 à {most} clients.").format(most=_MOST))
    if not 1 <= arguments.cards <= Limits().cards:
        raise Unusable(say("Un client a une ou deux cartes."))
    if not _SELDOM <= arguments.logins <= _OFTEN:
        raise Unusable(
            say("Les connexions par jour\u00a0: de {least} à {most}.").format(
                least=_SELDOM, most=_OFTEN
            )
        )
    if not all(0 <= rate <= _OFTEN for rate in (arguments.payments, arguments.unused)):
        raise Unusable(
            say("Transactions et codes par jour\u00a0: de 0 à {most}.").format(most=_OFTEN)
        )


_SELDOM = 0.001  # a day: of logins; more seldom nobody would be seen in a year that is lived
_OFTEN = 100  # a day


# ── In words ─────────────────────────────────────────────────────────────────────────────────────

_SPEED_NAMES = {
    "hour": N_("en une heure"),
    "day": N_("en un jour"),
    "month": N_("en un mois"),
    "year": N_("en un an"),
}


def _lines(plan: Plan) -> Iterator[str]:
    layout, chances, step = plan.layout, plan.guessing, plan.out_of_step
    yield say(
        "Bits du code\u00a0: {atc} du compteur, {ac} du cryptogramme, {other} sans secret. "
        "Fenêtre\u00a0: {window}."
    ).format(
        atc=layout.atc_bits,
        ac=layout.ac_bits,
        other=layout.other_bits,
        window=layout.window,
    )
    if layout.candidates > 1:
        yield say(
            "La fenêtre dépasse ce que disent les bits\u00a0: un même code y vient de {candidates} "
            "compteurs à la fois."
        ).format(candidates=layout.candidates)
    yield ""
    yield say(
        "Deviner, en connaissant un code utilisateur (cartes par client\u00a0: {cards})"
    ).format(cards=plan.cards)
    for text, chance in (
        (N_("un essai"), chances.a_try),
        (N_("jusqu’à la suspension"), chances.a_cycle),
        (N_("en trente jours, avant les deux codes"), chances.a_month),
        (N_("en un an, par codes seuls"), chances.a_year),
        (N_("en un an, par deux codes, sans relâche"), chances.by_pairs),
    ):
        yield f"  {say(text):<44} {_one_in(chance):>20}"
    yield ""
    yield say(
        "Essayer un code chez chacun, un million d’essais ({customers} clients)\u00a0:"
    ).format(customers=_grouped(plan.customers))
    yield " " * 18 + say("vus après     chance   jugés en un an   chance")
    for name, one in plan.campaigns.items():
        until = one.until_pressed
        seen = say("jamais") if until is None else str(until)
        lucky = "–" if until is None else f"{until * chances.a_try:.3f}"
        yield (
            f"  {say(_SPEED_NAMES[name]):<16}{seen:>11} {lucky:>10} {one.guesses:>16} "
            f"{one.guesses * chances.a_try:>8.2f}"
        )
    yield ""
    yield say(
        "Perdre le pas, pour mille clients et par an (de {customers} simulés, {logins} "
        "connexions)\u00a0:"
    ).format(customers=step.customers, logins=step.logins)
    for text, number in (
        (N_("codes bons refusés, que deux codes réparent"), step.lost_a_year),
        (N_("trop loin même pour deux codes"), step.beyond_a_year),
    ):
        yield f"  {say(text):<48} {number:>10.2f}"
    yield ""
    yield say("Autant de bits, partagés autrement\u00a0:")
    yield "  " + say(
        "compteur  cryptogramme  fenêtre       un essai    refusés à tort, pour mille et par an"
    )
    for other in plan.others:
        mark = "→" if other.layout.atc_bits == layout.atc_bits else " "
        yield (
            f"{mark} {other.layout.atc_bits:>8} {other.layout.ac_bits:>13} "
            f"{other.layout.window:>8} {_one_in(other.a_try):>14} {other.lost_a_year:>12.2f}"
        )


def _one_in(chance: float) -> str:
    return say("1 sur {number}").format(number=_grouped(1 / chance))


def _grouped(number: float) -> str:
    """*number* as whole thousands are told apart in the language of this process."""
    grouped = f"{number:,.0f}"
    return (
        grouped if language_of(os.environ) is Language.ENGLISH else grouped.replace(",", "\u202f")
    )


def _members(plan: Plan) -> dict[str, object]:
    """The same for a program; chances and yearly numbers as they are."""
    a_try = plan.guessing.a_try
    campaigns = {
        name: {**asdict(one), "lucky": one.guesses * a_try} for name, one in plan.campaigns.items()
    }
    step = plan.out_of_step
    return {
        "layout": {**asdict(plan.layout), "candidates": plan.layout.candidates},
        "habits": asdict(plan.habits),
        "customers": plan.customers,
        "cards": plan.cards,
        "guessing": asdict(plan.guessing),
        "campaigns": campaigns,
        "out_of_step": {
            **asdict(step),
            "lost_a_year_of_1000": step.lost_a_year,
            "beyond_a_year_of_1000": step.beyond_a_year,
        },
        "others": [
            {**asdict(o.layout), "a_try": o.a_try, "lost_a_year_of_1000": o.lost_a_year}
            for o in plan.others
        ],
    }


def _drawn(plan: Plan) -> str:
    bits = [other.layout.atc_bits for other in plan.others]
    return draw(
        title=say("Bits du compteur\u00a0: ce que l’un gagne, l’autre le perd"),
        across=say("bits du compteur dans le code"),
        places=bits,
        chosen=plan.layout.atc_bits,
        curves=(
            Curve(say("chance d’un essai"), [other.a_try for other in plan.others]),
            Curve(
                say("refusés à tort, par client et par an"),
                [other.lost_a_year / 1000 for other in plan.others],
            ),
        ),
    )
