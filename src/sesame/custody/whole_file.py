"""A file that is there whole or not at all, for its owner alone."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """*data* in a new file (mode 0600) in the folder of *path*, on disk; then gone from there.

    The caller gives it the name *path*; the folder is on disk at the end.

    Raises:
        OSError: the system refuses.
    """
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    new = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield new
    finally:
        new.unlink(missing_ok=True)
    with folder_of(path) as folder:
        os.fsync(folder)


@contextmanager
def folder_of(path: Path) -> Iterator[int]:
    """The folder that *path* stands in, open.

    Raises:
        OSError: the system refuses.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)
