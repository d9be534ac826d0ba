"""Between aware moments and the microseconds since 1970 that rows hold."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_row(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_row(microseconds: int) -> datetime:
    """The aware moment, UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
