"""The tree of commands. Errors become one line on standard error, and an exit status."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import sesame
from sesame.cli.language import say
from sesame.cli.sentences import SENTENCES, sentence
from sesame.errors import SesameError, Worded

# Each module adds its own command. Only the one that runs is imported: a code is wanted
# at once, and a server takes a while to load.
COMMANDS = {
    "demo": "sesame.cli.demo",
    "code": "sesame.cli.cards",
    "reader": "sesame.cli.reader",
    "card": "sesame.cli.card",
    "bureau": "sesame.cli.bureau",
    "issuing": "sesame.cli.issuing",
    "serve": "sesame.cli.serve",
    "database": "sesame.cli.database",
    "keys": "sesame.cli.keys",
    "audit": "sesame.cli.audit",
    "customers": "sesame.cli.customers",
    "person": "sesame.cli.person",
    "staff": "sesame.cli.staff",
    "hsm": "sesame.cli.hsm",
    "custody": "sesame.cli.custody",
    "verify": "sesame.cli.verify",
    "trace": "sesame.cli.trace",
    "plan": "sesame.cli.plan",
    "simulate": "sesame.cli.simulate",
    "switch-over": "sesame.cli.switch_over",
}
FAILED = 1
_INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that *arguments* name; the program's own where None."""
    words = sys.argv[1:] if arguments is None else arguments
    named = [word for word in words[:1] if word in COMMANDS]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an old terminal loses no line
    parsed = parser(named or tuple(COMMANDS)).parse_args(words)
    try:
        status: int = parsed.run(parsed)
        sys.stdout.flush()
    except SesameError as error:
        # The sentence may be another command's, see `sentences`.
        if not (isinstance(error, Worded) or type(error) in SENTENCES):
            for module in COMMANDS.values():
                import_module(module)
        print(sentence(error), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status


def parser(names: Sequence[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """Build the tree of the commands *names* with all their options."""
    tree = argparse.ArgumentParser(
        prog="sesame",
        description=say("Authentification forte avec la carte à puce du client."),
    )
    tree.add_argument("--version", action="version", version=f"sesame {sesame.__version__}")
    commands = tree.add_subparsers(metavar="COMMAND", required=True)
    for name in names:
        import_module(COMMANDS[name]).add_parser(commands)
    return tree
