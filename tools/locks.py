"""Write requirements/*.txt from requirements/*.in: every version, every hash, no host.

    python3 tools/locks.py              keep the locked versions where the .in files allow them
    python3 tools/locks.py --upgrade    take the newest ones

The locks hold for every Python and system that we support (docs/decisions/0008). `uv` does the
work, in an environment that is thrown away after it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKS = {
    "run": [],
    "postgresql": ["--constraints", "requirements/run.txt"],  # keeps to the versions of the first
    "test": [  # and to those of both
        *("--constraints", "requirements/run.txt"),
        *("--constraints", "requirements/postgresql.txt"),
    ],
    "pcsc": ["--no-deps"],  # one library, which is built
    "interop": ["--no-deps"],  # its environment is another one; what it needs is all named
    "peers": [],  # an environment of its own too
}
OPTIONS = [
    "--quiet",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-header",
    "--no-annotate",
]


def main(more: list[str]) -> int:
    """Write every lock."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        for name, own in LOCKS.items():
            source, lock = f"requirements/{name}.in", f"requirements/{name}.txt"
            command = [python, "-m", "uv", "pip", "compile", *OPTIONS, *own, *more]
            subprocess.run([*command, "--output-file", lock, source], cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
