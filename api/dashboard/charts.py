"""Charts, as numbers that a template draws as SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pingpilot.events.activity import Day

_OTHER = "#8a8f86"
"""The colour of events whose category is gone."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One category's part of a bar, in units of the chart."""

    x: float
    y: float
    width: float
    height: float
    color: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Stacked bars, a day each, on a ground of `width` and `height`; `top` is the count at the upper edge."""

    width: int
    height: int
    top: int
    segments: list[Segment]


def stacked(days: Sequence[Day], colors: Mapping[str, str], *, width: int = 710, height: int = 220) -> Bars:
    """Return the days as bars, the busiest category lowest. `colors` are `#rrggbb` by category."""
    top = max((day.total for day in days), default=0) or 1
    totals: dict[str, int] = {}
    for day in days:
        for name, count in day.events.items():
            totals[name] = totals.get(name, 0) + count
    order = sorted(totals, key=lambda name: (-totals[name], name))
    step = width / max(1, len(days))
    segments = []
    for place, day in enumerate(days):
        below = 0
        for name in order:
            if count := day.events.get(name, 0):
                tall = max(1.0, height * count / top - 1)  # a hairline of ground between two
                segments.append(
                    Segment(
                        x=round(place * step + 2, 1),
                        y=round(height - height * below / top - tall, 1),
                        width=round(step - 4, 1),
                        height=round(tall, 1),
                        color=colors.get(name, _OTHER),
                    )
                )
                below += count
    return Bars(width, height, top, segments)


def sparkline(counts: Sequence[int], *, width: int = 96, height: int = 24) -> str:
    """Return the points of a line through the counts, as SVG's `polyline` takes them."""
    most, step = max(counts, default=0) or 1, width / max(1, len(counts) - 1)
    return " ".join(
        f"{place * step:.1f},{height - 2 - (height - 4) * count / most:.1f}"
        for place, count in enumerate(counts)
    )


@dataclass(frozen=True, slots=True)
class Columns:
    """Bars, one a number, as an SVG's path; what is below zero hangs from the line at `zero`."""

    width: int
    height: int
    zero: float
    path: str
    color: str


def columns(numbers: Sequence[float], color: str, *, width: int, height: int) -> Columns:
    """Return a bar a number, from zero on."""
    top, bottom = max(0.0, *numbers), min(0.0, *numbers)
    # Halves, since the difference of two large ones may be no number any more
    scale = height / ((top / 2 - bottom / 2) or 0.5) / 2
    zero, step = round(top * scale, 1), width / max(1, len(numbers))
    gap = min(4.0, step / 3)
    bars = []
    for place, number in enumerate(numbers):
        if number:
            tall = max(1.0, abs(number) * scale)
            y = max(0.0, zero - tall) if number > 0 else min(zero, height - tall)
            bars.append(
                f"M{place * step + gap / 2:.1f} {y:.1f}h{step - gap:.1f}v{tall:.1f}h{gap - step:.1f}z"
            )
    return Columns(width, height, zero, "".join(bars), color)
