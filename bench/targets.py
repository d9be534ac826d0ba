"""The figures to reach, each a ratio within one run, and the table that says which are."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """A figure: what it says, what must be, what we try for."""

    name: str
    says: str
    must: float
    aim: float
    less_is_better: bool = False

    def verdict(self, value: float) -> str:
        """`aim`, `must` or `missed`."""
        for word, line in (("aim", self.aim), ("must", self.must)):
            if value <= line if self.less_is_better else value >= line:
                return word
        return "missed"


TARGETS = (
    Target(
        "http_over_floor_32", "verifications over HTTP ÷ floor of the store, 32 clients", 0.6, 1.0
    ),
    Target("http_over_floor_128", "the same, 128 clients", 1.0, 1.5),
    Target(
        "in_process_over_batch_limit", "in one process, 64 callers ÷ bare batches of 64", 0.5, 0.8
    ),
    Target(
        "sqlite_over_floor_32", "over HTTP on SQLite ÷ PostgreSQL’s floor, 32 clients", 0.8, 1.2
    ),
    Target("over_privacyidea_8", "÷ privacyIDEA, 8 clients", 100, 200),
    Target("over_privacyidea_32", "÷ privacyIDEA, 32 clients", 150, 300),
    Target(
        "p99_over_privacyidea_32",
        "99th percentile ÷ privacyIDEA’s, 32 clients",
        1 / 50,
        1 / 100,
        less_is_better=True,
    ),
    Target("over_django_otp_8", "÷ django-otp with one log row, 8 clients", 8, 10),
    Target("over_django_otp_32", "÷ django-otp with one log row, 32 clients", 12, 20),
    Target("grouped_over_single_32", "grouped commits ÷ one commit each, 32 clients", 2, 3),
    Target(
        "crypto_over_pyemv",
        "time of all triple DES of an accepted code ÷ by pyemv",
        0.35,
        0.2,
        less_is_better=True,
    ),
    Target("form_over_json", "a whole login by form ÷ a JSON verification", 0.4, 0.7),
    Target("refusals_over_acceptances", "refusals ÷ acceptances", 0.7, 0.9),
    Target("ten_million_over_thousand", "with 10⁷ cards ÷ with 10³", 0.9, 0.97),
    Target("enrolment_over_copy", "bulk enrolment ÷ PostgreSQL’s COPY of the same rows", 0.25, 0.5),
)


def table(figures: Mapping[str, float]) -> str:
    """The targets as Markdown, with what was measured."""
    lines = ["| Figure | Measured | Must | Aim | Reached |", "|---|---|---|---|---|"]
    for target in TARGETS:
        value = figures.get(target.name)
        measured = "–" if value is None else f"{value:.3g}"
        verdict = "not measured" if value is None else target.verdict(value)
        lines.append(
            f"| {target.says} | {measured} | {target.must:.3g} | {target.aim:.3g} | {verdict} |"
        )
    return "\n".join(lines)
