"""Check a history again that `make soak` could not explain and kept.

python -m tests.history.again .cache/soak/seed-3
"""

import sys
from pathlib import Path

from tests.history import runs
from tests.history.checker import Unexplained, check


def main(folder: str) -> int:
    """Print what it was like, or what cannot be explained."""
    try:
        print(check(runs.read(Path(folder))))  # noqa: T201 -- a command line prints
    except Unexplained as unexplained:
        print(unexplained)  # noqa: T201 -- likewise
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
