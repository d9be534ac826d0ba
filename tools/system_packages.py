"""Install what the tests meet beyond Python, or say how; reads requirements/system.txt.

Runs before there is a virtual environment, so the standard library must do.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_LIST = Path(__file__).parent.parent / "requirements" / "system.txt"


@dataclass(frozen=True, slots=True)
class SystemPackage:
    """One line of requirements/system.txt."""

    name: str
    proof: str  # a program on the PATH, a file, or `python:` and a module
    without: str  # what is lost when it is missing

    @property
    def present(self) -> bool:
        """Whether the proof is there, whoever installed it."""
        kind, _, module = self.proof.partition(":")
        if kind == "python":
            # Without an origin it is the empty folder of a package that was taken away.
            spec = importlib.util.find_spec(module)
            return spec is not None and spec.origin is not None
        if self.proof.startswith("/"):
            return Path(self.proof).exists()
        return shutil.which(self.proof) is not None


def read_list(path: Path = _LIST) -> list[SystemPackage]:
    """Every package of the list at *path*, in its order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        SystemPackage(*line.split(maxsplit=2))
        for line in lines
        if line.strip() and not line.startswith("#")
    ]


def main() -> int:
    """Install what is missing when root may; else say which line does. 1 when that failed."""
    missing = [package for package in read_list() if not package.present]
    if not missing:
        return 0
    install = ["apt-get", "install", "--yes", "--no-install-recommends"]
    names = [package.name for package in missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"Missing: run  sudo {' '.join(install + names)}")
        for package in missing:
            print(f"  without {package.name}, {package.without}")
        return 0
    print(f"Installing {', '.join(names)}", flush=True)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # Two runs at once wait for each other instead of failing on dpkg's lock.
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    for command in (["apt-get", "update", *wait], [*install, *wait, *names]):
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stdout + done.stderr, file=sys.stderr)
            print(f"`{' '.join(command)}` failed: see above.", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
