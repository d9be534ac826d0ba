"""`sesame card plug`: a card file in a slot of the PC/SC service, until a signal ends it.

One line an event on standard output: a time, a word, fields. They are for programs too and the
same in every language, and never hold data of a command, so neither a PIN nor a card number.
What a person should do stands on standard error.
"""

import argparse
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from sesame.card.card_file import open_card, read_summary
from sesame.card.personalisation import atr
from sesame.card.plug import HOST, PORT, Address, Line, keep_plugged
from sesame.card.vpcd import PluggedCard
from sesame.catalogue import N_
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES
from sesame.emv.atr import Protocol, decode_atr
from sesame.errors import SesameError

_PROTOCOLS: Mapping[str, Protocol] = {"t0": Protocol.T0, "t1": Protocol.T1}
_HIGHEST_PORT = 65535
_THIS_MACHINE = "localhost"

_ADVICE: Mapping[Line, str] = {
    Line.WAITING: N_(
        "Personne ne répond à l’adresse {address}\u00a0: lancez le service PC/SC (pcscd) avec le "
        "pilote vpcd. Sésame l’attend."
    ),
    Line.SILENT: N_(
        "Le lecteur à l’adresse {address} ne demande rien\u00a0: une autre carte y est-elle "
        "déjà\u00a0? Le port suivant est un second lecteur."
    ),
}

_AWAY = N_(
    "{address} est peut-être une autre machine. Le code PIN et tout ce que dit la carte y vont en "
    "clair, et qui répond là-bas se sert de la carte\u00a0: prenez un tunnel chiffré (ssh) plutôt."
)


class LogUnwritable(SesameError):
    """Standard output takes no more lines; the card is out of the slot, and its file whole."""

    def __init__(self, refusal: OSError) -> None:
        super().__init__(f"the log cannot be written: {refusal.strerror}")
        self.reason = refusal.strerror


SENTENCES[LogUnwritable] = N_(
    "Le journal ne peut plus être écrit ({reason}). La carte est sortie du lecteur et son fichier "
    "est intact\u00a0: faites de la place, puis recommencez."
)


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `plug` to the actions of `card`."""
    parser = actions.add_parser("plug", help=say("Mettre la carte dans un lecteur PC/SC virtuel"))
    parser.add_argument("card", type=Path, metavar="CARDFILE", help=say("le fichier de la carte"))
    parser.add_argument(
        "--reader",
        type=_address,
        default=Address(),
        metavar="HOST:PORT",
        help=say("où le pilote vpcd attend une carte"),
    )
    parser.add_argument(
        "--protocol",
        choices=_PROTOCOLS,
        help=say("t0 ou t1, au lieu du protocole de la carte"),
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help=say("répondre d’un bloc aussi en T=0, sans 61xx ni 6Cxx"),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Leave the card in the slot until SIGINT or SIGTERM.

    Raises:
        CardFileError: it cannot be opened, another program has it, or its counters could not be
            kept; see `sentence`.
        LogUnwritable: standard output takes no more.
    """
    address: Address = arguments.reader
    if not _is_here(address.host):
        print(say(_AWAY).format(address=address), file=sys.stderr, flush=True)

    def tell(event: object) -> None:
        _log(event)
        if isinstance(event, Line) and event in _ADVICE:
            print(say(_ADVICE[event]).format(address=address), file=sys.stderr, flush=True)

    # Locked until it is taken out, powered or not: a real card is in one reader only.
    with _signals() as end, open_card(arguments.card) as chip:
        own = chip.reset()
        kind = read_summary(arguments.card).kind
        wanted = _PROTOCOLS.get(arguments.protocol)
        answer = own if wanted is None else atr(kind, wanted)
        protocol = decode_atr(answer).protocol
        card = PluggedCard(chip, answer, tpdu=protocol == Protocol.T0 and not arguments.whole)
        tell(f"plugged kind={kind} reader={address} protocol=T={protocol} atr={answer.hex()}")
        keep_plugged(card, address, end, tell)
        tell("unplugged")
    return 0


def _log(event: object) -> None:
    try:
        print(datetime.now(UTC).isoformat(timespec="milliseconds"), event, flush=True)
    except BrokenPipeError:
        raise
    except OSError as refusal:
        # What is left unwritten would be tried, and complained of, once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise LogUnwritable(refusal) from None


def _is_here(host: str) -> bool:
    """Whether what goes to *host* does not leave this machine, for sure."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == _THIS_MACHINE


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) <= _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(
            say(
                "{text} n’est pas une adresse\u00a0: il y faut HOST:PORT, {example} par exemple"
            ).format(text=text, example=f"{HOST}:{PORT}")
        )
    return Address(host.removeprefix("[").removesuffix("]") or HOST, int(port))


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """A socket that can be read from once SIGINT or SIGTERM has come.

    Nothing is interrupted: a command that has begun is answered, or its counters are kept.
    """
    ours, theirs = socket.socketpair()
    theirs.settimeout(0)
    with ours, theirs:
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        former = signal.set_wakeup_fd(theirs.fileno())
        for number in handlers:
            signal.signal(number, lambda *_: None)
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(former)
            for number, handler in handlers.items():
                signal.signal(number, handler)
