"""Weeks of a simulated bank as small drawings side by side, as SVG; told apart by their strokes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from xml.sax.saxutils import escape

from sesame.cli.svg import line, text

_ACROSS = 2  # panels in a row
_WIDTH, _HEIGHT = 460, 300  # pixels of a panel
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 84, 44
_TITLE = 48
_STROKES = (("#1a5f3f", ""), ("#8a2b0d", "8 5"), ("#27408b", "2 4"))  # colour, and dashes
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Series:
    """A name, and a number of 0 or more for each week."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Panel:
    """Up to three series over the same weeks."""

    title: str
    series: Sequence[Series]


def draw(*, title: str, across: str, panels: Sequence[Panel]) -> str:
    """The *panels*, each with a scale of its own from 0; what runs *across* is weeks."""
    rows = -(-len(panels) // _ACROSS)
    width, height = _ACROSS * _WIDTH, _TITLE + rows * _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        '<g font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        text(_LEFT, 30, title, size=17),
    ]
    for place, panel in enumerate(panels):
        left, top = place % _ACROSS * _WIDTH, _TITLE + place // _ACROSS * _HEIGHT
        parts += [f'<g transform="translate({left} {top})">', *_panel(panel, across), "</g>"]
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def _panel(panel: Panel, across: str) -> Iterator[str]:
    weeks = max(len(one.values) for one in panel.series)
    highest = _round_up(max((max(one.values, default=0) for one in panel.series), default=0))

    def x(week: float) -> float:
        return _LEFT + week / max(1, weeks - 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / highest * (_HEIGHT - _TOP - _BOTTOM)

    yield text(_LEFT, 16, panel.title, size=15)
    for tick in range(_TICKS + 1):
        value = highest * tick / _TICKS
        yield line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "#ccc")
        yield text(_LEFT - 8, y(value) + 4, f"{value:g}", anchor="end")
    for week in range(0, weeks, max(1, weeks // 8)):
        yield text(x(week), _HEIGHT - _BOTTOM + 18, str(week + 1), anchor="middle", size=11)
    yield text((_LEFT + _WIDTH) / 2, _HEIGHT - 8, across, anchor="middle", size=11)
    for number, (one, (colour, dashes)) in enumerate(zip(panel.series, _STROKES, strict=False)):
        points = " ".join(f"{x(week):.1f},{y(value):.1f}" for week, value in enumerate(one.values))
        yield (
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"'
            f' stroke-dasharray="{dashes}"/>'
        )
        beside = 36 + 16 * number
        yield line(_LEFT, beside - 4, _LEFT + 34, beside - 4, colour, dashes, width=2)
        yield text(_LEFT + 42, beside, one.name, size=12)


def _round_up(value: float) -> float:
    """The next number from *value* on that four steps divide well; 4 where there is nothing."""
    if value <= 0:
        return 4.0
    power = 10.0 ** floor(log10(value))
    steps = (4, 8, 12) if power == 1 else (1.2, 2, 4, 8, 12)
    return next(step * power for step in steps if step * power >= value)
