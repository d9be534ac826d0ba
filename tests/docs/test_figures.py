"""docs/reference/figures.md explains no figure that the kept run does not have."""

import json
import re
from pathlib import Path

import pytest

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "figures.md"
_KEPT = _PAGE.with_suffix(".json")
_DOCS = _PAGE.parents[1]
_NAME = re.compile(r"`(…?_?[a-z0-9]+(?:_[a-z0-9]+)*_?…?)`")


def explained() -> list[str]:
    """The names of figures, `…` for any part, of the table that says what each stands beside.

    Without those of `make bench`, of which no run is kept.
    """
    table = _PAGE.read_text(encoding="utf-8").partition("| Figure | What stands")[2]
    rows = [line.strip("| ").split(" | ") for line in table.split("\n\n")[0].splitlines()[2:]]
    assert len(rows) > 10
    names = []
    for figure, text in rows:
        if "of `make bench`" in figure:
            continue
        names += _NAME.findall(figure)
        # Beside what they explain: names that no program and no function has.
        names += [name for name in _NAME.findall(text) if re.match("…|hsm_|keystore_|http_", name)]
    return names


@pytest.mark.parametrize("name", explained())
def test_a_figure_that_is_explained_has_a_value(name: str) -> None:
    """Where the run was made without a part, or before there was one, the page says too much."""
    figures = json.loads(_KEPT.read_text(encoding="utf-8"))["figures"]
    pattern = re.compile(re.escape(name).replace("…", r"\w+"))
    assert [figure for figure in figures if pattern.fullmatch(figure)]


def test_the_page_has_them_all() -> None:
    """And what the run has stands on the page: it was made from this very one."""
    page = _PAGE.read_text(encoding="utf-8")
    run = page.partition("| All of the run | |")[2].partition("<!-- end -->")[0]
    figures = json.loads(_KEPT.read_text(encoding="utf-8"))["figures"]
    assert set(re.findall(r"^\| `(\w+)` \|", run, re.MULTILINE)) == set(figures)


_SAID = {12: "twelve", 13: "thirteen", 14: "fourteen", 15: "fifteen", 16: "sixteen"}


@pytest.mark.parametrize(
    "page",
    [
        "decisions/0021-why-is-pkcs11-called-without-a-library.md",
        "explanation/security.md",
        "explanation/what-an-attacker-could-do.md",
    ],
)
def test_what_a_token_costs_is_said_alike(page: str) -> None:
    """Beside a keystore, as the kept run has it; and by no other number on that page."""
    figures = json.loads(_KEPT.read_text(encoding="utf-8"))["figures"]
    said = re.findall(r"some (\w+) times (?:as|what|that)", (_DOCS / page).read_text("utf-8"))
    assert said == [_SAID[round(figures["hsm_over_keystore"])]]
