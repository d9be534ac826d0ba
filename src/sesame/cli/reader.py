"""`sesame reader`: the reader in the terminal, on the full screen or as plain text."""

import argparse
import os
import sys

from sesame.catalogue import Language, translator
from sesame.cli.language import language_of, say
from sesame.cli.pin import ON_PAD, SEEN_HERE, WHAT_HAPPENS
from sesame.cli.sentences import sentence
from sesame.cli.slots import add_card, slot_of
from sesame.cli.tracing import Trace, add_tracing
from sesame.errors import SesameError
from sesame.reader.machine import DisplayTime, Reader
from sesame.reader.pcsc_slot import PcscSlot
from sesame.reader.recorder import recorder_of
from sesame.reader.virtual_slot import VirtualSlot
from sesame.terminal.device import Device
from sesame.terminal.plain import run_plain

_FILE_WAIT = 1.0  # seconds for a card that another program is using


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `reader` to the tree of commands."""
    parser = commands.add_parser("reader", help=say("Ouvrir un lecteur dans le terminal"))
    add_card(parser)
    parser.add_argument(
        "--plain",
        action="store_true",
        help=say("en texte seul, pour une plage braille ou une synthèse vocale"),
    )
    parser.add_argument(
        "--time",
        choices=[time.value for time in DisplayTime],
        metavar="TIME",
        default=DisplayTime.SHORT.value,
        help=say(
            "combien de secondes un code reste affiché\u00a0: 35, 90, ou until-key, jusqu’à ce "
            "qu’on appuie sur C"
        ),
    )
    parser.add_argument(
        "--language",
        choices=[language.value for language in Language],
        metavar="LANG",
        help=say("la langue du lecteur, fr ou en, au lieu de celle du terminal"),
    )
    add_tracing(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Open the reader with its card in it, until its holder quits.

    Returns:
        0; or 1, with a sentence on standard error, where the card cannot be used.

    Raises:
        NoTrace: the trace that is wanted cannot be written.
    """
    named = arguments.language
    language = Language(named) if named else language_of(os.environ)
    reader = Reader(language=language, display_time=DisplayTime(arguments.time))
    trace = Trace(arguments)
    slot = slot_of(arguments, file_wait=_FILE_WAIT)
    recorder = recorder_of(slot, lambda: reader.inputs) if arguments.trace else None
    try:
        return _open(Device(reader, recorder or slot), slot, language, plain=arguments.plain)
    finally:
        if recorder is not None:
            trace.write(recorder)


def _silence_terminal_library() -> None:
    """Take away what would have it write into files what is typed, or shown.

    It looks once, when it is loaded.
    """
    for name in [name for name in os.environ if name.startswith("TEXTUAL")]:
        del os.environ[name]


def _open(device: Device, slot: VirtualSlot | PcscSlot, language: Language, *, plain: bool) -> int:
    def explain(error: SesameError) -> str:
        return sentence(error, language)

    said = []
    if isinstance(slot, PcscSlot):
        said.append(translator(language)(WHAT_HAPPENS))
        print(*said, file=sys.stderr)
    try:
        device.insert()
    except SesameError as error:
        print(explain(error), file=sys.stderr)
        return 1
    if isinstance(slot, PcscSlot):
        slot.wait = 0.0  # from now on the reader's display asks for a card
        said.append(translator(language)(ON_PAD if slot.pin_pad else SEEN_HERE))
    if plain or not _can_draw():
        print(*said[1:], sep="", end="\n" * bool(said), flush=True)
        run_plain(device, explain, sys.stdout)
    else:
        _silence_terminal_library()
        # Only here: the terminal library takes a while to load, and the plain face needs none.
        from sesame.terminal.full_screen import run_full_screen  # noqa: PLC0415

        run_full_screen(device, explain, " ".join(said))
    return 0


def _can_draw() -> bool:
    """Whether there is a terminal at both ends that can do more than lines."""
    streams = (sys.stdin, sys.stdout, sys.stderr)  # the library draws on the last one
    able = os.environ.get("TERM") not in {None, "", "dumb"}
    return able and all(stream is not None and stream.isatty() for stream in streams)
