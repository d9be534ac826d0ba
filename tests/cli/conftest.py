"""What several commands want: a file with the passphrase of the tests' keystores."""

from pathlib import Path

import pytest

from tests.custody.keystores import PASSPHRASE


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with the passphrase."""
    path = tmp_path / "phrase"
    path.touch(mode=0o600)
    path.write_text(f"{PASSPHRASE.text}\n", encoding="utf-8")
    return path
