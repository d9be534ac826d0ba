"""Curves over whole numbers on a logarithmic scale, as SVG; told apart without colours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from xml.sax.saxutils import escape

from sesame.cli.svg import line, text

_WIDTH, _HEIGHT = 720, 420  # pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 72, 56
_STROKES = (("#1a5f3f", ""), ("#8a2b0d", "8 5"))  # colour, and dashes
_LEAST = 1e-9  # what is drawn of less, and of nothing


@dataclass(frozen=True, slots=True)
class Curve:
    """A name, and a value of 0 or more at each place."""

    name: str
    values: Sequence[float]


def draw(
    *, title: str, across: str, places: Sequence[int], chosen: int, curves: Sequence[Curve]
) -> str:
    """The *curves* over *places*, two at most; a line stands at the one that is *chosen*."""
    seen = [value for curve in curves for value in curve.values if value > _LEAST]
    low, high = floor(log10(min(seen))), ceil(log10(max(seen)))
    high = max(high, low + 1)

    def x(place: float) -> float:
        share = (place - places[0]) / max(1, places[-1] - places[0])
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        share = (log10(max(value, 10.0**low)) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def parts() -> Iterator[str]:
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            f'role="img" font-family="sans-serif" font-size="13">'
        )
        yield f"<title>{escape(title)}</title>"
        yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
        yield text(_LEFT, 24, title, size=16)
        for power in range(low, high + 1):
            at = y(10.0**power)
            yield line(_LEFT, at, _WIDTH - _RIGHT, at, "#ccc")
            yield text(_LEFT - 8, at + 4, f"10{_raised(power)}", anchor="end")
        for place in places:
            yield text(x(place), _HEIGHT - _BOTTOM + 20, str(place), anchor="middle")
        yield text((_LEFT + _WIDTH) / 2, _HEIGHT - 12, across, anchor="middle")
        if chosen in places:
            yield line(x(chosen), _TOP, x(chosen), _HEIGHT - _BOTTOM, "#333", "2 4")
        for number, (curve, (colour, dashes)) in enumerate(zip(curves, _STROKES, strict=False)):
            points = " ".join(
                f"{x(place):.1f},{y(value):.1f}"
                for place, value in zip(places, curve.values, strict=True)
            )
            yield (
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"'
                f' stroke-dasharray="{dashes}"/>'
            )
            start = _LEFT + number * (_WIDTH - _LEFT - _RIGHT) / 2
            yield line(start, 46, start + 34, 46, colour, dashes, width=2.5)
            yield text(start + 42, 50, curve.name)
        yield "</svg>"

    return "\n".join(parts()) + "\n"


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
