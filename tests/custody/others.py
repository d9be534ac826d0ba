"""Other users of the machine, whom root can be for a while, and a Python that they can run.

The Python of the tests, or this checkout, may lie in a folder of root's alone.
"""

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_NOT_NEEDED = ("site-packages", "dist-packages", "test", "idlelib", "tkinter", "config-*")
# Behind `sh -c`: what names the tests' own Python has another one run in its place.
_INSTEAD = 'shift; exec "$0" "$@"'

# No process of a user without a name has a home, or a shell, to fall back upon.
_BECOME = """
import os, socket, sys
user, *groups = map(int, sys.argv.pop(1).split(","))
os.setgroups(groups)
os.setgid(groups[0])
os.setuid(user)
"""


@dataclass(frozen=True)
class User:
    """Somebody by number; the first of the *groups* is their own."""

    number: int
    groups: tuple[int, ...]

    @property
    def become(self) -> list[str]:
        """What a command of theirs begins with."""
        return [
            "setpriv",
            f"--reuid={self.number}",
            f"--regid={self.groups[0]}",
            f"--groups={','.join(map(str, self.groups))}",
            "--inh-caps=-all",
        ]

    def owns(self, folder: Path, mode: int = 0o700) -> None:
        """Give them *folder* and all that is in it; the folder itself has *mode* then."""
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.number, self.groups[0])
        folder.chmod(mode)

    def told(self, program: str, *arguments: object) -> list[str]:
        """The lines that *program* prints, begun as root, who becomes them first.

        It has `os`, `socket` and `sys` at hand, and can import no more.
        """
        ids = ",".join(map(str, (self.number, *self.groups)))
        run = subprocess.run(
            [sys.executable, "-I", "-c", _BECOME + program, ids, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": os.environ["PATH"]},
        )
        return run.stdout.splitlines()


def python_of_all(folder: Path) -> list[str]:
    """What a command that begins with `sys.executable` is put behind, for others to run it.

    What they cannot reach is linked into *folder*, which they must reach, or copied there.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = folder / "bin" / version
    program.parent.mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), program)
    library = folder / "lib" / version
    _link(Path(sysconfig.get_path("stdlib")), library, leaving_out=_NOT_NEEDED)
    for shared in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        shutil.copy(shared, folder / "lib")
    packages = [Path(sysconfig.get_path("purelib")), Path(__file__).parents[2] / "src"]
    reached = [
        path if _is_open_to_all(path) else _link(path, folder / path.name) for path in packages
    ]
    return [
        "env",
        f"PYTHONHOME={folder}",
        f"PYTHONPATH={':'.join(map(str, reached))}",
        f"LD_LIBRARY_PATH={folder / 'lib'}",
        *("sh", "-c", _INSTEAD, str(program)),
    ]


def _is_open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _link(source: Path, target: Path, *, leaving_out: Sequence[str] = ()) -> Path:
    shutil.copytree(
        source, target, copy_function=_link_one, ignore=shutil.ignore_patterns(*leaving_out)
    )
    return target


def _link_one(source: str, target: str) -> None:
    with suppress(OSError):  # on another disk, or of a kind that is not linked
        os.link(source, target)
        return
    shutil.copy(source, target)
