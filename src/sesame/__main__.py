"""`python -m sesame`: the same as the command `sesame`."""

from sesame.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
