"""The tables that lead from a rule to its test: no rule is left out, no test is made up."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_DOCS = _ROOT / "docs"
_TABLES = ["reference/accessibility", "reference/leaflet", "explanation/security"]
# WCAG 2.2 without what is AAA, and without 4.1.1, which is obsolete.
_CRITERIA = {
    "A": "1.1.1 1.2.1 1.2.2 1.2.3 1.3.1 1.3.2 1.3.3 1.4.1 1.4.2 2.1.1 2.1.2 2.1.4 2.2.1 2.2.2 2.3.1"
    " 2.4.1 2.4.2 2.4.3 2.4.4 2.5.1 2.5.2 2.5.3 2.5.4 3.1.1 3.2.1 3.2.2 3.2.6 3.3.1 3.3.2 3.3.7"
    " 4.1.2",
    "AA": "1.2.4 1.2.5 1.3.4 1.3.5 1.4.3 1.4.4 1.4.5 1.4.10 1.4.11 1.4.12 1.4.13 2.4.5 2.4.6 2.4.7"
    " 2.4.11 2.5.7 2.5.8 3.1.2 3.2.3 3.2.4 3.3.3 3.3.4 3.3.8 4.1.3",
}


def rows(page: str, first: str, section: str = "") -> list[list[str]]:
    """The cells of each row of *page*, or of a section, that begins with what *first* matches."""
    text = (_DOCS / f"{page}.md").read_text(encoding="utf-8")
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"^\| ({first}\b.*) \|$", text, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r" \|(?: |$)", row)] for row in found]


def _requirements() -> str:
    return (_DOCS / "reference" / "requirements.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", _TABLES)
def test_every_test_exists(page: str) -> None:
    """Both the file and the function in it."""
    text = (_DOCS / f"{page}.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 20
    for file, function in named:
        path = _ROOT / "tests" / file
        assert path.exists(), file
        source = path.read_text(encoding="utf-8")
        assert re.search(rf"^(?:async )?def {function}\(", source, re.MULTILINE) or not function, (
            f"{file}::{function}"
        )


def test_every_invariant_is_judged_by_the_year_or_elsewhere() -> None:
    """Of the design's eleven none is left out of both tables; the tests of the others exist."""
    page = (_DOCS / "explanation/a-year-of-the-bank.md").read_text(encoding="utf-8")
    judged, _, rest = page.partition("The other four")
    elsewhere = re.findall(
        r"^\| (\d+) .* \| (.*) \|$", rest.partition("**Nothing")[0], re.MULTILINE
    )
    here = {int(number) for number in re.findall(r"^\| (\d+)[ ,]", judged, re.MULTILINE)}
    assert here == {1, 2, 3, 4, 5, 10, 11}
    assert [int(number) for number, _ in elsewhere] == [6, 7, 8, 9]
    for number, tests in elsewhere:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", tests)
        assert len(named) > 1, number
        for file, function in named:
            source = (_ROOT / "tests" / file).read_text(encoding="utf-8")
            assert re.search(rf"^(?:async )?def {function}\(", source, re.MULTILINE), function
    assert "Nothing in such a year is concurrent" in page


def test_security_has_the_figures_of_the_two_years() -> None:
    """Each of the numbers of its rows stands in that year's story."""
    security = (_DOCS / "explanation/security.md").read_text(encoding="utf-8")
    year = (_DOCS / "explanation/a-year-of-the-bank.md").read_text(encoding="utf-8")
    rows_of_years = re.findall(
        r"^\| (.*\(a-year-of-the-bank\.md#a-year-.*) \|$", security, re.MULTILINE
    )
    _, _, ten = year.partition("## A year of ten thousand customers")
    whole, _, thousand = ten.partition("## A year of a thousand, each at an address")
    for row, story in zip(rows_of_years, (whole, thousand), strict=True):
        numbers = re.findall(r"\d[\d,]*\d", row.split(" | ")[1])
        assert len(numbers) > 1
        for number in numbers:
            assert number in story, number


def test_security_says_what_slow_campaigns_find() -> None:
    """That they miss the aim, with the figures of the decision's table, rounded."""
    security = (_DOCS / "explanation/security.md").read_text(encoding="utf-8")
    (decision,) = (_DOCS / "decisions").glob("0015-*.md")
    found = {
        (row[0], row[1]): float(row[5])
        for row in (
            line.strip("| ").split(" | ")
            for line in decision.read_text(encoding="utf-8").splitlines()
            if re.match(r"\| [\d,]+ \| (hour|day|month|year) ", line)
        )
    }
    slow = f"{found['1,000,000', 'year']:.1f}"
    usual = f"{found['10,000,000', 'month']:.0f}"
    plain, _, figures = security.partition("## What is left, in figures")
    assert re.search(rf"miss it.*{slow} logins.*{usual} in a year", plain, re.DOTALL)
    assert re.search(rf"\*\*missed\*\*: {slow} in a year .*; {usual} at ten million", figures)


def test_every_criterion_has_its_row() -> None:
    """Once, with its level, and with a test or a limit."""
    table = rows("reference/accessibility", r"\d\.\d\.\d+", "Criteria")
    assert all(len(row) == 6 for row in table)
    levels = {level: numbers.split() for level, numbers in _CRITERIA.items()}
    assert len([*levels["A"], *levels["AA"]]) == 55
    for level, numbers in levels.items():
        assert [row[0].split()[0] for row in table if row[1] == level] == numbers
    assert len(table) == 55
    for row in table:
        assert "::" in row[4] or row[5], row[0]


def test_every_criterion_has_its_row_for_the_desk() -> None:
    """In one row, alone or with others; with a test, or a limit."""
    table = rows("reference/accessibility", r"\d\.\d\.\d+", "The desk")
    assert all(len(row) == 4 for row in table)
    numbers = [number for row in table for number in row[0].split(", ")]
    assert sorted(numbers) == sorted(" ".join(_CRITERIA.values()).split())
    for row in table:
        assert "::" in row[2] or row[3], row[0]


def test_every_line_of_the_leaflet_has_its_row() -> None:
    """S1 to S31, as docs/reference/requirements.md lists them, each with where and a test."""
    listed = re.findall(r"^\| (S\d+) \|", _requirements(), re.MULTILINE)
    table = rows("reference/leaflet", r"S\d+")
    assert [row[0] for row in table] == listed
    assert len(listed) == 31
    for row in table:
        assert "“" in row[2], row[0]
        assert "::" in row[3], row[0]


def test_every_rule_of_the_requirements_has_its_row() -> None:
    """Section 3, in its order, one row each or several; with a test, or what is missing."""
    (section,) = re.findall(r"^## 3\..*?(?=^## 4\.)", _requirements(), re.MULTILINE | re.DOTALL)
    listed = [
        re.sub(r" \[\w+\]$", "", first)
        for first in re.findall(r"^\| (.*?) \|", section, re.MULTILINE)
        if first not in {"Article", "Source"}
    ]
    assert len(listed) == 21 + 20
    last = listed.index("27")
    listed[last + 1 : last + 1] = ["CMF L133-23", "CMF L133-24"]  # in a sentence of that section
    text = (_DOCS / "explanation" / "security.md").read_text(encoding="utf-8")
    by_rule = text.partition("## Rule by rule")[2]
    table = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in by_rule.splitlines()
        if re.match(r"\| (?!Rule )", line)
    ]
    rules = list(dict.fromkeys(row[0].partition(": ")[0] for row in table))
    assert rules == listed
    for row in table:
        assert len(row) == 4, row
        assert "::" in row[3] or "Not here yet: " in row[3], row
