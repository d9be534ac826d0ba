"""`sesame card inspect`: what a card can do, in plain words, fit to be pasted in public.

Without `--transaction` nothing moves in the card. With it one code is made and not shown, for it
would be good at the bank; the PIN comes through the terminal or standard input, never as an
argument, which every user of the machine could read in the list of processes.
"""

import argparse
import json
import sys
from pathlib import Path

import msgspec

from sesame.cli.finding_words import finding_sentence
from sesame.cli.language import say
from sesame.cli.pin import (
    NOTHING_TYPED,
    ON_PAD,
    SEEN_HERE,
    NoPin,
    add_pin,
    consent,
    one_pin,
    tries_sentence,
)
from sesame.cli.report_words import lines, wrapped
from sesame.cli.sentences import sentence
from sesame.cli.slots import add_pcsc, slot_of
from sesame.cli.trace import vectors
from sesame.errors import SesameError
from sesame.reader.diagnosis import diagnose
from sesame.reader.inspection import Inspection
from sesame.reader.recording import ANY_PIN, Session
from sesame.reader.report import SCHEMA, Report, Verdict
from sesame.reader.slot import CLOCK, PinPadSlot


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `inspect` to the actions of `sesame card`."""
    parser = actions.add_parser(
        "inspect", help=say("Dire ce qu’une carte sait faire, sans rien de privé")
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "card", type=Path, nargs="?", metavar="CARDFILE", help=say("le fichier de la carte")
    )
    add_pcsc(parser, source)
    source.add_argument(
        "--trace", type=Path, metavar="FILE", help=say("des sessions enregistrées (JSON)")
    )
    parser.add_argument("--id", metavar="ID", help=say("ne prendre que cette session"))
    parser.add_argument("--json", action="store_true", help=say("écrire un objet JSON par carte"))
    parser.add_argument(
        "--transaction",
        action="store_true",
        help=say("faire aussi un code, sans le montrer\u00a0: cela compte un numéro de la carte"),
    )
    add_pin(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a report of the card, or of each recorded session; 1 where something was refused.

    Raises:
        SesameError: the card or the file cannot be used.
    """
    if arguments.trace is not None:
        return _run_trace(arguments)
    with slot_of(arguments) as slot:
        inspection = Inspection(slot)
        inspection.look(keep_power=arguments.transaction)
        status = 0
        if arguments.transaction:
            on_pad = isinstance(slot, PinPadSlot) and slot.pin_pad
            status = _transact(inspection, arguments, on_pad=on_pad)
    _print(diagnose(inspection.seen, CLOCK.today()), as_json=arguments.json)
    return status


def _run_trace(arguments: argparse.Namespace) -> int:
    status = 0
    for name, vector in vectors(arguments.trace, arguments.id):
        try:
            session = Session.to_inspect(vector)
        except SesameError as error:
            status = 1
            reason = sentence(error)
            members = json.dumps({"id": name, "refused": reason}, ensure_ascii=False)
            print(members if arguments.json else f"{name} refused: {reason}")
            continue
        inspection = Inspection(
            session.card,
            applications=session.applications,
            recorded=True,
            made_up=session.made_up,
            atr=_atr(vector),
        )
        inspection.look()
        # Nothing is spent: it was, when it was recorded.
        inspection.make_code(ANY_PIN, session.inputs, tries_agreed=inspection.tries_left)
        _print(diagnose(inspection.seen), as_json=arguments.json, name=name)
    return status


def _atr(vector: object) -> bytes | None:
    """What a recording says of the card's ATR, if that is hexadecimal."""
    written = vector.get("atr") if isinstance(vector, dict) else None
    try:
        return bytes.fromhex(written) if isinstance(written, str) else None
    except ValueError:
        return None


def _print(report: Report, *, as_json: bool, name: str | None = None) -> None:
    if as_json:
        print(json.dumps(members(report, name), ensure_ascii=False))
        return
    if name is not None:
        print(f"[{name}]")
    print("\n".join(wrapped(line) for line in lines(report)))
    if name is not None:
        print()


def members(report: Report, name: str | None = None) -> dict[str, object]:
    """The report as JSON has it: docs/reference/card-report.md."""
    of_report = msgspec.to_builtins(report)
    findings = [
        {
            "kind": finding.kind.value,
            "severity": finding.severity.value,
            "aid": finding.aid,
            "facts": dict(finding.facts),
            "says": finding_sentence(finding),
        }
        for finding in report.findings
    ]
    named = {} if name is None else {"id": name}
    return {**named, "schema": SCHEMA, **of_report, "findings": findings}


# ── One transaction ──────────────────────────────────────────────────────────────────────────────


def _transact(inspection: Inspection, arguments: argparse.Namespace, *, on_pad: bool) -> int:
    """Make one code with the holder's consent; 1 where that is refused."""
    tries = inspection.tries_left
    report = diagnose(inspection.seen, CLOCK.today())
    if report.verdict is Verdict.UNKNOWN:
        return _refuse(say("Pas de transaction\u00a0: la carte n’a pas répondu jusqu’à la fin."))
    if report.verdict is Verdict.NONE:
        return _refuse(say("Pas de transaction\u00a0: cette carte ne ferait pas de code."))
    _tell(tries, on_pad=on_pad)
    try:
        consent(tries, given=arguments.last_try)
        pin = one_pin(arguments, on_pad=on_pad)
    except NoPin as error:
        return _refuse(str(error))
    inspection.make_code(pin, tries_agreed=tries)
    if inspection.nothing_typed:
        return _refuse(say(NOTHING_TYPED))
    return 0


def _refuse(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


def _tell(tries: int | None, *, on_pad: bool) -> None:
    """What will happen, before anything does."""
    told = (
        say(
            "Un code va être fait, comme dans un lecteur, et ne sera pas montré. Le compteur de "
            "la carte avance d’un numéro, même si le code secret est faux."
        ),
        tries_sentence(tries),
        say(ON_PAD if on_pad else SEEN_HERE),
    )
    print("\n".join(told), file=sys.stderr)
