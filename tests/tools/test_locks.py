"""The locks: what was tested is what runs, and no host is named."""

import re
from pathlib import Path

_LOCKS = Path(__file__).parents[2] / "requirements"


def test_the_test_lock_contains_the_run_lock() -> None:
    """Line by line: the same versions with the same hashes."""
    tested = set((_LOCKS / "test.txt").read_text().splitlines())
    assert set((_LOCKS / "run.txt").read_text().splitlines()) <= tested


def test_the_locks_name_no_host() -> None:
    """No address of any index, and every requirement has its hashes."""
    for name in ("run.txt", "test.txt"):
        text = (_LOCKS / name).read_text()
        assert "://" not in text
        assert "--index" not in text
        requirements = re.findall(r"^[a-z].*\n(.*)", text, re.MULTILINE)
        assert requirements
        assert all(following.startswith("    --hash=sha256:") for following in requirements)
