"""`make bench`: every figure of this repository that needs no other server.

Ends with one line of JSON. Absolute rates are this machine's, with the load generator on
it; only the ratios say something elsewhere.
"""

import json

from bench import crypto, login


def main() -> None:
    """Measure, and print a line a figure."""
    figures = {**crypto.measure(), **login.measure()}
    for name, value in figures.items():
        print(f"{name:40} {value:12,.3f}")
    print(json.dumps({"figures": figures}))


if __name__ == "__main__":
    main()
