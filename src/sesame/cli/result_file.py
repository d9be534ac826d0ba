"""A file that a command writes on the way, and that gets its name once it is whole.

Until then it is `NAME.part`, which is locked: of two commands that would write the same file the
second is refused. What a command that was killed left there is written anew.
"""

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from sesame.cli.inputs import Unusable
from sesame.cli.language import say


class ResultFile:
    """The file while it is written."""

    def __init__(
        self, path: Path, file: TextIO, *, header: str, may_replace: Callable[[Path], bool]
    ) -> None:
        self._path = path
        self._part = _part_of(path)
        self._file = file
        self._header = header
        self._may_replace = may_replace
        self.begin_again()

    def write(self, text: str) -> int:
        """Add *text*.

        Raises:
            Unusable: the system refuses.
        """
        self.is_empty = False
        try:
            return self._file.write(text)
        except OSError as error:
            raise refused(self._part, error) from None

    def begin_again(self) -> None:
        """Forget what was written.

        Raises:
            Unusable: the system refuses.
        """
        try:
            self._file.seek(0)
            self._file.truncate()
        except OSError as error:
            raise refused(self._part, error) from None
        self.write(self._header)
        self.is_empty = True

    def flush(self) -> None:
        """Have it on the disk.

        Raises:
            Unusable: the system refuses.
        """
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise refused(self._part, error) from None

    def keep(self) -> None:
        """Give it its name; what has that name by now stays.

        Raises:
            Unusable: the system refuses, or something has the name. All is in the part still.
        """
        self.flush()
        try:
            if self._may_replace(self._path):
                self._part.replace(self._path)
            else:
                self._path.hardlink_to(self._part)
                self._part.unlink()
        except FileExistsError:
            raise Unusable(
                say(
                    "{path}\u00a0: ce fichier a été créé entre-temps, et reste. Le vôtre est "
                    "{part}\u00a0: donnez-lui un autre nom."
                ).format(path=self._path, part=self._part)
            ) from None
        except OSError as error:
            raise refused(self._path, error) from None

    def close(self) -> None:
        """Let go of it; what was written stays in the part, where it was not kept."""
        if self.is_empty:
            self._part.unlink(missing_ok=True)
        # What cannot be written any more was told by `write` or `flush`, or does not matter.
        with suppress(OSError):
            self._file.close()


@contextmanager
def result_file(
    path: Path, *, header: str = "", may_replace: Callable[[Path], bool] = lambda _: False
) -> Iterator[ResultFile]:
    """The file that will be *path*, for its owner alone, once somebody says `keep`.

    What stands at *path* is replaced where *may_replace* says so of it.

    Raises:
        Unusable: something stands there; another command is writing it; the system refuses.
    """
    _refuse_taken(path, may_replace)
    descriptor = _locked(_part_of(path))
    file = open(descriptor, "w", encoding="utf-8", newline="")  # noqa: PTH123, SIM115 -- of a number; closed below
    result = ResultFile(path, file, header=header, may_replace=may_replace)
    try:
        _refuse_taken(path, may_replace)  # by who had the lock before
        yield result
    finally:
        result.close()


def refused(path: Path, error: OSError) -> Unusable:
    """That the system refuses *path*, and why."""
    return Unusable(
        say("{path}\u00a0: le système refuse ({reason}). Choisissez un autre chemin.").format(
            path=path, reason=error.strerror
        )
    )


def _part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _refuse_taken(path: Path, may_replace: Callable[[Path], bool]) -> None:
    if os.path.lexists(path) and not may_replace(path):
        raise Unusable(
            say("{path}\u00a0: ce fichier existe. Choisissez un autre chemin.").format(path=path)
        )


def _locked(part: Path) -> int:
    """A descriptor of *part*, which is empty, and which nobody else writes meanwhile."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        try:
            descriptor = os.open(part, flags, 0o600)
        except OSError as error:
            raise refused(part, error) from None
        try:
            if _is_taken_over(part, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_taken_over(part: Path, descriptor: int) -> bool:
    """Whether it is ours and empty now; not where it lost its name while it was opened."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        own, named = os.fstat(descriptor), part.lstat()
        if (own.st_dev, own.st_ino) != (named.st_dev, named.st_ino):
            return False
        # With a second name it is somebody's finished file.
        ours = stat.S_ISREG(own.st_mode) and own.st_uid == os.geteuid() and own.st_nlink == 1
        if ours:
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
    except BlockingIOError:
        raise Unusable(
            say(
                "{path}\u00a0: une autre commande écrit ce fichier. Attendez qu’elle ait fini."
            ).format(path=part)
        ) from None
    except FileNotFoundError:
        return False
    except OSError as error:
        raise refused(part, error) from None
    if not ours:
        raise Unusable(
            say(
                "{path}\u00a0: ce n’est pas le reste d’une commande à vous. Ôtez-le, ou choisissez "
                "un autre chemin."
            ).format(path=part)
        )
    return True
