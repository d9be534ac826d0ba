"""Where tests with thousands of commits keep their files: in memory, where a machine offers it.

Disks have tests of their own.
"""

from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- each test makes a folder of its own in it
IN_MEMORY = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None
