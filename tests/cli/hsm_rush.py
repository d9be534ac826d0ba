"""A process that makes keys in a token of SoftHSM2 by `sesame hsm generate`; run as a program.

It is given the token's label and the PIN's file. Each line that it reads is the label of an issuer
key, a blank and its DKI; for each it says the command's exit status, and what that complained of.
"""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout

from sesame.cli.main import main
from tests.cli.test_key_life import BY
from tests.custody.tokens import MODULE


def make_as_told(token: str, pin_file: str) -> None:
    """Make them, one after the other."""
    where = ("--module", str(MODULE), "--label", token, "--pin-file", pin_file)
    tell("ready")
    for line in sys.stdin:
        label, dki = line.split()
        what = ("--key", label, "--usage", "issuer-ac", "--dki", dki)
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as said:
            status = main(["hsm", "generate", *where, *what, *BY])
        tell(f"{status} {said.getvalue()!r}")


def tell(word: str) -> None:
    """At once, to who waits for it."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    make_as_told(*sys.argv[1:])
