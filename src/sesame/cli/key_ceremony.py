"""`sesame keys ceremony`: a key out of components, each of which one officer knows alone.

What is typed is not shown. What is shown is shown on a screen of its own, which no terminal
scrolls back to: the alternate one, cleared before it is left.
"""

import argparse
import getpass
import resource
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sesame.catalogue import N_
from sesame.cli.inputs import parse_dki
from sesame.cli.key_records import add_deed, deed_of, in_keystore, record_text
from sesame.cli.language import say
from sesame.cli.passphrase import add_keystore, ask_passphrase
from sesame.custody.ceremony import (
    FEWEST,
    MOST,
    Component,
    Material,
    combine,
    draw_component,
    material_of,
    parse_check_value,
    parse_component,
)
from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import ComponentFault, UnsuitableComponent
from sesame.custody.key import ISSUER_USAGES, Key
from sesame.custody.key_life import check_name_free, with_key
from sesame.custody.keystore import Keystore
from sesame.custody.records import Act, Officer
from sesame.errors import Worded
from sesame.terminal.signals import ended_in_order

# The alternate screen, empty; then empty again, with what scrolled off it, and back. A terminal
# that has no second screen still obeys the clearing (ECMA-48, 8.3.39; xterm's 3 and 1049).
_OWN_SCREEN = "\x1b[?1049h\x1b[2J\x1b[H"
_LEAVE = "\x1b[2J\x1b[3J\x1b[H\x1b[?1049l"
_Answer = TypeVar("_Answer")
_YES = frozenset({"oui", "o", "yes", "y"})

_FAULTS = {
    ComponentFault.DIGITS: N_(
        "Un composant s’écrit en chiffres hexadécimaux, de 0 à 9 et de A à F, deux par octet."
    ),
    ComponentFault.LENGTH: N_("Ce composant n’a pas la longueur de la clé."),
    ComponentFault.ZEROS: N_("Un composant nul ne cache rien\u00a0: refusé."),
    ComponentFault.WEAK: N_(
        "Ce composant est refusé\u00a0: ses moitiés sont égales, ou l’une est une clé DES faible."
    ),
    ComponentFault.CHECK_VALUE: N_("Une valeur de contrôle a six chiffres hexadécimaux."),
    ComponentFault.NUMBER: N_(
        "Une clé se fait de deux ou trois composants\u00a0: nommez deux ou trois personnes "
        "(--officer)."
    ),
    ComponentFault.KINDS: N_("Ces composants ne sont pas ceux d’une même clé."),
    ComponentFault.TWINS: N_(
        "Deux composants sont les mêmes et s’annulent. Rien n’a été fait\u00a0: recommencez."
    ),
}


class NoCeremony(Worded):
    """The ceremony did not take place. The message is for people, in their language."""


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `ceremony` to the actions of `keys`."""
    parser = actions.add_parser(
        "ceremony", help=say("Faire une clé de composants, un par personne présente")
    )
    add_keystore(parser)
    add_new_key(parser)
    parser.add_argument(
        "--draw",
        action="store_true",
        help=say("tirer les composants au sort et montrer chacun à une seule personne"),
    )
    parser.add_argument(
        "--exportable",
        action="store_true",
        help=say("cette clé pourra sortir, dans un bloc TR-31 ou chiffrée pour un HSM"),
    )
    add_deed(parser)
    parser.set_defaults(run=run)


def add_new_key(parser: argparse.ArgumentParser) -> None:
    """Add what names a new issuer key to a command."""
    parser.add_argument(
        "--label", required=True, metavar="LABEL", help=say("le nom de la nouvelle clé (dpa-02)")
    )
    parser.add_argument(
        "--usage",
        choices=[str(usage) for usage in ISSUER_USAGES],
        default=str(KeyUsage.ISSUER_AC),
        metavar="USAGE",
        help=say("son usage\u00a0: issuer-ac ou issuer-payment (issuer-ac)"),
    )
    parser.add_argument(
        "--dki",
        required=True,
        help=say("son index de dérivation, un octet hexadécimal que porteront ses cartes (02)"),
    )


def run(arguments: argparse.Namespace) -> int:
    """Have the components typed or shown, make the key, and print the record.

    Nothing is written before all agree: whoever stops it leaves the keystore as it was.

    Raises:
        SesameError: no terminal, the keystore does not open, or the key cannot be made.
    """
    usage, dki = KeyUsage(arguments.usage), parse_dki(arguments.dki)
    deed = deed_of(arguments)
    check_terminal()
    check_number(deed.officers)
    passphrase = ask_passphrase(arguments)
    keystore = Keystore.open(arguments.file, passphrase)
    check_name_free(keystore, arguments.label, usage, dki)
    material = material_of(usage)
    components = gather(material, deed.officers, draw=arguments.draw)
    key = Key(
        label=arguments.label,
        usage=usage,
        value=combined(components),
        created=deed.at,
        dki=dki,
        exportable=arguments.exportable,
    )
    confirm(key.check_value, known=not arguments.draw)
    keystore = Keystore.change(
        arguments.file,
        passphrase,
        lambda old: with_key(old, key, Act.CEREMONY, deed),
        random=secrets.token_bytes,
    )
    print(record_text(keystore.records[-1], in_keystore(keystore.path), components))
    return 0


def check_terminal() -> None:
    """Make sure that people sit here, and that a crash writes no memory to the disk.

    Raises:
        NoCeremony: there is no terminal to type at and to show on.
    """
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        raise NoCeremony(
            say(
                "Des composants se tapent et se montrent à un terminal, et il n’y en a pas. "
                "Lancez la commande à la console."
            )
        )
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def check_number(officers: Sequence[Officer]) -> None:
    """Make sure that there is a component for each of *officers*.

    Raises:
        NoCeremony: they are not two or three.
    """
    if not FEWEST <= len(officers) <= MOST:
        raise NoCeremony(say(_FAULTS[ComponentFault.NUMBER]))


def gather(
    material: Material, officers: Sequence[Officer], *, draw: bool = False
) -> list[Component]:
    """A component from each of *officers* in turn; or, where to *draw*, one for each.

    Raises:
        NoCeremony: somebody ended it.
    """
    components: list[Component] = []
    for number, officer in enumerate(officers, 1):
        with _own_screen():
            _tell(
                say("Composant {number} sur {of}\u00a0: {name}, {role}").format(
                    number=number, of=len(officers), name=officer.name, role=officer.role
                )
            )
            _tell(say("Que cette personne seule voie l’écran et le clavier."))
            components.append(_drawn(material) if draw else _typed(material))
    return components


def combined(components: Sequence[Component]) -> bytes:
    """The key that *components* make.

    Raises:
        NoCeremony: two are the same.
        UnsuitableKey: together they make a key that protects nothing.
    """
    try:
        return combine(components)
    except UnsuitableComponent as error:
        raise NoCeremony(say(_FAULTS[error.fault])) from None


def confirm(check_value: bytes, *, known: bool) -> None:
    """Have all agree on the *check_value* of the key that the components make.

    Args:
        check_value: 3 bytes.
        known: the officers bring it, as they bring the components.

    Raises:
        NoCeremony: it is another, or somebody does not agree.
    """
    made = check_value.hex().upper()
    if known:
        brought = _check_value(say("Valeur de contrôle de la clé entière, que vous apportez"))
        if brought != check_value:
            raise NoCeremony(
                say(
                    "Ces composants font une clé de valeur de contrôle {made}, pas {brought}. "
                    "Rien n’a été écrit."
                ).format(made=made, brought=brought.hex().upper())
            )
        return
    question = say("La clé a la valeur de contrôle {made}. L’ajouter au trousseau (oui/non)")
    if _line(question.format(made=made)).lower() not in _YES:
        raise NoCeremony(say("Rien n’a été écrit."))


def _typed(material: Material) -> Component:
    """A component that its officer types, unseen, and its check value, which must agree."""
    while True:
        brought = _check_value(say("Valeur de contrôle de votre composant"))
        component = _unseen_component(material)
        if component.check_value == brought:
            _tell(
                say("Valeur de contrôle {value}\u00a0: c’est bien ce composant.").format(
                    value=brought.hex().upper()
                )
            )
            _line(say("Entrée pour effacer l’écran, puis laissez la place"))
            return component
        _tell(
            say(
                "Ce qui a été tapé a la valeur de contrôle {made}, pas {brought}. Tapez les deux "
                "encore une fois\u00a0; Ctrl-C arrête tout."
            ).format(made=component.check_value.hex().upper(), brought=brought.hex().upper())
        )


def _drawn(material: Material) -> Component:
    """A component by chance, shown to its officer, who writes it down and types it again."""
    component = draw_component(material, secrets.token_bytes)
    while True:
        _tell("")
        _tell(say("Votre composant\u00a0:        {value}").format(value=component.written))
        _tell(
            say("Valeur de contrôle\u00a0:     {value}").format(
                value=component.check_value.hex().upper()
            )
        )
        _tell("")
        _tell(say("Notez les deux, à la main. Personne ne pourra les montrer encore une fois."))
        _line(say("Entrée quand c’est noté"))
        _write(_OWN_SCREEN)
        _tell(say("Tapez maintenant ce que vous avez noté."))
        if _unseen_component(material) == component:
            return component
        _tell(say("Ce n’est pas ce composant. Le voici encore."))


def _unseen_component(material: Material) -> Component:
    prompt = say("Composant ({digits} chiffres hexadécimaux, invisibles)").format(
        digits=2 * material.length
    )
    return _until_right(lambda: parse_component(material, _ask(prompt, unseen=True)))


def _check_value(prompt: str) -> bytes:
    return _until_right(lambda: parse_check_value(_ask(prompt)))


def _until_right(ask: Callable[[], _Answer]) -> _Answer:
    while True:
        try:
            return ask()
        except UnsuitableComponent as error:
            _tell(say(_FAULTS[error.fault]))


def _line(prompt: str) -> str:
    return _ask(prompt).strip()


def _ask(prompt: str, *, unseen: bool = False) -> str:
    """A line from the terminal; *unseen* as it is typed.

    Raises:
        NoCeremony: input has ended.
    """
    prompt = say("{question}\u00a0: ").format(question=prompt)
    try:
        if unseen:
            return getpass.getpass(prompt)
        _write(prompt)
        line = sys.stdin.readline()
    except EOFError:
        line = ""
    except UnicodeDecodeError:
        return "\ufffd"  # bytes that are no text, and so no component
    if not line:
        raise NoCeremony(say("La cérémonie s’est arrêtée. Rien n’a été écrit."))
    return line


@contextmanager
def _own_screen() -> Iterator[None]:
    """A screen that is gone without a trace afterwards, however it ends."""
    with ended_in_order():
        _write(_OWN_SCREEN)
        try:
            yield
        finally:
            _write(_LEAVE)


def _tell(text: str) -> None:
    _write(f"{text}\n")


def _write(text: str) -> None:
    # Standard error, which is the terminal: standard output is for the record.
    sys.stderr.write(text)
    sys.stderr.flush()
