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
LOCKS = ["run", "test"]
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
    """Lock both lists; the second one keeps to the versions of the first."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        for name in LOCKS:
            source, lock = f"requirements/{name}.in", f"requirements/{name}.txt"
            agree = ["--constraints", "requirements/run.txt"] if name != "run" else []
            command = [python, "-m", "uv", "pip", "compile", *OPTIONS, *agree, *more]
            subprocess.run([*command, "--output-file", lock, source], cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
