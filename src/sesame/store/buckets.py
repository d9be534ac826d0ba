"""The first part of every key on a login's path (docs/decisions/0003)."""

import hashlib
from functools import lru_cache

BUCKETS = 64


@lru_cache(maxsize=4096)  # one login asks half a dozen times
def bucket_of(user_code: str) -> int:
    """The bucket of *user_code*, 0 to 63: the low six bits of SHA-256's first byte."""
    return hashlib.sha256(user_code.encode()).digest()[0] % BUCKETS
