"""Parts of a drawing, as SVG; colours are never alone in telling things apart."""

from xml.sax.saxutils import escape


def line(  # noqa: PLR0913, PLR0917 -- two points, and how
    x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "", width: float = 1
) -> str:
    """A line between two points."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}" stroke-dasharray="{dashes}"/>'
    )


def text(x: float, y: float, said: str, *, anchor: str = "start", size: int = 13) -> str:
    """What is *said* at a point: from there on, up to there, or around it."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
        f"{escape(said)}</text>"
    )
