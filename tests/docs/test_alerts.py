"""The alerts ask for metrics that there are, and each is explained and tried."""

import re
from pathlib import Path

import pytest

from sesame.meters import Counter, Histogram, Meter, Meters, SealerMeters

_ROOT = Path(__file__).parent.parent.parent
_RULES = (_ROOT / "deploy/prometheus/sesame.rules.yml").read_text(encoding="utf-8")
_TRIED = (_ROOT / "deploy/prometheus/sesame.rules.test.yml").read_text(encoding="utf-8")
_MANUAL = (_ROOT / "docs/how-to/watch-the-bank.md").read_text(encoding="utf-8")
_METRICS = (_ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
_ALERTS = dict(re.findall(r"- alert: (\w+)\n(.*?)(?=      - alert:|\Z)", _RULES, re.DOTALL))
_SELECTOR = re.compile(r"\b(sesame_\w+|process_\w+|python_\w+|up)(?:\{([^}]*)\})?")


def meters() -> dict[str, Meter]:
    """Every name that Prometheus sees, and whose it is."""
    found: dict[str, Meter] = {}
    for meter in (*Meters().all(), *SealerMeters().all()):
        parts = ("_bucket", "_sum", "_count") if isinstance(meter, Histogram) else ("",)
        found |= {f"{meter.name}{part}": meter for part in parts}
    return found


def test_every_name_of_ours_is_told_by_our_source() -> None:
    """No alert waits for what nothing exports, whoever is said to export it."""
    named = set(re.findall(r"\bsesame_\w+", _RULES))
    assert len(named) > 10
    source = "".join(
        path.read_text(encoding="utf-8") for path in (_ROOT / "src" / "sesame").rglob("*.py")
    )
    for name in named:
        assert f'"{re.sub("_(bucket|sum|count)$", "", name)}"' in source
    assert {name for name in foreign() if name.startswith("sesame")} == set()


def test_what_the_sealer_tells_is_in_the_reference() -> None:
    """In its own section, for it is in no server's table."""
    of_sealer = _METRICS.partition("## Of the sealer")[2].partition("## Of other programs")[0]
    told = [(meter.name, meter.meaning) for meter in SealerMeters().all()]
    assert re.findall(r"^\| `(\w+)` \| gauge \| – \| (.*) \|$", of_sealer, re.MULTILINE) == told


def foreign() -> set[str]:
    """The metrics of other programs, as the reference names them."""
    of_others = _METRICS.partition("## Of other programs")[2]
    return set(re.findall(r"^\| `(\w+)` \|", of_others, re.MULTILINE))


@pytest.mark.parametrize("alert", _ALERTS)
def test_what_an_alert_asks_for_is_told(alert: str) -> None:
    """Every metric of its expression exists, with these labels, and these words in them."""
    (expression,) = re.findall(r"^        expr: '(.*)'$", _ALERTS[alert], re.MULTILINE)
    known = meters()
    asked = _SELECTOR.findall(expression)
    assert asked or alert == "SesameWatchdog"
    for name, selected in asked:
        if name in foreign():
            continue
        meter = known[name]
        for label, operator, words in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', selected):
            assert label in meter.labels
            if isinstance(meter, Counter):
                place = meter.labels.index(label)
                told = {labels[place] for labels in meter.known}
                assert set(words.split("|") if operator == "=~" else [words]) <= told


@pytest.mark.parametrize("alert", _ALERTS)
def test_an_alert_is_explained_and_tried(alert: str) -> None:
    """In both languages where it comes up, in the manual, and by series that set it off or not."""
    said = re.findall(r"^          (\w+): '.+'$", _ALERTS[alert], re.MULTILINE)
    assert said == ["summary", "action", "resume", "a_faire"]
    assert re.search(r"severity: (none|ticket|page) ", _ALERTS[alert])
    assert f"### {alert}\n" in _MANUAL
    if alert != "SesameWatchdog":  # it always comes
        assert f"'{alert} comes'" in _TRIED
        assert f"'{alert} stays away'" in _TRIED


@pytest.mark.parametrize("alert", _ALERTS)
def test_an_error_that_is_named_can_come(alert: str) -> None:
    """Of alerts that come error by error: whichever they speak of is told by its metric."""
    (expression,) = re.findall(r"^        expr: '(.*)'$", _ALERTS[alert], re.MULTILINE)
    if "by (error)" not in expression:
        return
    meter = meters()[_SELECTOR.findall(expression)[0][0]]
    told = {error for (error,) in meter.known} if isinstance(meter, Counter) else set()
    (manual,) = re.findall(rf"^### {alert}\n\n(.*)$", _MANUAL, re.MULTILINE)
    for text in (_ALERTS[alert].partition("annotations:")[2], manual):
        named = set(re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", text))
        assert named
        assert named <= told


def test_a_full_custody_is_not_taken_for_one_that_is_down() -> None:
    """Of the errors of custody one is its intended answer, and has an alert that wakes nobody."""
    assert 'sesame_custody_errors_total{error!="CustodyBusy"}' in _ALERTS["SesameCustodyFails"]
    full = _ALERTS["SesameCustodyFull"]
    assert 'sesame_custody_errors_total{error="CustodyBusy"}' in full
    assert "severity: ticket" in full


def test_the_manual_explains_no_other() -> None:
    """An alert that is gone is gone there too."""
    assert set(re.findall(r"^### (Sesame\w+)$", _MANUAL, re.MULTILINE)) == set(_ALERTS)
