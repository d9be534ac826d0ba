"""What the documentation points to is there, and every decision is in the index."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent.parent
_DECISIONS = _ROOT / "docs" / "decisions"
_PAGES = sorted([*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md")])
_SOURCES = sorted(
    path
    for pattern in ("*.py", "*.html", "*.css", "*.js", "*.md")
    for folder in ("src", "tests", "tools", "bench", "docs")
    for path in (_ROOT / folder).rglob(pattern)
)


def anchor(heading: str) -> str:
    """The name that a heading of a page can be linked by."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def links(page: Path) -> Iterator[str]:
    """Where the links and pictures of a page lead, those outside the project left out."""
    text = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^()\s]+)\)", text):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.relative_to(_ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file, and a heading in it where it says so."""
    for target in links(page):
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} points to {target}, which is not there"
        if fragment:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert fragment in {anchor(heading) for heading in headings}, target


def test_the_documentation_leads_to_every_page() -> None:
    """docs/README.md links each page of the four drawers; the decisions have an index."""
    docs = _ROOT / "docs"
    linked = {(docs / target).resolve() for target in links(docs / "README.md")}
    pages = {page.resolve() for page in docs.rglob("*.md") if page.parent != _DECISIONS}
    assert pages - linked == {(docs / "README.md").resolve()}


def test_the_index_lists_every_decision() -> None:
    """Each page once, under its own title, which is a question."""
    index = (_DECISIONS / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \|$", index, re.MULTILINE)
    pages = sorted(path for path in _DECISIONS.glob("[0-9]*.md"))
    assert [name for _, name, _ in listed] == [page.name for page in pages]
    for (number, _, title), page in zip(listed, pages, strict=True):
        first = page.read_text(encoding="utf-8").splitlines()[0]
        assert first == f"# {number} {title}"
        assert title.endswith("?")


def test_cited_decisions_exist() -> None:
    """`docs/decisions/0001` in a comment or page leads to a page."""
    numbers = {page.name[:4] for page in _DECISIONS.glob("[0-9]*.md")}
    cited = re.compile(r"decisions/(\d{4})(?:,? and (\d{4}))?")
    for path in _SOURCES:
        for found in cited.findall(path.read_text(encoding="utf-8")):
            missing = {number for number in found if number} - numbers
            assert not missing, f"{path.relative_to(_ROOT)} cites decision {missing}"


def test_cited_pages_exist() -> None:
    """`docs/limits.md` in a comment or page leads to a page."""
    for path in _SOURCES:
        for page in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text(encoding="utf-8")):
            assert (_ROOT / page).exists(), f"{path.relative_to(_ROOT)} cites {page}"


def test_cited_sections_of_emv_cap_exist() -> None:
    """`docs/reference/emv-cap.md, section 12.2` in a comment or page leads to a heading."""
    page = (_ROOT / "docs" / "reference" / "emv-cap.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^#+ (\d+(?:\.\d+)*)", page, re.MULTILINE))
    cited = re.compile(r"emv-cap\.md[`]?,\s+(?:#\s+)?sections?\s+([\d., and]+)")
    found = [
        (path, number)
        for path in _SOURCES
        for numbers in cited.findall(path.read_text(encoding="utf-8"))
        for number in re.findall(r"\d+(?:\.\d+)*", numbers)
    ]
    assert found, "nothing cites the page any more: has the way of citing changed?"
    for path, number in found:
        assert number in sections, f"{path.relative_to(_ROOT)} cites section {number}"
