"""`sesame card`: what can be done with a card beside making codes. Each action has its module."""

import argparse
from collections.abc import Mapping
from importlib import import_module

from sesame.cli.language import say

# In the order in which they are shown.
ACTIONS: Mapping[str, str] = {
    "inspect": "sesame.cli.inspect",
    "plug": "sesame.cli.card_plug",
}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `card` and its actions to the tree of commands."""
    parser = commands.add_parser("card", help=say("Examiner une carte, ou la brancher"))
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for module in ACTIONS.values():
        import_module(module).add_parser(actions)
