"""A file of customers, or of their bank cards: bytes become named values, line by line.

CSV (RFC 4180, a row a line) or JSON lines, in UTF-8. docs/reference/customer-import.md describes
both. A line that cannot be read is a `Problem`, and the next one is read; what is wrong with the
file as a whole is an error. No problem holds anything of what stands in the file.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum, unique
from typing import Any, BinaryIO, NamedTuple

import msgspec

from sesame.bank.errors import UnreadableCustomers

LONGEST_LINE = 16_384  # bytes


class Columns(NamedTuple):
    """The fields that rows of a file may have, and those that a CSV's header must."""

    fields: tuple[str, ...]
    required: tuple[str, ...]


CUSTOMERS = Columns(
    fields=(
        "user_code",
        "reference",
        "name",
        "language",
        "line_2",
        "line_3",
        "line_4",
        "line_5",
        "postcode",
        "city",
        "country",
        "letter_format",
        "email",
        "old_code_hash",
        "card_kind",
        "pan",
        "psn",
        "profile",
        "dki",
        "last_atc",
    ),
    required=("name", "city", "old_code_hash", "card_kind"),
)
BANK_CARDS = Columns(
    fields=("user_code", "reference", "name", "pan", "psn", "profile", "dki", "last_atc", "ends"),
    required=("name", "pan", "psn", "dki"),
)

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@unique
class FileFormat(StrEnum):
    """How the rows are written."""

    CSV = "csv"
    JSON_LINES = "jsonl"


@unique
class Trouble(StrEnum):
    """What is wrong with a file, a line or a field; a command line has a sentence for each."""

    # The file.
    EMPTY = "empty"
    UTF_16 = "utf-16"
    SEMICOLONS = "semicolons"
    UNKNOWN_COLUMN = "unknown-column"
    DOUBLE_COLUMN = "double-column"
    MISSING_COLUMN = "missing-column"
    # A line.
    NOT_UTF_8 = "not-utf-8"
    LONG_LINE = "long-line"
    NOT_CSV = "not-csv"
    NOT_JSON = "not-json"
    COLUMNS = "columns"
    UNKNOWN_FIELD = "unknown-field"
    NOT_TEXT = "not-text"
    # A field.
    CHARACTER = "character"
    GARBLED = "garbled"
    TOO_LONG = "too-long"
    CARD_NUMBER = "card-number"
    MISSING = "missing"
    USER_CODE = "user-code"
    CHECK_CHARACTER = "check-character"
    REFERENCE = "reference"
    NO_REFERENCE = "no-reference"
    NOT_GENERATED = "not-generated"
    LANGUAGE = "language"
    NO_STREET = "no-street"
    POSTCODE = "postcode"
    LINE_6 = "line-6"
    LINES = "lines"
    COUNTRY = "country"
    LETTER_FORMAT = "letter-format"
    EMAIL = "email"
    OLD_CODE = "old-code"
    OLD_CODE_COST = "old-code-cost"
    CARD_KIND = "card-kind"
    NO_WAY_IN = "no-way-in"
    NO_CARD = "no-card"
    PAN = "pan"
    LUHN = "luhn"
    PSN = "psn"
    PROFILE = "profile"
    DKI = "dki"
    LAST_ATC = "last-atc"
    ENDS = "ends"
    WHO = "who"
    # Beside others.
    TWICE = "twice"
    USER_CODE_TAKEN = "user-code-taken"
    DIFFERS = "differs"
    CARD_TAKEN = "card-taken"
    REFERENCE_TAKEN = "reference-taken"
    NO_CUSTOMER = "no-such-customer"
    ANOTHER_NAME = "another-name"
    NO_SUCH_CARD = "no-such-card"
    CARD_STOPPED = "card-stopped"
    OWN_HOLD = "own-hold"
    NO_ROOM = "no-room"


class Problem(NamedTuple):
    """What is wrong on a line, counted from 1, in which field; empty: the line as a whole.

    `number` says more where the trouble has a number: the longest length, the line on which it
    stood first, a character's code point, how many columns there are.
    """

    line: int
    field: str
    trouble: Trouble
    number: int = 0


Fields = Mapping[str, str]


def read_fields(
    file: BinaryIO, kind: FileFormat, columns: Columns = CUSTOMERS, *, delimiter: str = ","
) -> Iterator[tuple[int, Fields | Problem]]:
    """The named values of each row of *file*, which is open at its start, with its line.

    Lines on which nothing stands are passed over. Memory holds one line.

    Raises:
        UnreadableCustomers: the file as a whole is none of this kind.
        OSError: it cannot be read.
    """
    lines = _lines(file)
    if kind is FileFormat.CSV:
        return _csv(lines, columns, delimiter)
    return _json(lines, columns)


def _lines(file: BinaryIO) -> Iterator[tuple[int, str | Problem]]:
    """Each line that something stands on, without its end."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1:
            if line.startswith(_UTF_16):
                raise UnreadableCustomers(Trouble.UTF_16)
            line = line.removeprefix(_BOM)
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)
            yield number, Problem(number, "", Trouble.LONG_LINE, LONGEST_LINE)
            continue
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        if not line.strip():
            continue
        try:
            yield number, line.decode()
        except UnicodeDecodeError as error:
            yield number, Problem(number, "", Trouble.NOT_UTF_8, error.start + 1)


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────


def _csv(
    lines: Iterator[tuple[int, str | Problem]], columns: Columns, delimiter: str
) -> Iterator[tuple[int, Fields | Problem]]:
    names = _header(next(lines, (0, ""))[1], columns, delimiter)
    for number, line in lines:
        if isinstance(line, Problem):
            yield number, line
            continue
        cells = _cells(line, delimiter)
        if cells is None:
            yield number, Problem(number, "", Trouble.NOT_CSV)
        elif len(cells) != len(names):
            yield number, Problem(number, "", Trouble.COLUMNS, len(cells))
        elif any(cells):
            yield number, dict(zip(names, cells, strict=True))


def _header(line: str | Problem, columns: Columns, delimiter: str) -> Sequence[str]:
    if isinstance(line, Problem):
        raise UnreadableCustomers(line.trouble)
    cells = _cells(line, delimiter)
    if cells is None:
        raise UnreadableCustomers(Trouble.NOT_CSV)
    if not cells:
        raise UnreadableCustomers(Trouble.EMPTY)
    names = [cell.strip().lower() for cell in cells]
    if len(names) == 1 and ";" in line:
        raise UnreadableCustomers(Trouble.SEMICOLONS)
    for place, name in enumerate(names):
        # Not by its name: where there is no header it is somebody's.
        if name not in columns.fields:
            raise UnreadableCustomers(Trouble.UNKNOWN_COLUMN, column=str(place + 1))
        if name in names[:place]:
            raise UnreadableCustomers(Trouble.DOUBLE_COLUMN, column=name)
    for name in columns.required:
        if name not in names:
            raise UnreadableCustomers(Trouble.MISSING_COLUMN, column=name)
    return names


def _cells(line: str, delimiter: str) -> list[str] | None:
    """The cells of a row; None where its quotation marks are not those of CSV."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


# ── JSON lines ───────────────────────────────────────────────────────────────────────────────────

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def _json(
    lines: Iterator[tuple[int, str | Problem]], columns: Columns
) -> Iterator[tuple[int, Fields | Problem]]:
    empty = True
    for number, line in lines:
        empty = False
        yield number, line if isinstance(line, Problem) else _object(number, line, columns)
    if empty:
        raise UnreadableCustomers(Trouble.EMPTY)


def _object(number: int, line: str, columns: Columns) -> Fields | Problem:
    try:
        values = _decode(line)
    except (msgspec.DecodeError, RecursionError):
        return Problem(number, "", Trouble.NOT_JSON)
    fields = {}
    for name, value in values.items():
        if name not in columns.fields:
            return Problem(number, "", Trouble.UNKNOWN_FIELD)
        if value is not None and not isinstance(value, str):
            return Problem(number, name, Trouble.NOT_TEXT)
        fields[name] = value or ""
    return fields
